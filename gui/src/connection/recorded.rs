//! Looking into a recorded database: a recorder of our own that serves it, read-only.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Target, Trouble, TroubleKind};

/// A `bpf-recorderd open` that ends with this.
pub(super) struct Recorded {
    // Killed when dropped.
    child: Child,
    // With the socket, and what it says; removed when dropped.
    directory: TempDir,
}

/// In that directory.
const MESSAGES: &str = "messages";
/// Of what it said: enough for the reason it gave last.
const MOST_SAID: u64 = 4096;

impl Recorded {
    pub(super) fn serve(file: &Path) -> Result<(Self, Target), Trouble> {
        Self::serve_by(&program(), file)
    }

    fn serve_by(program: &Path, file: &Path) -> Result<(Self, Target), Trouble> {
        if !file.is_file() {
            let text = format!("there is no file {}", file.display());
            return Err(Trouble::new(TroubleKind::NotFound, text));
        }
        let directory = private_directory()?;
        let socket = directory.path().join("bus");
        let target = socket.to_string_lossy().parse().map_err(Trouble::failed)?;
        // A file, which needs no one to read it while there is more to say.
        let messages = File::create(directory.path().join(MESSAGES)).map_err(|error| {
            Trouble::failed(format!("cannot make a file for messages: {error}"))
        })?;
        let child = Command::new(program)
            .arg("open")
            .arg(file)
            .arg("--bus")
            .arg(format!("unix:path={}", socket.display()))
            .stdin(Stdio::null())
            .stderr(messages)
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
        Ok((Self { child, directory }, target))
    }

    /// Why it does not serve the file; `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<Trouble> {
        let status = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let said = last_line(&self.directory.path().join(MESSAGES)).unwrap_or_default();
        let said = said.trim_start_matches("bpf-recorderd: ").trim_start_matches("error: ");
        Some(Trouble::failed(if said.is_empty() {
            format!("the recorder that was to read the file ended: {status}")
        } else {
            said.to_owned()
        }))
    }
}

/// The last one that says something.
fn last_line(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST_SAID)))?;
    let mut bytes = Vec::new();
    file.take(MOST_SAID).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    /// What is said of a recorder that does as the shell is told.
    async fn said_of(script: &str) -> Trouble {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("recorder");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let (mut recorded, _) = Recorded::serve_by(&program, &program).unwrap();
        loop {
            if let Some(trouble) = recorded.ended() {
                return trouble;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn what_a_recorder_says_at_its_end_is_the_reason() {
        let script = "echo first >&2; echo 'bpf-recorderd: it is too old: do this' >&2; exit 1";
        assert_eq!(said_of(script).await.message, "it is too old: do this");
        let silent = said_of("exit 3").await.message;
        assert!(silent.contains("exit status: 3"), "{silent}");
    }
}
