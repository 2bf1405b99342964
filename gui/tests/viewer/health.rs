//! Honest health.

use eframe::egui::{Key, Modifiers};
use gui::connection::{Request, manager};

use crate::stage::Stage;

fn health() -> Stage {
    let mut stage = Stage::new();
    stage.key(Modifiers::COMMAND, Key::Num7);
    stage
}

fn askings(stage: &mut Stage) -> usize {
    let is_health = |request: &&Request| **request == Request::Manager(manager::Ask::Health);
    stage.fake().asked.iter().filter(is_health).count()
}

#[test]
fn figures_have_names_and_units() {
    let stage = health();
    for part in ["Recording", "Kernel probes", "ring in use", "free on the disk", "rules"] {
        assert!(stage.says(part), "{part}: {:#?}", stage.texts());
    }
}

#[test]
fn a_loss_is_told_with_what_to_do() {
    let mut stage = health();
    let health = &mut stage.fake().health;
    health.store.lost = 1200;
    health.store.gaps = 2;
    health.capture.get_or_insert_default().dropped_ring_full.exec = 1200;
    stage.pass(4_000_000_000);
    stage.settle();
    assert!(stage.says("1,200 records lost, in 2 gaps"));
    assert!(stage.says("raise ring-size"));
}

#[test]
fn it_is_asked_for_again_only_while_somebody_looks() {
    let mut stage = health();
    let before = askings(&mut stage);
    stage.settle();
    assert_eq!(askings(&mut stage), before, "not before its time");
    stage.pass(4_000_000_000);
    stage.settle();
    assert_eq!(askings(&mut stage), before + 1);
    stage.harness.input_mut().focused = false;
    stage.pass(4_000_000_000);
    stage.settle();
    assert_eq!(askings(&mut stage), before + 1, "nobody looks");
    stage.harness.input_mut().focused = true;
    stage.settle();
    assert_eq!(askings(&mut stage), before + 2);
    stage.key(Modifiers::COMMAND, Key::Num1);
    stage.pass(4_000_000_000);
    stage.settle();
    assert_eq!(askings(&mut stage), before + 2, "another view is seen");
}
