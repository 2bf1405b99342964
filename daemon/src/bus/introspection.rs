//! The committed introspection files are those of the running service.

use std::path::Path;

use zbus::connection::Builder;
use zbus::object_server::Interface;

use super::Service;
use super::access::Access;
use super::alerts::Alerts;
use super::binaries::Binaries;
use super::manager::Manager;
use super::processes::Processes;
use super::rules::Rules;
use super::web::Web;
use crate::settings;
use crate::store::{self, Reader};

fn xml<I: Interface>(interface: &I) -> String {
    let mut xml = String::from(
        "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
         \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n",
    );
    interface.introspect_to_writer(&mut xml, 2);
    xml.push_str("</node>\n");
    xml
}

fn service(dir: &Path) -> Service {
    let path = dir.join("recorder.db");
    store::create(&path);
    Service::recorded(Reader::recorded(&path).unwrap(), &path, settings::Web::default())
}

#[test]
fn committed_files_equal_the_live_interfaces() {
    let dir = tempfile::tempdir().unwrap();
    let service = service(dir.path());
    let access = Access::new(0);
    for (name, live) in [
        ("Manager", xml(&Manager::new(service.clone(), access.clone()))),
        ("Processes", xml(&Processes::new(service.clone(), access.clone()))),
        ("Alerts", xml(&Alerts::new(service.clone(), access.clone()))),
        ("Rules", xml(&Rules::new(service.clone(), access.clone()))),
        ("Binaries", xml(&Binaries::new(service.clone(), access.clone()))),
        ("Web", xml(&Web::new(service, access))),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../dbus/org.bpfrecorder.Recorder1.{name}.xml"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &live).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, live, "run with UPDATE_SNAPSHOTS=1 to renew {}", path.display());
    }
}

#[tokio::test]
async fn the_proxies_reach_the_live_service() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let server = Builder::unix_stream(theirs).server(zbus::Guid::generate()).p2p();
    let server = service(dir.path()).interfaces(server, &Access::new(0).of_peer(0, 0)).build();
    let client = Builder::unix_stream(ours).p2p().build();
    let (_server, client) = tokio::try_join!(server, client).unwrap();
    let manager = common::bus::ManagerProxy::new(&client).await.unwrap();
    assert_eq!(manager.state().await.unwrap(), "read-only");
    let health: common::health::Health =
        serde_json::from_str(&manager.health().await.unwrap()).unwrap();
    assert_eq!(health.store.records, 0);
    let processes = common::bus::ProcessesProxy::new(&client).await.unwrap();
    let error = processes.query("nosuchfield = 1", 1, true, "").await.unwrap_err();
    assert!(matches!(error, common::bus::Error::InvalidFilter(text) if text.contains('^')));
    let error = processes.get("123456").await.unwrap_err();
    assert!(matches!(error, common::bus::Error::NotFound(_)), "{error:?}");
    let error = processes.subscribe("", 0).await.unwrap_err();
    assert!(matches!(error, common::bus::Error::ReadOnly(_)), "{error:?}");
    let alerts = common::bus::AlertsProxy::new(&client).await.unwrap();
    let error = alerts.get(1).await.unwrap_err();
    assert!(matches!(error, common::bus::Error::NotFound(_)), "{error:?}");
    let error = alerts.set(&[1], "resolved", "").await.unwrap_err();
    assert!(matches!(error, common::bus::Error::ReadOnly(_)), "{error:?}");
    let error = alerts.set(&[1], "done", "").await.unwrap_err();
    assert!(matches!(error, common::bus::Error::InvalidArgument(_)), "{error:?}");
    let rules = common::bus::RulesProxy::new(&client).await.unwrap();
    let error = rules.set_enabled(&["x"], false).await.unwrap_err();
    assert!(matches!(error, common::bus::Error::ReadOnly(_)), "{error:?}");
    let error = rules.hunt_text(b"title: [", "").await.unwrap_err();
    assert!(matches!(error, common::bus::Error::InvalidArgument(_)), "{error:?}");
    let binaries = common::bus::BinariesProxy::new(&client).await.unwrap();
    let error = binaries.get("abcdef").await.unwrap_err();
    assert!(matches!(error, common::bus::Error::NotFound(_)), "{error:?}");
    let error = binaries.open("abcdeg").await.unwrap_err();
    assert!(matches!(error, common::bus::Error::InvalidArgument(_)), "{error:?}");
    let error = binaries.pin(&[], true).await.unwrap_err();
    assert!(matches!(error, common::bus::Error::ReadOnly(_)), "{error:?}");
    let error = processes.top("args", "", 5, false).await.unwrap_err();
    assert!(matches!(error, common::bus::Error::InvalidArgument(_)), "{error:?}");
}
