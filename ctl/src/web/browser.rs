//! Opening a link that nobody else may see: what a program is started with, every user can read. So
//! the browser is given a file, which only its owner can read and which leads on.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::CommandError;

/// For the browser to have read the file.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn open(link: &str) -> Result<(), CommandError> {
    let directory = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let directory = directory.filter(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir);
    let file = tempfile::Builder::new()
        .prefix("bpf-recorder-")
        .suffix(".html")
        .tempfile_in(&directory)
        .and_then(|mut file| file.write_all(page(link).as_bytes()).map(|()| file))
        .map_err(|error| {
            CommandError::failure(format!("cannot write in {}: {error}", directory.display()))
        })?;
    let started = Command::new("xdg-open")
        .arg(file.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match started {
        Ok(status) if status.success() => {
            tokio::time::sleep(PATIENCE).await;
            Ok(())
        }
        Ok(status) => Err(cannot(&format!("xdg-open failed: {status}"))),
        Err(error) => Err(cannot(&format!("xdg-open: {error}"))),
    }
}

fn cannot(reason: &str) -> CommandError {
    CommandError::failure(format!("cannot open a browser: {reason}"))
        .hint("print the link instead: `bpfctl web`")
}

/// A link has nothing in it that needs to be escaped: an address and hexadecimal digits.
fn page(link: &str) -> String {
    format!(
        "<!doctype html><meta charset=utf-8><meta name=referrer content=no-referrer>\
         <meta http-equiv=refresh content=\"0;url={link}\"><title>BPF Recorder</title>\
         <a href=\"{link}\">BPF Recorder</a>\n"
    )
}
