//! The process table, its filter, and the details beside it.

use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::stage::Stage;

#[test]
fn what_ran_is_shown_in_order() {
    let stage = Stage::new();
    let rows = stage.rows();
    assert_eq!(rows.len(), 33);
    assert!(rows[0].contains("bash /tmp/workload.sh"), "{}", rows[0]);
    assert!(rows[32].contains("uname -a, root, ended"), "{}", rows[32]);
    assert!(stage.says("processes 33"));
}

#[test]
fn a_click_shows_all_that_is_known() {
    let mut stage = Stage::new();
    stage.row("/bin/echo plain argument").click();
    stage.settle();
    assert!(stage.says("Arguments (3)"));
    assert!(stage.says("✔ ended · exit 0"));
    assert!(stage.says("Ancestry (1)"));
    assert!(stage.says("the kernel, when it was executed") || stage.says("Where this came from"));
    // The arrows go on from there.
    stage.key(Modifiers::NONE, Key::ArrowUp);
    assert!(stage.says("✖ failed · exit 1"));
}

#[test]
fn the_alerts_of_a_process_are_among_its_details() {
    let mut stage = Stage::new();
    stage.row("/tmp/x-dropped --daemon").click();
    stage.settle();
    assert!(stage.says("Alerts (1)"), "{:#?}", stage.texts());
    assert!(stage.says("Program started from a temporary directory"));
}

#[test]
fn each_image_of_a_process_is_shown_as_it_was() {
    let mut stage = Stage::new();
    stage.row(", /usr/bin/env -i A=1").click();
    stage.settle();
    assert!(stage.says("Images (3)"));
    assert!(stage.says("Arguments (5)"));
    stage.row(", /bin/cat /dev/null").click();
    stage.settle();
    assert!(stage.says("Arguments (2)"));
}

#[test]
fn a_filter_narrows_and_goes_back() {
    let mut stage = Stage::new();
    stage.filter("name = sleep");
    assert_eq!(stage.rows().len(), 13);
    assert_eq!(stage.settings().filter, "name = sleep");
    stage.key(Modifiers::ALT, Key::ArrowLeft);
    assert_eq!(stage.rows().len(), 33);
    stage.key(Modifiers::ALT, Key::ArrowRight);
    assert_eq!(stage.rows().len(), 13);
    stage.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    assert_eq!(stage.rows().len(), 33);
}

#[test]
fn a_fault_in_a_filter_is_told_where_it_is() {
    let mut stage = Stage::new();
    stage.filter("name = sh and nmae = x");
    assert!(stage.says("(column 15)"), "{:#?}", stage.texts());
    assert_eq!(stage.settings().filter, "", "it is not applied");
    assert_eq!(stage.rows().len(), 33);
}

#[test]
fn fields_and_values_are_completed() {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::L);
    stage.type_text("user = w");
    assert!(stage.says("www-data"));
    stage.key(Modifiers::NONE, Key::Tab);
    stage.key(Modifiers::NONE, Key::Enter);
    assert_eq!(stage.settings().filter, "user = www-data");
    assert!(stage.says("No process matches."));
    stage.click("Clear the filter");
    assert_eq!(stage.rows().len(), 33);
}

#[test]
fn a_cell_is_included_and_excluded() {
    let mut stage = Stage::new();
    stage.row("/bin/sleep 0.01").click_secondary();
    stage.settle();
    // The pointer is in the middle of the row, on the command line.
    stage.click("Exclude");
    assert_eq!(stage.settings().filter, "cmd != \"/bin/sleep 0.01\"");
    assert_eq!(stage.rows().len(), 21);
}

