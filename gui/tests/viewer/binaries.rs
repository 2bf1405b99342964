//! Binaries: the list, where one ran, its copy.

use eframe::egui::{Key, Modifiers};
use gui::connection::Request;
use gui::connection::binaries::Ask;
use gui::views::ViewId;

use crate::stage::{Stage, label};
use crate::triage::SHA256;

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::Num6);
    stage
}

fn asked(stage: &mut Stage, is_it: impl Fn(&Ask) -> bool) -> bool {
    stage.fake().asked.iter().any(|r| matches!(r, Request::Binaries(ask) if is_it(ask)))
}

#[test]
fn contents_are_listed_in_the_order_that_is_chosen() {
    let mut stage = stage();
    assert!(stage.rows()[0].contains("/bin/sh, ran 9 times"), "{:#?}", stage.rows());
    stage.click("Rarest");
    assert!(stage.rows()[0].contains("/tmp/x-dropped, ran 1 times"));
    assert!(asked(&mut stage, |ask| {
        matches!(ask, Ask::Rows { selection, .. } if selection.order == "rarest")
    }));
    stage.click("Unpackaged");
    assert_eq!(stage.rows().len(), 1);
    stage.click("New in the range");
    assert!(asked(&mut stage, |ask| {
        matches!(ask, Ask::Rows { selection, .. } if selection.first_since_ns > 0)
    }));
}

#[test]
fn from_a_content_to_the_processes_that_ran_it() {
    let mut stage = stage();
    stage.row("/tmp/x-dropped").click();
    stage.settle();
    assert!(stage.says(SHA256) && stage.says("254:0, 7"));
    stage.click_first("Show the processes that ran this");
    assert_eq!(stage.settings().view, ViewId::Timeline);
    assert_eq!(stage.settings().filter, format!("sha256 = {SHA256}"));
    stage.key(Modifiers::ALT, Key::ArrowLeft);
    stage.key(Modifiers::ALT, Key::ArrowLeft);
    assert_eq!(stage.settings().view, ViewId::Binaries);
    assert_eq!(stage.settings().filter, "");
}

#[test]
fn a_copy_is_saved_where_there_is_no_dialog() {
    let mut stage = stage();
    stage.row("/tmp/x-dropped").click();
    stage.settle();
    stage.click("Save copy…");
    assert!(stage.says("there is no file dialog"));
    stage.focus("Path to save to");
    stage.key(Modifiers::COMMAND, Key::A);
    stage.type_text("/nonexistent/copy");
    stage.click("Save");
    assert!(asked(&mut stage, |ask| {
        matches!(ask, Ask::Save { sha256, size_bytes: 4, path }
            if sha256 == SHA256 && path == std::path::Path::new("/nonexistent/copy"))
    }));
    assert!(stage.says("saved to /nonexistent/copy; it may be dangerous"));
}

#[test]
fn copies_are_pinned_and_verified() {
    let mut stage = stage();
    stage.row("/tmp/x-dropped").click();
    stage.settle();
    stage.click("Pin");
    assert!(stage.says("1 content pinned"));
    assert!(label(&stage.row("/tmp/x-dropped")).contains("kept, pinned"));
    stage.click("Verify all copies");
    assert!(stage.says("is damaged: its hash is another"));
}
