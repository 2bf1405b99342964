//! What every part of BPF Recorder shares: the data model, its ECS form, the filter language, the
//! D-Bus names and proxies, and the escaping of hostile strings.
//!
//! Plain data and pure logic. Deliberately absent: files, sockets, SQLite, eBPF, clocks.

pub mod alert;
pub mod binary;
pub mod bus;
pub mod csv_form;
pub mod ecs;
pub mod escape;
pub mod filter;
pub mod health;
pub mod id;
pub mod nearest;
pub mod number;
pub mod record;
pub mod rule;
pub mod time;
pub mod web;
pub mod why;
