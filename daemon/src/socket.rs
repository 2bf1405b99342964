//! Listening on a Unix socket, with errors that name the remedy.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Binds; a socket that nobody listens on is left over and replaced.
pub(crate) fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    match UnixListener::bind(path) {
        Ok(listener) => return Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {}
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "listen at {}: choose another --bus unix:path=PATH in a directory that exists \
                     and is writable",
                    path.display()
                )
            });
        }
    }
    let is_socket = std::fs::symlink_metadata(path)
        .is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()));
    if !is_socket {
        bail!("{} exists and is no socket: choose another --bus unix:path=PATH", path.display());
    }
    if UnixStream::connect(path).is_ok() {
        bail!(
            "another program listens at {}: stop it, or choose another --bus unix:path=PATH",
            path.display()
        );
    }
    std::fs::remove_file(path).with_context(|| format!("remove left-over {}", path.display()))?;
    UnixListener::bind(path).with_context(|| format!("listen at {}", path.display()))
}
