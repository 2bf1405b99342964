//! Processes in unusual places: namespaces, terminals, overlays, broken memory; and readers
//! without privilege.

use std::ffi::CString;
use std::fs;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::Instant;

use ebpf::event::{Body, Faults};
use ebpf::load::{Lanes, Options};
use ebpf::ring::Ring;
use ebpf::shared::Shared;
use nix::libc;
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{Gid, Uid, execv, setgid, setuid};

use crate::fixture::{COOKIE, finish, forked, loaded, recorder, run_true, true_program};
use crate::running::{images, snapshot};

#[test]
fn a_reader_needs_no_privilege() {
    let Some(mut recorder) = recorder() else { return };
    run_true(&true_program(), |_| ());
    let expected = recorder.ring.position();
    let recorder = &mut *recorder;
    let status = forked(|| {
        setgid(Gid::from_raw(65534)).unwrap();
        setuid(Uid::from_raw(65534)).unwrap();
        let programs = &recorder.programs;
        let mut ring = Ring::map(programs.ring_fd(), programs.ring_size_bytes()).unwrap();
        let shared = Shared::map(programs.shared_fd(), programs.slots()).unwrap();
        assert_eq!((ring.position(), shared.cookie()), (expected, COOKIE));
        assert!(ring.next().is_some());
        shared.set_waiting(true);
        std::process::exit(0);
    })
    .1;
    assert_eq!(status, 0);
    assert!(recorder.ring.next().is_some());
}

#[test]
fn a_pid_namespace_has_its_own_numbers() {
    let Some(mut recorder) = recorder() else { return };
    let path = CString::new(true_program().as_os_str().as_bytes()).unwrap();
    let (outer, _) = forked(|| {
        unshare(CloneFlags::CLONE_NEWPID).unwrap();
        forked(|| _ = execv(&path, &[c"true"]));
        std::process::exit(0);
    });
    recorder.wait_for_exit(outer);
    let event =
        recorder.wait_for(|body| matches!(body, Body::Exec(image) if image.parent.pid == outer));
    let Body::Exec(image) = event.body else { unreachable!() };
    assert_eq!(image.namespace_pid, 1);
    assert_ne!(image.process.pid, 1);
    assert_ne!(image.namespaces.pid, 0xefff_fffc, "not the initial one");
    let (child, namespace_pid) = (image.process, image.namespace_pid);
    let event = recorder.wait_for(|body| matches!(body, Body::Fork(fork) if fork.child == child));
    let Body::Fork(fork) = event.body else { unreachable!() };
    assert_eq!((fork.namespace_pid, fork.parent.pid), (namespace_pid, outer));
}

#[test]
fn a_terminal_is_named() {
    let Some(mut recorder) = recorder() else { return };
    let Ok(terminal) = nix::pty::openpty(None, None) else {
        println!("skipped: no pseudo terminals here");
        return;
    };
    let name = nix::unistd::ttyname(&terminal.slave).unwrap();
    let device = fs::metadata(&name).unwrap();
    let path = CString::new(true_program().as_os_str().as_bytes()).unwrap();
    let (pid, _) = forked(|| {
        nix::unistd::setsid().unwrap();
        // SAFETY: takes a number.
        unsafe { libc::ioctl(terminal.slave.as_raw_fd(), libc::TIOCSCTTY, 0) };
        let _ = execv(&path, &[c"true"]);
    });
    let image = recorder.wait_for_exec(pid);
    let tty = image.tty.unwrap();
    let expected = name.to_str().unwrap().trim_start_matches("/dev/").replace('/', "");
    assert_eq!(tty.name, expected.as_bytes());
    use std::os::unix::fs::MetadataExt;
    assert_eq!(nix::sys::stat::makedev(tty.major.into(), tty.minor.into()), device.rdev());
    assert_eq!((image.session, image.process_group), (pid, pid));
}

#[test]
fn the_upper_layer_of_an_overlay_is_told_apart() {
    let Some(mut recorder) = recorder() else { return };
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    let none: Option<&str> = None;
    // An overlay on an overlay's file system is refused, so it stands on its own.
    mount(Some("tmpfs"), base, Some("tmpfs"), MsFlags::empty(), none).unwrap();
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(base.join(name)).unwrap();
    }
    fs::copy(true_program(), base.join("lower/below")).unwrap();
    let options = format!("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", base.display());
    let merged = base.join("merged");
    let mounted =
        mount(Some("overlay"), &merged, Some("overlay"), MsFlags::empty(), Some(&*options));
    if let Err(error) = mounted {
        umount(base).unwrap();
        println!("skipped: no overlay file system: {error}");
        return;
    }
    fs::copy(true_program(), merged.join("above")).unwrap();
    let below = run_true(&merged.join("below"), |_| ());
    let above = run_true(&merged.join("above"), |_| ());
    umount(&merged).unwrap();
    umount(base).unwrap();
    assert!(!recorder.wait_for_exec(below).executable.is_upper_layer);
    assert!(recorder.wait_for_exec(above).executable.is_upper_layer);
    let path = crate::fixture::joined(&recorder.wait_for_exec(above).executable.path);
    assert_eq!(path, merged.join("above").to_str().unwrap());
}

