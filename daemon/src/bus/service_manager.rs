//! What systemd says of our own service.

use std::time::Duration;

use zbus::proxy::{Builder, CacheProperties};
use zbus::wire::OwnedObjectPath;
use zbus::{Connection, Proxy};

const NAME: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
/// An answer takes milliseconds, but for a machine that is very busy. Without one the service counts
/// as ended.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the service of this process is being stopped to be started again at once.
pub(crate) async fn starts_again(pid: u32) -> bool {
    match tokio::time::timeout(PATIENCE, job_of(pid)).await {
        Ok(Ok(job)) => job.is_some_and(|job| matches!(&*job, "restart" | "try-restart")),
        Ok(Err(error)) => {
            tracing::debug!("systemd does not say why the service ends: {error}");
            false
        }
        Err(_) => {
            tracing::debug!("systemd did not say in time why the service ends");
            false
        }
    }
}

/// What systemd is about to do with it, if anything.
async fn job_of(pid: u32) -> zbus::Result<Option<String>> {
    let connection = Connection::system().await?;
    let manager = proxy(&connection, PATH, "org.freedesktop.systemd1.Manager").await?;
    let unit: OwnedObjectPath = manager.call("GetUnitByPID", &(pid,)).await?;
    let unit = proxy(&connection, unit.as_str(), "org.freedesktop.systemd1.Unit").await?;
    let (id, job): (u32, OwnedObjectPath) = unit.get_property("Job").await?;
    if id == 0 {
        return Ok(None);
    }
    let job = proxy(&connection, job.as_str(), "org.freedesktop.systemd1.Job").await?;
    job.get_property("JobType").await.map(Some)
}

async fn proxy<'a>(
    connection: &Connection,
    path: &'a str,
    interface: &'static str,
) -> zbus::Result<Proxy<'a>> {
    Builder::new(connection)
        .destination(NAME)
        .path(path)
        .interface(interface)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}
