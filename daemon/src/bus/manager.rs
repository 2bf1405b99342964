//! `org.bpfrecorder.Recorder1.Manager`: version, state, figures, gaps.

use common::bus::Error;
use common::ecs::Line;
use common::health::{Health, Retention, Store};
use common::time::rfc3339;
use nix::sys::utsname::{UtsName, uname};
use zbus::message::Header;
use zbus::{Connection, OwnedFd, interface};

use super::access::Access;
use super::pipe::{self, Sink};
use super::{Service, failed};
use crate::store::{Control, Totals};

pub(super) struct Manager {
    service: Service,
    access: Access,
}

impl Manager {
    pub(super) fn new(service: Service, access: Access) -> Self {
        Self { service, access }
    }
}

/// State and figures of the recorder.
#[interface(name = "org.bpfrecorder.Recorder1.Manager")]
impl Manager {
    /// Version, state, losses and all figures, as a JSON document.
    async fn health(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.access.check_read(connection, &header).await?;
        let health = self.service.health().await?;
        serde_json::to_string(&health).map_err(failed)
    }

    /// Gaps of the recording between two times (nanoseconds since 1970; 0: no limit), newest
    /// first, as NDJSON on a pipe that ends with a `done` line. A `limit` of 0 means all.
    async fn gaps(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        since_ns: i64,
        until_ns: i64,
        limit: u32,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        self.service.flush().await;
        let until_ns = if until_ns == 0 { i64::MAX } else { until_ns };
        let reader = self.service.inner.reader.clone();
        let (reading, writing) = pipe::new().map_err(failed)?;
        let mut sink = Sink::new(writing).map_err(failed)?;
        self.service.spawn_query(move || {
            let control = sink.control()?;
            let result = reader.gaps(&control, since_ns, until_ns, limit);
            drop(control);
            match result {
                Ok(gaps) => {
                    for gap in gaps {
                        sink.line(&Line::Gap(gap))?;
                    }
                    sink.done(None, None)
                }
                Err(error) => sink.done(None, Some(error.to_string())),
            }
        })?;
        Ok(reading.into())
    }

    /// Version of the recorder.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// `recording`, or `read-only` for a recorded database.
    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> &'static str {
        self.service.state()
    }
}

#[cfg(feature = "capture")]
impl super::Live {
    /// Adds what is known on this side.
    fn count(&self, figures: common::health::Capture) -> common::health::Capture {
        let taken = super::MOST_SUBSCRIPTIONS - self.subscriptions.available_permits();
        common::health::Capture {
            subscriber_missed: self.missed.load(std::sync::atomic::Ordering::Relaxed),
            subscribers: u32::try_from(taken).unwrap_or(u32::MAX),
            ..figures
        }
    }
}

