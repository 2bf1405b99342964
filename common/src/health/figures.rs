//! What the recorder says of itself, as figures with names and units, and what to do where one is
//! not as it should be.

use super::{Capture, Files, Health, Kinds, Named, Program, Retention, Store};
use crate::ecs::Gap;
use crate::escape::line;
use crate::number::{number, size};
use crate::time::{Clock, duration, parse_rfc3339};

const CONFIG: &str = "/etc/bpf-recorder/config.toml";
/// An event is in the database well before.
const LATE_MS: u64 = 2000;
const LITTLE_DISK_BYTES: u64 = 1 << 30;
/// Without these three there is no record.
const PROGRAMS: [&str; 3] = ["fork", "exec", "exit"];
const DAY_NS: u128 = 86_400_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    Plain,
    /// To be looked at.
    Warning,
    /// The record is not whole.
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub name: String,
    /// With its unit. May be drawn as it is.
    pub value: String,
    pub tone: Tone,
    /// What to do.
    pub advice: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub title: &'static str,
    pub figures: Vec<Figure>,
}

impl Group {
    fn new(title: &'static str) -> Self {
        Self { title, figures: Vec::new() }
    }

    fn plain(&mut self, name: &str, value: impl Into<String>) {
        let (name, value) = (name.to_owned(), value.into());
        self.figures.push(Figure { name, value, tone: Tone::Plain, advice: None });
    }

    fn told(&mut self, tone: Tone, name: &str, value: impl Into<String>, advice: &str) {
        let advice = (tone > Tone::Plain && !advice.is_empty()).then(|| advice.to_owned());
        self.figures.push(Figure { name: name.to_owned(), value: value.into(), tone, advice });
    }

    /// Nothing is well; anything else is of this tone.
    fn count(&mut self, tone: Tone, name: &str, count: u64, unit: &str, advice: &str) {
        let tone = if count == 0 { Tone::Plain } else { tone };
        self.told(tone, name, with_unit(count, unit), advice);
    }

    fn named(&mut self, tone: Tone, name: &str, counts: &[Named], advice: &str) {
        let mut counts = counts.iter().filter(|count| count.count > 0).peekable();
        if counts.peek().is_none() {
            self.plain(name, "0");
        }
        for count in counts {
            let value = format!("{} × {}", number(count.count), line(&count.name));
            self.told(tone, name, value, advice);
        }
    }
}

fn with_unit(count: u64, unit: &str) -> String {
    match unit {
        "" => number(count),
        _ if count == 1 => format!("1 {}", unit.strip_suffix('s').unwrap_or(unit)),
        _ => format!("{} {unit}", number(count)),
    }
}

/// The whole in one sentence.
pub fn verdict(health: &Health) -> (Tone, String) {
    let state = match &*health.state {
        "recording" => "Recording",
        "read-only" => "A recorded database: nothing is recorded into it",
        "starting" => return (Tone::Warning, "Starting: not recording yet".to_owned()),
        "stopping" => return (Tone::Bad, "Stopping: not recording any more".to_owned()),
        other => return (Tone::Bad, format!("In an unknown state: {}", line(other))),
    };
    if health.state == "recording" && health.capture.is_none() {
        return (Tone::Bad, "The recording does not answer".to_owned());
    }
    if health.store.lost > 0 {
        let lost = with_unit(health.store.lost, "records");
        return (Tone::Bad, format!("{state}. {lost} lost, in {}", gaps(health.store.gaps)));
    }
    match health.store.gaps {
        0 => (Tone::Plain, format!("{state}. Nothing was lost")),
        count => (Tone::Warning, format!("{state}. Nothing was lost for certain; {}", gaps(count))),
    }
}

fn gaps(count: u64) -> String {
    with_unit(count, "gaps")
}

/// All figures, in groups that belong together.
pub fn groups(health: &Health, clock: &Clock) -> Vec<Group> {
    let mut groups = vec![losses(health)];
    if let Some(capture) = &health.capture {
        groups.push(delay(capture));
        groups.push(programs(&capture.programs));
        groups.push(flow(capture));
        groups.push(rules(capture));
        groups.push(files(&capture.files));
    }
    groups.push(store(&health.store, clock));
    groups.push(recorder(health, clock));
    groups
}

fn losses(health: &Health) -> Group {
    let mut group = Group::new("Lost");
    let gaps = gaps(health.store.gaps);
    let value = format!("{}, in {gaps}", with_unit(health.store.lost, "records"));
    let tone = if health.store.lost > 0 { Tone::Bad } else { Tone::Plain };
    group.told(tone, "ever", value, "");
    let Some(capture) = &health.capture else { return group };
    let ring = size(capture.ring_size_bytes);
    group.count(
        Tone::Bad,
        "ring was full",
        capture.dropped_ring_full.total(),
        "records",
        &format!("raise ring-size in {CONFIG} (now {ring})"),
    );
    group.count(
        Tone::Bad,
        "kernel skipped",
        capture.not_run,
        "events",
        "report this: the kernel could not enter a probe twice on one CPU",
    );
    group.count(
        Tone::Bad,
        "not understood",
        capture.undecodable,
        "records",
        "report this fault, with the versions below",
    );
    group.count(
        Tone::Warning,
        "not sent in time",
        capture.subscriber_missed,
        "events",
        "they are recorded: some window or command read too slowly, refresh it",
    );
    group.named(Tone::Warning, "not readable", &capture.faults, "the process shows a note");
    let cut = "longer than what is kept; the process shows a note";
    group.named(Tone::Warning, "cut", &capture.cuts, cut);
    group
}

