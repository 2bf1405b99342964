//! Saved filters: given a name, taken again from the menu and the palette, removed.

use eframe::egui::{Key, Modifiers};

use crate::stage::Stage;

/// Saves the filter that is shown.
fn save(stage: &mut Stage, name: &str) {
    stage.key(Modifiers::COMMAND, Key::S);
    stage.type_text(name);
    stage.key(Modifiers::NONE, Key::Enter);
}

fn saved(stage: &Stage) -> Vec<(String, String)> {
    let settings = stage.settings();
    let saved = settings.saved_filters.iter();
    saved.map(|saved| (saved.name.clone(), saved.value.clone())).collect()
}

#[test]
fn a_filter_is_saved_taken_again_and_removed() {
    let mut stage = Stage::new();
    stage.filter("name = dash");
    save(&mut stage, "shells");
    assert_eq!(saved(&stage), [("shells".to_owned(), "name = dash".to_owned())]);
    stage.filter("name = nothing");
    stage.click("Saved filters");
    stage.click("shells");
    assert_eq!(stage.settings().filter, "name = dash");
    stage.click("Saved filters");
    stage.click("Remove saved filter shells");
    assert!(saved(&stage).is_empty());
    assert_eq!(stage.settings().filter, "name = dash", "what is shown stays");
}

#[test]
fn one_of_the_same_name_is_replaced() {
    let mut stage = Stage::new();
    stage.filter("name = dash");
    save(&mut stage, "mine");
    stage.filter("name = nothing");
    stage.key(Modifiers::COMMAND, Key::S);
    stage.type_text("mine");
    assert!(stage.says("There is one of this name"), "{:#?}", stage.texts());
    stage.click("Replace");
    assert_eq!(saved(&stage), [("mine".to_owned(), "name = nothing".to_owned())]);
}

#[test]
fn the_palette_has_saved_filters() {
    let mut stage = Stage::new();
    stage.filter("name = dash");
    save(&mut stage, "odd shells");
    stage.filter("name = nothing");
    stage.key(Modifiers::COMMAND, Key::P);
    stage.type_text("odd");
    stage.key(Modifiers::NONE, Key::Enter);
    assert_eq!(stage.settings().filter, "name = dash");
    stage.filter("pid = 1");
    save(&mut stage, "init");
    stage.key(Modifiers::COMMAND, Key::P);
    stage.type_text("2");
    stage.key(Modifiers::NONE, Key::Enter);
    assert_eq!(stage.settings().filter, "pid = 2", "neither Ctrl+2 nor another filter");
}

#[test]
fn a_filter_needs_a_name_and_there_must_be_one() {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::S);
    assert!(stage.says("type a filter first"), "{:#?}", stage.texts());
    stage.filter("name = dash");
    save(&mut stage, " ");
    assert!(stage.says("give it a name"), "{:#?}", stage.texts());
    stage.click("Cancel");
    assert!(saved(&stage).is_empty());
}

#[test]
fn a_hostile_name_stays_on_its_line() {
    let mut stage = Stage::new();
    stage.filter("name = dash");
    save(&mut stage, "a\u{202e}b");
    stage.click("Saved filters");
    assert!(stage.says("a\\u{202e}b"), "{:#?}", stage.texts());
    assert!(!stage.texts().iter().any(|text| text.contains('\u{202e}')));
}
