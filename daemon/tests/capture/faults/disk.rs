//! A disk that breaks: what is written to it is lost, and only whoever waits for it is told.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};

use super::*;

/// A file system on a disk whose own memory can run out.
struct Disk {
    memory: PathBuf,
    data: PathBuf,
}

impl Disk {
    /// `None` where there are no loop devices, or no file system for them.
    fn mount(scratch: &Scratch) -> Option<Self> {
        let disk = Self { memory: scratch.make_dir("memory"), data: scratch.make_dir("data") };
        let image = disk.memory.join("image");
        assert!(is_done("mount", &["-t", "tmpfs", "-o", "size=400m", "tmpfs"], &disk.memory));
        File::create(&image).unwrap().set_len(1 << 30).unwrap();
        // Without a journal it goes on when the disk works again.
        let options = ["-q", "-t", "ext4", "-O", "^has_journal"];
        let is_made = is_done("mke2fs", &options, &image);
        let options = ["-o", "loop,errors=continue", image.to_str().unwrap()];
        if !is_made || !is_done("mount", &options, &disk.data) {
            println!("skipped: no file system can be mounted from a file here");
            return None;
        }
        std::os::unix::fs::chown(&disk.data, Some(65534), Some(65534)).unwrap();
        Some(disk)
    }

    fn breaks(&self) {
        let mut filler = File::create(self.memory.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn works_again(&self) {
        fs::remove_file(self.memory.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for path in [&self.data, &self.memory] {
            let _ = Command::new("umount").arg("-l").arg(path).status();
        }
    }
}

fn is_done(program: &str, options: &[&str], path: &Path) -> bool {
    Command::new(program).args(options).arg(path).status().is_ok_and(|status| status.success())
}

fn is_told(client: &Client) -> bool {
    client.ask(&["health", "--json"]).out.contains("may not survive a crash of the machine")
}

fn is_damage_told(recorder: &Recorder) -> bool {
    recorder.log().contains("is damaged")
}

/// SQLite finds out when it puts its log into the database, and tells nobody. What such a disk loses
/// is there until the kernel wants the memory for something else, which may be at once: the database
/// is damaged then, and whoever meets that tells it.
#[test]
fn a_disk_that_breaks_is_told_and_so_is_the_damage_if_there_is_any() {
    if crate::recorder::shared().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let Some(disk) = Disk::mount(&scratch) else { return };
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    assert_recorded(client, 1);
    assert!(!is_told(client));
    disk.breaks();
    let total = storm::size().min(10_000);
    let run = storm::run(total);
    wait_for("a warning", || (is_told(client) || is_damage_told(&recorder)).then_some(()));
    disk.works_again();
    wait_for("a look at all of it", || {
        let is_over = recorder.log().contains("looked through") && !is_told(client);
        (is_over || is_damage_told(&recorder)).then_some(())
    });
    let answer = client.ask(&["events", "--json", "-n", "0"]);
    if answer.status == Some(0) && !is_damage_told(&recorder) {
        storm::assert_complete(client, &run, total);
        client.assert_lossless();
    } else {
        println!("the database is damaged: {}", answer.err);
        let is_told = is_damage_told(&recorder) || answer.err.contains("database");
        assert!(is_told, "{}", answer.err);
    }
}

#[test]
fn a_stop_on_a_broken_disk_is_not_a_success() {
    if crate::recorder::shared().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let Some(disk) = Disk::mount(&scratch) else { return };
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    assert_recorded(&recorder.client, 1);
    disk.breaks();
    storm::run(1000);
    kill(recorder.sensor(), Signal::SIGTERM).unwrap();
    let status = recorder.wait();
    let log = recorder.log();
    assert!(!status.success(), "{log}");
    assert!(log.contains("may not survive a crash of the machine"), "{log}");
}
