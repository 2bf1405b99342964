//! Which columns a table has: chosen, kept as a set, taken again.

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{By, Queryable as _};

use crate::stage::Stage;

fn shown(stage: &Stage) -> Vec<String> {
    let settings = stage.settings();
    let columns = settings.tables["Processes"].now.iter();
    columns.filter(|column| column.is_shown).map(|column| column.name.clone()).collect()
}

fn sets(stage: &Stage) -> Vec<String> {
    let settings = stage.settings();
    settings.tables["Processes"].sets.iter().map(|set| set.name.clone()).collect()
}

/// The window of the columns.
fn choose(stage: &mut Stage) {
    stage.key(Modifiers::COMMAND, Key::K);
    assert!(stage.says("Columns of Processes"), "{:#?}", stage.texts());
}

fn keep(stage: &mut Stage, name: &str) {
    stage.click("Name of the column set");
    stage.type_text(name);
    stage.key(Modifiers::NONE, Key::Enter);
}

#[test]
fn a_set_of_columns_is_kept_taken_again_and_removed() {
    let mut stage = Stage::new();
    let first = shown(&stage);
    choose(&mut stage);
    stage.click("unit");
    stage.click("parent");
    let chosen = shown(&stage);
    assert!(chosen.contains(&"unit".to_owned()) && !chosen.contains(&"parent".to_owned()));
    keep(&mut stage, "services");
    assert_eq!(sets(&stage), ["services"]);
    stage.click("As at first");
    assert_eq!(shown(&stage), first);
    stage.click("services");
    assert_eq!(shown(&stage), chosen);
    stage.click("Remove column set services");
    assert!(sets(&stage).is_empty());
    assert_eq!(shown(&stage), chosen, "what is shown stays");
    stage.key(Modifiers::NONE, Key::Escape);
    assert!(!stage.says("Columns of Processes"));
}

#[test]
fn one_column_stays() {
    let mut stage = Stage::new();
    choose(&mut stage);
    for column in shown(&stage) {
        let by_role = By::new().role(Role::CheckBox).label(&column);
        stage.harness.get(by_role).click();
        stage.settle();
    }
    assert_eq!(shown(&stage).len(), 1);
}

#[test]
fn a_set_needs_a_name_and_a_hostile_one_stays_on_its_line() {
    let mut stage = Stage::new();
    choose(&mut stage);
    keep(&mut stage, " ");
    assert!(stage.says("give it a name"), "{:#?}", stage.texts());
    keep(&mut stage, "a\u{202e}b");
    assert!(stage.says("a\\u{202e}b"), "{:#?}", stage.texts());
    assert!(!stage.texts().iter().any(|text| text.contains('\u{202e}')));
}

#[test]
fn every_view_with_a_table_offers_its_columns() {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::Num7);
    stage.key(Modifiers::COMMAND, Key::K);
    assert!(!stage.says("Columns of"), "health has no table");
    stage.key(Modifiers::COMMAND, Key::Num1);
    stage.key(Modifiers::NONE, Key::End);
    for (key, name) in [
        (Key::T, "Columns of Tree"),
        (Key::Num3, "Columns of Sessions"),
        (Key::Num4, "Columns of Alerts"),
        (Key::Num5, "Columns of Rules"),
        (Key::Num6, "Columns of Binaries"),
    ] {
        stage.key(Modifiers::COMMAND, key);
        stage.key(Modifiers::COMMAND, Key::K);
        assert!(stage.says(name), "{name}: {:#?}", stage.texts());
        stage.click("Close");
    }
}
