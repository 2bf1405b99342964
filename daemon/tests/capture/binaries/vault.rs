//! What is kept, and what becomes of it.

use super::*;

#[test]
fn limits_hold_and_say_so() {
    let scratch = Scratch::new();
    let limit = 8 * fs::metadata(&*WORKLOAD).unwrap().len();
    // What others execute meanwhile must not fill the little room there is.
    let options = [
        "--ring-size",
        "67108864",
        "--binary-min-free",
        "0",
        "--binary-file-limit",
        "1MiB",
        "--binary-total-limit",
        &limit.to_string(),
    ];
    let Some(recorder) = Recorder::start(&scratch, &options) else { return };
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
