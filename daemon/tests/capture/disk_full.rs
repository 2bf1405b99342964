//! A disk without room: told at the start, and waited for while recording.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use crate::client::capture;
use crate::hostile::storms;
use crate::hostile::witness::Pair;
use crate::recorder::{LOSSLESS, Recorder, command, wait_for};
use crate::refusals::refused;
use crate::scratch::Scratch;
use crate::workload::{finish, run};

/// A small file system where the data directory is.
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    pub(crate) fn mount(scratch: &Scratch, size: &str) -> Self {
        let path = scratch.make_dir("data");
        let options = format!("size={size},mode=700,uid=65534,gid=65534");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path);
        assert!(mount.status().unwrap().success());
        Self { path }
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.path.join("recorder.db-filler");
        let mut file = File::create(&path).unwrap();
        for block in [&[0; 4096][..], &[0; 1]] {
            while file.write_all(block).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

#[test]
fn a_full_disk_at_the_start_is_refused() {
    if crate::recorder::shared().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let disk = Disk::mount(&scratch, "1m");
    disk.fill();
    refused(&mut command(&scratch.data(), &scratch.bus()), &["full", "--data-dir"]);
    assert!(!is_begun(&scratch.database()), "left a half-made database");
}

/// As above, with room for the lock but not for the database.
#[test]
fn a_nearly_full_disk_at_the_start_is_refused() {
    if crate::recorder::shared().is_none() {
        return;
    }
    for free_pages in [1, 3, 9] {
        let scratch = Scratch::new();
        let disk = Disk::mount(&scratch, "1m");
        let filler = disk.fill();
        let file = File::options().write(true).open(filler).unwrap();
        file.set_len(file.metadata().unwrap().len() - free_pages * 4096).unwrap();
        refused(&mut command(&scratch.data(), &scratch.bus()), &["full", "--data-dir"]);
    }
}

fn is_begun(database: &Path) -> bool {
    fs::metadata(database).is_ok_and(|meta| meta.len() > 0)
}

/// Everything waits, and is written when there is room again.
#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let scratch = Scratch::new();
    let disk = Disk::mount(&scratch, "32m");
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let before = run(&["exit", "1"]);
    assert_eq!(client.image(before.pid).process.exit_code, Some(1));
    let filler = disk.fill();
    let runs: Vec<_> = (1..=50)
        .map(|number| {
            // Different each time, so that it takes room.
            let words = (1..=400_u64)
                .map(|index| format!("{:05x}", index * number * 2_654_435_761 % 0xf_fff7));
            let argument: String = words.collect();
            run(&["exit", "2", &argument, &number.to_string()])
        })
        .collect();
    wait_for("a warning", || {
        let health = client.health();
        let warning = health.warnings.iter().find(|warning| is_about_writing(warning))?;
        assert!(warning.contains("full"), "{warning}");
        Some(())
    });
    assert!(client.print(&["status"]).contains("nothing can be written"));
    let stored = client.stored_while_behind(before.pid);
    assert!(stored.contains("\"exit_code\":1"), "what is stored is served: {stored}");

    fs::remove_file(filler).unwrap();
    wait_for("the end of the warning", || {
        let health = client.health();
        (!health.warnings.iter().any(|warning| is_about_writing(warning))).then_some(())
    });
    for (run, number) in runs.iter().zip(1..) {
        let event = client.image(run.pid);
        assert_eq!(event.process.exit_code, Some(2));
        assert_eq!(event.process.args.unwrap().last().unwrap(), &number.to_string());
    }
    client.assert_lossless();
    recorder.stop();
}

fn is_about_writing(warning: &str) -> bool {
    warning.contains("nothing can be written")
}

/// Removed when it is dropped.
struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_disk_that_is_full_for_longer_than_the_ring_lasts_costs_what_is_counted() {
    let scratch = Rc::new(Scratch::new());
    let disk = Disk::mount(&scratch, "32m");
    check_overrun(&scratch, "full", || Filler(disk.fill()));
}

/// As long as there is what `begin` returns, nothing can be written, for this reason. More happens
/// than the ring holds: what was recorded before stays, and what is lost is counted one by one.
pub(crate) fn check_overrun<T>(scratch: &Rc<Scratch>, reason: &str, begin: impl FnOnce() -> T) {
    /// Small enough for a storm, large enough for what else the machine may do meanwhile.
    const RING: [&str; 2] = ["--ring-size", "524288"];
    const TOTAL: u32 = 2_000;
    let Some(pair) = Pair::start_in(scratch.clone(), &RING, 0) else { return };
    let client = &pair.recorder.client;
    let before = run(&["exit", "1"]);
    assert_eq!(client.image(before.pid).process.exit_code, Some(1));
    let outage = begin();
    let storm = finish(storms::start(TOTAL));
    wait_for("a batch that cannot be written", || {
        let log = pair.recorder.log();
        (log.contains("recording waits in the ring") && log.contains(reason)).then_some(())
    });
    let health = client.health();
    assert!(health.warnings.iter().any(|warning| is_about_writing(warning)), "{health:#?}");
    assert!(capture(&health).dropped_ring_full.total() > 0, "{health:#?}");
    drop(outage);
    wait_for("the end of it", || {
        pair.recorder.log().contains("can be written again").then_some(())
    });
    // Until the ring has room again.
    client.balanced_health();
    let after = run(&["exit", "3"]);
    assert_eq!(client.image(after.pid).process.exit_code, Some(3));
    assert_eq!(client.image(before.pid).process.exit_code, Some(1));
    assert_eq!(capture(&client.health()).recorder_restarts, 0);

    let books = pair.settle();
    let children = books.children(&storm, TOTAL);
    books.assert_accounted(&children);
    let lost: Vec<_> = books.of(&children).collect();
    assert!(!lost.is_empty(), "the ring held it all");
    books.assert_covered(&lost, &children);
    println!("{TOTAL} short programs: {} of their events lost", lost.len());
}

/// What cannot be written at the end is lost: that must not look like success.
#[test]
fn a_stop_with_a_full_disk_is_not_a_success() {
    let scratch = Scratch::new();
    let disk = Disk::mount(&scratch, "32m");
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let filler = disk.fill();
    for number in 0..20 {
        run(&["exit", "2", &"x".repeat(3000), &number.to_string()]);
    }
    wait_for("a warning", || {
        let health = recorder.client.health();
        health.warnings.iter().any(|warning| is_about_writing(warning)).then_some(())
    });
    nix::sys::signal::kill(recorder.sensor(), nix::sys::signal::Signal::SIGTERM).unwrap();
    let status = recorder.wait();
    let log = recorder.log();
    assert!(!status.success(), "{log}");
    assert!(log.contains("could not be written"), "{log}");
    drop(recorder);
    fs::remove_file(filler).unwrap();
    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    let gaps = recorder.client.gaps();
    assert!(!gaps.is_empty(), "the loss is not in the record");
    recorder.stop();
    drop(disk);
}
