//! Connections that are missing, lost and found again.

use eframe::egui::{Key, Modifiers};
use gui::connection::{Notice, Status, Trouble, TroubleKind};

use crate::stage::Stage;

#[test]
fn what_is_missing_is_explained() {
    for (kind, title) in [
        (TroubleKind::NotInstalled, "The recorder is not installed"),
        (TroubleKind::NotRunning, "The recorder does not run"),
        (TroubleKind::NotPermitted, "You may not read the record"),
    ] {
        let mut stage = Stage::unconnected();
        let trouble = Trouble::new(kind, "no socket").hint("do this: `some command`");
        stage.fake().tell(Notice::Status(Status::Absent(trouble)));
        stage.settle();
        assert!(stage.says(title), "{:#?}", stage.texts());
        assert!(stage.says("do this") && stage.says("some command"));
        assert!(stage.says("Recorded database"));
        // It goes on by itself.
        stage.fake().connect();
        stage.settle();
        assert_eq!(stage.rows().len(), 33);
    }
}

#[test]
fn nothing_is_missed_and_nothing_comes_twice_over_a_lost_connection() {
    let mut stage = Stage::new();
    let event = stage.new_event(1, 1, "before");
    stage.fake().happen(event);
    stage.settle();
    stage.fake().break_off();
    stage.settle();
    assert!(stage.says("No connection"));
    assert_eq!(stage.rows().len(), 34, "what was there stays");
    stage.pass(1_000_000);
    let event = stage.new_event(1, 2, "meanwhile");
    stage.fake().happen(event);
    stage.fake().connect();
    stage.settle();
    stage.pass(1_000_000);
    let event = stage.new_event(1, 3, "after");
    stage.fake().happen(event);
    stage.settle();
    assert!(!stage.says("No connection"));
    let rows = stage.rows();
    assert_eq!(rows.len(), 36);
    for (row, part) in rows[33..].iter().zip(["before", "meanwhile", "after"]) {
        assert!(row.contains(part), "{row}");
    }
}

#[test]
fn a_recorded_database_is_shown_whole_and_not_followed() {
    let mut stage = Stage::unconnected();
    stage.fake().health.state = "read-only".to_owned();
    stage.fake().connect();
    stage.settle();
    assert!(stage.says("Recorded"));
    assert_eq!(stage.rows().len(), 33);
    assert!(!stage.says("Pause"));
}

#[test]
fn the_title_says_what_is_looked_at_and_where() {
    let mut stage = Stage::unconnected();
    assert_eq!(stage.title(), "BPF Recorder");
    stage.fake().health.host = "web\u{1b}1".to_owned();
    stage.fake().connect();
    stage.settle();
    assert_eq!(stage.title(), "Processes – web\\x1b1 – BPF Recorder");
    stage.key(Modifiers::COMMAND, Key::Num4);
    assert_eq!(stage.title(), "Alerts – web\\x1b1 – BPF Recorder");
}
