use std::fs;
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn take_any(
    file: &File,
    most_bytes: u64,
    wanted: Result<&Vault, Storage>,
) -> Result<Taken, Unread> {
    take(file, most_bytes, wanted, |_| true)
}

const LIMIT: u64 = 1 << 30;
const MIB: usize = 1 << 20;

struct Place {
    directory: TempDir,
    vault: Vault,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::create(&directory.path().join("binaries")).unwrap();
        Self { directory, vault }
    }

    /// A file that was last changed long ago, so that every change shows.
    fn file(&self, content: &[u8]) -> (PathBuf, File) {
        let path = self.directory.path().join("program");
        fs::write(&path, content).unwrap();
        let file = File::open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        (path, file)
    }

    fn is_clean(&self) -> bool {
        let incoming = self.directory.path().join("binaries/incoming");
        fs::read_dir(incoming).unwrap().next().is_none()
    }

    fn read(&self, taken: &Taken) -> Vec<u8> {
        let mut content = Vec::new();
        let mut copy = self.vault.open(&taken.hashes.sha256).unwrap();
        io::Read::read_to_end(&mut copy, &mut content).unwrap();
        content
    }
}

fn hash_only(file: &File) -> Result<Taken, Unread> {
    take_any(file, LIMIT, Err(Storage::NotKept))
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn hashes_are_the_known_ones() {
    // FIPS 180-2, RFC 1321.
    let million = "a".repeat(1_000_000);
    let cases = [
        (
            "",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "d41d8cd98f00b204e9800998ecf8427e",
        ),
        (
            "abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
            "900150983cd24fb0d6963f7d28e17f72",
        ),
        (
            &million,
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
            "7707d6ae4e027c70eea2a935c2296f21",
        ),
    ];
    for (content, sha256, sha1, md5) in cases {
        let place = Place::new();
        let (_, file) = place.file(content.as_bytes());
        let taken = hash_only(&file).unwrap();
        let hashes = Hashes { sha256: sha256.into(), sha1: sha1.into(), md5: md5.into() };
        assert_eq!(taken.hashes, hashes);
        assert_eq!(taken.size_bytes, content.len() as u64);
        assert_eq!((taken.storage, taken.stored_bytes), (Storage::NotKept, 0));
        assert_eq!(take_any(&file, LIMIT, Ok(&place.vault)).unwrap().hashes, hashes);
    }
}

#[test]
fn a_copy_is_compressed_where_that_helps() {
    let text = b"int main(void) { return 0; }\n".repeat(40_000);
    let noise = noise(1, MIB);
    for (content, is_smaller) in [(&text, true), (&noise, false)] {
        let place = Place::new();
        let (_, file) = place.file(content);
        let taken = take_any(&file, LIMIT, Ok(&place.vault)).unwrap();
        assert_eq!(taken.storage, Storage::Kept);
        assert_eq!(taken.stored_bytes < taken.size_bytes, is_smaller);
        assert_eq!(place.vault.has(&taken.hashes.sha256), Some(taken.stored_bytes));
        assert_eq!(&place.read(&taken), content);
        assert_eq!(take_any(&file, LIMIT, Ok(&place.vault)).unwrap(), taken, "a second time");
        assert_eq!(place.vault.contents().unwrap().len(), 1);
        assert!(place.is_clean());
    }
}

#[test]
fn the_position_of_the_descriptor_does_not_matter() {
    let place = Place::new();
    let (path, mut file) = place.file(b"abc");
    file.seek(SeekFrom::Start(2)).unwrap();
    fs::remove_file(path).unwrap();
    assert!(hash_only(&file).unwrap().hashes.md5.starts_with("9001"));
    assert_eq!(file.stream_position().unwrap(), 2);
}

/// One way to change a file that is open for writing too.
type Change = (&'static str, fn(&File));

const CHANGES: [Change; 7] = [
    ("one byte more", |file| file.write_all_at(b"x", file.metadata().unwrap().len()).unwrap()),
    ("much more", |file| file.set_len(1 << 32).unwrap()),
    ("one byte less", |file| file.set_len(file.metadata().unwrap().len() - 1).unwrap()),
    ("nothing left", |file| file.set_len(0).unwrap()),
    ("another byte where it was read", |file| file.write_all_at(b"x", 0).unwrap()),
    ("longer, and back again", |file| {
        let length = file.metadata().unwrap().len();
        file.set_len(length + 1).unwrap();
        file.set_len(length).unwrap();
    }),
    ("another time", |file| file.set_modified(SystemTime::now()).unwrap()),
];

#[test]
fn a_file_that_changes_is_not_taken() {
    let place = Place::new();
    for size in [1, HEAD_BYTES, HEAD_BYTES + CHUNK_BYTES + 5] {
        let content = noise(7, size);
        for (what, change) in CHANGES {
            // While the first and while the last part is read.
            for at in [1, size as u64] {
                let (path, file) = place.file(&content);
                let other = File::options().write(true).open(path).unwrap();
                let mut is_changed = false;
                let taken = take_watched(
                    &file,
                    LIMIT,
                    Ok(&place.vault),
                    |_| true,
                    |offset| {
                        assert!(offset <= size as u64, "read on to {offset}");
                        if offset >= at && !is_changed {
                            is_changed = true;
                            change(&other);
                        }
                    },
                );
                assert_eq!(taken, Err(Unread::Changed), "{what}, {size} bytes, at {at}");
                assert!(place.is_clean() && place.vault.contents().unwrap().is_empty());
            }
        }
    }
}

#[test]
fn a_file_of_another_length_than_told_is_not_taken() {
    // Longer than the kernel says, and shorter.
    for path in ["/proc/self/status", "/sys/kernel/uevent_seqnum"] {
        let Ok(file) = File::open(path) else { continue };
        assert_eq!(hash_only(&file), Err(Unread::Changed), "{path}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let place = Place::new();
    let pipe = place.directory.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for path in [place.directory.path(), &pipe, Path::new("/dev/null")] {
        let flags = nix::libc::O_NONBLOCK;
        let file = File::options().read(true).custom_flags(flags).open(path).unwrap();
        assert_eq!(take_any(&file, LIMIT, Ok(&place.vault)), Err(Unread::NotRegular));
    }
    assert!(place.is_clean());
}

#[test]
fn what_is_too_large_is_not_read() {
    let place = Place::new();
    let (path, large) = place.file(b"");
    File::options().write(true).open(path).unwrap().set_len(10 << 30).unwrap();
    let is_read = |_| panic!("it was read");
    let refused = take_watched(&large, LIMIT, Ok(&place.vault), |_| true, is_read);
    assert_eq!(refused, Err(Unread::TooLarge));
    assert_eq!(hash_only(&large), Err(Unread::TooLarge));
    let (_, file) = place.file(b"abc");
    assert_eq!(take_any(&file, 2, Ok(&place.vault)), Err(Unread::TooLarge));
    assert!(take_any(&file, 3, Ok(&place.vault)).is_ok());
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let place = Place::new();
    let (path, _) = place.file(b"abc");
    let unreadable = File::options().write(true).open(path).unwrap();
    assert_eq!(take_any(&unreadable, LIMIT, Ok(&place.vault)), Err(Unread::Failed));
    assert!(place.is_clean());
    for (errno, expected) in [
        (Errno::EACCES, Unread::NotPermitted),
        (Errno::EPERM, Unread::NotPermitted),
        (Errno::EIO, Unread::Failed),
    ] {
        assert_eq!(unread(&errno.into()), expected);
    }
}

#[test]
fn a_copy_that_cannot_be_written_costs_no_hash() {
    let content = noise(3, MIB);
    let expected = |place: &Place| hash_only(&place.file(&content).1).unwrap().hashes;
    let failed = |place: &Place, vault: &Vault| {
        let taken = take_any(&place.file(&content).1, LIMIT, Ok(vault)).unwrap();
        assert_eq!(taken.hashes, expected(place));
        assert_eq!((taken.storage, taken.stored_bytes), (Storage::Failed, 0));
    };
    let place = Place::new();
    let path = place.directory.path().join("binaries");
    // Something is where the copy should be.
    let sha256 = expected(&place).sha256;
    fs::create_dir_all(path.join(&sha256[..2]).join(&sha256)).unwrap();
    failed(&place, &place.vault);
    assert!(place.is_clean());
    fs::remove_dir(path.join("incoming")).unwrap();
    failed(&place, &place.vault);
    failed(&place, &Vault::existing(&path).unwrap());
}

#[test]
fn what_keeps_a_copy_from_being_written_is_told_apart() {
    for (errno, expected) in [
        (Errno::ENOSPC, Storage::NoSpace),
        (Errno::EDQUOT, Storage::NoSpace),
        (Errno::EIO, Storage::Failed),
        (Errno::EROFS, Storage::Failed),
        (Errno::EACCES, Storage::Failed),
    ] {
        assert_eq!(not_kept(&errno.into()), expected);
    }
    let place = Place::new();
    let (_, file) = place.file(b"abc");
    for reason in [Storage::NoRoom, Storage::NoSpace] {
        assert_eq!(take_any(&file, LIMIT, Err(reason)).unwrap().storage, reason);
    }
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    let part =
        (any::<u64>(), 0..200_000_usize, any::<bool>()).prop_map(|(seed, length, is_text)| {
            if is_text { vec![b'a'; length] } else { noise(seed, length) }
        });
    proptest::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn what_is_taken_is_what_was_there(content in contents()) {
        let place = Place::new();
        let (_, file) = place.file(&content);
        let taken = take_any(&file, LIMIT, Ok(&place.vault)).unwrap();
        prop_assert_eq!(taken.storage, Storage::Kept);
        prop_assert_eq!(taken.size_bytes, content.len() as u64);
        prop_assert_eq!(&taken.hashes.sha256, &hex(&Sha256::digest(&content)));
        prop_assert_eq!(&taken.hashes.sha1, &hex(&Sha1::digest(&content)));
        prop_assert_eq!(&taken.hashes.md5, &hex(&Md5::digest(&content)));
        prop_assert!(place.read(&taken) == content);
        place.vault.check(&taken.hashes.sha256, &mut |_| true).unwrap();
    }
}

/// Set in the process that is to be killed: where it works.
const VICTIM: &str = "BPF_RECORDER_TEST_INTAKE";

#[test]
fn a_kill_leaves_whole_copies_only() {
    if let Some(directory) = std::env::var_os(VICTIM) {
        take_until_killed(Path::new(&directory));
        return;
    }
    let place = Place::new();
    let path = place.directory.path().join("binaries");
    for round in 0..5 {
        let before = place.vault.contents().unwrap().len();
        let (_, test) = module_path!().split_once("::").unwrap();
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args([&format!("{test}::a_kill_leaves_whole_copies_only"), "--exact"])
            .env(VICTIM, place.directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while place.vault.contents().unwrap().len() < before + 2 {
            assert!(Instant::now() < deadline, "the victim does nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(2 * round));
        victim.kill().unwrap();
        victim.wait().unwrap();

        let vault = Vault::create(&path).unwrap();
        assert!(place.is_clean());
        for stored in vault.contents().unwrap() {
            vault.check(&stored.sha256, &mut |_| true).unwrap();
        }
    }
}

fn take_until_killed(directory: &Path) {
    let vault = Vault::create(&directory.join("binaries")).unwrap();
    let path = directory.join("victim");
    let end = Instant::now() + Duration::from_secs(20);
    let mut seed = u64::from(std::process::id()) << 32;
    while Instant::now() < end {
        seed += 1;
        // Every other one is compressed.
        let mut content = noise(seed, 300_000);
        if seed % 2 == 0 {
            content.truncate(8);
            content = content.repeat(30_000);
        }
        fs::write(&path, content).unwrap();
        take_any(&File::open(&path).unwrap(), LIMIT, Ok(&vault)).unwrap();
    }
}

/// What is not the file that was meant gets no name in the vault.
#[test]
fn what_is_not_right_is_not_kept() {
    let place = Place::new();
    let (_, file) = place.file(b"not that one");
    let refused = take(&file, LIMIT, Ok(&place.vault), |last| last.len() == 1);
    assert_eq!(refused, Err(Unread::Changed));
    assert!(place.vault.contents().unwrap().is_empty());
}
