//! What is asked, what is not, and what becomes of answers.

use std::sync::mpsc::{Receiver, sync_channel};

use common::filter::sample;
use common::record::{Executable, PathText};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::*;

const LIMIT: u64 = 1 << 20;
const SECOND: i64 = 1_000_000_000;

fn contents(places: usize) -> (Contents, Receiver<Question>) {
    let (sender, questions) = sync_channel(places);
    let limits = Binaries {
        cache_entries: 100,
        file_limit_bytes: LIMIT,
        total_limit_bytes: 0,
        min_free_bytes: 0,
    };
    (Contents::new(Some(sender), &limits, Figures::default()), questions)
}

/// An exec, in this row, of a file whose inode was changed at `ctime_ns`.
fn exec(row: i64, ctime_ns: i64) -> Record {
    let mut runner = TestRunner::deterministic();
    let sample = sample::record().new_tree(&mut runner).unwrap().current();
    let path = |text: &[u8]| PathText { bytes: text.into(), state: PathState::Complete };
    let executable = Executable {
        path: path(b"/x"),
        inode: 7,
        ctime_ns,
        size_bytes: 10,
        mode: 0o100_755,
        ..Executable::absent()
    };
    Record {
        row,
        source: Source::Exec,
        time_ns: 100 * SECOND,
        executable: Arc::new(executable),
        content: Content::Unknown,
        script: None,
        working_directory: path(b"/home"),
        ..sample
    }
}

fn read() -> Content {
    Content::Read(Arc::new(FileContent::default()))
}

fn answer(question: Question, content: Content, way: Way) -> Answer {
    Answer {
        question,
        content,
        stored_bytes: 0,
        way: Some(way),
        script: None,
        is_final: true,
        is_recorded: false,
    }
}

#[test]
fn a_file_is_asked_about_once() {
    let (mut contents, questions) = contents(9);
    assert!(matches!(contents.look(&exec(1, 0)), Look::Asked));
    assert!(matches!(contents.look(&exec(2, 0)), Look::Asked));
    let question = questions.try_recv().unwrap();
    assert!(questions.try_recv().is_err());
    let waits = Arc::new(exec(2, 0));
    assert!(contents.wait(&waits));
    let (finding, waited) = contents.take(answer(question, read(), Way::Path));
    assert!(matches!(finding[..], [Finding::File { content: Content::Read(_), .. }]));
    assert_eq!((waited.len(), waited[0].row), (1, 2));
    assert!(waited[0].content.read().is_some());
    assert!(matches!(contents.look(&exec(3, 0)), Look::Settled(Content::Read(_))));
    assert_eq!(contents.figures().waiting, 0);
}

#[test]
fn a_file_that_was_just_changed_is_asked_about_each_time() {
    let (mut contents, questions) = contents(9);
    let fresh = 100 * SECOND - 1_000_000;
    for row in 1..=2 {
        assert!(matches!(contents.look(&exec(row, fresh)), Look::Asked));
    }
    let first = questions.try_recv().unwrap();
    let second = questions.try_recv().unwrap();
    let not_final = Answer { is_final: false, ..answer(first, read(), Way::Path) };
    let (finding, _) = contents.take(not_final);
    let [Finding::File { content: Content::Read(found), .. }] = &finding[..] else { panic!() };
    assert!(found.is_uncertain);
    assert!(matches!(contents.look(&exec(3, fresh)), Look::Asked));
    let by_process = Way::Process { boottime_ns: 0, ctime_ns: fresh };
    contents.take(answer(second, read(), by_process));
    // A later exec, with the same times: what was read after they had settled holds for it.
    let later = Record { time_ns: 101 * SECOND, ..exec(4, fresh) };
    assert!(matches!(contents.look(&later), Look::Settled(Content::Read(_))));
}

