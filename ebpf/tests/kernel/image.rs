//! What exec reports of the new image.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use ebpf::event::{PathEnd, TaskId};
use nix::unistd::execv;

use crate::fixture::{finish, forked, joined, recorder, run_true, true_program};

#[test]
fn arguments_and_environment_are_whole() {
    let Some(mut recorder) = recorder() else { return };
    let pid = run_true(&true_program(), |command| {
        command.args(["", "two words", ""]).arg(OsStr::from_bytes(b"\xff\xfe")).env_clear();
        command.env("SECRET", "value").env("EMPTY", "");
    });
    let image = recorder.wait_for_exec(pid);
    assert_eq!(image.args.head, b"true\0\0two words\0\0\xff\xfe\0");
    assert_eq!((image.args.tail, image.args.total_bytes), (&b""[..], 20));
    assert_eq!(image.argc, 5);
    let mut env: Vec<_> = image.env.head.split_inclusive(|byte| *byte == 0).collect();
    env.sort();
    assert_eq!(env, [&b"EMPTY=\0"[..], b"SECRET=value\0"]);
    assert!(!image.env.is_off && image.faults.is_empty(), "{:?}", image.faults);
}

#[test]
fn long_arguments_keep_head_and_tail() {
    let Some(mut recorder) = recorder() else { return };
    let long = "x".repeat(100 << 10) + "END";
    let pid = run_true(&true_program(), |command| {
        command.env_clear().arg(&long).env("LONG", &long);
    });
    let image = recorder.wait_for_exec(pid);
    let total = "true".len() + 1 + long.len() + 1;
    assert_eq!(image.args.total_bytes, total as u64);
    assert_eq!((image.args.head.len(), image.args.tail.len()), (16384, 16384));
    assert!(image.args.head.starts_with(b"true\0xxx"));
    assert!(image.args.tail.ends_with(b"xEND\0"));
    assert_eq!((image.env.head.len(), image.env.tail.len()), (16384, 16384));
    assert!(image.env.tail.ends_with(b"xEND\0") && image.faults.is_empty());
}

#[test]
fn arguments_just_at_the_limit_are_whole() {
    let Some(mut recorder) = recorder() else { return };
    let whole = "y".repeat(32768 - "true\0\0".len());
    let pid = run_true(&true_program(), |command| _ = command.arg(&whole));
    let image = recorder.wait_for_exec(pid);
    assert_eq!((image.args.head.len(), image.args.tail.len()), (32768, 0));
    let pid = run_true(&true_program(), |command| _ = command.arg(whole + "y"));
    let image = recorder.wait_for_exec(pid);
    assert_eq!((image.args.head.len(), image.args.tail.len()), (16384, 16384));
    assert_eq!(image.args.total_bytes, 32769);
}

#[test]
fn environment_can_be_switched_off() {
    let Some(mut recorder) = recorder() else { return };
    recorder.shared.set_capture_env(false);
    let pid = run_true(&true_program(), |command| _ = command.env_clear().env("A", "b"));
    recorder.shared.set_capture_env(true);
    let image = recorder.wait_for_exec(pid);
    assert!(image.env.is_off && image.env.head.is_empty());
    assert_eq!(image.env.total_bytes, 4);
}

#[test]
fn executable_and_directory_are_named_from_the_root() {
    let Some(mut recorder) = recorder() else { return };
    let base = tempfile::tempdir().unwrap();
    let deep = (0..40).fold(base.path().canonicalize().unwrap(), |path, step| {
        path.join(format!("directory-{step}"))
    });
    fs::create_dir_all(&deep).unwrap();
    let program = deep.join("program");
    fs::copy(true_program(), &program).unwrap();
    let is = fs::metadata(&program).unwrap();

    let pid = run_true(&program, |command| _ = command.current_dir(&deep));
    let image = recorder.wait_for_exec(pid);
    let file = &image.executable;
    assert_eq!(joined(&file.path), program.to_str().unwrap());
    assert_eq!(file.path.end, PathEnd::Root);
    assert_eq!(joined(&image.working_directory), deep.to_str().unwrap());
    assert_eq!(image.working_directory.end, PathEnd::Root);
    assert_eq!(image.filename, program.as_os_str().as_bytes());
    assert_eq!((file.inode, file.size_bytes, file.mode), (is.ino(), is.len(), is.mode()));
    assert_eq!((file.uid, file.gid), (is.uid(), is.gid()));
    assert_eq!(file.ctime_ns, is.ctime() * 1_000_000_000 + is.ctime_nsec());
    assert_eq!(file.mtime_ns, is.mtime() * 1_000_000_000 + is.mtime_nsec());
    let device = nix::sys::stat::makedev(file.device_major.into(), file.device_minor.into());
    assert_eq!(device, is.dev());
    assert!(!file.is_deleted && !file.is_memfd && image.interpreter.is_none());
}

