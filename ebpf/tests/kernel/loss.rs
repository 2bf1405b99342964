//! What is lost is counted; what is read is not lost.

use std::collections::HashMap;

use ebpf::event::{Body, Event};
use ebpf::load::Lanes;
use ebpf::shared::SlotCounters;

use crate::fixture::{COOKIE, Recorder, loaded, loaded_with, recorder, run_true, true_program};

/// Records missing according to the sequence numbers, up to the last one of each kind, CPU and lane.
fn gaps<'a>(events: impl Iterator<Item = Event<'a>>) -> (u64, HashMap<(u32, u32, u8), u64>) {
    let mut last = HashMap::new();
    let mut missing = 0;
    for event in events {
        let kind = match event.body {
            Body::Fork(_) => 0,
            Body::Exec(_) => 1,
            Body::Exit(_) => 2,
            Body::Running(_) => unreachable!("not in the ring"),
        };
        let before = last.insert((event.cpu, event.lane, kind), event.sequence).unwrap_or(0);
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
    for SlotCounters { cpu, lane, counters } in recorder.shared.counters() {
        for (kind, counters) in [(0, counters.fork), (1, counters.exec), (2, counters.exit)] {
            assert_eq!(counters.sequence, counters.sent + counters.dropped_ring_full);
            let seen = last.get(&(cpu, lane, kind)).copied().unwrap_or(0);
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
fn with_all_lanes_each_event_comes_once() {
    let Some(mut recorder) = loaded_with(8 << 20, Lanes::All) else { return };
    let pids: Vec<u32> = (0..50).map(|_| run_true(&true_program(), |_| ())).collect();
    std::thread::spawn(|| ()).join().unwrap();
    recorder.programs.detach();
    settle(&mut recorder);
    for pid in pids {
        let of_pid = |is_it: fn(&Body<'_>) -> Option<u32>| {
            recorder.events().filter(|event| is_it(&event.body) == Some(pid)).count()
        };
        let forks = of_pid(|body| match body {
            Body::Fork(fork) => Some(fork.child.pid),
            _ => None,
        });
        let execs = of_pid(|body| match body {
            Body::Exec(image) => Some(image.process.pid),
            _ => None,
        });
        let exits = of_pid(|body| match body {
            Body::Exit(exit) => Some(exit.process.pid),
            _ => None,
        });
        assert_eq!((forks, execs, exits), (1, 1, 1), "{pid}");
    }
    let totals = recorder.shared.totals();
    let missed = recorder.programs.statistics().unwrap().into_iter();
    let missed = missed.filter(|program| program.name.ends_with("_0"));
    let missed: u64 = missed.filter_map(|program| program.recursion_misses).sum();
    assert_eq!((totals.taken_over, totals.passed_on), (missed, 0));
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
    for name in ["recorder_exit_0", "recorder_exec_0", "recorder_fork_0"] {
        assert!(names.contains(&name), "{names:?}");
    }
}