#[test]
fn memory_that_is_gone_is_a_fault() {
    let Some(mut recorder) = recorder() else { return };
    let mut ready = std::io::pipe().unwrap();
    let page = 4096;
    // SAFETY: see `forked`; this child only moves its own argument area, and waits to be killed.
    let child = match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Parent { child } => child,
        nix::unistd::ForkResult::Child => {
            let size = NonZeroUsize::new(3 * page).unwrap();
            let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            // SAFETY: new memory, of which the middle is given back.
            let start = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE) };
            let start = start.unwrap().as_ptr() as usize;
            let mut is_set = true;
            for (what, address) in [
                (libc::PR_SET_MM_ARG_START, start + 96),
                (libc::PR_SET_MM_ARG_END, start + 3 * page),
            ] {
                // SAFETY: takes numbers.
                let result = unsafe {
                    libc::prctl(
                        libc::PR_SET_MM,
                        libc::c_ulong::from(what.unsigned_abs()),
                        address,
                        0usize,
                        0usize,
                    )
                };
                is_set &= result == 0;
            }
            let middle = std::ptr::NonNull::new((start + page) as *mut _).unwrap();
            // SAFETY: nothing refers to it.
            unsafe { munmap(middle, page) }.unwrap();
            std::io::Write::write_all(&mut ready.1, &[u8::from(is_set)]).unwrap();
            loop {
                nix::unistd::pause();
            }
        }
    };
    let mut is_set = [0];
    std::io::Read::read_exact(&mut ready.0, &mut is_set).unwrap();
    let stream = snapshot(&mut recorder);
    nix::sys::signal::kill(child, nix::sys::signal::SIGKILL).unwrap();
    nix::sys::wait::waitpid(child, None).unwrap();
    if is_set == [0] {
        println!("skipped: needs CAP_SYS_RESOURCE");
        return;
    }
    let Some(stream) = stream else { return };
    let images = images(&stream);
    let pid = u32::try_from(child.as_raw()).unwrap();
    let image = images.iter().find(|image| image.process.pid == pid).unwrap();
    assert!(image.args.is_fault && image.faults.contains(Faults::ARGS));
    // Longer than an iterator captures whole: the head is half, and ends at the hole.
    assert_eq!(image.args.total_bytes, 3 * 4096 - 96);
    assert_eq!(image.args.head.len(), 4096 - 96);
    assert!(!image.env.is_fault);
}

#[test]
fn a_missing_permission_is_named() {
    let Some(_recorder) = recorder() else { return };
    let (_, status) = forked(|| {
        setgid(Gid::from_raw(65534)).unwrap();
        setuid(Uid::from_raw(65534)).unwrap();
        let options = Options {
            ring_size_bytes: 1 << 16,
            capture_env: true,
            cookie: 0,
            lanes: Lanes::AsNeeded,
        };
        let result = ebpf::load::Programs::load(&options).map(|_| ());
        let is_named = matches!(result, Err(ebpf::load::LoadError::NotPermitted(_)));
        if !is_named {
            eprintln!("{result:?}");
        }
        std::process::exit(i32::from(!is_named));
    });
    assert_eq!(status, 0);
}

/// The verifier gives up where a signal comes.
#[test]
fn signals_are_no_reason_not_to_load() {
    extern "C" fn ignore(_: i32) {}
    const SIGNALS: u32 = 9;
    let action = SigAction::new(SigHandler::Handler(ignore), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let start = Instant::now();
    if loaded(1 << 20).is_none() {
        return;
    }
    let between = start.elapsed() / (SIGNALS + 1);
    let loader = pthread_self();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..SIGNALS {
                std::thread::sleep(between);
                pthread_kill(loader, Signal::SIGUSR1).unwrap();
            }
        });
        assert!(loaded(1 << 20).is_some());
    });
}

#[test]
fn a_bad_size_is_named() {
    let Some(_recorder) = recorder() else { return };
    let options =
        Options { ring_size_bytes: 5000, capture_env: true, cookie: 0, lanes: Lanes::AsNeeded };
    let result = ebpf::load::Programs::load(&options).map(|_| ());
    assert!(matches!(result, Err(ebpf::load::LoadError::BadRingSize { .. })), "{result:?}");
}

#[test]
fn a_lost_root_is_detached() {
    let Some(mut recorder) = recorder() else { return };
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let none: Option<&str> = None;
    mount(Some("tmpfs"), &inner, Some("tmpfs"), MsFlags::empty(), none).unwrap();
    fs::create_dir(inner.join("below")).unwrap();
    let script = format!("cd {0}/below && umount -l {0} && exec /bin/true", inner.display());
    let pid = finish(Command::new("/bin/sh").args(["-c", &script]).spawn().unwrap());
    recorder.wait_for_exit(pid);
    let all = |event: ebpf::event::Event<'_>| match event.body {
        Body::Exec(image) if image.process.pid == pid => Some(image.working_directory.end),
        _ => None,
    };
    let last = recorder.events().filter_map(all).last();
    assert_eq!(last, Some(ebpf::event::PathEnd::Detached));
}
