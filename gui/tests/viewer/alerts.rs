//! Alerts: groups, decisions, why one fired, ways to and fro.

use common::alert::Status;
use eframe::egui::{Key, Modifiers};
use gui::connection::{Request, alerts::Ask};
use gui::views::ViewId;

use crate::stage::Stage;

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::Num4);
    stage
}

/// What the recorder was told last.
fn told(stage: &mut Stage) -> Option<(Vec<u64>, Option<Status>, String)> {
    stage.fake().asked.iter().rev().find_map(|request| match request {
        Request::Alerts(Ask::Set { ids, status, note }) => {
            Some((ids.clone(), *status, note.clone()))
        }
        _ => None,
    })
}

#[test]
fn alerts_stand_in_groups_newest_first() {
    let mut stage = stage();
    let rows = stage.rows();
    assert_eq!(rows.len(), 5, "{rows:#?}");
    assert!(stage.says("alerts 3") && !stage.says("processes 3"), "{:#?}", stage.texts());
    assert!(rows[0].starts_with("group, medium, Program started from a temporary directory"));
    assert!(rows[1].contains("alert 100") && rows[1].contains("elsewhere"), "{}", rows[1]);
    assert!(rows[2].contains("alert 98"));
    assert!(rows[3].contains("critical, A\\nhostile \\u{202e}title"), "{}", rows[3]);
    stage.click("By process");
    let rows = stage.rows();
    assert!(rows[0].contains("group, medium, elsewhere"), "{rows:#?}");
    assert!(rows[2].contains("group, critical, x-dropped"), "{rows:#?}");
    assert!(stage.says("3 alerts of 2 processes"));
}

#[test]
fn one_key_decides_and_the_next_is_looked_at() {
    let mut stage = stage();
    stage.row("alert 100").click();
    stage.settle();
    stage.key(Modifiers::NONE, Key::R);
    assert_eq!(told(&mut stage), Some((vec![100], Some(Status::Resolved), String::new())));
    assert_eq!(stage.rows().len(), 4);
    stage.key(Modifiers::NONE, Key::F);
    assert_eq!(told(&mut stage), Some((vec![98], Some(Status::FalsePositive), String::new())));
    stage.key(Modifiers::NONE, Key::P);
    assert_eq!(told(&mut stage), Some((vec![99], Some(Status::InProgress), String::new())));
    stage.key(Modifiers::NONE, Key::N);
    assert_eq!(told(&mut stage), Some((vec![99], Some(Status::New), String::new())));
    assert!(stage.says("2 not shown"));
    stage.click("Show resolved");
    assert_eq!(stage.rows().len(), 4);
}

#[test]
fn several_are_decided_on_at_once_with_a_note() {
    let mut stage = stage();
    stage.row("alert 100").click();
    stage.settle();
    stage.key(Modifiers::SHIFT, Key::ArrowDown);
    assert!(stage.says("2 alerts selected:"), "{:#?}", stage.texts());
    stage.key(Modifiers::NONE, Key::M);
    stage.type_text("our backup");
    stage.key(Modifiers::NONE, Key::Enter);
    assert_eq!(told(&mut stage), Some((vec![98, 100], None, "our backup".to_owned())));
    assert!(stage.says("ann: new"), "its history is shown: {:#?}", stage.texts());
    stage.click("Set to false positive");
    let expected = (vec![98, 100], Some(Status::FalsePositive), String::new());
    assert_eq!(told(&mut stage), Some(expected));
}

