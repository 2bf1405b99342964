//! Executed files: which of them are read, as what, and what is kept of them.

mod identity;
mod reading;
mod removed;
mod vault;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::binary::{Binary, Storage, Unread};
use common::ecs::Event;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use sha2::{Digest as _, Sha256};

use crate::client::{Client, capture, only};
use crate::disk_full::Disk;
use crate::paused::Paused;
use crate::programs::WORKLOAD;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::run;

/// A recorder that keeps copies however little room there is.
fn recorder(scratch: &Scratch, options: &[&str]) -> Option<Recorder> {
    let all = [&LOSSLESS[..], &["--binary-min-free", "0"], options].concat();
    Recorder::start(scratch, &all)
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256_of(path: &Path) -> String {
    sha256(&fs::read(path).unwrap())
}

/// Another content that still runs as the program does.
fn variant(scratch: &Scratch, name: &str, mark: &[u8]) -> PathBuf {
    let path = scratch.copy(&WORKLOAD, name);
    File::options().append(true).open(&path).unwrap().write_all(mark).unwrap();
    path
}

/// Old enough that its times tell every later change.
fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(50));
}

fn run_program(program: &Path, arguments: &[&str]) -> u32 {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// The image of the process, once it is known what became of its file.
fn explained(client: &Client, pid: u32) -> Event<'static> {
    wait_for("what became of the file", || {
        let image = only(client.images(pid));
        let is_read = image.process.hash.is_some();
        let is_unread = image.recorder.content.as_ref().is_some_and(|c| c.unread.is_some());
        (is_read || is_unread).then_some(image)
    })
}

fn hash_of(image: &Event<'_>) -> Option<String> {
    image.process.hash.as_ref().map(|hash| hash.sha256.clone())
}

fn unread(image: &Event<'_>) -> Option<Unread> {
    image.recorder.content.as_ref().and_then(|content| content.unread)
}

fn storage(image: &Event<'_>) -> Option<Storage> {
    image.recorder.content.as_ref().and_then(|content| content.storage)
}

fn binary(client: &Client, hash: &str) -> Binary {
    serde_json::from_str(&client.print(&["binaries", "show", "--json", hash])).unwrap()
}

/// The copy as a client gets it.
fn taken_out(scratch: &Scratch, client: &Client, hash: &str) -> Vec<u8> {
    let path = scratch.path().join("taken-out");
    client.print(&["binaries", "get", hash, "--force", "-o", path.to_str().unwrap()]);
    let meta = fs::metadata(&path).unwrap();
    assert_eq!(meta.mode() & 0o111, 0, "it must not be executable");
    fs::read(&path).unwrap()
}
