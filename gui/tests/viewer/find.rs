//! Find: from match to match, and from there to a filter.

use eframe::egui::accesskit::Toggled;
use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::stage::{Stage, label};

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::F);
    stage.type_text("/BIN/ECHO");
    stage
}

/// What is said of the row that is selected.
fn selected(stage: &Stage) -> String {
    let mut rows = stage.harness.query_all_by_role(Role::Row);
    let row = rows.find(|node| node.accesskit_node().toggled() == Some(Toggled::True));
    row.map(|node| label(&node)).unwrap_or_default()
}

#[test]
fn keys_go_from_match_to_match() {
    let mut stage = stage();
    stage.key(Modifiers::NONE, Key::Enter);
    assert!(stage.says("1 of 3"), "{:#?}", stage.texts());
    let first = selected(&stage);
    assert!(first.contains("/bin/echo"), "{first}");
    stage.key(Modifiers::NONE, Key::Enter);
    assert!(stage.says("2 of 3"), "the field keeps the keys: {:#?}", stage.texts());
    assert_ne!(selected(&stage), first);
    stage.key(Modifiers::SHIFT, Key::Enter);
    assert_eq!(selected(&stage), first);
    stage.key(Modifiers::SHIFT, Key::Enter);
    assert!(stage.says("3 of 3"), "round the end");
    stage.key(Modifiers::NONE, Key::Escape);
    assert!(!stage.says("Find in command lines"));
}

#[test]
fn what_is_looked_for_becomes_a_filter() {
    let mut stage = stage();
    stage.type_text("-nothing");
    stage.click("Next");
    assert!(stage.says("not found"), "{:#?}", stage.texts());
    stage.click("Filter by it");
    assert_eq!(stage.settings().filter, "cmd ~ /BIN/ECHO-nothing");
    assert!(stage.says("No process matches."));
    stage.click("Close find");
    assert!(!stage.says("Find in command lines"));
}

#[test]
fn rules_and_binaries_have_fields_of_their_own() {
    for (view, field, text, row) in [
        (Key::Num5, "Find in rules", "no such rule", "No rule has these words."),
        (
            Key::Num6,
            "Find in binaries",
            "no such file",
            "No path, hash or package has these words.",
        ),
    ] {
        let mut stage = Stage::new();
        stage.key(Modifiers::COMMAND, view);
        stage.key(Modifiers::COMMAND, Key::F);
        stage.type_text(text);
        assert!(stage.says(field) && stage.says(row), "{:#?}", stage.texts());
    }
}

#[test]
fn other_tables_say_that_they_have_none() {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::Num2);
    stage.key(Modifiers::COMMAND, Key::F);
    assert!(stage.says("find is for processes, rules and binaries"), "{:#?}", stage.texts());
}
