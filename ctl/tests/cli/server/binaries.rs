//! Canned contents: their digits say what is the matter with them.

use std::sync::LazyLock;

use common::binary::{Binary, BinaryLine, Hashes, Storage, VerifyLine};
use common::bus::{BinarySelection, Error};
use common::ecs::Done;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zbus::interface;

use super::rules::HOSTILE;
use super::{TIME_NS, check_filter, pipe};

/// Longer than a pipe holds.
pub(crate) static CONTENT: LazyLock<Vec<u8>> =
    LazyLock::new(|| b"\x7fELF\x1b[2J\n".repeat(20_000).to_vec());

/// Of the content that comes as it should.
pub(crate) static GOOD: LazyLock<String> =
    LazyLock::new(|| Sha256::digest(&*CONTENT).iter().map(|byte| format!("{byte:02x}")).collect());
/// The other contents, by what their digits begin with.
pub(crate) const EVICTED: &str = "e00000";
pub(crate) const DAMAGED: &str = "d00000";
/// Comes without its end.
pub(crate) const SHORT: &str = "500000";
/// Something else of the same size comes.
pub(crate) const WRONG: &str = "600000";
/// Comes without end.
pub(crate) const ENDLESS: &str = "700000";
/// The beginning of two.
pub(crate) const AMBIGUOUS: &str = "abcdef";

/// In the order of their last run.
pub(crate) static BINARIES: LazyLock<[Binary; 6]> = LazyLock::new(|| {
    let whole = |digits: &str| format!("{digits:0<64}");
    [
        binary(&GOOD, Storage::Kept, 0),
        binary(&whole(EVICTED), Storage::Evicted, 1),
        binary(&whole(DAMAGED), Storage::Damaged, 2),
        binary(&whole(SHORT), Storage::Kept, 3),
        binary(&whole(WRONG), Storage::Kept, 4),
        binary(&whole(ENDLESS), Storage::Kept, 5),
    ]
});

fn binary(sha256: &str, storage: Storage, seconds: i64) -> Binary {
    let time = |seconds: i64| common::time::rfc3339(TIME_NS + seconds * 1_000_000_000);
    let package = json!({"name": "curl", "version": "8.5", "manager": "dpkg", "state": "verified"});
    let is_hostile = storage == Storage::Evicted;
    let mut file = json!({
        "path": if is_hostile { format!("/tmp/{HOSTILE}") } else { "/usr/bin/curl".to_owned() },
        "device": "8:1", "inode": 9, "mode": if is_hostile { "4755" } else { "0755" },
        "uid": 0, "gid": 0, "mtime": time(0), "ctime": time(0), "runs": 10 - seconds,
        "first": time(0), "last": time(60 - seconds),
    });
    if !is_hostile {
        file["package"] = package;
    }
    let mut other = file.clone();
    other["path"] = json!("/tmp/other");
    let size_bytes = if sha256.starts_with(ENDLESS) { 1 << 50 } else { CONTENT.len() };
    let document = json!({
        "hash": Hashes { sha256: sha256.to_owned(), sha1: "0".repeat(40), md5: "0".repeat(32) },
        "size_bytes": size_bytes, "storage": storage,
        "stored_bytes": if storage == Storage::Kept { 1000 } else { 0 },
        "runs": 10 - seconds, "first": time(seconds), "last": time(60 - seconds),
        "files": if is_hostile { json!([file, other]) } else { json!([file]) },
    });
    serde_json::from_value(document).expect("a binary")
}

pub(crate) fn binary_line(binary: &Binary) -> String {
    line(&BinaryLine::Binary(Box::new(binary.clone())))
}

pub(crate) fn line(line: &impl serde::Serialize) -> String {
    serde_json::to_string(line).expect("a line is JSON") + "\n"
}

fn done(count: usize) -> String {
    line(&BinaryLine::Done(Done { count: count as u64, ..Done::default() }))
}

/// The one that is meant by the beginning of its SHA-256.
fn find(hash: &str) -> Result<&'static Binary, Error> {
    if hash == AMBIGUOUS {
        return Err(Error::InvalidArgument(format!("several hashes begin with {hash}")));
    }
    let is_meant = |binary: &&Binary| binary.hash.sha256.starts_with(hash);
    BINARIES.iter().find(is_meant).ok_or_else(|| Error::NotFound(format!("no content {hash}")))
}

