//! The viewer as people have it: the program itself, in a window of a desktop, at a recorder that
//! records this machine. Whatever is done is done by keys, as they come from a keyboard.
//!
//! Needs root and a kernel that permits eBPF, as the capture tests of the daemon do: elsewhere it says
//! why it is skipped, which is a failure where BPF_RECORDER_REQUIRE_KERNEL=1. Needs Xvfb, Mesa's
//! software OpenGL, xdotool, xclip and ImageMagick: `make install-deps`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

#[path = "desktop/display.rs"]
mod display;
#[path = "desktop/keyboard.rs"]
mod keyboard;
#[path = "desktop/recorder.rs"]
mod recorder;
#[path = "desktop/story.rs"]
mod story;
#[path = "desktop/viewer.rs"]
mod viewer;
