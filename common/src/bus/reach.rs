//! Reaching a recorder: what all clients do alike. How long to be patient, and what to tell people
//! when there is none, is theirs.

use std::io;
use std::time::Duration;

use zbus::Connection;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use super::{NAME, Target};

/// A socket that accepts but does not speak D-Bus must not hold up its client for longer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers come at once (long results come on a pipe); only counting reads the database first.
const METHOD_TIMEOUT: Duration = Duration::from_secs(120);

/// Makes a connection to what the target names.
pub fn builder(target: &Target) -> Builder<'static> {
    let builder = match target {
        Target::SystemBus => Builder::system(),
        Target::SessionBus => Builder::session(),
        Target::Peer(address) => Builder::address(address.clone()).p2p(),
    };
    builder.method_timeout(METHOD_TIMEOUT)
}

/// Whether a recorder is at the other end; on a bus, whether one has the name. To be asked first, for
/// the bus would start a recorder that was stopped on purpose if it were spoken to.
pub async fn is_there(connection: &Connection) -> bool {
    if !connection.is_bus() {
        return true;
    }
    let Ok(bus) = DBusProxy::new(connection).await else { return false };
    let name = BusName::from_static_str(NAME).expect("a constant");
    bus.name_has_owner(name).await.unwrap_or(false)
}

/// What the operating system said, if it did.
pub fn io_kind(error: &zbus::Error) -> Option<io::ErrorKind> {
    match error {
        zbus::Error::Connection(error, _) | zbus::Error::InputOutput(error) => Some(error.kind()),
        _ => None,
    }
}

/// Somebody listens, and does not let this user in.
pub fn is_turned_away(error: &zbus::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, PermissionDenied, UnexpectedEof};
    matches!(error, zbus::Error::Handshake(_))
        || matches!(
            io_kind(error),
            Some(PermissionDenied | UnexpectedEof | ConnectionReset | BrokenPipe)
        )
}
