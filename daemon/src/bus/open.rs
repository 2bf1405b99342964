//! Serving a recorded database, read-only: no eBPF, no privilege.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::access::Access;
use super::{Peers, Service, serve};
use crate::settings::{Bus, Web};
use crate::socket;
use crate::store::{FILE_NAME, Reader};
use crate::web;

/// On D-Bus, unless there is no `bus`, and as a web page, unless that is switched off.
pub(crate) fn run(file: &Path, bus: Option<&Bus>, page: Web) -> anyhow::Result<()> {
    let file = if file.is_dir() { file.join(FILE_NAME) } else { file.to_owned() };
    let reader = Reader::recorded(&file)?;
    let listener = match bus {
        Some(Bus::Socket(path)) => Some(socket::bind(path)?),
        _ => None,
    };
    let listening = match page.address {
        Some(_) => Some(web::Listening::begin(page.address)?),
        None => None,
    };
    anyhow::ensure!(
        bus.is_some() || listening.is_some(),
        "neither a bus nor a web page: nothing to do"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let service = Service::recorded(reader, &file, page);
        let uid = nix::unistd::Uid::effective().as_raw();
        if let Some(listening) = listening {
            serve_page(service.clone(), uid, listening, page);
        }
        let _serving = match bus {
            Some(bus) => Some(serve(service, bus, listener, uid).await?),
            None => None,
        };
        tracing::info!("serving {} read-only", file.display());
        if let Some(Bus::Socket(path)) = bus {
            eprintln!("look with: bpfctl --address unix:path={} events", path.display());
        }
        tokio::select! {
            _ = terminate.recv() => {}
            result = tokio::signal::ctrl_c() => result.context("listen for SIGINT")?,
        }
        anyhow::Ok(())
    })?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    if let Some(Bus::Socket(path)) = bus {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// The page is a client as in its own process, on connections that lead from here to here.
fn serve_page(service: Service, uid: u32, listening: web::Listening, page: Web) {
    let (sender, mut receiver) = mpsc::channel(4);
    let peers = Peers::new(service, Access::new(uid));
    tokio::spawn(async move {
        while let Some(stream) = receiver.recv().await {
            peers.admit(stream);
        }
    });
    let app = web::App::new(web::Way::Here(sender), listening.address(), page.has_metrics);
    tokio::spawn(web::serve(listening, app.clone()));
    tokio::spawn(web::announce(app));
}
