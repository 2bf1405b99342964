//! Executed files: which of them are read, as what, and what is kept of them.

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

/// The recorder stands still; what happens meanwhile it reads later.
struct Paused<'r> {
    recorder: &'r Recorder,
    pid: nix::unistd::Pid,
}

impl<'r> Paused<'r> {
    fn new(recorder: &'r Recorder) -> Self {
        let pid = recorder.client.recorder_pid();
        kill(pid, Signal::SIGSTOP).unwrap();
        Self { recorder, pid }
    }

    fn go_on(self) -> &'r Client {
        kill(self.pid, Signal::SIGCONT).unwrap();
        &self.recorder.client
    }
}

#[test]
fn what_deletes_itself_or_lives_in_memory_is_kept() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let directory = scratch.path().to_str().unwrap();
    let content = fs::read(&*WORKLOAD).unwrap();
    for (arguments, name) in [
        (&["unlinked", directory, "sleep", "3000"][..], "unlinked-workload"),
        (&["deleted", directory, "sleep", "3000"], "deleted-workload"),
        (&["memfd", "sleep", "3000"], "memfd:"),
    ] {
        let pid = run(arguments).pid;
        let image = wait_for("the second image, explained", || {
            let images = client.images(pid);
            let image = images.into_iter().find(|image| {
                let path = image.process.executable.as_deref().unwrap_or_default();
                path.contains(name)
            })?;
            (image.process.hash.is_some() || unread(&image).is_some()).then_some(image)
        });
        let context = format!("{name}: {:?}", image.recorder.content);
        assert_eq!(hash_of(&image), Some(sha256(&content)), "{context}");
        assert_eq!(storage(&image), Some(Storage::Kept), "{context}");
    }
    assert_eq!(taken_out(&scratch, client, &sha256(&content)), content);
    let kept = binary(client, &sha256(&content));
    assert!(kept.files.iter().any(|file| file.memfd) && kept.files.len() >= 3, "{kept:#?}");
    recorder.stop();
}

/// What is at the path when the recorder comes to look is not what ran.
#[test]
fn what_was_replaced_meanwhile_is_not_taken_for_what_ran() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    type Replace = fn(&Path);
    let replace: [(&str, Replace); 6] = [
        ("another-file", |path| {
            let other = path.with_extension("other");
            fs::copy(&*WORKLOAD, &other).unwrap();
            fs::rename(other, path).unwrap();
        }),
        ("another-content", |path| {
            // As somebody would who wants it to go unnoticed: same inode, same size, same time.
            let before = fs::metadata(path).unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.write_all_at(b"innocent", before.len() - 8).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
            let after = fs::metadata(path).unwrap();
            assert_eq!((before.len(), before.mtime_nsec()), (after.len(), after.mtime_nsec()));
        }),
        ("pipe", |path| {
            fs::remove_file(path).unwrap();
            nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
        }),
        ("directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("link", |path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/etc/shadow", path).unwrap();
        }),
        ("nothing", |path| fs::remove_file(path).unwrap()),
    ];
    let programs = replace.map(|(name, _)| variant(&scratch, name, b"malice!!"));
    settle();
    let paused = Paused::new(&recorder);
    let pids = programs.each_ref().map(|program| run_program(program, &["exit", "0"]));
    for ((_, replace), program) in replace.iter().zip(&programs) {
        replace(program);
    }
    let client = paused.go_on();
    for ((name, _), pid) in replace.iter().zip(pids) {
        let image = explained(client, pid);
        let expected = match *name {
            "pipe" | "directory" => Unread::NotRegular,
            "nothing" => Unread::Gone,
            // A link leads to nothing, or to what may not be executed.
            "link" if unread(&image) == Some(Unread::Gone) => Unread::Gone,
            "link" => Unread::NotPermitted,
            _ => Unread::Changed,
        };
        assert_eq!((hash_of(&image), unread(&image)), (None, Some(expected)), "{name}");
    }
    for program in &programs[..2] {
        let answer = client.ask(&["binaries", "show", &sha256_of(program)]);
        assert_eq!(answer.status, Some(1), "what never ran is not in the record: {}", answer.out);
    }
    recorder.stop();
}

