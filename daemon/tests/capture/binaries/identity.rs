//! Which content is taken for the one that ran.

use super::*;

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
    let client = &recorder.client;
    let paused = Paused::new(client);
    let pids = programs.each_ref().map(|program| run_program(program, &["exit", "0"]));
    for ((_, replace), program) in replace.iter().zip(&programs) {
        replace(program);
    }
    paused.go_on();
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

#[test]
fn a_path_that_leads_elsewhere_now_leads_nowhere() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let (mine, other) = (scratch.make_dir("mine"), scratch.make_dir("other"));
    let program = variant(&scratch, "mine/x", b"malice");
    let decoy = variant(&scratch, "other/x", b"innocent");
    settle();
    let client = &recorder.client;
    let paused = Paused::new(client);
    let pid = run_program(&program, &["exit", "0"]);
    fs::rename(&mine, scratch.path().join("hidden")).unwrap();
    std::os::unix::fs::symlink(&other, &mine).unwrap();
    paused.go_on();
    let image = explained(client, pid);
    assert_eq!((hash_of(&image), unread(&image)), (None, Some(Unread::Changed)));
    assert_eq!(client.ask(&["binaries", "show", &sha256_of(&decoy)]).status, Some(1));
    recorder.stop();
}

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
    let client = &recorder.client;
    let paused = Paused::new(client);
    let pid = run_program(&script, &[]);
    settle();
    write(&text);
    paused.go_on();
    assert_eq!(script_hash(pid), Err(Some(Unread::Changed)));
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