/// What reading the copies finds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Copies {
    #[default]
    Sound,
    Damaged,
    /// The result ends in the middle.
    CutOff,
    /// Progress without end.
    Endless,
    Failed,
    None,
}

pub(crate) fn damaged(digit: &str) -> VerifyLine {
    VerifyLine::Damaged { sha256: digit.repeat(64), reason: format!("not zstd: {HOSTILE}") }
}

pub(crate) struct Binaries {
    pub(crate) copies: Copies,
}

#[interface(name = "org.bpfrecorder.Recorder1.Binaries")]
impl Binaries {
    async fn query(
        &self,
        filter: &str,
        selection: BinarySelection,
        limit: u32,
    ) -> Result<zbus::OwnedFd, Error> {
        check_filter(filter)?;
        let mut found: Vec<_> = BINARIES.iter().collect();
        match (filter, selection.is_only) {
            ("" | "since 2026-11-24T08:50:06Z", false) => {}
            ("parent = /usr/sbin/nginx", is_only) => found.truncate(if is_only { 1 } else { 2 }),
            ("cutoff", _) => return pipe(binary_line(found[0]), None),
            ("endless", _) => return pipe(String::new(), Some(binary_line(found[0]))),
            ("pid = 9", _) => found.clear(),
            other => return Err(Error::Failed(format!("not expected: {other:?}"))),
        }
        let first = |binary: &Binary| {
            let first = binary.first.as_deref().and_then(common::time::parse_rfc3339);
            first.expect("a time")
        };
        found.retain(|binary| first(binary) >= selection.first_since_ns);
        if selection.is_unpackaged {
            found.retain(|binary| binary.files[0].package.is_none());
        }
        match &*selection.order {
            "last" => {}
            "first" => found.sort_by_key(|binary| std::cmp::Reverse(first(binary))),
            "rarest" => found.sort_by_key(|binary| binary.runs),
            other => return Err(Error::InvalidArgument(other.to_owned())),
        }
        if limit > 0 {
            found.truncate(limit as usize);
        }
        let lines: String = found.iter().map(|binary| binary_line(binary)).collect();
        pipe(lines + &done(found.len()), None)
    }

    async fn get(&self, hash: &str) -> Result<String, Error> {
        find(hash).map(binary_line)
    }

    async fn open(&self, hash: &str) -> Result<zbus::OwnedFd, Error> {
        let binary = find(hash)?;
        assert_eq!(hash, binary.hash.sha256, "the whole hash is asked for");
        match binary.storage {
            Storage::Kept => {}
            Storage::Damaged => return Err(Error::Damaged("not zstd".to_owned())),
            other => return Err(Error::NotKept(other.sentence().to_owned())),
        }
        let mut content = String::from_utf8(CONTENT.clone()).expect("text");
        match &hash[..6] {
            SHORT => {
                content.pop();
                pipe(content, None)
            }
            WRONG => pipe(content.replace("ELF", "elf"), None),
            ENDLESS => pipe(String::new(), Some(content)),
            _ => pipe(content, None),
        }
    }

    async fn verify(&self) -> Result<zbus::OwnedFd, Error> {
        let progress = line(&VerifyLine::Progress {
            checked: 1,
            total: 3,
            bytes: 1 << 20,
            total_bytes: 10 << 20,
        });
        let found = line(&damaged("a")) + &line(&damaged("b"));
        let end = |checked, damaged, error: Option<&str>| {
            line(&VerifyLine::Done { checked, damaged, error: error.map(str::to_owned) })
        };
        match self.copies {
            Copies::Sound => pipe(progress + &end(3, 0, None), None),
            Copies::Damaged => pipe(progress + &found + &end(3, 2, None), None),
            Copies::CutOff => pipe(progress + &found, None),
            Copies::Endless => pipe(found, Some(progress)),
            Copies::Failed => pipe(found + &end(1, 2, Some("database")), None),
            Copies::None => pipe(end(0, 0, None), None),
        }
    }

    async fn pin(&self, hashes: Vec<String>, _is_pinned: bool) -> Result<u32, Error> {
        if hashes == ["eeeeee"] {
            return Err(Error::ReadOnly("this is a recorded database".to_owned()));
        }
        let mut count = 0;
        for hash in hashes {
            match find(&hash) {
                Ok(_) => count += 1,
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}