/// The directory of an attacker becomes a link to another, in which a file of the same name lies.
#[test]
fn a_path_that_leads_elsewhere_now_leads_nowhere() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let (mine, other) = (scratch.make_dir("mine"), scratch.make_dir("other"));
    let program = variant(&scratch, "mine/x", b"malice");
    let decoy = variant(&scratch, "other/x", b"innocent");
    settle();
    let paused = Paused::new(&recorder);
    let pid = run_program(&program, &["exit", "0"]);
    fs::rename(&mine, scratch.path().join("hidden")).unwrap();
    std::os::unix::fs::symlink(&other, &mine).unwrap();
    let client = paused.go_on();
    let image = explained(client, pid);
    assert_eq!((hash_of(&image), unread(&image)), (None, Some(Unread::Changed)));
    assert_eq!(client.ask(&["binaries", "show", &sha256_of(&decoy)]).status, Some(1));
    recorder.stop();
}

#[test]
fn a_storm_of_one_file_reads_it_once() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let before = run(&["exit", "0"]).pid;
    explained(client, before);
    let read = |client: &Client| capture(&client.health()).files.read;
    let first = read(client);
    let total = storm::size();
    let storm = storm::run(total);
    client.balanced_health();
    let recorded = storm::recorded(client, &storm, total);
    let hash = sha256_of(&WORKLOAD);
    assert!(recorded.iter().all(|child| hash_of(child).as_ref() == Some(&hash)));
    // Programs of the machine itself may have run meanwhile.
    let others = read(client) - first;
    assert!(others < 50, "{others} files were read");
    assert!(binary(client, &hash).runs >= u64::from(total));
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn many_files_at_once_are_kept_or_say_why() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let count = storm::size().min(2000);
    let programs: Vec<PathBuf> = (0..count)
        .map(|n| {
            let path = scratch.copy(Path::new("/bin/true"), &format!("v{n}"));
            let mut file = File::options().append(true).open(&path).unwrap();
            file.write_all(&n.to_le_bytes()).unwrap();
            path
        })
        .collect();
    settle();
    let pids: Vec<u32> = programs.iter().map(|program| run_program(program, &[])).collect();
    wait_for("the last file", || (capture(&client.health()).files.waiting == 0).then_some(()));
    let filter = format!("exe ~ {}/v", scratch.path().display());
    let images = wait_for("an explanation of each", || {
        let images = client.events(&filter);
        let is_explained =
            |image: &Event<'_>| image.process.hash.is_some() || unread(image).is_some();
        (images.len() == pids.len() && images.iter().all(is_explained)).then_some(images)
    });
    let mut kept = 0;
    for image in &images {
        let path = PathBuf::from(image.process.executable.as_deref().unwrap());
        if let Some(hash) = hash_of(image) {
            assert_eq!(hash, sha256_of(&path));
            kept += u32::from(storage(image) == Some(Storage::Kept));
        }
    }
    println!("{kept} of {count} files are kept");
    // They are still there, so that nothing but their number is in the way.
    assert_eq!(kept, count);
    let resident = capture(&client.health()).resident_bytes;
    assert!(resident < 256 << 20, "{resident} bytes resident");
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn limits_hold_and_say_so() {
    let scratch = Scratch::new();
    let limit = 8 * fs::metadata(&*WORKLOAD).unwrap().len();
    let options = ["--binary-total-limit", &limit.to_string(), "--binary-file-limit", "8MiB"];
    let Some(recorder) = recorder(&scratch, &options) else { return };
    let client = &recorder.client;
    let sparse = scratch.copy(&WORKLOAD, "sparse");
    File::options().write(true).open(&sparse).unwrap().set_len(10 << 30).unwrap();
    let image = explained(client, run_program(&sparse, &["exit", "0"]));
    assert_eq!((hash_of(&image), unread(&image)), (None, Some(Unread::TooLarge)));

    let program = |n: u8| variant(&scratch, &format!("p{n}"), &[n; 32]);
    let first = program(1);
    explained(client, run_program(&first, &["exit", "0"]));
    client.print(&["binaries", "pin", &sha256_of(&first)]);
    let mut last = String::new();
    for n in 2..=40 {
        let program = program(n);
        let image = explained(client, run_program(&program, &["exit", "0"]));
        last = hash_of(&image).unwrap();
        assert_eq!(last, sha256_of(&program));
    }
    let files = capture(&client.health()).files.clone();
    assert!(files.evicted > 0 && files.kept_bytes <= limit, "{files:#?}");
    assert_eq!(binary(client, &sha256_of(&first)).storage, Storage::Kept, "it is pinned");
    assert_eq!(binary(client, &last).storage, Storage::Kept, "it ran last");
    let on_disk: u64 = copies(&scratch).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(on_disk <= limit, "{on_disk} bytes of {limit}");
    // One that was evicted is kept again when it runs again.
    let evicted = wait_for("an eviction that is written down", || {
        let hash = sha256_of(&scratch.path().join("p2"));
        (binary(client, &hash).storage == Storage::Evicted).then_some(hash)
    });
    let answer = client.ask(&["binaries", "get", &evicted, "-o", "/dev/shm/never-written"]);
    assert_eq!(answer.status, Some(1), "{}", answer.err);
    explained(client, run_program(&scratch.path().join("p2"), &["exit", "0"]));
    wait_for("the copy", || (binary(client, &evicted).storage == Storage::Kept).then_some(()));
    recorder.stop();
}

