//! Who may ask: reading the record is sensitive, command lines hold secrets.
//!
//! Root and the recorder's own user are admitted; everybody else is refused. On a socket of our
//! own the kernel vouches for the peer; on a bus, the bus does.

use common::bus::Error;
use zbus::message::Header;
use zbus::{Connection, fdo};

#[derive(Debug, Clone)]
pub(crate) struct Access {
    own_uid: u32,
}

impl Access {
    pub(crate) fn new(own_uid: u32) -> Self {
        Self { own_uid }
    }

    pub(crate) fn admits(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    /// Whether the caller may read the record.
    pub(crate) async fn check_read(
        &self,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(), Error> {
        // A peer was checked when it connected; its messages have no sender.
        if !connection.is_bus() {
            return Ok(());
        }
        let uid = match header.sender() {
            None => None,
            Some(sender) => {
                let bus = fdo::DBusProxy::new(connection).await?;
                bus.get_connection_unix_user(sender.clone().into()).await.ok()
            }
        };
        match uid {
            Some(uid) if self.admits(uid) => Ok(()),
            _ => Err(Error::AccessDenied(
                "only root and the recorder's user may read the record: try with sudo".to_owned(),
            )),
        }
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
