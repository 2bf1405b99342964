use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use super::*;
use crate::object_btf;

#[test]
fn layout_is_that_of_the_object() {
    let structs = object_btf::structs();
    macro_rules! check {
        ($name:literal, $type:ident { $($field:ident),* }) => {
            let members = [$((stringify!($field), offset_of!($type, $field))),*];
            object_btf::check(&structs, $name, size_of::<$type>(), &members);
        };
    }
    check!(
        "control",
        Control { cookie, waiting, capture_env, page_size_bytes, cpus, last_lane, reserved }
    );
    check!(
        "cpu_counters",
        CpuCounters { fork, exec, exit, faults, cuts, taken_over, passed_on, reserved }
    );
    check!("kind_counters", KindCounters { sequence, sent, dropped_ring_full });
    check!("cause_counters", CauseCounters { args, env, executable, cwd, cgroup, other });
}

#[test]
fn counters_are_read_per_slot_and_summed() {
    let file: File = tempfile::tempfile().unwrap();
    file.set_len(page_size_bytes() as u64).unwrap();
    let put = |element: usize, offset: usize, value: u64| {
        let at = element * ELEMENT_BYTES + offset;
        file.write_all_at(&value.to_ne_bytes(), at as u64).unwrap();
    };
    put(0, offset_of!(Control, cookie), 77);
    put(1, offset_of!(CpuCounters, exec.sequence), 5);
    put(2, offset_of!(CpuCounters, exec.sequence), 6);
    put(2, offset_of!(CpuCounters, cuts.args), 1);
    put(2, offset_of!(CpuCounters, exit.dropped_ring_full), 2);

    put(3, offset_of!(CpuCounters, taken_over), 3);

    let shared = Shared::map(file.as_fd(), Slots { cpus: 1, lanes: 3 }).unwrap();
    assert_eq!(shared.cookie(), 77);
    let counters = shared.counters();
    let of = |slot: usize| (counters[slot].cpu, counters[slot].lane, counters[slot].counters);
    assert_eq!((of(0).0, of(0).1, of(0).2.exec.sequence), (0, 0, 5));
    assert_eq!((of(1).0, of(1).1, of(1).2.exec.sequence), (0, 1, 6));
    let totals = shared.totals();
    assert_eq!((totals.exec.sequence, totals.cuts.args, totals.dropped()), (11, 1, 2));
    assert_eq!(totals.taken_over, 3);

    shared.set_waiting(true);
    shared.set_capture_env(true);
    let mut flags = [0; 8];
    file.read_exact_at(&mut flags, offset_of!(Control, waiting) as u64).unwrap();
    assert_eq!(flags, [1u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat()[..]);
}