#[test]
fn the_arrows_fold_groups() {
    let mut stage = stage();
    stage.row("alert 98").click();
    stage.settle();
    stage.key(Modifiers::NONE, Key::ArrowLeft);
    assert_eq!(stage.rows().len(), 3);
    assert!(stage.says("2 alerts selected:"), "the whole group is");
    stage.key(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(stage.rows().len(), 5);
}

#[test]
fn a_refusal_says_what_to_do_and_changes_nothing() {
    let mut stage = stage();
    stage.fake().triage.is_refusing = true;
    stage.row("alert 98").click();
    stage.settle();
    stage.key(Modifiers::NONE, Key::R);
    assert!(stage.says("the recorder refuses this"));
    assert!(stage.says("sudo usermod -aG bpf-recorder $USER"));
    assert_eq!(stage.rows().len(), 5);
    stage.click("Dismiss the message");
    assert!(!stage.says("the recorder refuses this"));
}

#[test]
fn what_is_raised_appears_unless_paused() {
    let mut stage = stage();
    stage.raise_alert();
    assert!(stage.rows()[1].contains("alert 101"), "{:#?}", stage.rows());
    stage.key(Modifiers::COMMAND, Key::Space);
    stage.raise_alert();
    assert_eq!(stage.rows().len(), 6);
    stage.key(Modifiers::COMMAND, Key::Space);
    assert_eq!(stage.rows().len(), 7, "{:#?}", stage.rows());
}

#[test]
fn alerts_are_counted_while_another_view_is_seen() {
    let mut stage = Stage::new();
    assert!(stage.says("Alerts  3"), "{:#?}", stage.texts());
    stage.raise_alert();
    assert!(stage.says("Alerts  4"));
}

#[test]
fn why_it_fired_is_shown_and_one_can_go_on_from_there() {
    let mut stage = stage();
    stage.row("alert 98").click();
    stage.settle();
    assert!(stage.says("Image|startswith '/tmp/'"), "{:#?}", stage.texts());
    assert!(stage.says("/tmp/x-dropped"));
    stage.click("Rule");
    assert_eq!(stage.settings().view, ViewId::Rules);
    assert!(stage.says("title: Program started from a temporary directory"));
    stage.key(Modifiers::ALT, Key::ArrowLeft);
    assert_eq!(stage.settings().view, ViewId::Alerts);
    assert!(stage.says("Image|startswith '/tmp/'"));
    stage.click("Process");
    assert_eq!(stage.settings().view, ViewId::Timeline);
    assert!(stage.says("Arguments (2)"), "{:#?}", stage.texts());
    stage.click("Program started from a temporary directory");
    assert_eq!(stage.settings().view, ViewId::Alerts);
    assert!(stage.says("alert 98"));
}

#[test]
fn a_late_answer_never_replaces_a_newer_one() {
    let mut stage = stage();
    stage.fake().hold();
    stage.row("alert 100").click();
    stage.settle();
    stage.row("alert 99").click();
    stage.settle();
    stage.fake().let_go(true);
    stage.settle();
    assert!(stage.says("A\\nhostile \\u{202e}title"));
    assert!(stage.texts().iter().any(|text| text == "alert 99"), "{:#?}", stage.texts());
}

#[test]
fn a_page_does_not_undo_what_was_told_meanwhile() {
    let mut stage = stage();
    stage.fake().hold_those_to(|request| matches!(request, Request::Alerts(Ask::Rows { .. })));
    stage.filter("pid > 0");
    stage.row("alert 100").click();
    stage.settle();
    stage.key(Modifiers::NONE, Key::R);
    stage.raise_alert();
    let rows = stage.rows();
    assert!(rows[1].contains("alert 101") && rows[2].contains("alert 98"), "{rows:#?}");
    stage.fake().let_go(false);
    stage.settle();
    assert_eq!(stage.rows(), rows);
}

/// Otherwise what happens in between would never be seen.
#[test]
fn alerts_are_followed_before_they_are_fetched() {
    let mut stage = stage();
    let pages = |stage: &mut Stage| {
        let asked = stage.fake().asked.iter();
        asked.filter(|request| matches!(request, Request::Alerts(Ask::Rows { .. }))).count()
    };
    let before = pages(&mut stage);
    stage.fake().hold_those_to(|request| matches!(request, Request::Alerts(Ask::Follow { .. })));
    stage.filter("pid > 0");
    assert_eq!(pages(&mut stage), before);
    stage.fake().let_go(false);
    stage.settle();
    assert_eq!(pages(&mut stage), before + 1);
}

#[test]
fn an_empty_list_teaches() {
    let mut stage = stage();
    stage.filter("name = nobody");
    assert!(stage.says("No rule fired on a process that matches:"));
    stage.click("Clear the filter");
    assert_eq!(stage.rows().len(), 5);
    stage.click("Show new");
    stage.click("Show in progress");
    assert!(stage.says("Nothing is open"));
    stage.click("Show all of them");
    assert_eq!(stage.rows().len(), 5);
}
