//! The directory of copies is removed or replaced while files are kept in it.

use std::os::unix::fs::{chown, symlink};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::*;

fn directory(scratch: &Scratch) -> PathBuf {
    scratch.data().join("binaries")
}

/// Until it is gone: meanwhile copies come in.
fn remove(directory: &Path) {
    wait_for("the end of the directory", || fs::remove_dir_all(directory).ok());
}

/// Lets one take the other's name, at once.
fn exchange(one: &Path, other: &Path) {
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE).unwrap();
}

/// Runs a content that nobody has seen yet, which must be kept.
fn keep(scratch: &Scratch, client: &Client, name: &str) -> String {
    let program = variant(scratch, name, name.as_bytes());
    let image = explained(client, run_program(&program, &["exit", "0"]));
    assert_eq!(storage(&image), Some(Storage::Kept), "{image:#?}");
    let hash = hash_of(&image).unwrap();
    assert_eq!(sha256(&taken_out(scratch, client, &hash)), hash);
    hash
}

#[track_caller]
fn assert_refused(scratch: &Scratch, client: &Client, hash: &str, part: &str) {
    let out = scratch.path().join("refused");
    let answer = client.ask(&["binaries", "get", hash, "-o", out.to_str().unwrap()]);
    assert_eq!(answer.status, Some(1), "{}", answer.err);
    assert!(answer.err.contains(part), "{}", answer.err);
    assert!(!out.exists());
}

fn warns(client: &Client, part: &str) -> bool {
    client.health().warnings.iter().any(|warning| warning.contains(part))
}

/// Everything below, as text.
fn listing(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        found.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            found.extend(listing(&entry.path()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_directory_that_is_removed_is_made_again() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let first = keep(&scratch, client, "one");
    remove(&directory(&scratch));
    // The next one is kept, whenever it comes.
    let second = keep(&scratch, client, "two");
    assert_eq!(fs::metadata(directory(&scratch)).unwrap().mode() & 0o777, 0o700);
    wait_for("the loss in the record", || {
        (binary(client, &first).storage == Storage::Damaged).then_some(())
    });
    assert_refused(&scratch, client, &first, &first);
    assert!(warns(client, "copies of executed files have disappeared"));
    assert!(!warns(client, "not kept"));
    assert!(recorder.log().contains("in the directory that is now at"), "{}", recorder.log());
    assert_eq!(binary(client, &second).storage, Storage::Kept);
    // What runs again is kept again.
    settle();
    run_program(&scratch.path().join("one"), &["exit", "0"]);
    wait_for("another copy", || (binary(client, &first).storage == Storage::Kept).then_some(()));
    assert_eq!(sha256(&taken_out(&scratch, client, &first)), first);
    assert_eq!(client.ask(&["binaries", "verify"]).status, Some(0));
    assert_eq!(capture(&client.health()).recorder_restarts, 0);
    client.assert_lossless();
    recorder.stop();
}

/// While nothing is executed that is not known.
#[test]
fn a_directory_that_is_removed_is_missed_at_rest() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let hash = keep(&scratch, client, "one");
    remove(&directory(&scratch));
    wait_for("the loss in the record", || {
        (binary(client, &hash).storage == Storage::Damaged).then_some(())
    });
    assert!(directory(&scratch).join("incoming").is_dir());
    assert!(warns(client, "copies of executed files have disappeared"));
    recorder.stop();
}

/// Without it nothing can be written, and what was written is still there.
#[test]
fn a_part_that_is_removed_costs_no_copy() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let first = keep(&scratch, client, "one");
    // Something of another process may just be on its way.
    wait_for("an empty directory", || fs::remove_dir(directory(&scratch).join("incoming")).ok());
    keep(&scratch, client, "two");
    assert_eq!(sha256(&taken_out(&scratch, client, &first)), first);
    assert!(!warns(client, "executed files"), "{:#?}", client.health().warnings);
    recorder.stop();
}

#[test]
fn nothing_is_written_through_a_link() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let first = keep(&scratch, client, "one");
    // Where the recorder could write, and with all that it looks for.
    let owner = fs::metadata(scratch.data()).unwrap();
    let elsewhere = scratch.data().join("elsewhere");
    for path in [elsewhere.clone(), elsewhere.join("incoming")] {
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let aside = scratch.data().join("aside");
    symlink(&elsewhere, &aside).unwrap();
    exchange(&aside, &directory(&scratch));
    wait_for("a warning", || warns(client, "is not a directory").then_some(()));
    let kept = || capture(&client.health()).files.kept;
    wait_for("no copies in health", || (kept() == 0).then_some(()));
    let program = variant(&scratch, "two", b"two");
    let image = explained(client, run_program(&program, &["exit", "0"]));
    assert_eq!(hash_of(&image), Some(sha256_of(&program)), "it is read all the same");
    assert_eq!(storage(&image), Some(Storage::Failed));
    assert_refused(&scratch, client, &first, "no copies are kept here");
    assert_ne!(client.ask(&["binaries", "verify"]).status, Some(0));
    assert_eq!(listing(&elsewhere), [elsewhere.join("incoming").display().to_string()]);

    exchange(&aside, &directory(&scratch));
    wait_for("the end of the warning", || (!warns(client, "not kept")).then_some(()));
    assert_eq!(sha256(&taken_out(&scratch, client, &first)), first);
    keep(&scratch, client, "three");
    assert_eq!(client.ask(&["binaries", "verify"]).status, Some(0));
    recorder.stop();
}

/// Who could write to it could put any content there.
#[test]
fn a_directory_of_somebody_else_is_not_used() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    keep(&scratch, client, "one");
    let owner = fs::metadata(directory(&scratch)).unwrap();
    let aside = scratch.data().join("aside");
    fs::create_dir(&aside).unwrap();
    exchange(&aside, &directory(&scratch));
    wait_for("a warning", || warns(client, "belongs to user 0").then_some(()));
    assert!(listing(&directory(&scratch)).is_empty());
    chown(directory(&scratch), Some(owner.uid()), Some(owner.gid())).unwrap();
    wait_for("the end of the warning", || (!warns(client, "not kept")).then_some(()));
    keep(&scratch, client, "two");
    wait_for("what is missing to be told", || warns(client, "have disappeared").then_some(()));
    client.assert_lossless();
    recorder.stop();
}
