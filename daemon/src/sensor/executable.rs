//! Opens executed files as what they were when they ran.
//!
//! Everything is first opened as a name only (`O_PATH`), so that a device or a pipe is never opened
//! for real, and looked at before it is opened for reading.

use std::os::fd::{AsRawFd as _, OwnedFd};

use common::binary::Unread;
use common::record::FileIdentity;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, stat};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, fstatfs};

use super::opening::{Opened, Wanted, Way, identity_of};

pub(super) fn open_wanted(wanted: &Wanted) -> Opened {
    let Some(identity) = &wanted.identity else { return open_script(wanted) };
    let mut reason = Unread::Gone;
    match of_process(wanted.pid, identity) {
        Ok(found) => return Ok(found),
        Err(error) => reason = clearer(reason, error),
    }
    for root in roots(wanted) {
        match by_path(&root, &wanted.path).and_then(|file| of_identity(&file, identity)) {
            Ok(file) => return Ok((file, Way::Path)),
            Err(error) => reason = clearer(reason, error),
        }
    }
    Err(reason)
}

/// What the process runs: the very file, whatever became of its name.
fn of_process(pid: u32, identity: &FileIdentity) -> Opened {
    let path = format!("/proc/{pid}/exe");
    let file =
        open(path.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(unread)?;
    let boottime_ns = crate::recorder::boottime_ns();
    let stat = regular(&file)?;
    let is = identity_of(&stat);
    // Its name may have been removed since, which changes the time of its inode and no more: while
    // it runs nobody can write to it. Whether it still ran then is for the recorder to judge.
    if !is_same_file(&file, &is, identity) {
        // It runs something else by now, or is another process.
        return Err(Unread::Gone);
    }
    Ok((readable(&file)?, Way::Process { boottime_ns, ctime_ns: is.ctime_ns }))
}

/// The root directories in which the path may mean what it meant to the process: its own, that of
/// its relative, the first process's and ours.
///
/// A script has nothing that would tell it from another of its name: of the others only those count
/// that see the same mounts.
fn roots(wanted: &Wanted) -> impl Iterator<Item = OwnedFd> {
    let others = [wanted.other_pid.to_string(), "1".to_owned(), "self".to_owned()];
    let (is_script, namespace) = (wanted.identity.is_none(), wanted.mount_namespace);
    let others = others.into_iter().filter(move |process| {
        let is_there = process != "0";
        is_there && (!is_script || mount_namespace(process) == Some(namespace))
    });
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    [wanted.pid.to_string()].into_iter().chain(others).filter_map(move |process| {
        open(format!("/proc/{process}/root").as_str(), flags, Mode::empty()).ok()
    })
}

fn mount_namespace(process: &str) -> Option<u32> {
    let found = stat(format!("/proc/{process}/ns/mnt").as_str()).ok()?;
    u32::try_from(found.st_ino).ok()
}

/// Nothing in the path can lead out of the root.
fn by_path(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Unread> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(root, path, how).map_err(unread)
}

fn of_identity(file: &OwnedFd, identity: &FileIdentity) -> Result<OwnedFd, Unread> {
    let is = identity_of(&executable(file)?);
    if is_same_file(file, &is, identity) && is.ctime_ns == identity.ctime_ns {
        readable(file)
    } else {
        Err(Unread::Changed)
    }
}

/// Of a script nothing is known but its name.
fn open_script(wanted: &Wanted) -> Opened {
    let mut reason = Unread::Gone;
    for root in roots(wanted) {
        let opened = by_path(&root, &wanted.path).and_then(|file| {
            executable(&file)?;
            readable(&file)
        });
        match opened {
            Ok(file) => return Ok((file, Way::Path)),
            Err(error) => reason = clearer(reason, error),
        }
    }
    Err(reason)
}

/// What is handed out by its path may be executed by somebody, as the kernel demanded too. So a
/// recorder that was taken over cannot have secrets opened: those may not.
fn executable(file: &OwnedFd) -> Result<FileStat, Unread> {
    let stat = regular(file)?;
    let execute = Mode::S_IXUSR | Mode::S_IXGRP | Mode::S_IXOTH;
    if Mode::from_bits_truncate(stat.st_mode).intersects(execute) {
        Ok(stat)
    } else {
        Err(Unread::NotPermitted)
    }
}

fn regular(file: &OwnedFd) -> Result<FileStat, Unread> {
    let stat = fstat(file).map_err(unread)?;
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    if kind == SFlag::S_IFREG { Ok(stat) } else { Err(Unread::NotRegular) }
}

/// Opens the file behind a descriptor that only names it. A device or a pipe never gets here.
fn readable(file: &OwnedFd) -> Result<OwnedFd, Unread> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    open(path.as_str(), flags, Mode::empty()).map_err(unread)
}

