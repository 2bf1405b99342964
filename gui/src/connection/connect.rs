//! Reaching a recorder, and what is missing where none can be reached.

use std::io;
use std::path::Path;
use std::time::Duration;

use common::bus::{NAME, Target};
use zbus::Connection;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use super::trouble::DENIED_HINT;
use super::{Trouble, TroubleKind};

/// A socket that accepts but does not speak D-Bus must not hold up the next attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers come at once (long results come on a pipe); only counting reads the database first.
const METHOD_TIMEOUT: Duration = Duration::from_secs(120);

pub(super) async fn connect(target: &Target) -> Result<Connection, Trouble> {
    let builder = match target {
        Target::SystemBus => Builder::system(),
        Target::SessionBus => Builder::session(),
        Target::Peer(address) => Builder::address(address.clone()).p2p(),
    };
    let builder = builder.method_timeout(METHOD_TIMEOUT);
    let connection = match tokio::time::timeout(CONNECT_TIMEOUT, builder.build()).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(unreachable(target, &error)),
        Err(_) => return Err(silent()),
    };
    if is_there(&connection).await { Ok(connection) } else { Err(absent()) }
}

/// Whether a recorder has the name. Asked first, for the bus would start a recorder that was stopped
/// on purpose if it were spoken to.
pub(super) async fn is_there(connection: &Connection) -> bool {
    if !connection.is_bus() {
        return true;
    }
    let Ok(bus) = DBusProxy::new(connection).await else { return false };
    let name = BusName::from_static_str(NAME).expect("a constant");
    bus.name_has_owner(name).await.unwrap_or(false)
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
    let io_kind = match error {
        zbus::Error::Connection(error, _) | zbus::Error::InputOutput(error) => Some(error.kind()),
        _ => None,
    };
    let is_turned_away = matches!(error, zbus::Error::Handshake(_))
        || matches!(
            io_kind,
            Some(
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            )
        );
    match target {
        Target::Peer(_) if is_turned_away => {
            Trouble::new(NotPermitted, "the recorder does not let this user in")
                .hint("run the viewer as root, or as the user that runs the recorder")
        }
        _ if is_turned_away => {
            Trouble::new(NotPermitted, "the bus does not let this user in").hint(DENIED_HINT)
        }
        Target::Peer(address) => {
            let message = match io_kind {
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
