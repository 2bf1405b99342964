//! The other side: connections to the recorder, and questions that are asked often.

use std::time::Duration;

use axum::http::StatusCode;
use common::bus::reach::{self, CONNECT_TIMEOUT};
use common::bus::{self, Target, WebProxy};
use common::web::{WebLink, WebSession};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use zbus::Connection;
use zbus::connection::Builder;

use super::App;
use super::fault::Fault;
use super::sessions::Session;

/// A question that finds no place for so long is refused.
const PLACE_PATIENCE: Duration = Duration::from_secs(10);

/// Of one question: among those of its session, and among all.
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

/// How the recorder is reached.
pub(crate) enum Way {
    Bus(Target),
    /// It is in this process, and takes the other ends of our connections.
    Here(mpsc::Sender<UnixStream>),
}

impl Way {
    /// A connection that may do nothing yet.
    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let connecting = async {
            match self {
                Way::Bus(target) => reach::builder(target).build().await,
                Way::Here(other_side) => {
                    let (ours, theirs) = UnixStream::pair()?;
                    let gone = |_| std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
                    other_side.send(theirs).await.map_err(gone)?;
                    Builder::unix_stream(ours.into_std()?).p2p().build().await
                }
            }
        };
        let connection = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(Fault::unreachable(error)),
            Err(_) => return Err(Fault::unreachable("it took too long")),
        };
        if reach::is_there(&connection).await {
            Ok(connection)
        } else {
            Err(Fault::unreachable("it does not run"))
        }
    }

    /// A link with all rights of this process, which has some where it was started by hand.
    pub(super) async fn link(&self) -> Result<WebLink, String> {
        let connection = self.connect().await.map_err(|fault| fault.text)?;
        let web = WebProxy::new(&connection).await.map_err(|error| error.to_string())?;
        let link = web.create_link(&[]).await.map_err(|error| error.to_string())?;
        serde_json::from_str(&link).map_err(|error| error.to_string())
    }

    /// Uses the secret of a link up.
    pub(super) async fn redeem(&self, secret: &str) -> Result<(WebSession, Connection), Fault> {
        let connection = self.connect().await?;
        let session = web(&connection).await?.redeem(secret).await?;
        let session =
            serde_json::from_str(&session).map_err(|error| Fault::not_understood(&error))?;
        Ok((session, connection))
    }

    /// Figures that are for anybody.
    pub(super) async fn metrics(&self) -> Result<String, Fault> {
        let connection = self.connect().await?;
        Ok(web(&connection).await?.metrics().await?)
    }
}

async fn web(connection: &Connection) -> Result<WebProxy<'static>, Fault> {
    WebProxy::new(connection).await.map_err(Fault::unreachable)
}

macro_rules! proxies {
    ($($name:ident: $proxy:ident),*) => {
        impl Session {
            $(pub(super) async fn $name(&self) -> Result<bus::$proxy<'static>, Fault> {
                bus::$proxy::new(&self.connection).await.map_err(Fault::unreachable)
            })*
        }
    };
}

proxies!(
    manager: ManagerProxy,
    processes: ProcessesProxy,
    alerts: AlertsProxy,
    rules: RulesProxy,
    binaries: BinariesProxy,
    web: WebProxy
);

impl App {
    /// A place for a question, which is to be given back soon.
    pub(super) async fn place(&self, session: &Session) -> Result<Place, Fault> {
        let place = async {
            let own = session.queries.clone().acquire_owned().await.ok()?;
            let shared = self.inner.queries.clone().acquire_owned().await.ok()?;
            Some(Place { _own: own, _shared: shared })
        };
        match tokio::time::timeout(PLACE_PATIENCE, place).await {
            Ok(Some(place)) => Ok(place),
            _ => Err(Fault::busy()),
        }
    }

    /// What a refusal means: that this may not be done, or that the session is over.
    pub(super) async fn judge(&self, session: &Session, fault: Fault) -> Fault {
        let is_suspect = matches!(fault.status, StatusCode::FORBIDDEN | StatusCode::BAD_GATEWAY);
        if !is_suspect || self.lasts(session).await {
            return fault;
        }
        self.end(session)
    }

    /// It is over.
    pub(super) fn end(&self, session: &Session) -> Fault {
        self.inner.sessions.end(session);
        Fault::no_session()
    }

    /// Whether the recorder still knows of it.
    pub(super) async fn lasts(&self, session: &Session) -> bool {
        match session.web().await {
            Ok(web) => web.session().await.is_ok(),
            Err(_) => false,
        }
    }
}
