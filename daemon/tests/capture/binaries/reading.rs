//! How often files are read, and who waits for it.

use super::*;

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