impl Service {
    fn state(&self) -> &'static str {
        #[cfg(feature = "capture")]
        if self.inner.live.is_some() {
            return "recording";
        }
        "read-only"
    }

    pub(super) async fn health(&self) -> Result<Health, Error> {
        #[cfg(feature = "capture")]
        let capture = match &self.inner.live {
            Some(live) => live.pipeline.figures().await.map(|figures| live.count(figures)),
            None => None,
        };
        #[cfg(not(feature = "capture"))]
        let capture = None;
        self.flush().await;
        let reader = self.inner.reader.clone();
        let totals = tokio::task::spawn_blocking(move || reader.totals(&Control::default()))
            .await
            .map_err(failed)?
            .map_err(failed)?;
        let store = self.store(&totals);
        let system = uname().ok();
        let name = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let boot_id =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mut health = Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: self.state().to_owned(),
            host: name(system.as_ref().map(UtsName::nodename)),
            kernel: name(system.as_ref().map(UtsName::release)),
            boot_id: boot_id.trim().to_owned(),
            since: rfc3339(self.inner.since_ns),
            store,
            capture,
            warnings: Vec::new(),
        };
        health.warnings = self.warnings(&health);
        Ok(health)
    }

    fn store(&self, totals: &Totals) -> Store {
        let path = &self.inner.database;
        let free = nix::sys::statvfs::statvfs(path)
            .map(|stat| stat.blocks_available() * stat.fragment_size())
            .unwrap_or(0);
        Store {
            path: path.to_string_lossy().into_owned(),
            size_bytes: self.inner.reader.size_bytes(),
            free_disk_bytes: free,
            records: totals.records,
            oldest: totals.oldest_ns.map(rfc3339),
            newest: totals.newest_ns.map(rfc3339),
            complete_since: totals.complete_since_ns.map(rfc3339),
            gaps: totals.gaps,
            lost: totals.lost,
            alerts_new: totals.alerts_new,
            retention: self.retention(),
        }
    }

    fn retention(&self) -> Option<Retention> {
        #[cfg(feature = "capture")]
        return self.inner.live.as_ref().map(|live| live.pipeline.retention());
        #[cfg(not(feature = "capture"))]
        None
    }

    /// What a person should know or do, worst first.
    fn warnings(&self, health: &Health) -> Vec<String> {
        let mut warnings = Vec::new();
        #[cfg(feature = "capture")]
        if let Some(live) = &self.inner.live {
            warnings.extend(live.pipeline.troubles().sentences());
            if health.capture.is_none() {
                warnings.push("the recording does not answer: see the daemon's log".to_owned());
            }
            let troubles = live.rules.troubles().into_iter();
            warnings.extend(troubles.map(|trouble| format!("rules may be missing: {trouble}")));
        }
        if let Some(retention) = &health.store.retention {
            if let Some(unmet) = &retention.unmet {
                warnings.push(format!("retention-size cannot be met: {unmet}"));
            }
            if let Some(until) = &retention.clock_doubted_until {
                warnings.push(format!(
                    "the clock was set ahead: if it is still so at {until}, what is too old by \
                     it is deleted, and not before"
                ));
            }
            if retention.deleted_alerts_early > 0 {
                warnings.push(format!(
                    "{} alerts were deleted before their time: raise retention-size",
                    retention.deleted_alerts_early
                ));
            }
        }
        if let Some(capture) = &health.capture {
            let dropped = capture.dropped_ring_full.total();
            if dropped > 0 {
                warnings.push(format!(
                    "{dropped} events were lost because the ring was full: raise ring-size (now \
                     {} bytes)",
                    capture.ring_size_bytes
                ));
            }
            if capture.not_run > 0 {
                warnings.push(format!("the kernel skipped the programs {} times", capture.not_run));
            }
            if capture.undecodable > 0 {
                warnings.push(format!(
                    "{} records of the kernel were not understood: report this fault",
                    capture.undecodable
                ));
            }
            if capture.not_evaluated > 0 {
                warnings.push(format!(
                    "the rules failed on {} events, which are recorded: report this fault",
                    capture.not_evaluated
                ));
            }
            let files = &capture.files;
            if let Some(trouble) = &files.trouble {
                warnings.push(format!("executed files are not kept: {trouble}"));
            }
            if files.disappeared > 0 {
                warnings.push(format!(
                    "{} copies of executed files have disappeared: see bpfctl binaries",
                    files.disappeared
                ));
            }
            if files.not_asked > 0 {
                warnings.push(format!(
                    "{} executed files were not looked at: too many at once",
                    files.not_asked
                ));
            }
            if files.not_judged > 0 {
                warnings.push(format!(
                    "rules that ask for a hash were not evaluated on {} events: too many waited \
                     for theirs",
                    files.not_judged
                ));
            }
            if capture.recorder_restarts > 0 {
                warnings.push(format!(
                    "the recorder was restarted {} times: see the daemon's log",
                    capture.recorder_restarts
                ));
            }
        }
        if health.capture.is_some() && crate::namespace::is_in_pid_namespace() {
            warnings.push(
                "the recorder runs in a pid namespace: its pids are the host's, /proc here shows \
                 others"
                    .to_owned(),
            );
        }
        let free = health.store.free_disk_bytes;
        if free < 256 << 20 {
            warnings.push(format!("the disk of the database has only {} MiB left", free >> 20));
        }
        warnings
    }
}
