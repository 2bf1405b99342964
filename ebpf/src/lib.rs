//! The kernel side of BPF Recorder and its wire format.
//!
//! `bpf/` is the C half, compiled by `build.rs`. [`wire`] turns its bytes into [`event`]s, without
//! privilege and without trust. [`load`] puts it into the kernel (the sensor's part); [`ring`] and
//! [`shared`] read what it writes through memory maps (the recorder's part: no `bpf()` call, so an
//! unprivileged process that inherited the descriptors can do it).
//!
//! What is not here: names, wall time, `/proc`. Nothing is interpreted.

pub mod event;
#[cfg(feature = "load")]
pub mod load;
#[cfg(feature = "load")]
mod map;
#[cfg(all(test, feature = "load"))]
mod object_btf;
#[cfg(feature = "load")]
pub mod ring;
#[cfg(feature = "load")]
pub mod shared;
pub mod wire;
