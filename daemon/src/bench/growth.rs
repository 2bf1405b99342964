//! What is asked of a database of some size, and how long it takes.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use common::filter::{Field, Filter};
use common::id::BootId;

use super::machine::NEEDLE;
use crate::store::{
    BinaryOrder, BinaryPage, Control, Grouping, Limits, Now, Reach, Reader, Retention, Selection,
    Writer,
};

const DAY_NS: i64 = 86_400_000_000_000;
/// Rows of a page, as the viewer asks for them.
const PAGE: u32 = 200;

/// One question, with how long it took at first, and then mostly.
#[derive(Debug)]
pub struct Timing {
    pub question: &'static str,
    pub first: Duration,
    pub median: Duration,
    /// Rows or values that were found.
    pub found: u64,
}

/// Asks everything of the database that makes a person wait, and has this part in its name.
pub fn questions(path: &Path, part: &str) -> anyhow::Result<Vec<Timing>> {
    let reader = Reader::recorded(path)?;
    let control = Control::default();
    let totals = reader.totals(&control)?;
    let newest = i64::try_from(totals.records)?;
    let now_ns = i64::try_from(jiff::Timestamp::now().as_nanosecond())?;
    let page = |filter: &str| -> anyhow::Result<u64> {
        let filter = Filter::parse(filter, now_ns).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let selection = Selection {
            filter: &filter,
            limit: PAGE,
            is_newest_first: true,
            cursor: None,
            last_row: None,
        };
        let mut found = 0;
        reader.page(&control, &selection, &mut |_| {
            found += 1;
            ControlFlow::Continue(())
        })?;
        Ok(found)
    };
    let histogram = |filter: &str, span_ns: i64| -> anyhow::Result<u64> {
        let filter = Filter::parse(filter, now_ns).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let counts = reader.histogram(&control, &filter, now_ns - span_ns, now_ns, 120)?;
        Ok(counts.iter().sum())
    };
    let top = |field: Field, filter: &str| -> anyhow::Result<u64> {
        let filter = Filter::parse(filter, now_ns).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let by = Grouping::by(field).expect("it can be counted");
        Ok(reader.top(&control, &by, &filter, 20, false)?.len() as u64)
    };
    let tree = || -> anyhow::Result<u64> {
        let mut process = None;
        let filter = Filter::all();
        let selection = Selection {
            filter: &filter,
            limit: 1,
            is_newest_first: true,
            cursor: Some(newest / 2),
            last_row: None,
        };
        reader.page(&control, &selection, &mut |record| {
            process = Some(record.process);
            ControlFlow::Continue(())
        })?;
        let reach = Reach { up: 50, down: 3, limit: 1000 };
        let process = process.ok_or_else(|| anyhow::anyhow!("no process"))?;
        Ok(reader.tree(&control, process, &reach)?.len() as u64)
    };
    let binaries = || -> anyhow::Result<u64> {
        let filter = Filter::all();
        let selection = BinaryPage {
            filter: &filter,
            is_only: false,
            order: BinaryOrder::Last,
            first_since_ns: 0,
            is_unpackaged: false,
            limit: PAGE,
        };
        let mut found = 0;
        reader.binaries(&control, &selection, &mut |_| {
            found += 1;
            ControlFlow::Continue(())
        })?;
        Ok(found)
    };
    let all_ns = i64::MAX / 2;
    let needle = format!("cmd ~ {NEEDLE}");
    let by_pid = || {
        Ok(reader.by_pid(&control, 1000 + u32::try_from(newest / 2 % 4_000_000)?, 20)?.len() as u64)
    };
    let mut timings = Vec::new();
    let mut ask =
        |question: &'static str, ask: &dyn Fn() -> anyhow::Result<u64>| -> anyhow::Result<()> {
            if question.contains(part) {
                timings.push(time(question, ask)?);
            }
            Ok(())
        };
    ask("totals, as health has them", &|| Ok(reader.totals(&control)?.records))?;
    ask("newest page", &|| page(""))?;
    ask("newest page, of a user", &|| page("user = carol"))?;
    ask("newest page, of an executable that ran seldom", &|| page("exe = /usr/bin/tool-398"))?;
    ask("newest page, failed", &|| page("state = failed"))?;
    let long_ago = "state = killed and rss > 1TiB and time >= 168h ago and time < 167h ago";
    ask("newest page, of an hour long ago", &|| page(long_ago))?;
    ask("processes that had a pid", &by_pid)?;
    ask("tree, 50 up and 3 down", &tree)?;
    ask("a part of a command line that is hardly there", &|| page(&needle))?;
    ask("a part of a command line that is nowhere", &|| page("cmd ~ nowhere-at-all"))?;
    ask("a regular expression that is nowhere", &|| page("cmd =~ \"no.where [0-9]+\""))?;
    ask("histogram of an hour", &|| histogram("", DAY_NS / 24))?;
    ask("histogram of a day, of a user", &|| histogram("user = root", DAY_NS))?;
    ask("histogram of everything", &|| histogram("", now_ns))?;
    ask("histogram of everything, of a user", &|| histogram("user = root", now_ns))?;
    ask("histogram of everything, of a substring", &|| histogram(&needle, all_ns.min(now_ns)))?;
    ask("most frequent executables of a day", &|| top(Field::Exe, "since 1d ago"))?;
    ask("most frequent executables", &|| top(Field::Exe, ""))?;
    ask("sessions of a day", &|| top(Field::AuditSession, "since 1d ago"))?;
    ask("binaries that ran last", &binaries)?;
    Ok(timings)
}