/// All copies that have their final name.
fn copies(scratch: &Scratch) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(scratch.data().join("binaries")).unwrap().map(Result::unwrap) {
        if folder.file_name() != "incoming" {
            let files = fs::read_dir(folder.path()).unwrap();
            found.extend(files.map(|file| file.unwrap().path()));
        }
    }
    found
}

#[test]
fn what_is_damaged_is_found_and_not_handed_out() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let program = variant(&scratch, "x", b"to be damaged");
    let hash = hash_of(&explained(client, run_program(&program, &["exit", "0"]))).unwrap();
    assert_eq!(client.ask(&["binaries", "verify"]).status, Some(0));
    let copy = copies(&scratch).into_iter().find(|path| path.to_str().unwrap().contains(&hash));
    let copy = copy.unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o400);
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    let middle = fs::metadata(&copy).unwrap().len() / 2;
    File::options().write(true).open(&copy).unwrap().write_all_at(b"????", middle).unwrap();
    let out = scratch.path().join("out");
    let answer = client.ask(&["binaries", "get", &hash, "-o", out.to_str().unwrap()]);
    assert_eq!(answer.status, Some(1), "{}", answer.err);
    assert!(!out.exists());
    wait_for("the damage in the record", || {
        (binary(client, &hash).storage == Storage::Damaged).then_some(())
    });
    // It runs again, and a good copy is kept again.
    settle();
    run_program(&program, &["exit", "0"]);
    wait_for("another copy", || (binary(client, &hash).storage == Storage::Kept).then_some(()));
    assert_eq!(sha256(&taken_out(&scratch, client, &hash)), hash);
    // One that disappears is missed by verifying.
    for copy in copies(&scratch).iter().filter(|path| path.to_str().unwrap().contains(&hash)) {
        fs::remove_file(copy).unwrap();
    }
    let answer = client.ask(&["binaries", "verify"]);
    assert_eq!(answer.status, Some(1));
    assert!(answer.out.contains(&hash[..12]) || answer.err.contains(&hash[..12]), "{}", answer.out);
    recorder.stop();
}

