//! Who may ask: reading the record is sensitive, command lines hold secrets.
//!
//! Root and the recorder's own user are admitted. On a socket of our own, where the kernel vouches
//! for the peer, nobody else is; on the system bus, which vouches for its clients, polkit decides.

use common::bus::Error;
use zbus::message::Header;
use zbus::{Connection, fdo};

#[derive(Debug, Clone)]
pub(crate) struct Access {
    own_uid: u32,
    /// On a connection of its own: who is at the other end.
    peer_uid: Option<u32>,
    #[cfg(feature = "capture")]
    asks_polkit: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    ReadEvents,
    ManageAlerts,
    ManageRules,
    /// Take executed files out.
    ReadBinaries,
    Control,
}

impl Right {
    pub(super) fn name(self) -> &'static str {
        match self {
            Right::ReadEvents => "read the record",
            Right::ManageAlerts => "change alerts",
            Right::ManageRules => "change rules",
            Right::ReadBinaries => "take executed files out",
            Right::Control => "control the recorder",
        }
    }

    /// What polkit calls it.
    #[cfg(feature = "capture")]
    pub(super) fn action(self) -> &'static str {
        match self {
            Right::ReadEvents => "org.bpfrecorder.recorder1.read-events",
            Right::ManageAlerts => "org.bpfrecorder.recorder1.manage-alerts",
            Right::ManageRules => "org.bpfrecorder.recorder1.manage-rules",
            Right::ReadBinaries => "org.bpfrecorder.recorder1.read-binaries",
            Right::Control => "org.bpfrecorder.recorder1.control",
        }
    }
}

impl Access {
    pub(crate) fn new(own_uid: u32) -> Self {
        Self {
            own_uid,
            peer_uid: None,
            #[cfg(feature = "capture")]
            asks_polkit: false,
        }
    }

    /// On the system bus.
    #[cfg(feature = "capture")]
    pub(crate) fn with_polkit(self) -> Self {
        Self { asks_polkit: true, ..self }
    }

    /// For a connection that has one peer, who was admitted.
    pub(crate) fn of_peer(&self, uid: u32) -> Self {
        Self { peer_uid: Some(uid), ..self.clone() }
    }

    pub(crate) fn admits(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    /// The caller, who has this right.
    pub(crate) async fn check(
        &self,
        right: Right,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<u32, Error> {
        // A peer was checked when it connected; its messages have no sender.
        let uid = match (connection.is_bus(), header.sender()) {
            (false, _) => self.peer_uid,
            (true, None) => None,
            (true, Some(sender)) => {
                let bus = fdo::DBusProxy::new(connection).await?;
                bus.get_connection_unix_user(sender.clone().into()).await.ok()
            }
        };
        match uid {
            Some(uid) if self.admits(uid) => Ok(uid),
            #[cfg(feature = "capture")]
            Some(uid) if self.asks_polkit => {
                super::polkit::check(right, connection, header).await.map(|()| uid)
            }
            _ => Err(Error::AccessDenied(format!(
                "only root and the recorder's user may {}: try with sudo",
                right.name()
            ))),
        }
    }

    pub(crate) async fn check_read(
        &self,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(), Error> {
        self.check(Right::ReadEvents, connection, header).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_own_user_are_admitted() {
        let access = Access::new(990);
        assert!(access.admits(0) && access.admits(990));
        assert!(!access.admits(1000) && !access.admits(65534));
    }
}
