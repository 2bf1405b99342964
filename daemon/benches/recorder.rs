//! What recording costs. Prints, and does not judge.
//!
//! `make bench`, as root. Figures of one machine at one time: compare ratios, not seconds.
//! With `--database FILE PROCESSES` it makes a database instead, for the benchmark of the viewer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use common::health::Health;
use ebpf::load::{Lanes, Options, Programs};
use ebpf::ring::Ring;

/// Execs of one block, and blocks of each kind.
const EXECS: u64 = 10_000;
const BLOCKS: usize = 5;
/// Records captured for the replay, and how often they are replayed.
const CAPTURED_EXECS: u64 = 500;
const GENERATIONS: u64 = 400;

/// Rules, from where the benchmark runs; those of SigmaHQ need not be there.
const RULES: [(&str, &str); 2] =
    [("shipped", "../rules"), ("SigmaHQ's", "../../shared/sigma/process_creation")];
/// Execs of the measurement of alerts, one a millisecond.
const ALERTED_EXECS: u32 = 3000;

const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--database") {
        let [file, processes, ..] = &arguments[at + 1..] else {
            bail!("--database takes a file and a number of processes");
        };
        return daemon::bench::machine::database(Path::new(file), processes.parse()?);
    }
    let dir = tempfile::Builder::new().prefix("bpf-recorder-bench").tempdir()?;
    // The recorder runs as another user.
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    describe_machine()?;
    replay(dir.path())?;
    for (name, rules) in RULES {
        evaluation(name, Path::new(rules));
    }
    if !nix::unistd::geteuid().is_root() {
        println!("not root: nothing is captured, the rest is left out");
        return Ok(());
    }
    blocks(dir.path())?;
    programs(dir.path())?;
    alerts(dir.path())
}

fn row(name: &str, value: &str) {
    println!("{name:52} {value}");
}

fn describe_machine() -> anyhow::Result<()> {
    let system = nix::sys::utsname::uname()?;
    let cpus = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    row("kernel", &system.release().to_string_lossy());
    row("processors", &cpus.to_string());
    row("load average before", load.split(' ').next().unwrap_or("?"));
    Ok(())
}

