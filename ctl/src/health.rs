//! `bpfctl status` and `bpfctl health`: whether the record can be trusted.

use std::io::Write;

use common::ecs::Gap;
use common::health::{Capture, Files, Health, Kinds, Named, Program, Retention};
use jiff::Timestamp;

use crate::command::Context;
use crate::error::{self, CommandError};
use crate::page::Page;
use crate::row::gap_notice;
use crate::screen::{Screen, Tone};
use crate::stream::{Kind, Stream};
use crate::text::{counted, date_time_of, number, size};

const NEWEST_GAPS: u32 = 20;

pub(crate) async fn status(context: &mut Context) -> Result<(), CommandError> {
    let answer = context.manager().await?.health().await?;
    if context.json {
        writeln!(context.out, "{}", answer.trim_end())?;
    } else {
        let page = status_page(&parse(&answer)?, Timestamp::now(), &context.screen);
        context.out.write_all(page.as_bytes())?;
    }
    context.out.flush()?;
    Ok(())
}

pub(crate) async fn health(context: &mut Context) -> Result<(), CommandError> {
    let manager = context.manager().await?;
    let answer = manager.health().await?;
    if context.json {
        writeln!(context.out, "{}", answer.trim_end())?;
    }
    let mut gaps = Vec::new();
    let mut stream = Stream::new(manager.gaps(0, 0, NEWEST_GAPS).await?)?;
    while let Some(kind) = stream.next().await? {
        if context.json {
            context.out.write_all(stream.line())?;
            context.out.write_all(b"\n")?;
        } else if let Kind::Gap(gap) = kind {
            gaps.push(gap);
        }
    }
    if !context.json {
        let page = health_page(&parse(&answer)?, &gaps, &context.screen);
        context.out.write_all(page.as_bytes())?;
    }
    context.out.flush()?;
    Ok(())
}

fn parse(answer: &str) -> Result<Health, CommandError> {
    serde_json::from_str(answer).map_err(|error| error::not_understood(&error))
}

fn state_of(health: &Health) -> (Tone, &'static str) {
    match &*health.state {
        "recording" => (Tone::Running, "● recording"),
        "starting" => (Tone::Strong, "◌ starting: not recording yet"),
        "stopping" => (Tone::Failed, "■ stopping: not recording any more"),
        "read-only" => (Tone::Strong, "▣ a recorded database, read-only"),
        _ => (Tone::Failed, "? in an unknown state"),
    }
}

/// Records that never came, over all time and in this run.
fn lost_now(capture: &Capture) -> u64 {
    capture.dropped_ring_full.total() + capture.not_run + capture.undecodable
}

fn warnings(page: &mut Page<'_>, health: &Health) {
    if health.warnings.is_empty() {
        return;
    }
    page.section("warnings");
    for warning in &health.warnings {
        page.item(Tone::Failed, &format!("! {warning}"));
    }
}

fn lost_field(page: &mut Page<'_>, name: &str, count: u64, of: &str) {
    match count {
        0 => page.field(name, "0"),
        _ => page.toned_field(name, Tone::Loss, &format!("!! {}{of}", number(count))),
    }
}

fn status_page(health: &Health, now: Timestamp, screen: &Screen) -> String {
    let mut page = Page::new(screen);
    let (tone, state) = state_of(health);
    page.heading(tone, &format!("{state}  {}", health.host));
    let ago = health.since.parse::<Timestamp>().ok().map(|since| now.duration_since(since));
    let ago = ago.and_then(|ago| u64::try_from(ago.as_nanos()).ok()).map(common::time::duration);
    let since = date_time_of(&health.since, &screen.zone);
    page.field("since", &ago.map_or(since.clone(), |ago| format!("{since} ({ago})")));
    if let Some(capture) = &health.capture {
        page.field("running", &counted(capture.running, "process"));
        page.field("rules", &format!("{} in force", number(capture.rules)));
    }
    let oldest = health.store.oldest.as_deref().map(|time| date_time_of(time, &screen.zone));
    let oldest = oldest.map(|time| format!(", the oldest of {time}")).unwrap_or_default();
    page.field("records", &format!("{}{oldest}", number(health.store.records)));
    if let Some(retention) = &health.store.retention {
        page.field("kept", &limits(retention));
    }
    let gaps = format!(" records, in {}", counted(health.store.gaps, "gap"));
    lost_field(&mut page, "lost", health.store.lost, &gaps);
    let free = size(health.store.free_disk_bytes);
    page.field("database", &format!("{}, {free} free", size(health.store.size_bytes)));
    if let Some(capture) = &health.capture {
        page.field("delay", &format!("{} ms", number(capture.lag_ms)));
    }
    page.field("version", &health.version);
    warnings(&mut page, health);
    page.into_text()
}

