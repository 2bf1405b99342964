//! What each event means, told with events alone.

use common::id::BootId;
use common::record::{Record, Source, State};
use ebpf::event::{
    Body, Credentials, Event, Exit, Faults, File, Fork, Image, Memory, Namespaces, Path, PathEnd,
    TaskId,
};

use super::assemble::Assembler;
use super::contents::Contents;
use super::detector::Detector;
use super::progress::Progress;
use super::tracker::Tracker;
use crate::enrich::environment::Policy;
use crate::settings::Environment;
use crate::store::{Batch, StoredRunning};

const SHELL: TaskId = TaskId { pid: 10, start_boottime_ns: 1_000 };

fn task(pid: u32) -> TaskId {
    TaskId { pid, start_boottime_ns: u64::from(pid) * 1_000_000 }
}

/// A tracker and the time, which goes on by a microsecond with each event.
struct Bench {
    tracker: Tracker,
    now_ns: u64,
    sequences: [u64; 3],
}

impl Bench {
    fn new() -> Self {
        Self::starting_at(1)
    }

    fn starting_at(next_row: i64) -> Self {
        let environment =
            Environment { is_recorded: true, only: None, redacted_words: vec!["TOKEN".into()] };
        let assembler = Assembler::new(BootId::from_bits(7), Policy::new(&environment).unwrap());
        let tracker = Tracker::new(
            assembler,
            Detector::none(),
            Contents::none(),
            Progress::default(),
            next_row,
        );
        Self { tracker, now_ns: 1_000_000_000, sequences: [0; 3] }
    }

    fn send(&mut self, kind: usize, body: Body<'_>) {
        self.now_ns += 1_000;
        self.sequences[kind] += 1;
        let sequence = self.sequences[kind];
        self.tracker.event(&Event { cpu: 0, lane: 0, sequence, boottime_ns: self.now_ns, body });
    }

    fn fork(&mut self, parent: TaskId, child: TaskId) {
        self.send(0, Body::Fork(Fork { parent, child, namespace_pid: child.pid }));
    }

    fn exec(&mut self, process: TaskId, parent: TaskId, args: &'static [u8]) {
        self.send(1, Body::Exec(Box::new(image(process, parent, args))));
    }

    fn exit(&mut self, process: TaskId, wait_status: u32) {
        self.send(2, Body::Exit(exit(process, wait_status)));
    }
}

fn image(process: TaskId, parent: TaskId, args: &'static [u8]) -> Image<'static> {
    Image {
        process,
        parent,
        namespace_pid: process.pid,
        process_group: process.pid,
        session: 1,
        exec_thread: process.pid,
        comm: b"tool",
        tty: None,
        credentials: Credentials {
            uid: 0,
            gid: 0,
            euid: 0,
            egid: 0,
            suid: 0,
            sgid: 0,
            login_uid: None,
            audit_session: None,
            cap_effective: 0,
            cap_permitted: 0,
        },
        namespaces: Namespaces { mount: 1, pid: 2, network: 3, user: 4, uts: 5, ipc: 6, cgroup: 7 },
        executable: File {
            path: Path { components: b"tool\0bin\0", end: PathEnd::Root },
            device_major: 8,
            device_minor: 1,
            inode: 5,
            size_bytes: 6,
            mtime_ns: 7,
            ctime_ns: 8,
            mode: 0o100_755,
            uid: 0,
            gid: 0,
            is_memfd: false,
            is_deleted: false,
            is_upper_layer: false,
        },
        filename: b"/bin/tool",
        interpreter: None,
        working_directory: Path { components: b"", end: PathEnd::Root },
        cgroup: Path { components: b"ssh.service\0system.slice\0", end: PathEnd::Root },
        args: memory(args),
        argc: 1,
        env: memory(b"A=b\0X_TOKEN=secret\0"),
        is_kernel_thread: false,
        faults: Faults::default(),
    }
}

fn memory(bytes: &[u8]) -> Memory<'_> {
    Memory {
        head: bytes,
        tail: &[],
        total_bytes: bytes.len() as u64,
        is_fault: false,
        is_off: false,
    }
}