#[test]
fn a_recorder_that_is_killed_leaves_only_whole_copies() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let mut number = 0_u32;
    for _ in 0..4 {
        let pid = client.recorder_pid();
        // One that lives shorter than two seconds would be given up at last.
        let life = std::time::Instant::now() + std::time::Duration::from_millis(2500);
        while std::time::Instant::now() < life {
            number += 1;
            let mark = [&number.to_le_bytes()[..], &[0; 4096]].concat();
            // As fast as they are read, more or less, so that it is killed while it reads.
            run_program(&variant(&scratch, &format!("k{number}"), &mark), &["sleep", "20"]);
        }
        // In the middle of it, most likely.
        kill(pid, Signal::SIGKILL).unwrap();
        wait_for("another recorder", || (client.recorder_pid() != pid).then_some(()));
    }
    wait_for("all files", || (capture(&client.health()).files.waiting == 0).then_some(()));
    let out = client.ask(&["binaries", "verify"]);
    assert_eq!(out.status, Some(0), "{}{}", out.out, out.err);
    for copy in copies(&scratch) {
        let name = copy.file_name().unwrap().to_str().unwrap();
        let mut content = Vec::new();
        let file = File::open(&copy).unwrap();
        match name.strip_suffix(".zst") {
            Some(_) => zstd::stream::copy_decode(file, &mut content).unwrap(),
            None => drop({ file }.read_to_end(&mut content).unwrap()),
        }
        assert_eq!(sha256(&content), name.trim_end_matches(".zst"));
    }
    // Those that were asked for when it was killed are asked for again.
    let filter = format!("exe ~ {}/k", scratch.path().display());
    wait_for("an explanation of each", || {
        let images = client.events(&filter);
        assert_eq!(images.len(), number as usize);
        images
            .iter()
            .all(|image| image.process.hash.is_some() || unread(image).is_some())
            .then_some(())
    });
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn what_is_known_is_not_read_again_after_a_restart() {
    let scratch = Scratch::new();
    let Some(first) = recorder(&scratch, &[]) else { return };
    let program = variant(&scratch, "x\n\u{1b}[31m", b"x");
    settle();
    let hash = hash_of(&explained(&first.client, run_program(&program, &["exit", "0"])));
    assert_eq!(hash, Some(sha256_of(&program)));
    first.stop();
    let second = recorder(&scratch, &[]).unwrap();
    let client = &second.client;
    wait_for("what runs", || (capture(&client.health()).files.waiting == 0).then_some(()));
    let before = capture(&client.health()).files.clone();
    let image = explained(client, run_program(&program, &["exit", "0"]));
    assert_eq!(hash_of(&image), hash);
    let after = capture(&client.health()).files.clone();
    assert!(after.known > before.known, "{before:#?} {after:#?}");
    let known = binary(client, &hash.unwrap());
    assert_eq!(known.runs, 2);
    let paths: Vec<&str> = known.files.iter().map(|file| &*file.path).collect();
    assert_eq!(paths, [program.to_str().unwrap()]);
    second.stop();
}

#[test]
fn scripts_are_kept_and_linked() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let script = scratch.path().join("run me.sh");
    let text = format!("#!{}\n# no. 1\n", WORKLOAD.display());
    let write = |text: &str| {
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write(&text);
    let script_hash = |pid| {
        wait_for("the script", || {
            let content = client.image(pid).recorder.script_content?;
            Some(content.hash.map(|hash| hash.sha256.clone()).ok_or(content.unread))
        })
    };
    // The workload does not know what to do with the name of a script, and says so.
    let pid = run_program(&script, &[]);
    assert_eq!(script_hash(pid), Ok(sha256(text.as_bytes())));
    let image = explained(client, pid);
    assert_eq!(hash_of(&image), Some(sha256_of(&WORKLOAD)), "that of the interpreter");
    assert_eq!(taken_out(&scratch, client, &sha256(text.as_bytes())), text.as_bytes());
    // By a relative path, and after a change.
    let other = text.replace("no. 1", "no. 2");
    write(&other);
    settle();
    let mut command = Command::new("./run me.sh");
    command.current_dir(scratch.path()).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.wait().unwrap();
    assert_eq!(script_hash(child.id()), Ok(sha256(other.as_bytes())));
    // Changed after it began: what it was nobody can tell.
    let paused = Paused::new(&recorder);
    let pid = run_program(&script, &[]);
    settle();
    write(&text);
    paused.go_on();
    assert_eq!(script_hash(pid), Err(Some(Unread::Changed)));
    recorder.stop();
}