fn health_page(health: &Health, gaps: &[Gap], screen: &Screen) -> String {
    let mut page = Page::new(screen);
    let (tone, state) = state_of(health);
    page.heading(tone, &format!("{state}  {}", health.host));
    warnings(&mut page, health);
    losses(&mut page, health, gaps, screen);
    if let Some(capture) = &health.capture {
        flow(&mut page, capture);
        programs(&mut page, &capture.programs);
        processes(&mut page, capture);
        files(&mut page, &capture.files);
    }
    store(&mut page, health, screen);
    page.section("host");
    page.field("recorder", &format!("version {}", health.version));
    page.field("recording since", &date_time_of(&health.since, &screen.zone));
    page.field("kernel", &health.kernel);
    page.field("boot", &health.boot_id);
    page.into_text()
}

fn losses(page: &mut Page<'_>, health: &Health, gaps: &[Gap], screen: &Screen) {
    page.section("losses, over all time");
    lost_field(page, "records lost", health.store.lost, "");
    page.field("gaps", &number(health.store.gaps));
    for gap in gaps {
        let date = common::time::parse_rfc3339(&gap.timestamp)
            .map(|ns| common::time::date(ns, &screen.zone))
            .unwrap_or_default();
        let notice = gap_notice(gap, screen);
        page.item(Tone::Failed, &notice.replacen("!! ", &format!("!! {date} "), 1));
    }
    if health.store.gaps > gaps.len() as u64 {
        let older = counted(health.store.gaps - gaps.len() as u64, "older gap");
        page.item(Tone::Dim, &format!("… and {older}"));
    }
    let Some(capture) = &health.capture else { return };
    page.section("losses, in this run");
    lost_field(page, "records lost", lost_now(capture), "");
    lost_field(
        page,
        "ring full",
        capture.dropped_ring_full.total(),
        &kinds(capture.dropped_ring_full),
    );
    lost_field(page, "program not run", capture.not_run, " (skipped by the kernel)");
    lost_field(page, "undecodable", capture.undecodable, "");
    let missed = " events not sent to slow subscribers (they are recorded)";
    lost_field(page, "missed", capture.subscriber_missed, missed);
    named(page, "not readable", &capture.faults);
    named(page, "cut", &capture.cuts);
}

/// ` (1 fork, 2 exec, 0 exit)`
fn kinds(kinds: Kinds) -> String {
    format!(
        " ({} fork, {} exec, {} exit)",
        number(kinds.fork),
        number(kinds.exec),
        number(kinds.exit)
    )
}

fn named(page: &mut Page<'_>, name: &str, counts: &[Named]) {
    let counts: Vec<_> = counts.iter().filter(|count| count.count > 0).collect();
    if counts.is_empty() {
        page.field(name, "0");
    }
    for count in counts {
        page.toned_field(
            name,
            Tone::Failed,
            &format!("! {} of {}", number(count.count), count.name),
        );
    }
}

fn flow(page: &mut Page<'_>, capture: &Capture) {
    page.section("records of this run");
    for (name, count) in
        [("meant", capture.meant), ("sent", capture.sent), ("decoded", capture.decoded)]
    {
        page.field(name, &format!("{}{}", number(count.total()), kinds(count)));
    }
    page.field("duplicate exits", &number(capture.duplicate_exits));
    let (used, ring) = (size(capture.ring_used_bytes), size(capture.ring_size_bytes));
    page.field("ring", &format!("{used} of {ring} in use"));
    page.field("delay", &format!("{} ms", number(capture.lag_ms)));
    page.field("subscribers", &capture.subscribers.to_string());
}

