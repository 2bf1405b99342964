//! Programs that outlive the process that loaded them.

use std::fs::File;
use std::os::fd::OwnedFd;

use ebpf::load::{Kept, Lanes, NotUsable, Programs};

use crate::fixture::{COOKIE, Recorder, loaded_with, run_true, true_program};

/// As a service manager does.
fn keep(programs: &Programs) -> Vec<Kept> {
    let copy = |(name, fd): (String, std::os::fd::BorrowedFd<'_>)| {
        (name, fd.try_clone_to_owned().unwrap())
    };
    programs.to_keep().into_iter().map(copy).collect()
}

fn copies(kept: &[Kept]) -> Vec<Kept> {
    kept.iter().map(|(name, fd)| (name.clone(), fd.try_clone().unwrap())).collect()
}

/// Each event before, between and after, once.
fn check(lanes: Lanes) {
    let Some(mut first) = loaded_with(1 << 20, lanes) else { return };
    let kept = keep(&first.programs);
    let before = run_true(&true_program(), |_| ());
    first.wait_for_exit(before);
    first.drain();
    let slots = first.programs.slots();
    drop(first);
    let between = run_true(&true_program(), |_| ());

    let mut second = Recorder::of(Programs::take_over(kept, true).unwrap());
    assert_eq!((second.programs.ring_size_bytes(), second.programs.slots()), (1 << 20, slots));
    assert_eq!(second.shared.cookie(), COOKIE);
    let after = run_true(&true_program(), |_| ());
    second.wait_for_exit(after);
    let seen = [before, between, after].map(|pid| (second.execs_of(pid), second.exits_of(pid)));
    assert_eq!(seen, [(0, 0), (1, 1), (1, 1)]);
    let totals = second.shared.totals();
    assert_eq!(totals.dropped(), 0);
    let statistics = second.programs.statistics().unwrap();
    assert!(statistics.len() >= 3 * slots.lanes as usize, "{statistics:?}");
    if let Some(snapshot) = second.programs.snapshot().unwrap() {
        let mut bytes = [0; 1 << 16];
        assert!(std::io::Read::read(&mut File::from(snapshot), &mut bytes).unwrap() > 0);
    }

    second.programs.detach();
    let unseen = run_true(&true_program(), |_| ());
    second.drain();
    assert_eq!(second.execs_of(unseen), 0);
}

#[test]
fn what_is_kept_goes_on() {
    check(Lanes::AsNeeded);
}

#[test]
fn all_lanes_are_kept() {
    check(Lanes::All);
}

#[test]
fn the_environment_can_be_switched() {
    let Some(first) = loaded_with(1 << 20, Lanes::AsNeeded) else { return };
    let kept = keep(&first.programs);
    drop(first);
    let mut second = Recorder::of(Programs::take_over(kept, false).unwrap());
    let pid = run_true(&true_program(), |command| {
        command.env("A", "B");
    });
    assert!(second.wait_for_exec(pid).env.head.is_empty());
}

#[test]
fn what_is_not_whole_is_refused() {
    let Some(first) = loaded_with(1 << 16, Lanes::AsNeeded) else { return };
    let kept = keep(&first.programs);
    for at in 0..kept.len() {
        let mut kept = copies(&kept);
        let (name, _) = kept.remove(at);
        match Programs::take_over(kept, true) {
            Err(NotUsable::Missing(missing)) => assert_eq!(missing, name),
            other => panic!("{name}: {:?}", other.err()),
        }
    }
    let mut other_version = copies(&kept);
    other_version[0].0.insert(1, '9');
    let result = Programs::take_over(other_version, true).err();
    assert!(matches!(result, Some(NotUsable::OtherVersion)), "{result:?}");

    for name in ["ring", "shared"] {
        let mut odd = copies(&kept);
        let wrong: OwnedFd = File::open("/dev/null").unwrap().into();
        odd.iter_mut().find(|(kept, _)| kept.ends_with(&format!("-{name}"))).unwrap().1 = wrong;
        let result = Programs::take_over(odd, true).err();
        assert!(matches!(result, Some(NotUsable::Odd(odd)) if odd == name), "{result:?}");
    }
}
