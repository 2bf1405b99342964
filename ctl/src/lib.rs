//! bpfctl: what people type to reach the recorder.
//!
//! The command line is [`args::Cli`], from which parsing, help, man page and completions come.
//! Deliberately absent: the database, `/proc`, eBPF. All that is shown comes over D-Bus.

pub mod args;
pub mod error;

mod alerts;
mod binaries;
mod command;
mod connect;
mod content;
mod events;
mod export;
mod fields;
mod health;
mod new_file;
mod page;
mod progress;
mod row;
mod rules;
mod screen;
mod show;
mod sink;
mod spool;
mod status;
mod stream;
mod table;
mod text;
mod top;
mod tree;
mod web;
mod when;

pub use command::run;
pub use screen::Palette;