fn programs(page: &mut Page<'_>, programs: &[Program]) {
    page.section("kernel programs");
    for program in programs {
        let mut text = format!("{} runs", number(program.run_count));
        if let Some(each) = program.run_time_ns.checked_div(program.run_count).filter(|ns| *ns > 0)
        {
            text.push_str(&format!(", {each} ns each"));
        }
        match program.recursion_misses {
            Some(misses) => text.push_str(&format!(", {} skipped", number(misses))),
            None => text.push_str(", skips not counted by this kernel"),
        }
        page.field(&program.name, &text);
    }
}

fn processes(page: &mut Page<'_>, capture: &Capture) {
    page.section("processes");
    page.field("running", &number(capture.running));
    page.field("rules in force", &number(capture.rules));
    lost_field(page, "not evaluated", capture.not_evaluated, " events, which are recorded");
    let snapshot = match &*capture.snapshot {
        "iterator" => "asked of the kernel (iterator)",
        "proc" => "read from /proc (proc)",
        _ => "not looked for (none)",
    };
    page.field("older ones", snapshot);
    page.field("sensor", &format!("pid {}", capture.sensor_pid));
    let recorder = format!("pid {}, user {}", capture.recorder_pid, capture.recorder_user);
    page.field("recorder", &recorder);
    page.field("restarts", &capture.recorder_restarts.to_string());
    page.field("memory", &size(capture.resident_bytes));
}

fn files(page: &mut Page<'_>, files: &Files) {
    page.section("executed files, in this run");
    page.field("read", &number(files.read));
    page.field("known already", &number(files.known));
    page.field("waiting", &number(files.waiting));
    named(page, "not read", &files.unread);
    lost_field(page, "not asked for", files.not_asked, " (too many at once)");
    let late = " events, by rules that ask for a hash";
    lost_field(page, "not judged", files.not_judged, late);
    let copies = format!("{}, {} on disk", number(files.kept), size(files.kept_bytes));
    page.field("copies", &copies);
    page.field("removed for room", &number(files.evicted));
    if files.disappeared > 0 {
        lost_field(page, "disappeared", files.disappeared, " copies (see bpfctl binaries)");
    }
}

fn store(page: &mut Page<'_>, health: &Health, screen: &Screen) {
    let store = &health.store;
    page.section("database");
    page.field("path", &store.path);
    page.field("size", &size(store.size_bytes));
    page.field("free on disk", &size(store.free_disk_bytes));
    page.field("records", &number(store.records));
    if let Some(each) = store.size_bytes.checked_div(store.records) {
        page.field("per record", &format!("{each} B"));
    }
    for (name, time) in [("oldest", &store.oldest), ("newest", &store.newest)] {
        page.optional(
            name,
            time.as_deref().map(|time| date_time_of(time, &screen.zone)).as_deref(),
        );
    }
    let since = store.complete_since.as_deref().map(|time| date_time_of(time, &screen.zone));
    page.optional("complete since", since.as_deref());
    if let Some(kept) = &store.retention {
        retention(page, kept, screen);
    }
}

fn retention(page: &mut Page<'_>, retention: &Retention, screen: &Screen) {
    page.section("retention");
    page.field("kept", &limits(retention));
    let age = retention.alert_age_ns.map(common::time::duration);
    page.field("alerts kept", age.as_deref().unwrap_or("for ever"));
    page.field("deleted records", &number(retention.deleted_records));
    let early = match retention.deleted_alerts_early {
        0 => String::new(),
        early => format!(", {} before their time", number(early)),
    };
    page.field("deleted alerts", &format!("{}{early}", number(retention.deleted_alerts)));
    page.field("deleted gaps", &number(retention.deleted_gaps));
    let last = retention.last_pass.as_deref().map(|time| date_time_of(time, &screen.zone));
    page.optional("last deleted", last.as_deref());
    page.field("free in the file", &size(retention.free_bytes));
    if retention.is_preparing {
        page.field("state", "looks through what an earlier version recorded");
    }
}

