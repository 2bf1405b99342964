//! Looking into a recorded database: a recorder of our own that serves it, read-only.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Target, Trouble, TroubleKind};

/// A `bpf-recorderd open` that ends with this.
pub(super) struct Recorded {
    // Killed when dropped.
    _child: Child,
    // With the socket; removed when dropped.
    _directory: TempDir,
}

impl Recorded {
    pub(super) fn serve(file: &Path) -> Result<(Self, Target), Trouble> {
        if !file.is_file() {
            let text = format!("there is no file {}", file.display());
            return Err(Trouble::new(TroubleKind::NotFound, text));
        }
        let directory = private_directory()?;
        let socket = directory.path().join("bus");
        let target = socket.to_string_lossy().parse().map_err(Trouble::failed)?;
        let child = Command::new(program())
            .arg("open")
            .arg(file)
            .arg("--bus")
            .arg(format!("unix:path={}", socket.display()))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                Trouble::new(
                    TroubleKind::NotInstalled,
                    format!("cannot start bpf-recorderd, which reads databases: {error}"),
                )
                .hint(
                    "install the package of the recorder: `sudo apt install ./bpf-recorder_*.deb`",
                )
            })?;
        Ok((Self { _child: child, _directory: directory }, target))
    }
}

/// Beside this program, where both were built or installed together; else by the search path.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("bpf-recorderd"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| "bpf-recorderd".into())
}

/// Nobody else can put a socket there.
fn private_directory() -> Result<TempDir, Trouble> {
    let parent = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::Builder::new()
        .prefix("bpf-recorder-viewer-")
        .tempdir_in(parent)
        .map_err(|error| Trouble::failed(format!("cannot make a directory for a socket: {error}")))
}
