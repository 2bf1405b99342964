//! Sessions and their transcripts.

use eframe::egui::{Key, Modifiers};
use gui::connection::Request;
use gui::connection::processes::Ask;

use crate::stage::Stage;

fn sessions() -> Stage {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::Num3);
    stage
}

#[test]
fn the_newest_session_is_read_in_order() {
    let stage = sessions();
    let rows = stage.rows();
    let group = rows.iter().find(|row| row.starts_with("sid 9955")).unwrap();
    assert!(group.contains("root, begun by bash /tmp/workload.sh"), "{group}");
    let line = |part: &str| rows.iter().position(|row| row.contains(part)).unwrap();
    assert!(line("/bin/true, ") < line("whoami, "));
    assert!(rows[line("sleep 0.2, ✔ ended")].contains("level 3"));
    assert!(!rows.iter().any(|row| row.contains("pid 9967")), "forks are left out: {rows:#?}");
}

#[test]
fn forks_are_shown_when_wanted() {
    let mut stage = sessions();
    stage.click("Forks");
    assert!(stage.rows().iter().any(|row| row.contains("pid 9967")));
}

#[test]
fn a_line_shows_its_process_and_hostile_text_is_escaped() {
    let mut stage = sessions();
    stage.row("pid 9957").click();
    stage.settle();
    assert!(stage.says("✖ failed · exit 1"));
    let row = stage.rows().into_iter().find(|row| row.contains("pid 9959")).unwrap();
    assert!(row.contains("\\n") && row.contains("\\x1b") && !row.contains('\u{202e}'), "{row}");
}

#[test]
fn what_happens_is_added() {
    let mut stage = sessions();
    let event = stage.new_event(1, 700, "/bin/true once more");
    stage.fake().happen(event);
    stage.settle();
    let rows = stage.rows();
    assert!(rows.iter().any(|row| row.contains("/bin/true once more")), "{rows:#?}");
}

#[test]
fn the_filter_narrows_list_and_transcript() {
    let mut stage = sessions();
    stage.filter("name = whoami");
    let asked = &stage.fake().asked;
    let has = |request: &Request| match request {
        Request::Processes(Ask::Top { field: "sid", filter, .. }) => filter.contains("whoami"),
        _ => false,
    };
    assert!(asked.iter().any(has));
    let lines = stage.rows().iter().filter(|row| row.contains("ran for")).count();
    assert_eq!(lines, 1, "{:#?}", stage.rows());
}

#[test]
fn what_is_not_there_is_explained() {
    let mut stage = sessions();
    stage.click("Logins");
    assert!(stage.says("pam_loginuid"), "{:#?}", stage.texts());
    stage.click("Widen to last 6 hours");
    assert!(stage.says("pam_loginuid"));
    stage.click("Session leaders");
    assert!(stage.says("begun by"));
}
