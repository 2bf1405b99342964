//! A recorder that gets no time to read while others are busy.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::hostile::storms::{options, start};
use crate::hostile::witness::{Pair, cpus};
use crate::ledger::Kind;
use crate::paused::Paused;
use crate::programs::WORKLOAD;
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::{Run, finish};

/// Small enough for a storm, large enough for what else the machine may do meanwhile.
const RING: [&str; 2] = ["--ring-size", "262144"];

fn size() -> u32 {
    (storm::size() / 4).max(1_000)
}

/// It stands still for a storm, and by turns through another one.
#[test]
fn what_a_starved_recorder_lost_is_counted_one_by_one() {
    let total = size();
    let Some(pair) = Pair::start(&RING, u64::from(total) << 11) else { return };
    let client = &pair.recorder.client;
    let paused = Paused::new(client);
    let first = finish(start(total));
    paused.go_on();
    let second = start(total);
    for _ in 0..5 {
        let paused = Paused::new(client);
        std::thread::sleep(Duration::from_millis(200));
        paused.go_on();
    }
    let second = finish(second);
    let books = pair.settle();
    for run in [&first, &second] {
        let children = books.children(run, total);
        books.assert_accounted(&children);
        let lost: Vec<_> = books.of(&children).collect();
        books.assert_covered(&lost, &children);
    }
    // Each processor had more than the ring holds.
    for cpu in cpus(&books.children(&first, total)) {
        for kind in Kind::ALL {
            let told =
                books.recorded.gaps.iter().any(|gap| {
                    (gap.cpu, &*gap.kind, &*gap.cause) == (cpu, kind.name(), "ring-full")
                });
            assert!(told, "processor {cpu}, {kind:?}: {:#?}", books.recorded.gaps);
        }
    }
    println!("2 x {total} short programs, starved: {} events lost", books.lost());
}

fn as_user(uid: u32, program: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(program);
    command.uid(uid).gid(uid).args(arguments).env_clear().stdin(Stdio::null());
    finish(crate::workload::start(&mut command))
}

/// Where noise of one user drowns what another one does, the record says that something is
/// missing there; before and after it has everything.
#[test]
fn a_noisy_user_cannot_hide_that_a_quiet_one_is_missing() {
    const NOISY: u32 = 54_321;
    const QUIET: u32 = 54_322;
    const FEW: u32 = 20;
    let total = size();
    let scratch = Scratch::new();
    let program = scratch.copy(&WORKLOAD, "workload");
    let Some(pair) = Pair::start(&RING, u64::from(total) << 11) else { return };
    let [many, few] = [total, FEW].map(|number| number.to_string());
    let [noise, quiet] = [options(&[&many]), options(&["-w", "5", &few])];
    let before = as_user(QUIET, &program, &quiet);
    pair.recorder.client.balanced_health();
    let paused = Paused::new(&pair.recorder.client);
    let noisy = as_user(NOISY, &program, &noise);
    let drowned = as_user(QUIET, &program, &quiet);
    paused.go_on();
    // Until the ring has room again.
    pair.recorder.client.balanced_health();
    let after = as_user(QUIET, &program, &quiet);
    let mixed = std::thread::scope(|scope| {
        let noisy = scope.spawn(|| as_user(NOISY, &program, &noise));
        (as_user(QUIET, &program, &quiet), noisy.join().unwrap())
    });

    let books = pair.settle();
    let few = |run: &Run| books.children(run, FEW);
    for run in [&before, &after] {
        let quiet = few(run);
        let lost: Vec<_> = books.of(&quiet).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
    let lost = [&drowned, &mixed.0].map(|run| books.of(&few(run)).count());
    assert!(lost[0] > 0, "nothing was drowned");
    println!("of {} events of the quiet one {} and {} were lost", 3 * FEW, lost[0], lost[1]);
    let mut everybody = books.children(&noisy, total);
    everybody.extend(books.children(&mixed.1, total));
    for run in [&before, &drowned, &after, &mixed.0] {
        everybody.extend(few(run));
    }
    books.assert_accounted(&everybody);
    for run in [&drowned, &mixed.0] {
        let quiet = few(run);
        let lost: Vec<_> = books.of(&quiet).collect();
        books.assert_covered(&lost, &everybody);
    }
}