#[test]
fn a_path_beyond_the_limit_is_marked_as_cut() {
    let Some(mut recorder) = recorder() else { return };
    let base = tempfile::tempdir().unwrap();
    let deep = (0..200).fold(base.path().to_owned(), |path, _| path.join("d"));
    fs::create_dir_all(&deep).unwrap();
    let before = recorder.shared.totals().cuts.cwd;
    let pid = run_true(&true_program(), |command| _ = command.current_dir(&deep));
    let image = recorder.wait_for_exec(pid);
    assert_eq!(image.working_directory.end, PathEnd::Cut);
    assert!(image.working_directory.components.starts_with(b"d\0d\0"));
    assert!(image.working_directory.components.len() >= 64 * 2);
    assert!(recorder.shared.totals().cuts.cwd > before);
}

#[test]
fn a_deleted_executable_is_marked() {
    let Some(mut recorder) = recorder() else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("gone");
    fs::copy(true_program(), &program).unwrap();
    let file = fs::File::open(&program).unwrap();
    fs::remove_file(&program).unwrap();
    let pid = run_true(format!("/proc/self/fd/{}", inherited(&file)).as_ref(), |_| ());
    let image = recorder.wait_for_exec(pid);
    assert!(image.executable.is_deleted && !image.executable.is_memfd);
    assert!(image.executable.path.components.starts_with(b"gone\0"));
}

