//! Serving a recorded database, read-only: no eBPF, no privilege.

use std::path::Path;

use anyhow::Context as _;

use super::{Service, serve};
use crate::settings::Bus;
use crate::socket;
use crate::store::Reader;

pub(crate) fn run(file: &Path, bus: &Bus) -> anyhow::Result<()> {
    let reader = Reader::recorded(file)?;
    let listener = match bus {
        Bus::Socket(path) => Some(socket::bind(path)?),
        Bus::System | Bus::Session => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .context("listen for SIGTERM")?;
        let service = Service::recorded(reader, file);
        let uid = nix::unistd::Uid::effective().as_raw();
        let _serving = serve(service, bus, listener, uid).await?;
        tracing::info!("serving {} read-only", file.display());
        if let Bus::Socket(path) = bus {
            eprintln!("look with: bpfctl --address unix:path={} events", path.display());
        }
        tokio::select! {
            _ = terminate.recv() => {}
            result = tokio::signal::ctrl_c() => result.context("listen for SIGINT")?,
        }
        anyhow::Ok(())
    })?;
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    if let Bus::Socket(path) = bus {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}