#[test]
fn rules_wait_for_the_hash_they_ask_for() {
    let scratch = Scratch::new();
    let program = variant(&scratch, "bad", b"bad");
    let md5 = {
        use md5::Digest as _;
        let digest = md5::Md5::digest(fs::read(&program).unwrap());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let rule = |id: &str, test: &str| {
        format!(
            "title: T\nid: {id}\nlevel: high\nlogsource: {{category: process_creation, \
             product: linux}}\ndetection:\n  s:\n    {test}\n  condition: s\n"
        )
    };
    let rules = scratch.make_dir("rules");
    let hash = sha256_of(&program);
    for (name, test) in [
        ("1", format!("sha256: {}", hash.to_uppercase())),
        ("2", format!("md5: {md5}")),
        ("3", format!("Hashes|contains: SHA256={hash}")),
        ("4", "Image|endswith: /bad".to_owned()),
        ("5", "sha256: 'abc'".to_owned()),
    ] {
        let id = format!("0000000{name}-0000-4000-8000-000000000000");
        fs::write(rules.join(format!("{name}.yml")), rule(&id, &test)).unwrap();
    }
    let directory = rules.display().to_string();
    let options = ["--shipped-rules", &*directory, "--alert-repeat", "0s"];
    let Some(recorder) = recorder(&scratch, &options) else { return };
    let client = &recorder.client;
    run_program(&program, &["exit", "0"]);
    let fired = |filter: &str| -> Vec<String> {
        let out = client.print(&["alerts", "--json", "-n", "0", filter]);
        let mut ids: Vec<String> = out
            .lines()
            .map(|line| {
                let alert: common::alert::Alert<'_> = serde_json::from_str(line).unwrap();
                alert.rule.id[7..8].to_owned()
            })
            .collect();
        ids.sort();
        ids
    };
    let expected = ["1", "2", "3", "4"];
    wait_for("the alerts", || (fired("") == expected).then_some(()));
    // The one that did not wait tells the hash all the same.
    let by_name = client.print(&["alerts", "--json", "--rule", "00000004"]);
    let alert: common::alert::Alert<'_> = serde_json::from_str(by_name.trim_end()).unwrap();
    assert_eq!(hash_of(&alert.event), Some(hash.clone()));
    // And at once where the file is known.
    settle();
    let pid = run_program(&program, &["exit", "1"]);
    wait_for("the alerts", || (fired("exit_code = 1") == expected).then_some(()));
    let image = client.image(pid);
    assert_eq!(image.process.hash.unwrap().md5, md5);
    // In the record they are found too.
    let found = client.print(&["rules", "test", "00000001-0000-4000-8000-000000000000"]);
    assert!(found.contains("bad"), "{found}");
    recorder.stop();
}

/// In a mount namespace of its own, and in a chroot, the path means something else.
#[test]
fn files_are_found_where_the_process_saw_them() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let directory = scratch.make_dir("private");
    let directory = directory.to_str().unwrap();
    for (arguments, name) in [
        (["mount-ns", directory, "sleep", "3000"], "namespace-workload"),
        (["chroot", directory, "sleep", "3000"], "chroot-workload"),
    ] {
        let pid = run(&arguments).pid;
        let image = wait_for("the image inside", || {
            let images = client.images(pid);
            let image = images.into_iter().find(|image| {
                image.process.executable.as_deref().unwrap_or_default().contains(name)
            })?;
            (image.process.hash.is_some() || unread(&image).is_some()).then_some(image)
        });
        assert_eq!(hash_of(&image), Some(sha256_of(&WORKLOAD)), "{name} {:?}", unread(&image));
    }
    recorder.stop();
}

