//! The recorder daemon: the I/O shell around `ebpf` and `common`.
//!
//! `sensor` holds the privilege and parses nothing; `recorder` parses everything and holds none.
//! Arrows between the modules are listed in ARCHITECTURE.md.

pub mod cli;
pub mod settings;

mod allocator;
#[cfg(feature = "capture")]
#[doc(hidden)]
pub mod bench;
mod binaries;
mod bus;
mod detect;
#[cfg(feature = "capture")]
mod enrich;
#[cfg(all(feature = "capture", any(test, feature = "fuzz")))]
#[doc(hidden)]
pub mod fuzz;
mod log;
#[cfg(test)]
mod manual;
mod namespace;
#[cfg(feature = "capture")]
mod recorder;
#[cfg(feature = "capture")]
mod rules;
#[cfg(feature = "capture")]
mod sensor;
mod socket;
mod store;
mod web;
