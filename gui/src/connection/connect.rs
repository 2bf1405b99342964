//! Reaching a recorder, and what is missing where none can be reached.

use std::io;
use std::path::Path;

use common::bus::Target;
use common::bus::reach::{self, CONNECT_TIMEOUT, io_kind, is_turned_away};
use zbus::Connection;

use super::trouble::DENIED_HINT;
use super::{Trouble, TroubleKind};

pub(super) async fn connect(target: &Target) -> Result<Connection, Trouble> {
    let connecting = reach::builder(target).build();
    let connection = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(unreachable(target, &error)),
        Err(_) => return Err(silent()),
    };
    if reach::is_there(&connection).await { Ok(connection) } else { Err(absent()) }
}

fn silent() -> Trouble {
    let seconds = CONNECT_TIMEOUT.as_secs();
    let text = format!("the recorder did not answer within {seconds} seconds");
    Trouble::new(TroubleKind::Failed, text).hint("is this the socket of a recorder?")
}

fn absent() -> Trouble {
    if is_installed() {
        return Trouble::new(TroubleKind::NotRunning, "the recorder does not run")
            .hint("start the service: `sudo systemctl start bpf-recorder`")
            .hint("and at every boot: `sudo systemctl enable bpf-recorder`");
    }
    Trouble::new(TroubleKind::NotInstalled, "the recorder is not installed on this machine")
        .hint("install the package of the recorder: `sudo apt install ./bpf-recorder_*.deb`")
        .hint("or reach one that runs elsewhere: `bpf-recorder-viewer --address unix:path=FILE`")
}

/// Whether the program is where programs are.
fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fixed = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(Into::into);
    std::env::split_paths(&path).chain(fixed).any(|dir| dir.join("bpf-recorderd").exists())
}

fn unreachable(target: &Target, error: &zbus::Error) -> Trouble {
    use TroubleKind::{Failed, NotPermitted, NotRunning};
    let is_turned_away = is_turned_away(error);
    match target {
        Target::Peer(_) if is_turned_away => {
            Trouble::new(NotPermitted, "the recorder does not let this user in")
                .hint("run the viewer as root, or as the user that runs the recorder")
        }
        _ if is_turned_away => {
            Trouble::new(NotPermitted, "the bus does not let this user in").hint(DENIED_HINT)
        }
        Target::Peer(address) => {
            let message = match io_kind(error) {
                Some(io::ErrorKind::NotFound) => format!("there is no socket {address}"),
                Some(io::ErrorKind::ConnectionRefused) => format!("nobody listens at {address}"),
                _ => return Trouble::new(Failed, format!("cannot reach {address}: {error}")),
            };
            Trouble::new(NotRunning, message)
                .hint(format!("start the recorder: `sudo bpf-recorderd run --bus {address}`"))
        }
        Target::SystemBus if !Path::new("/run/dbus/system_bus_socket").exists() => {
            Trouble::new(NotRunning, "there is no system bus on this machine")
                .hint("start a recorder without one: `sudo bpf-recorderd run --bus unix:path=FILE`")
                .hint("and reach it: `bpf-recorder-viewer --address unix:path=FILE`")
        }
        Target::SystemBus | Target::SessionBus => {
            Trouble::new(Failed, format!("cannot reach the bus: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_miss_the_recorder_says_what_to_do() {
        let peer: Target = "/run/x".parse().unwrap();
        for (kind, expected) in [
            (io::ErrorKind::NotFound, TroubleKind::NotRunning),
            (io::ErrorKind::ConnectionRefused, TroubleKind::NotRunning),
            (io::ErrorKind::PermissionDenied, TroubleKind::NotPermitted),
            (io::ErrorKind::ConnectionReset, TroubleKind::NotPermitted),
        ] {
            let trouble = unreachable(&peer, &io::Error::from(kind).into());
            assert_eq!(trouble.kind, expected);
            assert!(!trouble.hints.is_empty());
        }
    }
}
