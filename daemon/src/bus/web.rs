//! `org.bpfrecorder.Recorder1.Web`: who may use the web page, which is another process.

use std::fmt::Write as _;
use std::time::Instant;

use common::bus::Error;
use common::web::{WebLink, WebRight, WebSession};
use nix::unistd::{Uid, User};
use zbus::message::Header;
use zbus::names::BusName;
use zbus::{Connection, fdo, interface};

use super::access::{Access, Right};
use super::sessions::{Holder, LINK_LIFE, Loan, MOST_SESSIONS, Refusal};
use super::{Service, failed, metrics};

pub(super) struct Web {
    service: Service,
    access: Access,
}

impl Web {
    pub(super) fn new(service: Service, access: Access) -> Self {
        Self { service, access }
    }
}

/// Links to the web page, and its sessions.
#[interface(name = "org.bpfrecorder.Recorder1.Web")]
impl Web {
    /// A link to the web page, as a JSON document. It works once, within five minutes, and becomes
    /// a session with these rights of the caller: `read-events`, `manage-alerts`, `manage-rules`,
    /// `read-binaries`; none named means all that the caller has without a password.
    async fn create_link(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        rights: Vec<String>,
    ) -> Result<String, Error> {
        let uid = self.access.check(Right::ReadEvents, connection, &header).await?;
        self.refuse_bound(connection, &header)?;
        let Some(address) = self.service.inner.web.address else {
            return Err(Error::Failed(
                "the web page is switched off: set web-address in the configuration".to_owned(),
            ));
        };
        let wanted = wanted(&rights)?;
        let mut lent = self.access.rights(connection, &header).await;
        // To read was asked above, where a password may have been given.
        if !lent.contains(&WebRight::ReadEvents) {
            lent.insert(0, WebRight::ReadEvents);
        }
        if let Some(wanted) = wanted {
            if let Some(missing) = wanted.iter().find(|right| !lent.contains(right)) {
                let right = missing.name();
                return Err(Error::AccessDenied(format!(
                    "you do not have the right {right}: try with sudo"
                )));
            }
            lent = wanted;
        }
        let secret = secret().map_err(failed)?;
        let user = user_name(uid).await;
        let loan = Loan { uid, user, rights: lent.clone() };
        self.access.sessions().add_link(&secret, loan, Instant::now());
        let link = WebLink {
            link: format!("http://{address}/login?link={secret}"),
            valid_secs: LINK_LIFE.as_secs(),
            rights: lent,
        };
        serde_json::to_string(&link).map_err(failed)
    }

    /// Binds this connection to the session of a link, by the link's secret, and tells of it as a
    /// JSON document. From then on it has the rights of the session and no others.
    async fn redeem(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        secret: &str,
    ) -> Result<String, Error> {
        self.forget_the_gone(connection).await;
        let holder = self.access.holder(connection, &header).ok_or_else(no_caller)?;
        match self.access.sessions().redeem(secret, holder, Instant::now()) {
            Ok(session) => serde_json::to_string(&session).map_err(failed),
            Err(Refusal::Unknown) => Err(Error::NotFound(
                "this link has been used or is too old: make another with bpfctl web".to_owned(),
            )),
            Err(Refusal::Bound) => {
                Err(Error::InvalidArgument("this connection has a session already".to_owned()))
            }
            Err(Refusal::Full) => Err(Error::Busy(format!(
                "there are {MOST_SESSIONS} sessions: end some with bpfctl web revoke"
            ))),
        }
    }

    /// The session that this connection is bound to, as a JSON document, while it lasts.
    async fn session(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.access.check(Right::ReadEvents, connection, &header).await?;
        let session = self
            .bound_to(connection, &header)
            .ok_or_else(|| Error::NotFound("this connection has no session".to_owned()))?;
        serde_json::to_string(&session).map_err(failed)
    }

    /// The caller's sessions of the web page, or everybody's for who may control the recorder, as a
    /// JSON array.
    async fn sessions(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let whose = self.whose(connection, &header).await?;
        self.forget_the_gone(connection).await;
        let sessions = self.access.sessions().list(whose, Instant::now());
        serde_json::to_string(&sessions).map_err(failed)
    }

    /// Ends a session, or with 0 each that `Sessions` lists; tells how many ended. Links that wait
    /// to be used stay. What is bound to a session can only end that.
    async fn revoke(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: u32,
    ) -> Result<u32, Error> {
        let now = Instant::now();
        if let Some(own) = self.bound_to(connection, &header) {
            let id_meant = if id == 0 { own.id } else { id };
            if id_meant == own.id {
                return Ok(self.access.sessions().revoke(own.id, None, now));
            }
        }
        let whose = self.whose(connection, &header).await?;
        Ok(self.access.sessions().revoke(id, whose, now))
    }

    /// Figures of the recorder without any content, in the text form of Prometheus. With
    /// `web-metrics` anybody may ask.
    async fn metrics(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        if !self.service.inner.web.has_metrics {
            self.access.check_read(connection, &header).await?;
        }
        Ok(metrics::text(&self.service.health().await?))
    }
}

impl Web {
    /// Whose sessions the caller may see and end: `None` is everybody's.
    async fn whose(
        &self,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Option<u32>, Error> {
        let uid = self.access.check(Right::ReadEvents, connection, header).await?;
        self.refuse_bound(connection, header)?;
        Ok(if self.access.admits(uid) { None } else { Some(uid) })
    }

    fn bound_to(&self, connection: &Connection, header: &Header<'_>) -> Option<WebSession> {
        let holder = self.access.holder(connection, header)?;
        self.access.sessions().of(&holder, Instant::now())
    }

    /// What is lent cannot be lent on, and shows nothing of others.
    fn refuse_bound(&self, connection: &Connection, header: &Header<'_>) -> Result<(), Error> {
        match self.bound_to(connection, header) {
            Some(_) => Err(Error::AccessDenied("a session may not do this".to_owned())),
            None => Ok(()),
        }
    }

    /// Connections of a bus end without telling us.
    async fn forget_the_gone(&self, connection: &Connection) {
        if !connection.is_bus() {
            return;
        }
        let Ok(bus) = fdo::DBusProxy::new(connection).await else { return };
        for holder in self.access.sessions().holders() {
            let Holder::Bus(name) = &holder else { continue };
            let Ok(name) = BusName::try_from(name.as_str()) else { continue };
            if let Ok(false) = bus.name_has_owner(name).await {
                self.access.sessions().gone(&holder);
            }
        }
    }
}

/// `None` where none is named.
fn wanted(names: &[String]) -> Result<Option<Vec<WebRight>>, Error> {
    let parse = |name: &String| {
        WebRight::parse(name).ok_or_else(|| {
            let known = WebRight::ALL.map(WebRight::name).join(", ");
            let name = common::escape::terminal(name);
            Error::InvalidArgument(format!("there is no right {name:.60}: they are {known}"))
        })
    };
    let rights = names.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if !rights.is_empty() && !rights.contains(&WebRight::ReadEvents) {
        return Err(Error::InvalidArgument("without read-events there is no page".to_owned()));
    }
    Ok((!rights.is_empty()).then_some(rights))
}

/// 256 random bits in hexadecimal digits.
fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

async fn user_name(uid: u32) -> String {
    // The name service may ask the network.
    let asked = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid)));
    match asked.await {
        Ok(Ok(Some(user))) => user.name,
        _ => uid.to_string(),
    }
}

fn no_caller() -> Error {
    Error::AccessDenied("the message does not say who sent it".to_owned())
}
