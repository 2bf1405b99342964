//! What was found out of files, against the questions people ask.

use std::sync::Arc;

use common::binary::{Hashes, PackageState, Unread};
use common::filter::Field;
use common::record::{Content, Executable, FileContent, PathState, PathText, Record};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::*;
use crate::store::{Batch, Finding, Grouping, NewAlert, Pending, Selection, What, Writer};

struct Store {
    dir: tempfile::TempDir,
    writer: Writer,
    row: i64,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::open(&dir.path().join("recorder.db")).unwrap();
        Self { dir, writer, row: 0 }
    }

    fn reader(&self) -> Reader {
        Reader::new(&self.dir.path().join("recorder.db")).unwrap()
    }

    /// An exec of the file at this time; answers its row.
    fn run(&mut self, file: &Arc<Executable>, time_ns: i64, parent: Option<i64>) -> i64 {
        self.row += 1;
        let mut runner = TestRunner::deterministic();
        let sample = common::filter::sample::record().new_tree(&mut runner).unwrap().current();
        let record = Record {
            row: self.row,
            executable: file.clone(),
            time_ns,
            parent: None,
            source: common::record::Source::Exec,
            end: None,
            ..sample
        };
        let pending =
            Pending { record: Arc::new(record), first: None, parent_row: parent, is_run: true };
        self.writer.write(&Batch { records: vec![pending], ..Batch::default() }).unwrap();
        self.row
    }

    fn find(&mut self, finding: Finding) {
        self.writer.write(&Batch { findings: vec![finding], ..Batch::default() }).unwrap();
    }

    fn read(&mut self, file: &Executable, digit: char) {
        let finding = Finding::File {
            identity: file.identity().unwrap(),
            content: content(digit),
            stored_bytes: 100,
            is_doubtful: false,
        };
        self.find(finding);
    }

    fn listed(&self, change: impl FnOnce(&mut BinaryPage<'_>)) -> Vec<char> {
        let filter = Filter::all();
        let mut page = BinaryPage {
            filter: &filter,
            is_only: false,
            order: BinaryOrder::Last,
            first_since_ns: 0,
            is_unpackaged: false,
            limit: 0,
        };
        change(&mut page);
        self.list(&page)
    }

    /// First digit of each.
    fn list(&self, page: &BinaryPage<'_>) -> Vec<char> {
        let mut found = Vec::new();
        self.reader()
            .binaries(&Control::default(), page, &mut |binary| {
                found.extend(binary.hash.sha256.chars().next());
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    }

    fn binary(&self, digits: &str) -> Binary {
        match self.reader().binary(&Control::default(), digits).unwrap() {
            Named::One(binary) => *binary,
            other => panic!("{other:?}"),
        }
    }

    fn contents(&self) -> Vec<Content> {
        let filter = Filter::all();
        let selection = Selection {
            filter: &filter,
            limit: 0,
            is_newest_first: false,
            cursor: None,
            last_row: None,
        };
        let mut found = Vec::new();
        self.reader()
            .page(&Control::default(), &selection, &mut |record| {
                found.push(record.content.clone());
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    }
}

fn file(path: &str, inode: u64) -> Arc<Executable> {
    let path = PathText { bytes: path.as_bytes().into(), state: PathState::Complete };
    let (device_major, ctime_ns, mode) = (8, 5, 0o100_755);
    Arc::new(Executable { path, inode, device_major, ctime_ns, mode, ..Executable::absent() })
}

fn content(digit: char) -> Content {
    let digits = |count| digit.to_string().repeat(count);
    Content::Read(Arc::new(FileContent {
        hashes: Hashes { sha256: digits(64), sha1: digits(40), md5: digits(32) },
        storage: Storage::Kept,
        ..FileContent::default()
    }))
}

#[test]
fn runs_and_paths_of_one_content_are_added_up() {
    let mut store = Store::new();
    let (bin, copy) = (file("/bin/a\n", 1), file("/tmp/copy", 2));
    store.run(&bin, 10, None);
    store.run(&bin, 30, None);
    store.run(&copy, 20, None);
    store.read(&bin, 'a');
    store.read(&copy, 'a');
    let binary = store.binary("aaaaaa");
    assert_eq!((binary.runs, binary.storage, binary.stored_bytes), (3, Storage::Kept, 100));
    let paths: Vec<_> = binary.files.iter().map(|file| (&*file.path, file.runs)).collect();
    assert_eq!(paths, [("/bin/a\n", 2), ("/tmp/copy", 1)]);
    assert_eq!(binary.first, Some(rfc3339(10)));
    assert_eq!(binary.last, Some(rfc3339(30)));
    assert!(store.contents().iter().all(|found| *found == content('a')));
}

#[test]
fn a_new_path_to_a_known_file_is_known_too() {
    let mut store = Store::new();
    store.run(&file("/a", 1), 10, None);
    store.read(&file("/a", 1), 'a');
    store.run(&file("/hard-link", 1), 20, None);
    assert_eq!(store.contents(), [content('a'), content('a')]);
    let identity = file("/x", 1).identity().unwrap();
    assert_eq!(store.reader().content_of(&identity).unwrap(), Some((content('a'), 100)));
    let other = file("/x", 2).identity().unwrap();
    assert_eq!(store.reader().content_of(&other).unwrap(), None);
}

#[test]
fn a_content_without_a_copy_may_be_found_again_and_again() {
    let mut store = Store::new();
    for inode in 1..4 {
        let bin = file("/bin/a", inode);
        store.run(&bin, 10, None);
        let mut found = FileContent { storage: Storage::NoRoom, ..FileContent::default() };
        found.hashes.sha256 = "a".repeat(64);
        store.find(Finding::File {
            identity: bin.identity().unwrap(),
            content: Content::Read(Arc::new(found)),
            stored_bytes: 0,
            is_doubtful: false,
        });
    }
    assert_eq!(store.binary("aaaaaa").runs, 3);
}

#[test]
fn failures_are_told_and_do_not_undo_what_is_known() {
    let mut store = Store::new();
    let file = file("/a", 1);
    let failed = |reason| Finding::File {
        identity: file.identity().unwrap(),
        content: Content::Unread(reason),
        stored_bytes: 0,
        is_doubtful: false,
    };
    store.run(&file, 10, None);
    assert_eq!(store.contents(), [Content::Unknown]);
    assert_eq!(store.reader().unexplained(9).unwrap().len(), 1);
    store.find(failed(Unread::Gone));
    assert_eq!(store.contents(), [Content::Unread(Unread::Gone)]);
    assert_eq!(store.reader().unexplained(9).unwrap(), []);
    store.read(&file, 'a');
    assert_eq!(store.contents(), [content('a')]);
    store.find(failed(Unread::Busy));
    assert_eq!(store.contents(), [content('a')]);
}

#[test]
fn two_contents_under_one_identity_are_neither() {
    let mut store = Store::new();
    let file = file("/a", 1);
    store.run(&file, 10, None);
    store.read(&file, 'a');
    store.read(&file, 'a');
    assert_eq!(store.contents(), [content('a')]);
    store.read(&file, 'b');
    assert_eq!(store.contents(), [Content::Unread(Unread::Ambiguous)]);
    store.read(&file, 'a');
    assert_eq!(store.contents(), [Content::Unread(Unread::Ambiguous)]);
    assert_eq!(store.listed(|_| {}), ['b', 'a'], "both were kept");
}

#[test]
fn lists_are_ordered_and_narrowed() {
    let mut store = Store::new();
    let (old, new, packaged) = (file("/old", 1), file("/new", 2), file("/packaged", 3));
    store.run(&old, 10, None);
    store.run(&new, 20, None);
    store.run(&packaged, 15, None);
    store.run(&old, 30, None);
    store.read(&old, 'a');
    store.read(&new, 'b');
    let Content::Read(read) = content('c') else { panic!() };
    let package = common::binary::Package {
        name: "p".into(),
        version: None,
        manager: "dpkg".into(),
        state: PackageState::Modified,
    };
    let content =
        Content::Read(Arc::new(FileContent { package: Some(package), ..(*read).clone() }));
    let identity = packaged.identity().unwrap();
    store.find(Finding::File { identity, content, stored_bytes: 1, is_doubtful: false });

    assert_eq!(store.listed(|_| {}), ['a', 'b', 'c']);
    assert_eq!(store.listed(|page| page.order = BinaryOrder::First), ['b', 'c', 'a']);
    assert_eq!(store.listed(|page| page.order = BinaryOrder::Rarest), ['b', 'c', 'a']);
    assert_eq!(store.listed(|page| page.limit = 1), ['a']);
    assert_eq!(store.listed(|page| page.first_since_ns = 15), ['b', 'c']);
    assert_eq!(store.listed(|page| page.is_unpackaged = true), ['a', 'b']);

    let filtered = |text: &str, is_only| {
        let filter = Filter::parse(text, 1_000).unwrap();
        store.list(&BinaryPage {
            filter: &filter,
            is_only,
            order: BinaryOrder::Last,
            first_since_ns: 0,
            is_unpackaged: false,
            limit: 0,
        })
    };
    assert_eq!(filtered("exe = /new or exe = /old", false), ['a', 'b']);
    assert_eq!(filtered("package_state = modified", false), ['c']);
    assert_eq!(filtered("not package exists", false), ['a', 'b']);
    let late = format!("time >= {}", rfc3339(20));
    assert_eq!(filtered(&late, false), ['a', 'b']);
    assert_eq!(filtered(&late, true), ['b'], "one run of the other was before");
    let rarest = store
        .reader()
        .top(&Control::default(), &Grouping::by(Field::Sha256).unwrap(), &Filter::all(), 9, true)
        .unwrap();
    let rarest: Vec<_> =
        rarest.iter().map(|count| (count.value.chars().next().unwrap(), count.count)).collect();
    assert_eq!(rarest, [('c', 1), ('b', 1), ('a', 2)]);
}

#[test]
fn hashes_are_found_by_their_beginning() {
    let mut store = Store::new();
    for (inode, digit) in [(1, 'a'), (2, 'b')] {
        let file = file("/x", inode);
        store.run(&file, 10, None);
        store.read(&file, digit);
    }
    let found = |digits: &str| store.reader().binary(&Control::default(), digits).unwrap();
    assert!(matches!(found(&"a".repeat(64)), Named::One(_)));
    assert!(matches!(found(&"b".repeat(32)), Named::One(_)), "MD5");
    assert!(matches!(found("cccccc"), Named::None));
    assert!(matches!(found(""), Named::Several(all) if all.len() == 2));
}

#[test]
fn what_is_pinned_or_alerted_on_is_not_evicted() {
    let mut store = Store::new();
    let files: Vec<_> = (1..=4).map(|inode| file("/x", inode)).collect();
    let mut rows = Vec::new();
    for ((file, digit), time) in files.iter().zip("abcd".chars()).zip([40, 30, 20, 10]) {
        rows.push(store.run(file, time, None));
        store.read(file, digit);
    }
    let evictable = |store: &Store| -> String {
        let all = store.reader().evictable(&Control::default(), 9).unwrap();
        all.iter().filter_map(|sha256| sha256.chars().next()).collect()
    };
    assert_eq!(evictable(&store), "dcba", "least recently executed first");
    let (answer, _) = tokio::sync::oneshot::channel();
    let pinned = What::Binaries { sha256: vec!["d".repeat(64)], is_pinned: true };
    let change = crate::store::Change { time_ns: 1, uid: 0, user: None, what: pinned, answer };
    let alert = NewAlert {
        id: 1,
        time_ns: 5,
        rule_id: "r".into(),
        title: "t".into(),
        level: common::rule::Level::Low,
        row: rows[2],
        likeness: 1,
        rule: b"{}".to_vec(),
        snapshot: b"{}".to_vec(),
    };
    let batch = Batch { changes: vec![change], alerts: vec![Arc::new(alert)], ..Batch::default() };
    assert_eq!(store.writer.write(&batch).unwrap(), [1]);
    assert_eq!(evictable(&store), "ba");
    assert!(store.binary("dddddd").pinned);
    assert_eq!(store.binary("cccccc").alerts, 1);
    store.find(Finding::Copies { sha256: vec!["b".repeat(64)], storage: Storage::Evicted });
    assert_eq!(evictable(&store), "a");
    assert_eq!(store.binary("bbbbbb").storage, Storage::Evicted);
    store.read(&files[1], 'b');
    assert_eq!(store.binary("bbbbbb").storage, Storage::Kept, "kept again when it runs again");
}

#[test]
fn a_script_is_linked_to_the_image_that_interprets_it() {
    let mut store = Store::new();
    let row = store.run(&file("/bin/sh", 1), 10, None);
    store.read(&file("/bin/sh", 1), 'a');
    let script = file("/tmp/s.sh", 9);
    let finding = |file: &Arc<Executable>, content| Finding::Script {
        row,
        time_ns: 10,
        file: file.clone(),
        content,
        stored_bytes: 3,
    };
    store.find(finding(&script, content('b')));
    let select = |text: &str| {
        let filter = Filter::parse(text, 1_000).unwrap();
        let mut found = Vec::new();
        let selection = Selection {
            filter: &filter,
            limit: 0,
            is_newest_first: false,
            cursor: None,
            last_row: None,
        };
        store
            .reader()
            .page(&Control::default(), &selection, &mut |record| {
                found.push(record.script_content.clone());
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    };
    assert_eq!(select(&format!("script_sha256 = {}", "b".repeat(64))), [content('b')]);
    assert_eq!(select(&format!("sha256 = {}", "a".repeat(64))), [content('b')]);
    let binary = store.binary("bbbbbb");
    assert_eq!((binary.runs, &*binary.files[0].path), (1, "/tmp/s.sh"));
}

#[test]
fn an_orphan_is_a_binary_without_files() {
    let mut store = Store::new();
    let Content::Read(content) = content('a') else { panic!() };
    store.find(Finding::Orphan { content, size_bytes: 9, stored_bytes: 5 });
    let binary = store.binary("aaaaaa");
    assert_eq!((binary.size_bytes, binary.runs, binary.files.len()), (9, 0, 0));
    assert_eq!(store.reader().kept(&Control::default()).unwrap().len(), 1);
}