#[test]
fn a_vault_that_others_could_change_is_not_used() {
    let scratch = Scratch::new();
    let vault = scratch.make_dir("data/binaries");
    fs::set_permissions(&vault, fs::Permissions::from_mode(0o777)).unwrap();
    let nobody = Some(65_534);
    std::os::unix::fs::chown(&vault, nobody, nobody).unwrap();
    std::os::unix::fs::chown(scratch.data(), nobody, nobody).unwrap();
    let Some(recorder) = recorder(&scratch, &["--user", "nobody"]) else { return };
    let client = &recorder.client;
    let image = explained(client, run(&["exit", "0"]).pid);
    assert_eq!(hash_of(&image), Some(sha256_of(&WORKLOAD)), "it is hashed all the same");
    assert_eq!(storage(&image), Some(Storage::Failed));
    let warnings = client.health().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("chmod go-w")), "{warnings:?}");
    recorder.stop();
}

/// Copies cannot be made, and nothing else suffers.
#[test]
fn a_full_disk_costs_copies_and_nothing_else() {
    let scratch = Scratch::new();
    let _disk = Disk::mount(&scratch, "40m");
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let mut last = None;
    for n in 0..8_u8 {
        // 8 MB each that do not compress: not all of them find room.
        let noise: Vec<u8> = (0..250_000_u32)
            .flat_map(|index| Sha256::digest([&index.to_le_bytes()[..], &[n]].concat()))
            .collect();
        let program = variant(&scratch, &format!("n{n}"), &noise);
        let image = explained(client, run_program(&program, &["exit", "0"]));
        assert_eq!(hash_of(&image), Some(sha256_of(&program)), "it is hashed all the same");
        last = storage(&image);
    }
    assert_eq!(last, Some(Storage::NoSpace));
    let incoming = scratch.data().join("binaries/incoming");
    assert_eq!(fs::read_dir(incoming).unwrap().count(), 0, "half of a copy is left");
    assert_eq!(client.ask(&["binaries", "verify"]).status, Some(0));
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn who_opens_files_can_do_nothing_else() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &["--user", "nobody"]) else { return };
    let figures = capture(&recorder.client.health()).clone();
    let of = |pid: u32, key: &str| -> String {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{key}:\t")));
        line.unwrap().to_owned()
    };
    let children: Vec<u32> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            stat.contains(&format!("\nPPid:\t{}\n", figures.sensor_pid))
        })
        .collect();
    let broker = only(children.into_iter().filter(|pid| *pid != figures.recorder_pid).collect());
    let capabilities = u64::from_str_radix(&of(broker, "CapPrm"), 16).unwrap();
    assert_eq!(
        common::ecs::capability_names(capabilities),
        ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]
    );
    for set in ["CapInh", "CapBnd", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&of(broker, set), 16).unwrap(), 0, "{set}");
    }
    assert_eq!(of(broker, "Uid"), ["65534"; 4].join("\t"));
    assert_eq!(of(broker, "NoNewPrivs"), "1");
    // Killed, it is replaced, and what runs next is read.
    kill(nix::unistd::Pid::from_raw(broker.cast_signed()), Signal::SIGKILL).unwrap();
    let program = variant(&scratch, "x", b"x");
    settle();
    wait_for("a file that is read", || {
        let pid = run_program(&program, &["exit", "0"]);
        hash_of(&explained(&recorder.client, pid))
    });
    recorder.stop();
}

/// A program that is made and run again and again under one name, within one tick of the clock.
#[test]
fn contents_that_follow_each_other_fast_are_not_confused() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let content = fs::read(&*WORKLOAD).unwrap();
    let program = scratch.copy(&WORKLOAD, "same-name");
    let mut runs = Vec::new();
    for n in 0..40_u32 {
        let next = [&content[..], &n.to_le_bytes()].concat();
        // In place, so that the inode stays the same.
        File::options().write(true).open(&program).unwrap().write_all_at(&next, 0).unwrap();
        runs.push((run_program(&program, &["sleep", "5"]), sha256(&next)));
    }
    for (pid, expected) in runs {
        let image = explained(client, pid);
        let is_certain = !image.recorder.notes.iter().any(|note| note.starts_with("process.hash"));
        if let (Some(hash), true) = (hash_of(&image), is_certain) {
            assert_eq!(hash, expected, "{image:#?}");
        }
    }
    recorder.stop();
}