fn exit(process: TaskId, wait_status: u32) -> Exit {
    Exit { process, wait_status, user_ns: 1, system_ns: 2, cpu_ns: 3, max_rss_bytes: 4, io: None }
}

fn only(batch: &Batch) -> &Record {
    assert_eq!(batch.records.len(), 1, "{batch:?}");
    &batch.records[0].record
}

#[test]
fn fork_exec_exit_in_one_batch_are_one_row() {
    let mut bench = Bench::new();
    bench.exec(SHELL, task(1), b"sh\0");
    bench.fork(SHELL, task(20));
    bench.exec(task(20), SHELL, b"ls\0-l\0");
    bench.exit(task(20), 3 << 8);
    let batch = bench.tracker.take_batch();
    let [shell, ls] = &batch.records[..] else { panic!("{batch:?}") };
    assert_eq!((ls.parent_row, ls.first), (Some(shell.record.row), None));
    let record = &ls.record;
    assert_eq!((record.ordinal, record.source, record.state()), (1, Source::Exec, State::Failed));
    assert_eq!(&*record.args.bytes, b"ls\0-l\0");
    assert_eq!(&*record.executable.path.bytes, b"/bin/tool");
    assert_eq!(&*record.env.bytes, b"A=b\0X_TOKEN=[redacted]\0");
    assert_eq!(record.context.unit.as_deref(), Some("ssh.service"));
    assert_eq!(record.parent.as_ref().unwrap().process.pid, SHELL.pid);
    assert_eq!(&*record.parent.as_ref().unwrap().args, b"sh\0");
    assert!(batch.ends.is_empty() && batch.gaps.is_empty());
}

#[test]
fn an_end_in_a_later_batch_names_the_rows() {
    let mut bench = Bench::new();
    bench.exec(task(20), SHELL, b"a\0");
    bench.exec(task(20), SHELL, b"b\0");
    let rows: Vec<i64> =
        bench.tracker.take_batch().records.iter().map(|pending| pending.record.row).collect();
    bench.exit(task(20), 9);
    let batch = bench.tracker.take_batch();
    assert!(batch.records.is_empty());
    assert_eq!(batch.ends.len(), 1);
    assert_eq!(batch.ends[0].rows, rows);
    assert_eq!(batch.ends[0].end.state(), State::Killed);
}

#[test]
fn a_second_exec_is_a_second_row_of_the_same_process() {
    let mut bench = Bench::new();
    bench.exec(task(20), SHELL, b"a\0");
    bench.exec(task(20), SHELL, b"b\0");
    let batch = bench.tracker.take_batch();
    let [first, second] = &batch.records[..] else { panic!("{batch:?}") };
    assert_eq!(second.first, Some(first.record.row));
    assert_eq!(first.record.process, second.record.process);
    assert_eq!((first.record.ordinal, second.record.ordinal), (1, 2));
}

#[test]
fn a_fork_without_exec_is_a_row_with_the_parents_image() {
    let mut bench = Bench::new();
    bench.exec(SHELL, task(1), b"sh\0");
    bench.fork(SHELL, task(20));
    bench.exit(task(20), 0);
    let batch = bench.tracker.take_batch();
    let record = &batch.records[1].record;
    assert_eq!((record.source, record.ordinal), (Source::Fork, 0));
    assert_eq!(&*record.args.bytes, b"sh\0");
    assert_eq!(record.process.pid, 20);
    assert_eq!(record.parent.as_ref().unwrap().process.pid, SHELL.pid);
    assert_eq!(record.state(), State::Ended);
}

#[test]
fn an_exec_soon_after_the_batch_of_its_fork_takes_over_the_row() {
    let mut bench = Bench::new();
    bench.exec(SHELL, task(1), b"sh\0");
    let child = TaskId { pid: 20, start_boottime_ns: bench.now_ns };
    bench.fork(SHELL, child);
    let forked = bench.tracker.take_batch().records[1].record.row;
    bench.exec(child, SHELL, b"ls\0");
    let batch = bench.tracker.take_batch();
    assert!(batch.records.is_empty());
    assert_eq!(batch.replaced[0].record.row, forked);
    assert_eq!(batch.replaced[0].record.source, Source::Exec);
}

