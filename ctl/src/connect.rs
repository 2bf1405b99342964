//! Where the recorder is, and the connection to it.

use std::io;
use std::time::{Duration, Instant};

use common::bus::Target;
use common::bus::reach::{self, CONNECT_TIMEOUT, io_kind, is_turned_away};
use zbus::Connection;

use crate::error::{CommandError, Kind};

/// A recorder that is just restarting is back by then.
const RESTART_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn connect(target: &Target) -> Result<Connection, CommandError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, reach::builder(target).build()).await {
        Ok(Ok(connection)) => {
            if await_recorder(&connection).await {
                Ok(connection)
            } else {
                Err(absent(target))
            }
        }
        Ok(Err(error)) => Err(unreachable(target, &error)),
        Err(_) => {
            let seconds = CONNECT_TIMEOUT.as_secs();
            let text = format!("the recorder did not answer within {seconds} seconds");
            Err(CommandError::new(Kind::Unreachable, text)
                .hint("is this the socket of a recorder?"))
        }
    }
}

async fn await_recorder(connection: &Connection) -> bool {
    let until = Instant::now() + RESTART_PATIENCE;
    loop {
        if reach::is_there(connection).await {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn absent(target: &Target) -> CommandError {
    let bus = if *target == Target::SessionBus { "session" } else { "system" };
    CommandError::new(Kind::Unreachable, format!("there is no recorder on the {bus} bus"))
        .hint("start the service: `sudo systemctl start bpf-recorder`")
        .hint("or, if one runs elsewhere, give its socket: `--address unix:path=FILE`")
}

fn unreachable(target: &Target, error: &zbus::Error) -> CommandError {
    let what = match target {
        Target::SystemBus => "the system bus".to_owned(),
        Target::SessionBus => "the session bus".to_owned(),
        Target::Peer(address) => format!("the recorder at {address}"),
    };
    let is_turned_away = is_turned_away(error);
    let reason = match (io_kind(error), error) {
        (Some(io::ErrorKind::NotFound), _) => "there is no such socket".to_owned(),
        (Some(io::ErrorKind::ConnectionRefused), _) => "nobody listens on the socket".to_owned(),
        (Some(io::ErrorKind::PermissionDenied), _) => "permission denied".to_owned(),
        (Some(_), _) if is_turned_away => "it closed the connection".to_owned(),
        (_, zbus::Error::Connection(error, _)) => error.to_string(),
        _ => error.to_string(),
    };
    let error = CommandError::new(Kind::Unreachable, format!("cannot reach {what}: {reason}"));
    match target {
        _ if is_turned_away => error
            .hint("run this as root, or as the user that runs the recorder")
            .hint("or try again when others have left: the daemon's log tells if it has no room"),
        Target::Peer(address) => {
            error.hint(format!("start the recorder: `bpf-recorderd run --bus {address}`"))
        }
        Target::SystemBus | Target::SessionBus => error
            .hint("without a bus, start the recorder with `--bus unix:path=FILE`")
            .hint("and reach it with `--address unix:path=FILE`, or set BPFCTL_ADDRESS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_miss_the_recorder_has_a_hint() {
        let peer: Target = "/run/x".parse().unwrap();
        for (kind, part) in [
            (io::ErrorKind::NotFound, "no such socket"),
            (io::ErrorKind::ConnectionRefused, "nobody listens"),
            (io::ErrorKind::PermissionDenied, "permission denied"),
            (io::ErrorKind::ConnectionReset, "it closed the connection"),
        ] {
            for target in [&peer, &Target::SystemBus, &Target::SessionBus] {
                let error = unreachable(target, &io::Error::from(kind).into());
                assert_eq!(error.kind, Kind::Unreachable);
                assert!(error.message.contains(part), "{}", error.message);
                assert!(!error.hints.is_empty());
            }
        }
    }
}
