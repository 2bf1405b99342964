//! The tree: relatives of a process, folded and opened, by keys and by names.

use eframe::egui::{Key, Modifiers};
use gui::connection::Request;
use gui::connection::processes::Ask;

use crate::stage::Stage;

/// The tree of the shell that ran everything.
fn tree() -> Stage {
    let mut stage = Stage::new();
    stage.row("bash /tmp/workload.sh").click();
    stage.settle();
    stage.key(Modifiers::COMMAND, Key::T);
    stage
}

fn position(stage: &Stage, part: &str) -> usize {
    let rows = stage.rows();
    rows.iter().position(|row| row.contains(part)).unwrap_or_else(|| panic!("{part}: {rows:#?}"))
}

#[test]
fn relatives_stand_below_each_other_with_equal_ones_folded() {
    let stage = tree();
    let rows = stage.rows();
    assert!(rows[0].starts_with("parent 9951: not recorded"), "{}", rows[0]);
    assert!(rows[1].contains("workload.sh, level 1, expanded, pid 9955"), "{}", rows[1]);
    let sleeps = &rows[position(&stage, "12 × /usr/bin/sleep")];
    assert!(sleeps.contains("level 2, collapsed"), "{sleeps}");
    let child = &rows[position(&stage, "sleep 0.2, level 3")];
    assert!(child.contains("after +"), "{child}");
    assert!(position(&stage, "sleep 0.2, level 3") > position(&stage, "/bin/sh -c sleep 0.2"));
    assert!(rows[position(&stage, "pid 9966")].contains("⚡ killed SEGV"));
}

#[test]
fn rules_that_fired_are_told_in_words() {
    let stage = tree();
    let dropped = position(&stage, "/tmp/x-dropped --daemon");
    assert!(stage.rows()[dropped].contains("alerts ▲"), "{}", stage.rows()[dropped]);
}

#[test]
fn keys_open_fold_and_go_out() {
    let mut stage = tree();
    let whole = stage.rows().len();
    stage.key(Modifiers::NONE, Key::ArrowLeft);
    assert!(stage.rows()[1].contains("collapsed"));
    assert_eq!(stage.rows().len(), 2);
    stage.key(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(stage.rows().len(), whole);
    stage.key(Modifiers::NONE, Key::ArrowRight);
    assert!(stage.says("/bin/true"), "the first child is selected");
    stage.key(Modifiers::NONE, Key::ArrowLeft);
    stage.key(Modifiers::NONE, Key::Enter);
    assert_eq!(stage.rows().len(), 2, "Enter folds what is open");
}

#[test]
fn a_count_opens_and_its_members_are_looked_at() {
    let mut stage = tree();
    stage.row("12 × /usr/bin/sleep").click();
    stage.settle();
    let before = stage.rows().len();
    stage.key(Modifiers::NONE, Key::Enter);
    assert!(stage.rows().len() > before);
    stage.row("pid 9975").click();
    stage.settle();
    assert!(stage.says("/bin/sleep") && stage.says("Arguments (2)"));
}

#[test]
fn a_new_child_appears_even_if_the_filter_has_others() {
    let mut stage = tree();
    let row = |stage: &Stage, part: &str| stage.rows().iter().any(|row| row.contains(part));
    let event = stage.new_event(1, 500, "/bin/true now");
    stage.fake().happen(event);
    stage.settle();
    assert!(row(&stage, "/bin/true now"), "{:#?}", stage.rows());

    stage.filter("name = nothing");
    assert!(row(&stage, "workload.sh"), "a tree is not narrowed");
    let event = stage.new_event(1, 501, "/bin/true later");
    stage.fake().happen(event);
    stage.settle();
    assert!(row(&stage, "/bin/true later"), "{:#?}", stage.rows());
}

#[test]
fn all_roots_are_asked_for_and_a_late_answer_changes_nothing() {
    let mut stage = tree();
    stage.fake().hold();
    stage.click("All roots");
    stage.click("Tree of selected");
    stage.fake().let_go(true);
    stage.settle();
    assert!(stage.says("Tree of bash 9955"));
    let is_roots = |request: &Request| matches!(request, Request::Processes(Ask::Page { filter, .. }) if filter.contains("ppid"));
    assert!(stage.fake().asked.iter().any(is_roots));
    stage.click("All roots");
    assert!(stage.says("Tree of all that have no parent"));
}

#[test]
fn nothing_selected_asks_for_one() {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::T);
    assert!(stage.says("select a process first"));
}