fn time(question: &'static str, ask: &dyn Fn() -> anyhow::Result<u64>) -> anyhow::Result<Timing> {
    let once = || -> anyhow::Result<(Duration, u64)> {
        let start = Instant::now();
        let found = ask()?;
        Ok((start.elapsed(), found))
    };
    let (first, found) = once()?;
    let begun = Instant::now();
    let mut times = vec![];
    // What takes long is asked less often.
    while times.len() < 9 && (times.is_empty() || begun.elapsed() < Duration::from_secs(4)) {
        times.push(once()?.0);
    }
    times.sort();
    Ok(Timing { question, first, median: times[times.len() / 2], found })
}

/// What a recorder does with the database when it starts, and what retention does then.
#[derive(Debug)]
pub struct Upkeep {
    pub open: Duration,
    pub steps: Vec<Duration>,
    pub deleted: u64,
}

/// Opens it as a recorder does and deletes the oldest tenth of it, as of one moment.
pub fn upkeep(path: &Path, processes: u64) -> anyhow::Result<Upkeep> {
    let start = Instant::now();
    let mut writer = Writer::open(path)?;
    writer.take_over(BootId::from_bits(1))?;
    writer.next_row()?;
    writer.next_alert()?;
    let open = start.elapsed();
    let step_ns = DAY_NS / super::machine::PROCESSES_A_DAY.cast_signed();
    let kept = (processes / 10 * 9).cast_signed() * step_ns;
    let limits = Limits { age_ns: Some(kept), size_bytes: None, alert_age_ns: None };
    writer.set_age(limits.age_ns)?;
    let mut retention = Retention::new(limits);
    let now_ns = i64::try_from(jiff::Timestamp::now().as_nanosecond())?;
    let mut steps = Vec::new();
    loop {
        let start = Instant::now();
        let has_more = retention.step(
            &mut writer,
            Now { wall_ns: now_ns, boottime_ns: now_ns, boot: BootId::from_bits(1) },
        )?;
        if !has_more {
            break;
        }
        steps.push(start.elapsed());
    }
    steps.sort();
    let deleted = retention.figures().lock().map_or(0, |figures| figures.deleted_records);
    Ok(Upkeep { open, steps, deleted })
}