fn delay(capture: &Capture) -> Group {
    let mut group = Group::new("Delay and queues");
    let late = if capture.lag_ms > LATE_MS { Tone::Warning } else { Tone::Plain };
    group.told(
        late,
        "delay to the disk",
        format!("{} ms", number(capture.lag_ms)),
        "the disk or the processor does not keep up: what happens now is shown later",
    );
    let (used, whole) = (capture.ring_used_bytes, capture.ring_size_bytes);
    let is_filling = used > whole / 2;
    group.told(
        if is_filling { Tone::Warning } else { Tone::Plain },
        "ring in use",
        format!("{} of {}", size(used), size(whole)),
        &format!("when it is full, records are lost: raise ring-size in {CONFIG}"),
    );
    group.plain("files to be read", with_unit(capture.files.waiting, "files"));
    group.plain("subscribers", number(u64::from(capture.subscribers)));
    group
}

/// A probe that is not there is told of before those that are.
fn programs(programs: &[Program]) -> Group {
    let mut group = Group::new("Kernel probes");
    for wanted in PROGRAMS {
        let is_it = |program: &Program| program.name.contains(&format!("_{wanted}"));
        if !programs.iter().any(is_it) {
            let advice = "events of this kind are not recorded: see the log of bpf-recorderd";
            group.told(Tone::Bad, wanted, "disabled", advice);
        }
    }
    let is_counted = programs.iter().any(|program| program.run_count > 0);
    for program in programs {
        let mut value = "attached".to_owned();
        if is_counted {
            value.push_str(&format!(", {}", with_unit(program.run_count, "runs")));
        }
        let each = program.run_time_ns.checked_div(program.run_count).filter(|ns| *ns > 0);
        if let Some(each) = each {
            value.push_str(&format!(", {} each", duration(each)));
        }
        let skipped = program.recursion_misses.unwrap_or(0);
        if skipped > 0 {
            value.push_str(&format!(", {} skipped", number(skipped)));
        }
        let tone = if skipped > 0 { Tone::Bad } else { Tone::Plain };
        group.told(tone, &line(&program.name), value, "");
    }
    if !is_counted && !programs.is_empty() {
        group.plain("runs", "not counted (sysctl kernel.bpf_stats_enabled=1)");
    }
    if programs.iter().any(|program| program.recursion_misses.is_none()) {
        group.plain("skips", "not counted by this kernel");
    }
    group
}

fn flow(capture: &Capture) -> Group {
    let mut group = Group::new("Records of this run");
    for (name, kinds) in [
        ("meant to be sent", capture.meant),
        ("sent by the kernel", capture.sent),
        ("decoded", capture.decoded),
    ] {
        group.plain(name, by_kind(kinds));
    }
    group.plain("ends told twice", number(capture.duplicate_exits));
    group.plain("processes running", number(capture.running));
    let snapshot = match &*capture.snapshot {
        "iterator" => "asked of the kernel",
        "proc" => "read from /proc",
        _ => "not looked for",
    };
    group.plain("older processes", snapshot);
    group
}

fn by_kind(kinds: Kinds) -> String {
    let Kinds { fork, exec, exit } = kinds;
    format!("{} fork, {} exec, {} exit", number(fork), number(exec), number(exit))
}

fn rules(capture: &Capture) -> Group {
    let mut group = Group::new("Rules");
    let tone = if capture.rules == 0 { Tone::Warning } else { Tone::Plain };
    let advice = "no rule is in force: see `bpfctl rules`";
    group.told(tone, "in force", with_unit(capture.rules, "rules"), advice);
    let failed = "they are recorded; report this fault";
    group.count(Tone::Bad, "failed on", capture.not_evaluated, "events", failed);
    group.count(
        Tone::Warning,
        "hash came too late",
        capture.files.not_judged,
        "events",
        "rules that ask for a hash were not evaluated on these",
    );
    group
}

fn files(files: &Files) -> Group {
    let mut group = Group::new("Executed files");
    group.plain("read", with_unit(files.read, "files"));
    group.plain("known before", with_unit(files.known, "files"));
    group.named(Tone::Warning, "not read", &files.unread, "");
    group.count(Tone::Warning, "too many at once", files.not_asked, "files", "they have no hash");
    group.plain("copies kept", format!("{}, {}", number(files.kept), size(files.kept_bytes)));
    group.plain("removed for room", number(files.evicted));
    if files.disappeared > 0 {
        let advice = "see bpfctl binaries";
        group.count(Tone::Warning, "disappeared", files.disappeared, "copies", advice);
    }
    if let Some(trouble) = &files.trouble {
        group.told(Tone::Warning, "copies", line(trouble), "until then no copies are kept");
    }
    group
}