/// Events a second from memory through decode, table and database.
fn replay(dir: &Path) -> anyhow::Result<()> {
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

fn evaluation(name: &str, rules: &Path) {
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

/// From exec to signal, when every one of a thousand execs a second raises an alert.
fn alerts(dir: &Path) -> anyhow::Result<()> {
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

/// Starts a process each millisecond.
fn paced() -> anyhow::Result<()> {
    let start = Instant::now();
    for number in 0..ALERTED_EXECS {
        let due = start + Duration::from_millis(number.into());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let status = Command::new(program("BPF_WORKLOAD", "target/workload"))
            .args(["exit", "0", "alert-each", &number.to_string()])
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "the workload failed: {status}");
    }
    Ok(())
}

/// Real records of a small storm.
fn capture() -> anyhow::Result<Vec<Vec<u8>>> {
    let options =
        Options { ring_size_bytes: 32 << 20, capture_env: true, cookie: 1, lanes: Lanes::AsNeeded };
    let mut programs = Programs::load(&options)?;
    programs.attach()?;
    storm(CAPTURED_EXECS)?;
    programs.detach();
    let mut ring = Ring::map(programs.ring_fd(), programs.ring_size_bytes())?;
    let mut raw = Vec::new();
    while let Some(record) = ring.next() {
        raw.push(record.to_vec());
    }
    Ok(raw)
}

/// The same work with and without a recorder, in turn.
fn blocks(dir: &Path) -> anyhow::Result<()> {
    let mut ratios = Vec::new();
    let mut with = Vec::new();
    let mut cpu = Vec::new();
    let mut last = None;
    for block in 0..BLOCKS {
        let without = storm(EXECS)?;
        let recorder = Recorder::start(&dir.join(format!("block{block}")))?;
        let before = recorder.cpu_ns()?;
        let elapsed = storm(EXECS)?;
        let health = recorder.health()?;
        let used = recorder.cpu_ns()?.saturating_sub(before);
        let disk = recorder.stop()?;
        ratios.push(100.0 * (elapsed.as_secs_f64() / without.as_secs_f64() - 1.0));
        with.push(elapsed.as_secs_f64() * 1e6 / EXECS as f64);
        cpu.push(used as f64 / 1e3 / EXECS as f64);
        last = Some((health, disk));
    }
    let (health, disk) = last.context("a block")?;
    let capture = health.capture.context("figures of the capture")?;
    row(
        &format!("time per exec with recorder ({EXECS} execs, both cores)"),
        &spread(&mut with, "µs"),
    );
    row("  added by the recorder, block by block", &spread(&mut ratios, "%"));
    row("CPU of sensor and recorder per exec", &spread(&mut cpu, "µs"));
    let execs = capture.decoded.exec.max(1);
    row("on disk per exec, all in", &format!("{} bytes", disk / execs));
    row("resident memory of the recorder", &format!("{} MiB", capture.resident_bytes >> 20));
    row(
        "lost",
        &format!(
            "{} of {}",
            capture.meant.total() - capture.decoded.total(),
            capture.meant.total()
        ),
    );
    Ok(())
}

/// Run time of the kernel programs, which is measured apart: measuring costs too.
fn programs(dir: &Path) -> anyhow::Result<()> {
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

/// Median, least and most.
fn spread(values: &mut [f64], unit: &str) -> String {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values[0], values[values.len() - 1]);
    format!("{:.1} {unit} (least {least:.1}, most {most:.1})", values[values.len() / 2])
}

fn program(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| name.into(), PathBuf::from)
}

/// Starts, waits for and ends a static program so often, on both cores.
fn storm(execs: u64) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let status = Command::new(program("BPF_WORKLOAD", "target/workload"))
        .args(["storm", "-j", "2", &execs.to_string()])
        .stdout(Stdio::null())
        .status()
        .context("run the workload (build it with make workload)")?;
    ensure!(status.success(), "the workload failed: {status}");
    Ok(start.elapsed())
}

struct Recorder {
    child: Child,
    dir: PathBuf,
}

impl Recorder {
    /// With all rules there are.
    fn start(dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(dir, Path::new(RULES[0].1))
    }

    fn start_with(dir: &Path, rules: &Path) -> anyhow::Result<Self> {
        fs::create_dir(dir)?;
        let child = Command::new(program("BPF_RECORDERD", "target/release/bpf-recorderd"))
            .arg("run")
            .args(["--log", "error", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--bus")
            .arg(format!("unix:path={}", dir.join("bus").display()))
            .args(["--alert-repeat", "0s", "--admin-rules", RULES[1].1, "--shipped-rules"])
            .arg(rules)
            .spawn()
            .context("start the recorder")?;
        let recorder = Self { child, dir: dir.to_owned() };
        for _ in 0..200 {
            if recorder.health().is_ok() {
                return Ok(recorder);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the recorder does not answer")
    }

    fn health(&self) -> anyhow::Result<Health> {
        let output = Command::new(program("BPFCTL", "target/release/bpfctl"))
            .arg("--address")
            .arg(format!("unix:path={}", self.dir.join("bus").display()))
            .args(["--json", "health"])
            .output()
            .context("run bpfctl")?;
        ensure!(output.status.success(), "bpfctl failed");
        let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice(line).context("understand the health document")
    }

    /// Of sensor and recorder so far, from the scheduler's own clock.
    fn cpu_ns(&self) -> anyhow::Result<u64> {
        let recorder = self.health()?.capture.context("figures of the capture")?.recorder_pid;
        Ok(cpu_ns(self.child.id())? + cpu_ns(recorder)?)
    }

    /// Ends it; the bytes it leaves on disk.
    fn stop(mut self) -> anyhow::Result<u64> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        ensure!(self.child.wait()?.success(), "the recorder did not end well");
        let mut bytes = 0;
        for entry in fs::read_dir(self.dir.join("data"))? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}

/// Sum over the threads: field 1 of `/proc/PID/task/TID/schedstat` is time on the CPU.
fn cpu_ns(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(sum)
}