#[test]
fn a_fork_that_became_a_parent_keeps_its_row() {
    let mut bench = Bench::new();
    bench.exec(SHELL, task(1), b"sh\0");
    let middle = TaskId { pid: 20, start_boottime_ns: bench.now_ns };
    bench.fork(SHELL, middle);
    bench.fork(middle, task(30));
    bench.exec(middle, SHELL, b"late\0");
    bench.exec(task(30), middle, b"x\0");
    let batch = bench.tracker.take_batch();
    let of = |args: &[u8], source| {
        batch
            .records
            .iter()
            .find(|pending| *pending.record.args.bytes == *args && pending.record.source == source)
            .unwrap()
    };
    let forked = of(b"sh\0", Source::Fork);
    assert_eq!(of(b"x\0", Source::Exec).parent_row, Some(forked.record.row));
    assert_eq!(of(b"late\0", Source::Exec).first, Some(forked.record.row));
}

#[test]
fn the_parent_is_the_one_that_forked() {
    let mut bench = Bench::new();
    bench.exec(task(20), SHELL, b"daemon\0");
    bench.fork(task(20), task(30));
    bench.exit(task(20), 0);
    // By now init has adopted it.
    bench.exec(task(30), task(1), b"worker\0");
    let batch = bench.tracker.take_batch();
    let worker = &batch.records.last().unwrap().record;
    assert_eq!(worker.parent.as_ref().unwrap().process.pid, 20);
    assert_eq!(&*worker.parent.as_ref().unwrap().args, b"daemon\0");
}

#[test]
fn a_second_report_of_an_end_is_counted_and_no_row() {
    let mut bench = Bench::new();
    bench.exec(task(20), SHELL, b"a\0");
    bench.exit(task(20), 0);
    bench.exit(task(20), 0);
    assert_eq!(bench.tracker.progress.duplicate_exits, 1);
    only(&bench.tracker.take_batch());
}

#[test]
fn an_end_without_beginning_says_so() {
    let mut bench = Bench::new();
    bench.exit(task(20), 256);
    let batch = bench.tracker.take_batch();
    let record = only(&batch);
    assert_eq!((record.source, record.state()), (Source::ExitOnly, State::Failed));
    assert!(record.context.is_unknown && record.args.bytes.is_empty());
}

#[test]
fn a_jump_of_the_sequence_is_a_gap() {
    let mut bench = Bench::new();
    bench.exec(task(20), SHELL, b"a\0");
    bench.sequences[1] += 5;
    bench.exec(task(21), SHELL, b"b\0");
    let batch = bench.tracker.take_batch();
    assert_eq!(batch.gaps.len(), 1);
    assert_eq!((batch.gaps[0].kind, batch.gaps[0].count), ("exec", 5));
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut bench = Bench::new();
    let again = TaskId { pid: 20, start_boottime_ns: 77_000_000 };
    bench.exec(task(20), SHELL, b"a\0");
    bench.exit(task(20), 0);
    bench.exec(again, SHELL, b"b\0");
    let batch = bench.tracker.take_batch();
    let [first, second] = &batch.records[..] else { panic!("{batch:?}") };
    assert_ne!(first.record.process, second.record.process);
    assert_eq!(second.first, None);
}

fn stored(bench: &mut Bench, process: TaskId, args: &'static [u8]) -> StoredRunning {
    bench.exec(process, SHELL, args);
    let batch = bench.tracker.take_batch();
    let record = batch.records[0].record.clone();
    StoredRunning {
        rows: vec![record.row],
        parent_row: None,
        record: (*record).clone(),
        is_parent: false,
    }
}

#[test]
fn what_the_snapshot_does_not_find_has_ended_unobserved() {
    let mut before = Bench::new();
    let gone = stored(&mut before, task(20), b"gone\0");
    let alive = stored(&mut before, task(21), b"alive\0");
    let rows = gone.rows.clone();
    let mut bench = Bench::new();
    bench.tracker.adopt(gone);
    bench.tracker.adopt(alive);
    let seen = image(task(21), SHELL, b"alive\0");
    let is_news = bench.tracker.running(&seen, Source::Iterator, bench.now_ns);
    assert!(!is_news, "the same image is not a new row");
    assert_eq!(bench.tracker.sweep(), 1);
    let batch = bench.tracker.take_batch();
    assert!(batch.records.is_empty());
    assert_eq!(batch.ends[0].rows, rows);
    assert_eq!(batch.ends[0].end.state(), State::Unobserved);
}

