//! What it looks like, against pictures that people have looked at.
//!
//! Always the same, for all that goes into them is: built-in fonts, a clock that stands still, UTC, a
//! pixel for each point, Mesa drawing on the processor. Renew them with `UPDATE_SNAPSHOTS=1`, and look
//! at them.

use eframe::egui::{Key, Modifiers};
use egui_kittest::SnapshotOptions;
use gui::state::settings::Appearance;

use crate::stage::Stage;

const SIZE: [f32; 2] = [1120.0, 640.0];

fn check(name: &str, appearance: Appearance, play: impl FnOnce(&mut Stage)) {
    let mut stage = Stage::drawn(SIZE, appearance);
    play(&mut stage);
    // The pointer is nowhere, and nothing is on its way.
    stage.harness.remove_cursor();
    stage.settle();
    stage.harness.snapshot_options(name, &tolerance());
}

/// Not a pixel may differ by more than this, in the measure of dify (squared distance in YIQ). Mesa's
/// other way of drawing in software, `GALLIUM_DRIVER=softpipe`, rounds differently in thousands of
/// pixels, by at most this; a square of six pixels in a slightly lighter grey is beyond it.
fn tolerance() -> SnapshotOptions {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    SnapshotOptions::new().threshold(1.5).max_failed_pixels(0).output_path(path)
}

fn select_a_row(stage: &mut Stage) {
    stage.row("x-dropped").click();
    stage.settle();
}

#[test]
fn the_processes() {
    check("processes", Appearance::Light, select_a_row);
}

#[test]
fn the_processes_in_the_dark() {
    check("processes-dark", Appearance::Dark, select_a_row);
}

#[test]
fn the_tree() {
    check("tree", Appearance::Light, |stage| {
        stage.key(Modifiers::NONE, Key::End);
        stage.key(Modifiers::COMMAND, Key::T);
    });
}

#[test]
fn alerts_and_why_they_fired() {
    check("alerts", Appearance::Light, |stage| {
        stage.key(Modifiers::COMMAND, Key::Num4);
        stage.key(Modifiers::NONE, Key::ArrowDown);
        stage.key(Modifiers::NONE, Key::ArrowDown);
    });
}

#[test]
fn the_rules() {
    check("rules", Appearance::Light, |stage| {
        stage.key(Modifiers::COMMAND, Key::Num5);
        stage.key(Modifiers::NONE, Key::ArrowDown);
    });
}

#[test]
fn the_health() {
    check("health", Appearance::Dark, |stage| stage.key(Modifiers::COMMAND, Key::Num7));
}

#[test]
fn the_columns() {
    check("columns", Appearance::Light, |stage| {
        stage.key(Modifiers::COMMAND, Key::K);
        stage.click("Name of the column set");
        stage.type_text("services");
        stage.key(Modifiers::NONE, Key::Enter);
    });
}
