//! What the configuration says of the socket that systemd holds, put where systemd reads it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;

const SOCKET: &str = "bpf-recorder-web.socket";

/// Adds to the installed unit in `normal`, or in `early` takes its place, as systemd.generator(7)
/// has it.
pub(crate) fn generate(
    address: Option<SocketAddr>,
    normal: &Path,
    early: &Path,
) -> anyhow::Result<()> {
    let Some(address) = address else {
        let link = early.join(SOCKET);
        return std::os::unix::fs::symlink("/dev/null", &link)
            .with_context(|| format!("make {}", link.display()));
    };
    let directory = normal.join(format!("{SOCKET}.d"));
    std::fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    let file = directory.join("50-web-address.conf");
    // An empty one takes back what the unit says.
    let text = format!(
        "# Generated: web-address of /etc/bpf-recorder/config.toml\n\
         [Socket]\nListenStream=\nListenStream={address}\n"
    );
    std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_listens_where_it_is_told_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let (normal, early) = (root.path().join("n"), root.path().join("e"));
        std::fs::create_dir(&early).unwrap();
        generate("[::1]:81".parse().ok(), &normal, &early).unwrap();
        let text = std::fs::read_to_string(normal.join(format!("{SOCKET}.d/50-web-address.conf")))
            .unwrap();
        assert!(text.ends_with("[Socket]\nListenStream=\nListenStream=[::1]:81\n"), "{text}");
        assert!(!early.join(SOCKET).exists());
        generate(None, &normal, &early).unwrap();
        let target = std::fs::read_link(early.join(SOCKET)).unwrap();
        assert_eq!(target, Path::new("/dev/null"));
    }
}
