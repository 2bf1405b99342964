//! What is lost is counted; what is read is not lost.

use std::collections::HashMap;

use ebpf::event::{Body, Event};

use crate::fixture::{COOKIE, Recorder, loaded, recorder, run_true, true_program};

/// Records missing according to the sequence numbers, up to the last one of each kind and CPU.
fn gaps<'a>(events: impl Iterator<Item = Event<'a>>) -> (u64, HashMap<(u32, u8), u64>) {
    let mut last = HashMap::new();
    let mut missing = 0;
    for event in events {
        let kind = match event.body {
            Body::Fork(_) => 0,
            Body::Exec(_) => 1,
            Body::Exit(_) => 2,
            Body::Running(_) => unreachable!("not in the ring"),
        };
        let before = last.insert((event.cpu, kind), event.sequence).unwrap_or(0);
        assert!(event.sequence > before);
        missing += event.sequence - before - 1;
    }
    (missing, last)
}

/// Runs until all that was written is behind the cursor.
fn settle(recorder: &mut Recorder) {
    recorder.drain();
    std::thread::sleep(std::time::Duration::from_millis(200));
    recorder.drain();
}

#[test]
fn a_ring_too_small_counts_what_it_dropped() {
    let Some(mut recorder) = loaded(16 << 10) else { return };
    for _ in 0..60 {
        run_true(&true_program(), |_| ());
    }
    recorder.programs.detach();
    settle(&mut recorder);
    let totals = recorder.shared.totals();
    assert!(totals.dropped() > 0, "{totals:?}");

    let (missing, last) = gaps(recorder.events());
    let mut behind_the_last = 0;
    for (cpu, counters) in recorder.shared.counters().iter().enumerate() {
        let cpu = u32::try_from(cpu).unwrap();
        for (kind, counters) in [(0, counters.fork), (1, counters.exec), (2, counters.exit)] {
            assert_eq!(counters.sequence, counters.sent + counters.dropped_ring_full);
            let seen = last.get(&(cpu, kind)).copied().unwrap_or(0);
            behind_the_last += counters.sequence - seen;
        }
    }
    assert_eq!(missing + behind_the_last, totals.dropped());
}

#[test]
fn a_small_ring_that_is_read_wraps_without_loss() {
    let Some(mut recorder) = loaded(64 << 10) else { return };
    assert_eq!(recorder.shared.cookie(), COOKIE);
    for round in 0..120 {
        // Reader asleep every other time: kicks leave discarded records behind.
        recorder.shared.set_waiting(round % 2 == 0);
        let pid = run_true(&true_program(), |command| _ = command.arg("z".repeat(round * 7)));
        recorder.wait_for_exec(pid);
    }
    assert!(recorder.ring.produced() > 64 << 10);
    recorder.programs.detach();
    settle(&mut recorder);
    assert_eq!(recorder.shared.totals().dropped(), 0);
    assert_eq!(gaps(recorder.events()).0, 0);
    assert_eq!(recorder.ring.released(), recorder.ring.produced());
}

#[test]
fn what_is_not_released_can_be_read_again() {
    let Some(mut recorder) = recorder() else { return };
    run_true(&true_program(), |_| ());
    let start = recorder.ring.position();
    let first = recorder.ring.next().map(<[u8]>::to_vec).unwrap();
    while recorder.ring.next().is_some() {}
    recorder.ring.seek(0);
    assert_eq!(recorder.ring.position(), start);
    assert_eq!(recorder.ring.next(), Some(&*first));

    // A second reader begins where the first one released.
    let again =
        ebpf::ring::Ring::map(recorder.programs.ring_fd(), recorder.programs.ring_size_bytes());
    assert_eq!(again.unwrap().next(), Some(&*first));
}

#[test]
fn a_sleeping_reader_is_woken() {
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

    let Some(mut recorder) = loaded(1 << 20) else { return };
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
    epoll.add(recorder.programs.ring_fd(), EpollEvent::new(interest, 0)).unwrap();
    let mut events = [EpollEvent::empty()];
    for _ in 0..20 {
        // Read everything, release nothing.
        while recorder.ring.next().is_some() {}
        epoll.wait(&mut events, EpollTimeout::ZERO).unwrap();
        recorder.shared.set_waiting(true);
        if recorder.ring.produced() != recorder.ring.position() {
            continue;
        }
        let work = std::thread::spawn(|| run_true(&true_program(), |_| ()));
        assert_eq!(epoll.wait(&mut events, 10_000u16).unwrap(), 1);
        work.join().unwrap();
    }
}

#[test]
fn programs_report_their_runs() {
    let Some(recorder) = recorder() else { return };
    let statistics = recorder.programs.statistics().unwrap();
    let names: Vec<_> = statistics.iter().map(|program| program.name).collect();
    assert!(names.starts_with(&["recorder_exit", "recorder_exec", "recorder_fork"]));
}