/// But for the time of the inode. Overlay and btrfs tell `stat` another number than their super block
/// has.
fn is_same_file(file: &OwnedFd, a: &FileIdentity, b: &FileIdentity) -> bool {
    let has_same_device = (a.device_major, a.device_minor) == (b.device_major, b.device_minor);
    let may_differ = || {
        a.device_major == 0
            && b.device_major == 0
            && fstatfs(file).is_ok_and(|system| {
                let kind = system.filesystem_type();
                kind == BTRFS_SUPER_MAGIC || kind == OVERLAYFS_SUPER_MAGIC
            })
    };
    (a.inode, a.size_bytes, a.mtime_ns) == (b.inode, b.size_bytes, b.mtime_ns)
        && (has_same_device || may_differ())
}

fn unread(error: Errno) -> Unread {
    match error {
        Errno::ENOENT | Errno::ESRCH | Errno::ENOTDIR | Errno::ESTALE => Unread::Gone,
        // A link that no process of that name can follow: `/dev/fd/63` and the like.
        Errno::ELOOP | Errno::EXDEV => Unread::Gone,
        Errno::EACCES | Errno::EPERM => Unread::NotPermitted,
        Errno::ENXIO | Errno::ENODEV => Unread::NotRegular,
        Errno::EMFILE | Errno::ENFILE => Unread::Busy,
        _ => Unread::Failed,
    }
}

/// Of two reasons the one that says more.
fn clearer(a: Unread, b: Unread) -> Unread {
    if a == Unread::Gone { b } else { a }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    fn identity(path: &Path) -> FileIdentity {
        identity_of(&stat(path).unwrap())
    }

    fn wanted(path: &Path, identity: Option<FileIdentity>) -> Wanted {
        let path = path.as_os_str().as_encoded_bytes().to_vec();
        let mount_namespace = mount_namespace("self").unwrap();
        Wanted { identity, pid: std::process::id(), other_pid: 0, mount_namespace, path }
    }

    #[test]
    fn a_file_is_opened_only_as_what_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a\nb");
        std::fs::write(&path, "one").unwrap();
        let secret = wanted(&path, Some(identity(&path)));
        assert_eq!(open_wanted(&secret).unwrap_err(), Unread::NotPermitted);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        let was = identity(&path);
        let (file, way) = open_wanted(&wanted(&path, Some(was))).unwrap();
        assert_eq!(way, Way::Path);
        assert_eq!(std::io::read_to_string(std::fs::File::from(file)).unwrap(), "one");
        for other in [
            FileIdentity { size_bytes: 4, ..was },
            FileIdentity { mtime_ns: was.mtime_ns + 1, ..was },
            FileIdentity { ctime_ns: was.ctime_ns - 1, ..was },
            FileIdentity { inode: was.inode + 1, ..was },
            FileIdentity { device_major: was.device_major + 1, ..was },
        ] {
            assert_eq!(open_wanted(&wanted(&path, Some(other))).unwrap_err(), Unread::Changed);
        }
        // Another file under the same name.
        std::fs::rename(&path, dir.path().join("aside")).unwrap();
        std::fs::write(&path, "two").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(open_wanted(&wanted(&path, Some(was))).unwrap_err(), Unread::Changed);
    }

    #[test]
    fn what_runs_is_opened_by_its_process() {
        let own = std::env::current_exe().unwrap();
        let is = identity(&own);
        for was in [is, FileIdentity { ctime_ns: 5, ..is }] {
            let (_, way) = open_wanted(&wanted(Path::new("/nowhere"), Some(was))).unwrap();
            let Way::Process { boottime_ns: 1.., ctime_ns } = way else { panic!("{way:?}") };
            assert_eq!(ctime_ns, is.ctime_ns);
        }
        let other = FileIdentity { mtime_ns: 5, ..identity(&own) };
        assert_eq!(open_wanted(&wanted(&own, Some(other))).unwrap_err(), Unread::Changed);
    }

    #[test]
    fn a_script_is_opened_if_it_may_be_executed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script");
        std::fs::write(&path, "#!/bin/sh").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o600);
        assert_eq!(open_wanted(&wanted(&path, None)).unwrap_err(), Unread::NotPermitted);
        mode(0o700);
        open_wanted(&wanted(&path, None)).unwrap();
        // Of a process that is gone the others are asked, if they see the same.
        let gone = Wanted { pid: u32::MAX, ..wanted(&path, None) };
        open_wanted(&gone).unwrap();
        let elsewhere = Wanted { mount_namespace: 1, ..gone };
        assert_eq!(open_wanted(&elsewhere).unwrap_err(), Unread::Gone);
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        for path in [&fifo, dir.path(), Path::new("/dev/null")] {
            assert_eq!(open_wanted(&wanted(path, None)).unwrap_err(), Unread::NotRegular);
        }
        let own = format!("/proc/{}/exe", std::process::id());
        for path in ["/proc/self/exe", own.as_str(), "/dev/fd/0", "/no/such\0file"] {
            assert!(open_wanted(&wanted(Path::new(path), None)).is_err(), "{path}");
        }
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(open_wanted(&wanted(&link, None)).unwrap_err(), Unread::NotRegular);
    }
}
