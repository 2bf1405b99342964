//! Drives the whole window, by the names that a screen reader says, against a recorder that answers
//! from files which the real one wrote.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

#[path = "viewer/connection.rs"]
mod connection;
#[path = "viewer/fake.rs"]
mod fake;
#[path = "viewer/health.rs"]
mod health;
#[path = "viewer/select.rs"]
mod select;
#[path = "viewer/sessions.rs"]
mod sessions;
#[path = "viewer/stage.rs"]
mod stage;
#[path = "viewer/timeline.rs"]
mod timeline;
#[path = "viewer/tree.rs"]
mod tree;
