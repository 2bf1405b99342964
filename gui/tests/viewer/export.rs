//! Export: a form, a place, progress, and a file that is there.

use eframe::egui::{Key, Modifiers};
use gui::connection::Request;
use gui::connection::export::{Ask, Form};

use crate::stage::Stage;

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::E);
    stage
}

fn asked(stage: &mut Stage) -> Vec<Ask> {
    let asks = stage.fake().asked.iter().filter_map(|request| match request {
        Request::Export(ask) => Some(ask.clone()),
        _ => None,
    });
    asks.collect()
}

fn export_to(stage: &mut Stage, path: &str) {
    stage.focus("Path to export to");
    stage.type_text(path);
    stage.click("Export");
}

#[test]
fn what_filter_and_range_select_is_written_to_a_typed_path() {
    let mut stage = Stage::new();
    stage.filter("name = dash");
    stage.key(Modifiers::COMMAND, Key::E);
    assert!(stage.says("Of last hour: what matches name = dash"), "{:#?}", stage.texts());
    stage.click("CSV");
    export_to(&mut stage, "/tmp/x.csv");
    assert!(stage.says("wrote 1,234 rows to /tmp/x.csv"), "{:#?}", stage.texts());
    let asked = asked(&mut stage);
    let [ask] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((ask.form, ask.may_replace), (Form::Csv, false));
    assert!(ask.filter.contains("name = dash") && ask.filter.contains("time >="), "{}", ask.filter);
}

#[test]
fn the_place_comes_from_a_dialog_or_is_typed() {
    let mut stage = stage();
    stage.click("Choose a file…");
    assert!(stage.says("there is no file dialog") && stage.says("type the path instead"));
    stage.fake().triage.chosen = Some("/tmp/chosen".into());
    stage.click("Choose a file…");
    assert!(stage.says("wrote 1,234 rows to /tmp/chosen"), "{:#?}", stage.texts());
    assert!(asked(&mut stage)[0].may_replace, "the dialog has asked");
}

#[test]
fn a_file_that_is_there_is_replaced_when_told() {
    let mut stage = stage();
    stage.fake().triage.has_file = true;
    export_to(&mut stage, "/tmp/x");
    assert!(stage.says("it is there already") && !stage.says("wrote"));
    stage.click("Overwrite it");
    assert!(stage.says("wrote 1,234 rows to /tmp/x"), "{:#?}", stage.texts());
    let asked = asked(&mut stage);
    assert_eq!(asked.iter().map(|ask| ask.may_replace).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn progress_is_seen_and_cancelled() {
    let mut stage = stage();
    stage.fake().triage.is_slow = true;
    export_to(&mut stage, "/tmp/x");
    assert!(stage.says("1,234 rows written, 4"), "{:#?}", stage.texts());
    let before = stage.fake().cancelled.len();
    stage.click("Cancel");
    assert_eq!(stage.fake().cancelled.len(), before + 1);
    assert!(stage.says("cancelled; nothing was written"));
    export_to(&mut stage, "y");
    stage.fake().break_off();
    stage.settle();
    assert!(stage.says("the connection was lost before the export"), "{:#?}", stage.texts());
    stage.key(Modifiers::NONE, Key::Escape);
    assert!(!stage.says("Path to export to"));
}
