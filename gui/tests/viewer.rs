//! Drives the whole window, by the names that a screen reader says, against a recorder that answers
//! from files which the real one wrote.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

#[path = "viewer/alerts.rs"]
mod alerts;
#[path = "viewer/binaries.rs"]
mod binaries;
#[path = "viewer/columns.rs"]
mod columns;
#[path = "viewer/connection.rs"]
mod connection;
#[path = "viewer/draw.rs"]
mod draw;
#[path = "viewer/export.rs"]
mod export;
#[path = "viewer/fake.rs"]
mod fake;
#[path = "viewer/find.rs"]
mod find;
#[path = "viewer/health.rs"]
mod health;
#[path = "viewer/pictures.rs"]
mod pictures;
#[path = "viewer/rules.rs"]
mod rules;
#[path = "viewer/saved.rs"]
mod saved;
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
#[path = "viewer/triage.rs"]
mod triage;