fn store(store: &Store, clock: &Clock) -> Group {
    let mut group = Group::new("Database and retention");
    group.plain("file", line(&store.path));
    let each = store.size_bytes.checked_div(store.records);
    let each = each.map(|each| format!(", {each} B each")).unwrap_or_default();
    group.plain("records", format!("{}{each}", number(store.records)));
    group.plain("size", size(store.size_bytes));
    let is_scarce = store.free_disk_bytes < LITTLE_DISK_BYTES;
    group.told(
        if is_scarce { Tone::Bad } else { Tone::Plain },
        "free on the disk",
        size(store.free_disk_bytes),
        "make room on this disk, or move the data directory: a full disk ends the record",
    );
    let oldest = store.oldest.as_deref().and_then(parse_rfc3339);
    if let Some(oldest) = oldest {
        group.plain("reaches back to", clock.time_and_date(oldest));
        if let Some(rate) = bytes_a_day(store.size_bytes, oldest, clock.now_ns) {
            let days = store.free_disk_bytes.checked_div(rate);
            let days = days.map(|days| format!(", room for {}", with_unit(days, "days")));
            let value = format!("{} a day{}", size(rate), days.unwrap_or_default());
            group.plain("grows by", value);
        }
    }
    if let Some(retention) = &store.retention {
        kept(&mut group, retention, clock);
    }
    group
}

/// How long records are kept, and what became of those that were not.
fn kept(group: &mut Group, retention: &Retention, clock: &Clock) {
    let age = |age: Option<u64>| age.map_or_else(|| "for ever".to_owned(), duration);
    let bytes = retention.size_bytes.map(|bytes| format!(", up to {}", size(bytes)));
    let limits = format!("{}{}", age(retention.age_ns), bytes.unwrap_or_default());
    match &retention.unmet {
        None => group.plain("kept", limits),
        Some(reason) => {
            let advice = format!("{}; or raise retention-size in {CONFIG}", line(reason));
            group.told(Tone::Warning, "kept", limits, &advice);
        }
    }
    group.plain("alerts kept", age(retention.alert_age_ns));
    let last = retention.last_pass.as_deref().and_then(parse_rfc3339);
    let last = last.map(|last| format!(", last {}", clock.ago(last))).unwrap_or_default();
    let deleted = with_unit(retention.deleted_records, "records");
    group.plain("deleted since the start", format!("{deleted}{last}"));
    group.plain("deleted alerts", number(retention.deleted_alerts));
    group.count(
        Tone::Warning,
        "deleted before their time",
        retention.deleted_alerts_early,
        "alerts",
        "retention-size leaves no room for them: raise it",
    );
    if let Some(until) = &retention.clock_doubted_until {
        group.told(
            Tone::Warning,
            "clock",
            "was set ahead",
            &format!(
                "if it is wrong, set it right by {}: until then nothing is deleted by it",
                line(until)
            ),
        );
    }
    if retention.is_preparing {
        group.plain("state", "looks through what an earlier version recorded");
    }
}

/// `None` of a record too short to tell.
fn bytes_a_day(bytes: u64, oldest_ns: i64, now_ns: i64) -> Option<u64> {
    let span = u128::try_from(now_ns.checked_sub(oldest_ns)?).ok()?;
    if span < DAY_NS {
        return None;
    }
    u64::try_from(u128::from(bytes) * DAY_NS / span).ok()
}

fn recorder(health: &Health, clock: &Clock) -> Group {
    let mut group = Group::new("Recorder");
    if let Some(since) = parse_rfc3339(&health.since) {
        group.plain("since", format!("{}, {}", clock.time_and_date(since), clock.ago(since)));
    }
    if let Some(capture) = &health.capture {
        group.plain("memory", size(capture.resident_bytes));
        let user = line(&capture.recorder_user);
        group.plain("recorder", format!("pid {}, user {user}", capture.recorder_pid));
        group.plain("sensor", format!("pid {}", capture.sensor_pid));
        group.count(
            Tone::Warning,
            "restarts",
            u64::from(capture.recorder_restarts),
            "",
            "see why: `journalctl -u bpf-recorder`",
        );
    }
    group.plain("version", line(&health.version));
    group.plain("host", line(&health.host));
    group.plain("kernel", line(&health.kernel));
    group.plain("boot", line(&health.boot_id));
    group
}

/// Why a gap is there, in words.
pub fn cause(gap: &Gap) -> String {
    match &*gap.cause {
        "ring-full" => "the ring was full".to_owned(),
        "not-run" => "the kernel skipped the probe".to_owned(),
        "undecodable" => "the record was not understood".to_owned(),
        "database-damaged" => "the database was damaged and set aside".to_owned(),
        "database-removed" => "somebody removed the database".to_owned(),
        "not-finished" => "the recorder before ended suddenly".to_owned(),
        other => line(other),
    }
}

/// How much is missing; of some it cannot be told.
pub fn missing(gap: &Gap) -> String {
    match (gap.count, &*gap.kind) {
        (0, _) => "unknown".to_owned(),
        (count, "any") => number(count),
        (count, kind) => format!("{} {}", number(count), line(kind)),
    }
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