/// How long records are kept, and how many of them.
fn limits(retention: &Retention) -> String {
    let age = retention.age_ns.map(common::time::duration);
    let bytes = retention.size_bytes.map(size);
    match (age, bytes) {
        (None, None) => "for ever".to_owned(),
        (Some(age), None) => age,
        (None, Some(bytes)) => format!("up to {bytes}"),
        (Some(age), Some(bytes)) => format!("{age}, up to {bytes}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Health {
        Health {
            version: "0.1.0".to_owned(),
            state: "recording".to_owned(),
            host: "web1".to_owned(),
            kernel: "6.12.0".to_owned(),
            boot_id: "3f2a9c81-d0b4-4c1e-9d0c-0123456789ab".to_owned(),
            since: "2026-11-24T08:50:06Z".to_owned(),
            store: common::health::Store {
                path: "/var/lib/bpf-recorder/recorder.db".to_owned(),
                size_bytes: 3 << 20,
                free_disk_bytes: 40 << 30,
                records: 12_481,
                oldest: Some("2026-11-20T00:00:00Z".to_owned()),
                newest: None,
                gaps: 0,
                lost: 0,
                alerts_new: 3,
                complete_since: None,
                retention: None,
            },
            capture: Some(Capture { running: 312, lag_ms: 12, ..Capture::default() }),
            warnings: Vec::new(),
        }
    }

    fn gap() -> Gap {
        Gap {
            timestamp: "2026-11-24T14:03:27.512Z".to_owned(),
            cpu: 1,
            kind: "any".to_owned(),
            count: 7,
            cause: "ring-full".to_owned(),
        }
    }

    #[test]
    fn status_fits_on_a_screen() {
        let now = "2026-11-24T10:53:06Z".parse().unwrap();
        let expected = "\
● recording  web1
  since             2026-11-24 08:50:06.000 (2 h 03 m)
  running           312 processes
  rules             0 in force
  records           12,481, the oldest of 2026-11-20 00:00:00.000
  lost              0
  database          3.0 MiB, 40 GiB free
  delay             12 ms
  version           0.1.0
";
        assert_eq!(status_page(&sample(), now, &Screen::plain(Some(80))), expected);
    }

    #[test]
    fn losses_and_warnings_are_loud() {
        let mut health = sample();
        health.store.lost = 1200;
        health.store.gaps = 3;
        health.warnings = vec!["the disk is full\x1b[2J".to_owned()];
        let screen = Screen::plain(None);
        let page = status_page(&health, Timestamp::UNIX_EPOCH, &screen);
        assert!(page.contains("  lost              !! 1,200 records, in 3 gaps\n"), "{page}");
        assert!(page.ends_with("\nwarnings\n  ! the disk is full\\x1b[2J\n"), "{page}");
        let page = health_page(&health, &[gap()], &screen);
        let expected = "\
● recording  web1

warnings
  ! the disk is full\\x1b[2J

losses, over all time
  records lost      !! 1,200
  gaps              3
  !! 2026-11-24 14:03:27.512  7 records lost on CPU 1 (ring-full)
  … and 2 older gaps

losses, in this run
  records lost      0
";
        assert!(page.starts_with(expected), "{page}");
    }

    #[test]
    fn files_that_were_not_read_are_counted_by_reason() {
        let mut health = sample();
        health.capture.as_mut().unwrap().files = Files {
            read: 1234,
            unread: vec![Named { name: "gone".to_owned(), count: 2 }],
            not_judged: 1,
            kept: 3,
            kept_bytes: 5 << 20,
            disappeared: 2,
            ..Files::default()
        };
        let page = health_page(&health, &[], &Screen::plain(None));
        let expected = "
executed files, in this run
  read              1,234
  known already     0
  waiting           0
  not read          ! 2 of gone
  not asked for     0
  not judged        !! 1 events, by rules that ask for a hash
  copies            3, 5.0 MiB on disk
  removed for room  0
  disappeared       !! 2 copies (see bpfctl binaries)
";
        assert!(page.contains(expected), "{page}");
    }

    #[test]
    fn a_recorder_that_does_not_record_says_so() {
        for (state, part) in [
            ("starting", "not recording"),
            ("stopping", "not recording"),
            ("read-only", "read-only"),
            ("x", "?"),
        ] {
            let health = Health { state: state.to_owned(), capture: None, ..sample() };
            for page in [
                status_page(&health, Timestamp::UNIX_EPOCH, &Screen::plain(None)),
                health_page(&health, &[], &Screen::plain(None)),
            ] {
                assert!(page.lines().next().unwrap().contains(part), "{page}");
            }
        }
    }
}