#[test]
fn a_failure_that_may_pass_is_asked_about_again() {
    for (reason, is_final, is_lasting) in [
        (Unread::Gone, true, false),
        (Unread::NotPermitted, true, false),
        (Unread::Failed, false, false),
        (Unread::Failed, true, true),
    ] {
        let (mut contents, questions) = contents(9);
        assert!(matches!(contents.look(&exec(1, 0)), Look::Asked));
        let question = questions.try_recv().unwrap();
        let failed = answer(question, Content::Unread(reason), Way::Path);
        contents.take(Answer { is_final, ..failed });
        let is_settled = matches!(contents.look(&exec(2, 0)), Look::Settled(Content::Unread(_)));
        assert_eq!(is_settled, is_lasting, "{reason:?}");
    }
}

#[test]
fn what_cannot_be_asked_says_why() {
    let (mut contents, _questions) = contents(1);
    assert!(matches!(contents.look(&exec(1, 0)), Look::Asked));
    let Look::Found(Content::Unread(Unread::Busy), _) = contents.look(&exec(2, 1)) else {
        panic!("there is no room for a second question");
    };
    let mut large = exec(3, 2);
    Arc::make_mut(&mut large.executable).size_bytes = LIMIT + 1;
    assert!(matches!(contents.look(&large), Look::Found(Content::Unread(Unread::TooLarge), _)));
    assert!(matches!(contents.look(&large), Look::Settled(Content::Unread(Unread::TooLarge))));
    assert_eq!(contents.figures().not_asked, 1);
    let nothing = Record { executable: Arc::new(Executable::absent()), ..exec(4, 0) };
    assert!(matches!(contents.look(&nothing), Look::Settled(Content::Unknown)));
}

/// A name that was removed changes the time of the inode. That is fine as long as the process still
/// runs the file: nobody can write to it then.
#[test]
fn a_changed_inode_counts_only_while_it_runs() {
    let opened = Way::Process { boottime_ns: 500, ctime_ns: 9 };
    let exact = Way::Process { boottime_ns: 500, ctime_ns: 0 };
    for (way, moved_on_at, is_read, is_certain) in [
        (opened, None, true, false),
        (opened, Some(501), true, false),
        (opened, Some(499), false, false),
        (exact, Some(499), true, true),
        (Way::Path, Some(499), true, true),
    ] {
        let (mut contents, questions) = contents(9);
        contents.look(&exec(1, 0));
        if let Some(boottime_ns) = moved_on_at {
            contents.moved_on(1, boottime_ns);
            contents.moved_on(1, boottime_ns + 1_000);
        }
        let question = questions.try_recv().unwrap();
        let (findings, _) = contents.take(answer(question, read(), way));
        let Some(Finding::File { content, .. }) = findings.last() else { panic!() };
        assert_eq!(content.read().is_some(), is_read, "{way:?} {moved_on_at:?}");
        assert_eq!(content.read().is_some_and(|read| !read.is_uncertain), is_certain);
        // The copy that was made all the same is not forgotten.
        let is_orphan = matches!(findings[0], Finding::Orphan { .. });
        assert_eq!(is_orphan, !is_read);
    }
}

#[test]
fn scripts_are_asked_about_by_their_absolute_path() {
    let (mut contents, questions) = contents(9);
    let script = |name: &[u8], state| {
        let mut record = exec(1, 0);
        record.script = Some(name.into());
        record.working_directory.state = state;
        record
    };
    assert!(contents.look_at_script(&exec(1, 0)).is_none());
    for (name, path) in [("/bin/x", "/bin/x"), ("./x.sh", "/home/./x.sh")] {
        let record = script(name.as_bytes(), PathState::Complete);
        assert!(contents.look_at_script(&record).is_none());
        assert_eq!(questions.try_recv().unwrap().wanted.path, path.as_bytes());
    }
    let lost = contents.look_at_script(&script(b"x", PathState::Cut));
    assert!(matches!(lost, Some(Finding::Script { content: Content::Unread(Unread::Gone), .. })));
}

#[test]
fn an_evicted_copy_is_asked_about_again() {
    let (mut contents, questions) = contents(9);
    contents.look(&exec(1, 0));
    let question = questions.try_recv().unwrap();
    contents.take(answer(question, read(), Way::Path));
    contents.forget(&["other".to_owned()]);
    assert!(matches!(contents.look(&exec(2, 0)), Look::Settled(_)));
    contents.forget(&[String::new()]);
    assert!(matches!(contents.look(&exec(3, 0)), Look::Asked));
}
