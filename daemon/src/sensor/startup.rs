//! What must be in place before the first event: data directory, lock, socket. Each failure names
//! its cause and the remedy.

use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg, OFlag};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{fchown, fchownat};

use super::user::RecorderUser;
use crate::settings::Bus;
use crate::socket;

/// The data directory, locked for this instance.
pub(crate) struct DataDir {
    pub(crate) path: PathBuf,
    _lock: Flock<File>,
}

impl DataDir {
    pub(crate) fn prepare(path: &Path, user: &RecorderUser) -> anyhow::Result<Self> {
        let hint = "choose another --data-dir, or make it writable";
        if !path.exists() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .with_context(|| format!("create data directory {} ({hint})", path.display()))?;
            give(path, user)
                .with_context(|| format!("give {} to {}", path.display(), user.name))?;
        }
        let path = path
            .canonicalize()
            .with_context(|| format!("find data directory {}", path.display()))?;
        if !path.is_dir() {
            bail!("{} is not a directory: choose another --data-dir", path.display());
        }
        let ours = check_owner(&path, user)?;
        let lock = lock(&path, user, hint)?;
        // Only now: another recorder may have been at work in it.
        hand_over(&ours, user)?;
        hand_over_directory(&path.join("rules"), user, 1)
            .with_context(|| format!("give uploaded rules to {}", user.name))?;
        hand_over_directory(&path.join(crate::binaries::DIRECTORY), user, 2)
            .with_context(|| format!("give the kept files to {}", user.name))?;
        Ok(Self { path, _lock: lock })
    }
}

/// What a recorder leaves in its data directory.
const OUR_NAMES: [&str; 5] = ["recorder.db", "lock", "bus", "binaries", "rules"];

/// The paths to give to the recorder's user. Refuses a directory of somebody else that holds
/// anything but what is ours: a mistaken `--data-dir /etc` must not change hands.
fn check_owner(dir: &Path, user: &RecorderUser) -> anyhow::Result<Vec<PathBuf>> {
    let owner = std::fs::metadata(dir).context("look at the data directory")?.uid();
    let mut ours = vec![dir.to_owned()];
    let mut is_all_ours = true;
    let entries = std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("read {}", dir.display()))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !OUR_NAMES.iter().any(|ours| name == *ours || name.starts_with("recorder.db")) {
            is_all_ours = false;
        } else if name.starts_with("recorder.db") && entry.file_type().is_ok_and(|t| t.is_file()) {
            ours.push(entry.path());
        }
    }
    if owner != user.uid.as_raw() && !is_all_ours {
        bail!(
            "data directory {} belongs to user {owner} and holds other files: choose another \
             --data-dir, or --user {owner}",
            dir.display()
        );
    }
    Ok(ours)
}

/// A database of an earlier run as another user stays usable.
fn hand_over(paths: &[PathBuf], user: &RecorderUser) -> anyhow::Result<()> {
    for path in paths {
        if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.uid() != user.uid.as_raw()) {
            give(path, user)
                .with_context(|| format!("give {} to {}", path.display(), user.name))?;
        }
    }
    Ok(())
}

/// As [`hand_over`], of directories and files in `levels` below each other. Whoever owned the
/// directory may change it meanwhile, so that it is opened once, and nothing in it is followed.
fn hand_over_directory(directory: &Path, user: &RecorderUser, levels: u32) -> anyhow::Result<()> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match Dir::open(directory, flags, Mode::empty()) {
        Ok(directory) => hand_over_opened(directory, user, levels),
        // Not there, or not ours.
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn hand_over_opened(mut directory: Dir, user: &RecorderUser, levels: u32) -> anyhow::Result<()> {
    let is_theirs = fstat(&directory)?.st_uid == user.uid.as_raw();
    if is_theirs && levels > 1 {
        // As a recorder leaves it: thousands of files need not be looked at again.
        return Ok(());
    }
    let names: Vec<CString> = directory
        .iter()
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_owned()))
        .filter(|name| !matches!(name.as_bytes(), b"." | b".."))
        .collect();
    for name in names {
        let no_follow = AtFlags::AT_SYMLINK_NOFOLLOW;
        let found = fstatat(&directory, &*name, no_follow)?;
        let kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
        let is_file = kind == SFlag::S_IFREG && found.st_nlink == 1;
        if kind == SFlag::S_IFDIR && levels > 1 {
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let below = Dir::openat(&directory, &*name, flags, Mode::empty())?;
            hand_over_opened(below, user, levels - 1)?;
        }
        if is_file && found.st_uid != user.uid.as_raw() {
            fchownat(&directory, &*name, Some(user.uid), Some(user.gid), no_follow)?;
        }
    }
    // Last, so that it is begun anew if this is interrupted.
    if !is_theirs {
        fchown(&directory, Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}

fn lock(dir: &Path, user: &RecorderUser, hint: &str) -> anyhow::Result<Flock<File>> {
    let path = dir.join("lock");
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC)
        .open(&path)
        .with_context(|| format!("open {} ({hint})", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            let _ = give(&path, user);
            lock.set_len(0)?;
            write!(lock, "{}", std::process::id())
                .with_context(|| format!("write {} (is the disk full? {hint})", path.display()))?;
            Ok(lock)
        }
        Err((mut file, _)) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            bail!(
                "another recorder (pid {}) uses {}: stop it, or choose another --data-dir",
                pid.trim(),
                dir.display()
            )
        }
    }
}

/// Never what a link leads to: whoever owned the directory may have put one there.
fn give(path: &Path, user: &RecorderUser) -> nix::Result<()> {
    let no_follow = AtFlags::AT_SYMLINK_NOFOLLOW;
    fchownat(AT_FDCWD, path, Some(user.uid), Some(user.gid), no_follow)
}

/// The socket of a recorder that is its own D-Bus peer. Held by the sensor, so that connections
/// wait while a recorder restarts.
pub(crate) fn bind(bus: &Bus, user: &RecorderUser) -> anyhow::Result<Option<UnixListener>> {
    let Bus::Socket(path) = bus else { return Ok(None) };
    let listener = socket::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
        .and_then(|()| give(path, user).map_err(Into::into))
        .with_context(|| format!("give {} to {}", path.display(), user.name))?;
    Ok(Some(listener))
}

/// Names a ring.
pub(crate) fn random_cookie() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(u64::from_le_bytes(bytes))
}