#[test]
fn hostile_texts_do_no_harm() {
    let mut stage = Stage::new();
    stage.row("line\\nfeed \\x1b[31mred \\u{202e}evil bytes").click();
    stage.settle();
    assert!(stage.says("Arguments (6)"));
    assert!(stage.says("(empty)"));
    stage.row("xxxxx").click();
    stage.settle();
    assert!(stage.says("bytes more"));
    let is_bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    let bad: Vec<String> = stage.texts().into_iter().filter(|text| text.contains(is_bad)).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn new_rows_come_and_wait_while_paused() {
    let mut stage = Stage::new();
    let event = stage.new_event(1, 1, "first");
    stage.fake().happen(event);
    stage.settle();
    assert!(stage.rows()[33].contains("first"));

    stage.key(Modifiers::COMMAND, Key::Space);
    for (pid, line) in [(2, "second"), (3, "third")] {
        stage.pass(1_000_000);
        let event = stage.new_event(1, pid, line);
        stage.fake().happen(event);
    }
    stage.settle();
    assert_eq!(stage.rows().len(), 34);
    assert!(stage.says("2 new"));

    stage.key(Modifiers::COMMAND, Key::Space);
    let rows = stage.rows();
    assert_eq!(rows.len(), 36);
    assert!(rows[35].contains("third"), "{}", rows[35]);
}

#[test]
fn an_end_is_shown_where_its_beginning_is() {
    let mut stage = Stage::new();
    let mut event = stage.new_event(1, 1, "lasting");
    event.recorder.state = "running".into();
    (event.process.exit_code, event.process.end) = (None, None);
    stage.fake().happen(event.clone());
    stage.settle();
    assert!(stage.rows()[33].ends_with("running"));
    event.event.action = "end".into();
    event.recorder.state = "failed".into();
    event.process.exit_code = Some(7);
    stage.fake().tell_followers(&event);
    stage.settle();
    assert_eq!(stage.rows().len(), 34);
    assert!(stage.rows()[33].ends_with("failed"));
}

#[test]
fn a_late_answer_does_not_win() {
    let mut stage = Stage::new();
    stage.fake().hold();
    stage.filter("name = sleep");
    stage.filter("name = bash");
    stage.fake().let_go(true);
    stage.settle();
    let rows = stage.rows();
    assert_eq!(rows.len(), 2, "{rows:#?}");
    assert!(!stage.fake().cancelled.is_empty());
}

#[test]
fn the_palette_finds_commands_and_processes() {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::P);
    stage.type_text("newest");
    stage.key(Modifiers::NONE, Key::Enter);
    assert!(stage.rows()[0].contains("uname -a"));
    stage.key(Modifiers::COMMAND, Key::P);
    let pid = stage.fake().events[1].process.pid;
    stage.type_text(&pid.to_string());
    stage.key(Modifiers::NONE, Key::Enter);
    assert_eq!(stage.settings().filter, format!("pid = {pid}"));
    assert_eq!(stage.rows().len(), 1);
}

#[test]
fn what_is_typed_in_the_same_frame_as_enter_counts() {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::L);
    stage.type_text("name = slee");
    stage.type_and_enter("p");
    assert_eq!(stage.settings().filter, "name = sleep");
    stage.key(Modifiers::COMMAND, Key::P);
    stage.type_text("newe");
    stage.type_and_enter("st first");
    assert!(stage.settings().is_newest_first);
}

#[test]
fn the_details_are_as_wide_whatever_they_say() {
    let mut stage = Stage::new();
    let edge = |stage: &Stage| stage.harness.get_by_role(Role::Table).rect().right();
    let before = edge(&stage);
    // Little is said while nothing is known.
    stage.fake().hold();
    stage.row("/bin/echo plain argument").click();
    stage.settle();
    assert_eq!(edge(&stage), before, "asked for");
    stage.fake().let_go(false);
    stage.settle();
    assert_eq!(edge(&stage), before, "known");
    stage.key(Modifiers::COMMAND, Key::T);
    assert_eq!(edge(&stage), before, "tree");
}

#[test]
fn escape_closes_help_then_goes_back() {
    let mut stage = Stage::new();
    stage.filter("name = sleep");
    stage.key(Modifiers::NONE, Key::F1);
    assert!(stage.says("Fields of the filter"));
    stage.key(Modifiers::NONE, Key::Escape);
    assert!(!stage.says("Fields of the filter"));
    assert_eq!(stage.rows().len(), 13);
    stage.key(Modifiers::NONE, Key::Escape);
    assert_eq!(stage.rows().len(), 33);
}

fn is_control(role: Role) -> bool {
    matches!(
        role,
        Role::Button
            | Role::CheckBox
            | Role::ColumnHeader
            | Role::Image
            | Role::Link
            | Role::ListBoxOption
            | Role::Row
            | Role::Splitter
            | Role::Table
            | Role::TextInput
    )
}

#[test]
fn every_control_has_a_name() {
    let mut stage = Stage::new();
    stage.row("/bin/echo plain argument").click();
    stage.settle();
    let nameless: Vec<String> = stage
        .harness
        .root()
        .children_recursive()
        .filter(|node| {
            let of = node.accesskit_node();
            is_control(of.role()) && of.label().is_none() && of.value().is_none()
        })
        .map(|node| format!("{:?} at {:?}", node.accesskit_node().role(), node.rect()))
        .collect();
    assert!(nameless.is_empty(), "{nameless:#?}");
}
