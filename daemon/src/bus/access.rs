//! Who may ask: reading the record is sensitive, command lines hold secrets.
//!
//! Root and the recorder's own user are admitted. On a socket of our own, where the kernel vouches
//! for the peer, nobody else is; on the system bus, which vouches for its clients, polkit decides.
//! A connection that is bound to a session of the web page has the rights of that, whoever it is.

use std::sync::Arc;
use std::time::Instant;

use common::bus::Error;
use common::web::WebRight;
use zbus::message::Header;
use zbus::{Connection, fdo};

use super::sessions::{Holder, Sessions, Standing};

#[derive(Clone)]
pub(crate) struct Access {
    own_uid: u32,
    /// On a connection of its own: who is at the other end.
    peer: Option<Peer>,
    sessions: Arc<Sessions>,
    #[cfg(feature = "capture")]
    asks_polkit: bool,
}

/// The other end of a connection on a socket of our own.
#[derive(Debug, Clone, Copy)]
struct Peer {
    uid: u32,
    number: u64,
}

/// Whether a person may be asked for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// If the caller allowed it.
    AsAllowed,
    Nobody,
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

    /// As links to the web page name it; what the page does not offer has no name there.
    pub(super) fn on_the_web(self) -> Option<WebRight> {
        match self {
            Right::ReadEvents => Some(WebRight::ReadEvents),
            Right::ManageAlerts => Some(WebRight::ManageAlerts),
            Right::ManageRules => Some(WebRight::ManageRules),
            Right::ReadBinaries => Some(WebRight::ReadBinaries),
            Right::Control => None,
        }
    }

    pub(super) fn of_the_web(right: WebRight) -> Self {
        match right {
            WebRight::ReadEvents => Right::ReadEvents,
            WebRight::ManageAlerts => Right::ManageAlerts,
            WebRight::ManageRules => Right::ManageRules,
            WebRight::ReadBinaries => Right::ReadBinaries,
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
            peer: None,
            sessions: Arc::default(),
            #[cfg(feature = "capture")]
            asks_polkit: false,
        }
    }

    /// On the system bus.
    #[cfg(feature = "capture")]
    pub(crate) fn with_polkit(self) -> Self {
        Self { asks_polkit: true, ..self }
    }

    /// For a connection that has one peer, who was admitted. No two connections have one number.
    pub(crate) fn of_peer(&self, uid: u32, number: u64) -> Self {
        Self { peer: Some(Peer { uid, number }), ..self.clone() }
    }

    pub(crate) fn admits(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The connection that the message came on.
    pub(super) fn holder(&self, connection: &Connection, header: &Header<'_>) -> Option<Holder> {
        // A peer's messages have no sender, or one that it made up.
        if !connection.is_bus() {
            return self.peer.map(|peer| Holder::Peer(peer.number));
        }
        header.sender().map(|sender| Holder::Bus(sender.to_string()))
    }

    /// The caller, who has this right.
    pub(crate) async fn check(
        &self,
        right: Right,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<u32, Error> {
        let holder = self.holder(connection, header);
        let standing = holder.map_or(Standing::Free, |holder| {
            self.sessions.standing(&holder, right, Instant::now())
        });
        match standing {
            Standing::Free => self.check_user(right, connection, header, Asking::AsAllowed).await,
            Standing::Lent(uid) => Ok(uid),
            Standing::Withheld => Err(Error::AccessDenied(format!(
                "this session may not {}: make another link with bpfctl web, as a user who may",
                right.name()
            ))),
            Standing::Over => Err(Error::AccessDenied(
                "this session is over: make another link with bpfctl web".to_owned(),
            )),
        }
    }

    /// What the caller may do without being asked for a password.
    pub(super) async fn rights(
        &self,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Vec<WebRight> {
        let mut rights = Vec::new();
        for right in WebRight::ALL {
            let asked = Right::of_the_web(right);
            if self.check_user(asked, connection, header, Asking::Nobody).await.is_ok() {
                rights.push(right);
            }
        }
        rights
    }

    async fn check_user(
        &self,
        right: Right,
        connection: &Connection,
        header: &Header<'_>,
        #[cfg_attr(not(feature = "capture"), expect(unused_variables))] asking: Asking,
    ) -> Result<u32, Error> {
        // A peer was checked when it connected; its messages have no sender.
        let uid = match (connection.is_bus(), header.sender()) {
            (false, _) => self.peer.map(|peer| peer.uid),
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
                super::polkit::check(right, connection, header, asking).await.map(|()| uid)
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
