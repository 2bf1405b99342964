//! What only the recorder has: events from memory, rules, its kernel programs, alerts.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::load::{EXECS, capture, loads, paced, storm};
use crate::ours::{RULES, Recorder};
use crate::table::{Table, row};

/// How often the captured records are replayed, and the rules evaluated on each of some execs. What
/// was built for debugging only shows that all of it works.
const GENERATIONS: u64 = if cfg!(debug_assertions) { 4 } else { 400 };
const EVALUATIONS: u64 = if cfg!(debug_assertions) { 20 } else { 20_000 };
/// Execs of the measurement of alerts, one a millisecond.
const ALERTED_EXECS: u32 = 3000;

const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Events a second from memory, and what rules take of each exec.
pub(crate) fn from_memory(dir: &Path, table: &mut Table) -> anyhow::Result<()> {
    let micros = RULES.map(|(name, rules)| evaluation(name, Path::new(rules)));
    let replayed = replay(dir, micros.into_iter().flatten().sum());
    let cell = replayed.unwrap_or_else(|error| format!("left out: {error:#}"));
    table.add_ours("events/s from memory: decode, detect, store", "≥ 100,000", cell);
    Ok(())
}

/// Through decode, table and database; rules, `micros` for each exec, are not in it and are added up.
fn replay(dir: &Path, micros: f64) -> anyhow::Result<String> {
    let raw = capture()?;
    let mut execs = 0;
    for bytes in &raw {
        let event = ebpf::wire::decode(bytes).context("decode a captured record")?;
        execs += u64::from(matches!(event.body, ebpf::event::Body::Exec(_)));
    }
    let done = daemon::bench::replay(&raw, GENERATIONS, &dir.join("replay.db"))?;
    let seconds = done.elapsed.as_secs_f64();
    let rate = done.events as f64 / seconds;
    row(
        "replay from memory: decode, track, store",
        &format!("{rate:.0} events/s ({} events, {:.2?})", done.events, done.elapsed),
    );
    let bytes = done.database_bytes as f64 / done.processes.max(1) as f64;
    row("  on disk per process", &format!("{bytes:.0} bytes"));
    let with_rules = seconds + micros * (execs * GENERATIONS) as f64 / 1e6;
    Ok(format!("{:.0} ({rate:.0} without rules)", done.events as f64 / with_rules))
}

/// Microseconds for each exec, if the rules are there.
fn evaluation(name: &str, rules: &Path) -> Option<f64> {
    let label = format!("detection per exec with the {name} rules");
    if !rules.is_dir() {
        row(&label, &format!("left out: {} is not there", rules.display()));
        return None;
    }
    let done = daemon::bench::evaluation(rules, EVALUATIONS);
    let micros = done.elapsed.as_secs_f64() * 1e6 / done.events as f64;
    row(
        &label,
        &format!(
            "{micros:.2} µs ({} rules, {} events, {} fired)",
            done.rules, done.events, done.fired
        ),
    );
    Some(micros)
}

/// Run time of the kernel programs, which is measured apart: measuring costs too.
pub(crate) fn programs(dir: &Path) -> anyhow::Result<()> {
    let before = fs::read_to_string(STATS).context("read kernel.bpf_stats_enabled")?;
    fs::write(STATS, "1").context("switch on kernel.bpf_stats_enabled")?;
    let measured = (|| {
        let mut recorder = Recorder::start(&dir.join("programs"))?;
        storm(EXECS, loads()[1])?;
        let capture = recorder.capture()?;
        recorder.end()?;
        anyhow::Ok(capture)
    })();
    fs::write(STATS, before.trim()).context("restore kernel.bpf_stats_enabled")?;
    for program in measured?.programs.iter().filter(|program| program.run_count > 0) {
        let mean_ns = program.run_time_ns / program.run_count;
        row(
            &format!("run time of program {}", program.name),
            &format!("{mean_ns} ns ({} runs)", program.run_count),
        );
    }
    Ok(())
}

/// From exec to signal, when every one of a thousand execs a second raises an alert.
pub(crate) fn alerts(dir: &Path, table: &mut Table) -> anyhow::Result<()> {
    let dir = dir.join("alerts");
    fs::create_dir(&dir)?;
    fs::create_dir(dir.join("rules"))?;
    fs::write(dir.join("rules/each.yml"), each())?;
    let mut recorder = Recorder::start_with(&dir.join("run"), &dir.join("rules"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut latencies = runtime.block_on(latencies(&recorder.dir.join("bus")))?;
    recorder.end()?;
    latencies.sort_by(f64::total_cmp);
    ensure!(!latencies.is_empty(), "no signal came");
    let at = |hundredths: usize| latencies[(latencies.len() - 1) * hundredths / 100];
    let missing = ALERTED_EXECS as usize - latencies.len();
    let cell = format!("{:.1} ms (median {:.1}, {missing} missing)", at(99), at(50));
    table.add_ours("exec to alert signal, 99 of 100, 1,000 alerts/s", "≤ 50 ms", cell);
    Ok(())
}

const EACH_ID: &str = "00000000-0000-4000-8000-000000000001";

fn each() -> String {
    format!(
        "title: Each\nid: {EACH_ID}\nlevel: low\n\
         logsource: {{category: process_creation, product: linux}}\n\
         detection: {{one: {{CommandLine|contains: alert-each}}, condition: one}}\n"
    )
}

/// Milliseconds from the time of an exec to the receipt of its signal, of each.
async fn latencies(bus: &Path) -> anyhow::Result<Vec<f64>> {
    use futures_lite::StreamExt as _;

    let stream = tokio::net::UnixStream::connect(bus).await?.into_std()?;
    let connection = zbus::connection::Builder::unix_stream(stream).p2p().build().await?;
    let alerts = common::bus::AlertsProxy::new(&connection).await?;
    let mut raised = alerts.receive_raised().await?;
    let load = tokio::task::spawn_blocking(|| paced(ALERTED_EXECS, "alert-each"));
    let mut received = Vec::new();
    let start = Instant::now();
    while received.len() < ALERTED_EXECS as usize && start.elapsed() < Duration::from_secs(60) {
        let next = tokio::time::timeout(Duration::from_secs(5), raised.next()).await;
        let Ok(Some(signal)) = next else { break };
        let (at, signal) = (jiff::Timestamp::now(), signal.args()?);
        // Others on the machine may raise alerts too.
        if signal.rule_id == EACH_ID {
            received.push((signal.id, at));
        }
    }
    // Signals that nobody takes from a stream hold up the answers behind them.
    drop(raised);
    load.await??;
    let mut latencies = Vec::with_capacity(received.len());
    for (id, at) in received {
        let alert: common::alert::Alert<'_> = serde_json::from_str(&alerts.get(id).await?)?;
        let began: jiff::Timestamp = alert.event.timestamp.parse()?;
        latencies.push((at.as_nanosecond() - began.as_nanosecond()) as f64 / 1e6);
    }
    Ok(latencies)
}
