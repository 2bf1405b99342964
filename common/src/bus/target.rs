//! Where a recorder is: a bus, or the socket of one that is its own peer.

use std::path::Path;
use std::str::FromStr;

use zbus::Address;
use zbus::address::transport::{Transport, Unix, UnixSocket};

/// How the recorder is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    SystemBus,
    SessionBus,
    /// The recorder itself is the peer; no bus daemon is between.
    Peer(Address),
}

impl Target {
    /// A recorder that is its own peer at this socket.
    pub fn of_socket(path: &Path) -> Self {
        let socket = Unix::new(UnixSocket::File(path.into()));
        Self::Peer(Address::new(Transport::Unix(socket)))
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" | "system" => Ok(Self::SystemBus),
            "session" => Ok(Self::SessionBus),
            _ if text.starts_with('/') || text.starts_with("./") || text.starts_with("../") => {
                Ok(Self::of_socket(Path::new(text)))
            }
            _ => match text.parse() {
                Ok(address) => Ok(Self::Peer(address)),
                Err(_) => Err("expected system, session, unix:path=FILE or a path".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_buses_or_peers() {
        assert_eq!("".parse(), Ok(Target::SystemBus));
        assert_eq!("system".parse(), Ok(Target::SystemBus));
        assert_eq!("session".parse(), Ok(Target::SessionBus));
        let peer = |text: &str| match text.parse() {
            Ok(Target::Peer(address)) => address.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(peer("unix:path=/run/x"), "unix:path=/run/x");
        assert_eq!(peer("/run/x"), "unix:path=/run/x");
        assert_eq!(peer("./x"), "unix:path=./x");
        assert!("nonsense".parse::<Target>().is_err());
    }
}
