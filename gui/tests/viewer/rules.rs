//! Rules: the list, switching, adding, trying on history, removing.

use eframe::egui::{Key, Modifiers};
use gui::connection::Request;
use gui::connection::rules::{Ask, Quarry};
use gui::views::ViewId;

use crate::stage::Stage;

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::Num5);
    stage
}

fn asked(stage: &mut Stage, is_it: impl Fn(&Ask) -> bool) -> bool {
    stage.fake().asked.iter().any(|request| matches!(request, Request::Rules(ask) if is_it(ask)))
}

#[test]
fn rules_are_listed_and_narrowed_by_words() {
    let mut stage = stage();
    let rows = stage.rows();
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert!(rows[0].contains("Critical one, critical, looks at every event"), "{}", rows[0]);
    stage.focus("Find in rules");
    stage.type_text("uploaded enabled");
    assert_eq!(stage.rows().len(), 1);
    stage.type_text(" xyz");
    assert!(stage.says("No rule has these words."));
    stage.click("Show all rules");
    assert_eq!(stage.rows().len(), 3);
}

#[test]
fn several_are_switched_at_once() {
    let mut stage = stage();
    stage.row("Critical one").click();
    stage.settle();
    assert!(stage.says("title: Critical one"), "its text is shown");
    stage.key(Modifiers::SHIFT, Key::ArrowDown);
    stage.key(Modifiers::NONE, Key::D);
    assert!(stage.says("2 rules switched"));
    assert!(stage.rows()[1].contains("switched off"), "{:#?}", stage.rows());
    stage.fake().triage.is_refusing = true;
    stage.key(Modifiers::NONE, Key::E);
    assert!(stage.says("the recorder refuses this"));
    assert!(stage.rows()[1].contains("switched off"));
}

#[test]
fn a_rule_is_checked_and_its_fault_found() {
    let mut stage = stage();
    stage.click("Add a rule…");
    stage.click("Begin with an example");
    stage.click("Check");
    assert!(stage.says("Refused: line 2, column 1"), "{:#?}", stage.texts());
    stage.click("Go to line 2");
    stage.type_text("x");
    assert!(stage.says("the text was changed since"), "{:#?}", stage.texts());
    stage.click("Upload");
    assert!(asked(&mut stage, |ask| {
        matches!(ask, Ask::Upload { name, text }
            if name == "my-rule.yml" && text.starts_with("title: Download into /tmp\nx\n"))
    }));
}

#[test]
fn a_rule_comes_from_a_file_with_a_dialog_or_without() {
    let mut stage = stage();
    stage.click("Add a rule…");
    stage.click("From a file…");
    assert!(stage.says("there is no file dialog"));
    stage.focus("Path of the file");
    stage.type_text("/tmp/typed.yml");
    stage.click("Read");
    assert!(asked(&mut stage, |ask| matches!(ask, Ask::Check { name, .. } if name == "typed.yml")));
    stage.fake().triage.chosen = Some("/tmp/chosen.yml".into());
    stage.click("From a file…");
    let is_chosen = |ask: &Ask| matches!(ask, Ask::Check { name, .. } if name == "chosen.yml");
    assert!(asked(&mut stage, is_chosen));
}

#[test]
fn a_rule_is_tried_on_history() {
    let mut stage = stage();
    stage.row("Mine").click();
    stage.settle();
    stage.click("Try on history");
    let is_it = |ask: &Ask| {
        matches!(ask, Ask::Hunt { what: Quarry::Stored(id), filter }
            if id == "aaaa-1" && filter.contains("time >= "))
    };
    assert!(asked(&mut stage, is_it));
    assert!(stage.says("Would have fired 3 times in 33 records"), "{:#?}", stage.texts());
    stage.click("/tmp/found --once");
    assert_eq!(stage.settings().view, ViewId::Timeline);
    stage.key(Modifiers::ALT, Key::ArrowLeft);
    assert!(stage.says("Would have fired 3 times"), "what was found is still there");
}

#[test]
fn a_hunt_is_cancelled() {
    let mut stage = stage();
    stage.row("Mine").click();
    stage.settle();
    stage.fake().hold();
    stage.click("Try on history");
    let before = stage.fake().cancelled.len();
    stage.click("Cancel");
    assert_eq!(stage.fake().cancelled.len(), before + 1);
    stage.fake().let_go(false);
    stage.settle();
    assert!(stage.says("cancelled before the end") && !stage.says("/tmp/found --once"));
}

#[test]
fn only_an_uploaded_rule_is_removed_and_only_when_that_is_meant() {
    let mut stage = stage();
    stage.row("Mine").click();
    stage.settle();
    stage.click("Remove…");
    assert!(stage.says("Remove “Mine”?"));
    stage.click("Keep");
    assert_eq!(stage.rows().len(), 3);
    stage.click("Remove…");
    stage.click("Remove");
    assert!(stage.says("1 rule removed"));
    assert_eq!(stage.rows().len(), 2);
}