#[test]
fn a_memfd_is_marked() {
    let Some(mut recorder) = recorder() else { return };
    let name = c"hidden";
    let memory = nix::sys::memfd::memfd_create(name, nix::sys::memfd::MFdFlags::empty()).unwrap();
    let mut memory = fs::File::from(memory);
    memory.write_all(&fs::read(true_program()).unwrap()).unwrap();
    let path = CString::new(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap();
    let (pid, _) = forked(|| _ = execv(&path, &[c"true"]));
    let image = recorder.wait_for_exec(pid);
    let file = &image.executable;
    assert!(file.is_memfd, "{file:?}");
    assert_eq!((file.path.components, file.path.end), (&b"memfd:hidden\0"[..], PathEnd::Pseudo));
    assert!(file.path.end != PathEnd::Fault && image.faults.is_empty());
}

#[test]
fn a_script_names_its_interpreter() {
    let Some(mut recorder) = recorder() else { return };
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    fs::write(&script, "#!/bin/sh -e\nexit 3\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let pid = finish(Command::new(&script).arg("argument").spawn().unwrap());
    let image = recorder.wait_for_exec(pid);
    let path = script.as_os_str().as_bytes();
    assert_eq!(image.filename, path);
    assert_eq!(image.interpreter, Some(&b"/bin/sh"[..]));
    assert_eq!(image.args.head, [b"/bin/sh\0-e\0", path, b"\0argument\0"].concat());
    assert_eq!(image.argc, 4);
    assert_eq!(image.comm, b"script");
}

#[test]
fn identity_is_that_of_proc() {
    let Some(mut recorder) = recorder() else { return };
    let pid = run_true(&true_program(), |command| {
        use std::os::unix::process::CommandExt;
        command.uid(1234).gid(2345).process_group(0);
    });
    let parent = std::process::id();
    let namespace = |name: &str| fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino();
    let image = recorder.wait_for_exec(pid);
    assert_eq!(image.parent.pid, parent);
    assert_eq!(image.process_group, pid);
    assert_eq!(image.exec_thread, pid);
    assert_eq!((image.credentials.uid, image.credentials.euid), (1234, 1234));
    assert_eq!((image.credentials.gid, image.credentials.sgid), (2345, 2345));
    assert_eq!(image.credentials.cap_effective, 0);
    let is = &image.namespaces;
    assert_eq!(u64::from(is.mount), namespace("mnt"));
    assert_eq!(u64::from(is.pid), namespace("pid"));
    assert_eq!(u64::from(is.network), namespace("net"));
    assert_eq!(u64::from(is.user), namespace("user"));
    assert_eq!(u64::from(is.uts), namespace("uts"));
    assert_eq!(u64::from(is.ipc), namespace("ipc"));
    assert_eq!(u64::from(is.cgroup), namespace("cgroup"));
    let session = nix::unistd::getsid(None).unwrap().as_raw();
    assert_eq!(image.session, u32::try_from(session).unwrap());
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let cgroup = joined(&image.cgroup);
    let cgroup = if cgroup.is_empty() { "/" } else { &cgroup };
    let is_listed = cgroups.lines().any(|line| line.ends_with(&format!(":{cgroup}")));
    assert!(is_listed || cgroups.is_empty(), "{cgroup} is not in {cgroups}");
    assert_eq!(image.cgroup.end, PathEnd::Root);
}

/// A static program that ends at once: `exit(0)` and the headers that lead to it.
#[cfg(target_arch = "x86_64")]
fn static_program() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    // mov eax, 60; xor edi, edi; syscall
    let code = [0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
    let size = HEADERS + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    let mut put = |bytes: &[u8]| elf.extend_from_slice(bytes);
    // Executable, x86-64, version, entry, program headers, no sections.
    [2u16, 62].iter().for_each(|n| put(&n.to_le_bytes()));
    put(&1u32.to_le_bytes());
    [BASE + HEADERS, 64, 0].iter().for_each(|n| put(&n.to_le_bytes()));
    put(&0u32.to_le_bytes());
    [64u16, 56, 1, 64, 0, 0].iter().for_each(|n| put(&n.to_le_bytes()));
    // Load everything, readable and executable.
    [1u32, 5].iter().for_each(|n| put(&n.to_le_bytes()));
    [0, BASE, BASE, size, size, 4096].iter().for_each(|n| put(&n.to_le_bytes()));
    put(&code);
    elf
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_chroot_is_the_root_of_paths() {
    let Some(mut recorder) = recorder() else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("inner/program");
    fs::create_dir(directory.path().join("inner")).unwrap();
    fs::write(&program, static_program()).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    // The working directory stays outside.
    let (pid, status) = forked(|| {
        nix::unistd::chdir("/").unwrap();
        nix::unistd::chroot(directory.path()).unwrap();
        let _ = execv(c"/inner/program", &[c"program"]);
    });
    assert_eq!(status, 0);
    let image = recorder.wait_for_exec(pid);
    assert_eq!(joined(&image.executable.path), "/inner/program");
    assert_eq!(image.executable.path.end, PathEnd::Root);
    assert_eq!(image.working_directory.end, PathEnd::Detached);
    assert_eq!(image.args.head, b"program\0");
}

#[test]
fn exec_by_another_thread_keeps_the_process() {
    let Some(mut recorder) = recorder() else { return };
    let path = CString::new(true_program().as_os_str().as_bytes()).unwrap();
    let (pid, _) = forked(|| {
        let thread = std::thread::spawn(move || execv(&path, &[c"true", c"thread"]).is_ok());
        let _ = thread.join();
    });
    let forked = recorder
        .wait_for(|body| matches!(body, ebpf::event::Body::Fork(fork) if fork.child.pid == pid));
    let ebpf::event::Body::Fork(fork) = forked.body else { unreachable!() };
    let id: TaskId = fork.child;
    let image = recorder.wait_for_exec(pid);
    assert_eq!(image.process, id);
    assert_ne!(image.exec_thread, pid);
    assert_eq!(recorder.wait_for_exit(pid).process, id);
    assert_eq!((recorder.execs_of(pid), recorder.exits_of(pid)), (1, 1));
}

/// The number of a descriptor which the child has too, under the same number.
fn inherited(file: &fs::File) -> i32 {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    file.as_raw_fd()
}
