//! What only the recorder has: events from memory, rules, its kernel programs, alerts.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::load::{ALERTED_EXECS, EXECS, capture, paced, storm};
use crate::ours::Recorder;
use crate::table::row;

/// How often the captured records are replayed.
const GENERATIONS: u64 = 400;

const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Events a second from memory through decode, table and database.
pub(crate) fn replay(dir: &Path) -> anyhow::Result<()> {
    let raw = match capture() {
        Ok(raw) => raw,
        Err(error) => {
            row("replay from memory", &format!("left out: {error:#}"));
            return Ok(());
        }
    };
    let done = daemon::bench::replay(&raw, GENERATIONS, &dir.join("replay.db"))?;
    let rate = done.events as f64 / done.elapsed.as_secs_f64();
    row(
        "replay from memory: decode, track, store",
        &format!("{rate:.0} events/s ({} events, {:.2?})", done.events, done.elapsed),
    );
    let bytes = done.database_bytes as f64 / done.processes.max(1) as f64;
    row("  on disk per process", &format!("{bytes:.0} bytes"));
    Ok(())
}

pub(crate) fn evaluation(name: &str, rules: &Path) {
    let label = format!("detection per exec with the {name} rules");
    if !rules.is_dir() {
        row(&label, &format!("left out: {} is not there", rules.display()));
        return;
    }
    let done = daemon::bench::evaluation(rules, 20_000);
    let micros = done.elapsed.as_secs_f64() * 1e6 / done.events as f64;
    row(
        &label,
        &format!(
            "{micros:.2} µs ({} rules, {} events, {} fired)",
            done.rules, done.events, done.fired
        ),
    );
}

/// Run time of the kernel programs, which is measured apart: measuring costs too.
pub(crate) fn programs(dir: &Path) -> anyhow::Result<()> {
    let before = fs::read_to_string(STATS).context("read kernel.bpf_stats_enabled")?;
    fs::write(STATS, "1").context("switch on kernel.bpf_stats_enabled")?;
    let measured = (|| {
        let recorder = Recorder::start(&dir.join("programs"))?;
        storm(EXECS)?;
        let health = recorder.health()?;
        recorder.stop()?;
        anyhow::Ok(health)
    })();
    fs::write(STATS, before.trim()).context("restore kernel.bpf_stats_enabled")?;
    let capture = measured?.capture.context("figures of the capture")?;
    for program in capture.programs.iter().filter(|program| program.run_count > 0) {
        let mean_ns = program.run_time_ns / program.run_count;
        row(
            &format!("run time of program {}", program.name),
            &format!("{mean_ns} ns ({} runs)", program.run_count),
        );
    }
    Ok(())
}

/// From exec to signal, when every one of a thousand execs a second raises an alert.
pub(crate) fn alerts(dir: &Path) -> anyhow::Result<()> {
    let dir = dir.join("alerts");
    fs::create_dir(&dir)?;
    fs::create_dir(dir.join("rules"))?;
    fs::write(dir.join("rules/each.yml"), EACH)?;
    let recorder = Recorder::start_with(&dir.join("run"), &dir.join("rules"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut latencies = runtime.block_on(latencies(&recorder.dir.join("bus")))?;
    recorder.stop()?;
    latencies.sort_by(f64::total_cmp);
    ensure!(!latencies.is_empty(), "no signal came");
    let at = |hundredths: usize| latencies[(latencies.len() - 1) * hundredths / 100];
    row(
        "exec to alert signal, 1,000 alerts/s",
        &format!(
            "{:.1} ms (99 of 100 within {:.1} ms, {} of {ALERTED_EXECS} signals)",
            at(50),
            at(99),
            latencies.len()
        ),
    );
    Ok(())
}

const EACH: &str = "title: Each\nid: 00000000-0000-4000-8000-000000000001\nlevel: low\n\
    logsource: {category: process_creation, product: linux}\n\
    detection:\n  one:\n    CommandLine|contains: alert-each\n  condition: one\n";

/// Milliseconds from the time of an exec to the receipt of its signal, of each.
async fn latencies(bus: &Path) -> anyhow::Result<Vec<f64>> {
    use futures_lite::StreamExt as _;

    let stream = tokio::net::UnixStream::connect(bus).await?.into_std()?;
    let connection = zbus::connection::Builder::unix_stream(stream).p2p().build().await?;
    let alerts = common::bus::AlertsProxy::new(&connection).await?;
    let mut raised = alerts.receive_raised().await?;
    let load = tokio::task::spawn_blocking(paced);
    let mut received = Vec::new();
    while received.len() < ALERTED_EXECS as usize {
        let next = tokio::time::timeout(Duration::from_secs(5), raised.next()).await;
        let Ok(Some(signal)) = next else { break };
        received.push((signal.args()?.id, jiff::Timestamp::now()));
    }
    load.await??;
    let mut latencies = Vec::with_capacity(received.len());
    for (id, at) in received {
        let alert: common::alert::Alert<'_> = serde_json::from_str(&alerts.get(id).await?)?;
        let began: jiff::Timestamp = alert.event.timestamp.parse()?;
        latencies.push((at.as_nanosecond() - began.as_nanosecond()) as f64 / 1e6);
    }
    Ok(latencies)
}