#[test]
fn an_exec_that_nobody_watched_is_found_by_the_snapshot() {
    let mut before = Bench::new();
    let known = stored(&mut before, task(20), b"before\0");
    let first = known.rows[0];
    let mut bench = Bench::starting_at(50);
    bench.tracker.adopt(known);
    let seen = image(task(20), SHELL, b"after\0");
    assert!(bench.tracker.running(&seen, Source::Iterator, bench.now_ns));
    let batch = bench.tracker.take_batch();
    assert_eq!(only(&batch).source, Source::Iterator);
    assert_eq!(batch.records[0].first, Some(first));
}

#[test]
fn an_exec_read_after_the_snapshot_that_saw_it_is_one_row() {
    let mut bench = Bench::new();
    let seen = image(task(20), SHELL, b"a\0");
    assert!(bench.tracker.running(&seen, Source::Iterator, bench.now_ns));
    let row = only(&bench.tracker.take_batch()).row;
    bench.tracker.snapshot_boottime_ns = bench.now_ns + 1_000_000;
    bench.exec(task(20), SHELL, b"a\0");
    let batch = bench.tracker.take_batch();
    assert!(batch.records.is_empty());
    assert_eq!(
        (batch.replaced[0].record.row, batch.replaced[0].record.source),
        (row, Source::Exec)
    );
}

#[test]
fn a_process_of_proc_gets_its_exact_identity_later() {
    let mut bench = Bench::new();
    let inexact = TaskId { pid: 20, start_boottime_ns: 20_000_000 };
    let exact = TaskId { pid: 20, start_boottime_ns: 20_345_678 };
    bench.tracker.running(&image(inexact, SHELL, b"a\0"), Source::Proc, bench.now_ns);
    bench.tracker.table.note_inexact(inexact);
    let row = only(&bench.tracker.take_batch()).row;
    bench.exit(exact, 0);
    let batch = bench.tracker.take_batch();
    let record = &batch.replaced[0].record;
    assert_eq!((record.row, record.process.start_boottime_ns), (row, 20_345_678));
    assert_eq!(record.state(), State::Ended);
}

#[test]
fn a_process_forked_before_its_parent_was_known_gets_its_image_from_the_snapshot() {
    let mut bench = Bench::new();
    bench.fork(SHELL, task(20));
    let seen = image(task(20), SHELL, b"me\0");
    assert!(bench.tracker.running(&seen, Source::Iterator, bench.now_ns));
    let batch = bench.tracker.take_batch();
    let record = &batch.records.last().unwrap().record;
    assert_eq!((&*record.args.bytes, record.source), (&b"me\0"[..], Source::Iterator));
    assert_eq!(record.process.pid, 20);
    assert!(!record.context.is_unknown);
}

#[test]
fn a_fork_read_after_the_snapshot_that_saw_its_child_is_the_same_row() {
    let mut bench = Bench::new();
    let seen = image(task(20), SHELL, b"a\0");
    bench.tracker.running(&seen, Source::Iterator, bench.now_ns);
    bench.fork(SHELL, task(20));
    bench.exit(task(20), 0);
    let batch = bench.tracker.take_batch();
    let record = only(&batch);
    assert_eq!((record.source, record.state()), (Source::Fork, State::Ended));
    assert_eq!(record.parent.as_ref().unwrap().process.pid, SHELL.pid);
}

#[test]
fn an_unreadable_control_group_is_blank() {
    let mut bench = Bench::new();
    let mut seen = image(task(20), SHELL, b"a\0");
    seen.cgroup = Path { components: b"", end: PathEnd::Fault };
    bench.tracker.running(&seen, Source::Iterator, bench.now_ns);
    assert_eq!(only(&bench.tracker.take_batch()).context.cgroup, "");
}

