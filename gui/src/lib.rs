//! The desktop viewer of BPF Recorder. `connection` reaches the recorder from a thread of its own,
//! `state` is pure logic, `views`, `panel` and `widgets` draw, `window` holds them together.

// Points on a screen and shares of a height are what a `f32` holds.
#![allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "rows and points are small, and clamped where they come from outside"
)]

pub mod app;
pub mod args;
pub mod commands;
pub mod connection;
pub mod panel;
pub mod state;
pub mod theme;
pub mod views;
pub mod widgets;
pub mod window;
