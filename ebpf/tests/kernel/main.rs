//! Loads the programs into the running kernel, runs real processes, and checks what is reported.
//!
//! Needs root and a kernel with BTF; elsewhere each test says why it is skipped, which is a
//! failure where BPF_RECORDER_REQUIRE_KERNEL=1.

#![allow(unsafe_code, reason = "forks, to exec in ways that the standard library cannot")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "part of the tests")]

mod fixture;
mod image;
mod kept;
mod life;
mod loss;
mod places;
mod running;