#[test]
fn numbers_missing_after_an_undecodable_record_are_explained() {
    let mut bench = Bench::new();
    bench.exec(task(20), SHELL, b"a\0");
    bench.tracker.not_understood();
    bench.sequences[1] += 1;
    bench.exec(task(21), SHELL, b"b\0");
    bench.sequences[1] += 1;
    bench.exec(task(22), SHELL, b"c\0");
    let causes: Vec<_> = bench.tracker.take_batch().gaps.iter().map(|gap| gap.cause).collect();
    assert_eq!(causes, ["undecodable", "ring-full"]);
}

#[test]
fn fork_and_exec_read_after_the_snapshot_that_saw_the_child_are_one_row() {
    let mut bench = Bench::new();
    let child = TaskId { pid: 20, start_boottime_ns: bench.now_ns };
    let seen = image(child, SHELL, b"parents\0");
    bench.tracker.running(&seen, Source::Iterator, bench.now_ns);
    bench.tracker.snapshot_boottime_ns = bench.now_ns + 1_000_000;
    bench.fork(SHELL, child);
    bench.exec(child, SHELL, b"own\0");
    bench.exit(child, 0);
    let batch = bench.tracker.take_batch();
    let record = only(&batch);
    assert_eq!((record.source, &*record.args.bytes), (Source::Exec, &b"own\0"[..]));
    assert!(batch.replaced.is_empty());
}

#[test]
fn a_lost_end_is_unobserved_in_every_row() {
    let mut bench = Bench::new();
    bench.exec(task(20), SHELL, b"a\0");
    let first = only(&bench.tracker.take_batch()).row;
    bench.exec(task(20), SHELL, b"b\0");
    bench.tracker.end_lost(&[task(20), task(99)]);
    let batch = bench.tracker.take_batch();
    assert_eq!(only(&batch).state(), State::Unobserved);
    assert_eq!(batch.ends.len(), 1);
    assert_eq!(
        (&batch.ends[0].rows[..], batch.ends[0].end.state()),
        (&[first][..], State::Unobserved)
    );
}

#[test]
fn an_exec_read_by_the_next_recorder_takes_over_the_row_of_its_fork() {
    let mut before = Bench::new();
    before.exec(SHELL, task(1), b"sh\0");
    let child = TaskId { pid: 20, start_boottime_ns: before.now_ns };
    before.fork(SHELL, child);
    let batch = before.tracker.take_batch();
    let forked = batch.records[1].record.clone();
    let running = |is_parent| StoredRunning {
        record: (*forked).clone(),
        parent_row: batch.records[1].parent_row,
        rows: vec![forked.row],
        is_parent,
    };
    for (is_parent, replaced) in [(false, 1), (true, 0)] {
        let mut bench = Bench::starting_at(50);
        bench.tracker.adopt(running(is_parent));
        bench.exec(child, SHELL, b"ls\0");
        let batch = bench.tracker.take_batch();
        assert_eq!((batch.replaced.len(), batch.records.len()), (replaced, 1 - replaced));
    }
}

#[test]
fn an_end_in_the_ring_is_known_to_the_scan_of_proc_that_came_before() {
    let mut bench = Bench::new();
    let exact = TaskId { pid: 20, start_boottime_ns: 20_345_678 };
    bench.exec(exact, SHELL, b"a\0");
    bench.exit(exact, 0);
    let inexact = TaskId { pid: 20, start_boottime_ns: 20_000_000 };
    assert!(!bench.tracker.running(&image(inexact, SHELL, b""), Source::Proc, bench.now_ns));
    only(&bench.tracker.take_batch());
}

#[test]
fn an_exec_that_the_snapshot_met_half_done_is_one_row() {
    let mut bench = Bench::new();
    bench.tracker.running(&image(task(20), SHELL, b""), Source::Iterator, bench.now_ns);
    bench.tracker.snapshot_boottime_ns = bench.now_ns + 1_000_000;
    bench.exec(task(20), SHELL, b"own\0");
    let batch = bench.tracker.take_batch();
    assert_eq!((only(&batch).source, &*only(&batch).args.bytes), (Source::Exec, &b"own\0"[..]));
}
