//! Retro-hunt: what rules would have fired on, among what is recorded.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use common::bus::Error;
use common::escape;
use common::filter::Filter;
use common::record::{Record, Source as Began};
use common::rule::{Found, HuntDone, HuntLine, Origin, RuleState};
use common::time::rfc3339;
use zbus::OwnedFd;

use super::pipe::{self, Sink};
use super::{Service, failed};
use crate::detect::{self, Match, Ruleset, Source, Tried};
use crate::store::{Control, Reader, Selection, Stopped, Totals};

/// Command lines that are listed; beyond it they are counted.
const MOST_FOUND: usize = 10_000;
const PROGRESS: Duration = Duration::from_millis(200);

/// Compiles the text by itself and goes through the record on a thread of its own.
pub(super) async fn start(
    service: &Service,
    filter: Filter,
    text: Vec<u8>,
) -> Result<OwnedFd, Error> {
    let ruleset = tokio::task::spawn_blocking(move || ruleset(text)).await.map_err(failed)??;
    service.flush().await;
    let reader = service.inner.reader.clone();
    let (reading, writing) = pipe::new().map_err(failed)?;
    let mut sink = Sink::new(writing).map_err(failed)?;
    service.spawn_query(move || {
        let control = sink.control()?;
        let mut hunt = Hunt::new(ruleset);
        let result = hunt.run(&reader, &control, &filter, &mut sink);
        drop(control);
        hunt.finish(sink, result)
    })?;
    Ok(reading.into())
}

fn ruleset(content: Vec<u8>) -> Result<Ruleset, Error> {
    let source =
        Source { origin: Origin::Admin, file: "rule.yml".to_owned(), content: Ok(content) };
    // One that is switched off, or retired, is meant when it is tried.
    let compiled = detect::compile(&[source], None, &mut Tried::default());
    let unusable = compiled
        .entries
        .iter()
        .find(|entry| !matches!(entry.info.state, RuleState::Active | RuleState::Disabled));
    match unusable {
        Some(entry) if compiled.ruleset.len() == 0 => Err(Error::InvalidArgument(format!(
            "{}: {}",
            escape::terminal(&entry.info.title),
            escape::terminal(entry.info.reason.as_deref().unwrap_or("not usable"))
        ))),
        _ => Ok(compiled.ruleset),
    }
}

struct Hunt {
    ruleset: Ruleset,
    found: HashMap<(String, Vec<u8>), Found>,
    done: HuntDone,
    next_progress: Instant,
}

impl Hunt {
    fn new(ruleset: Ruleset) -> Self {
        Self {
            ruleset,
            found: HashMap::new(),
            done: HuntDone::default(),
            next_progress: Instant::now() + PROGRESS,
        }
    }

    fn run(
        &mut self,
        reader: &Reader,
        control: &Control,
        filter: &Filter,
        sink: &mut Sink,
    ) -> Result<io::Result<()>, Stopped> {
        let Totals { records: total, last_row, .. } = reader.totals(control)?;
        // The database leaves out what no rule can fire on; the engine decides on the rest.
        let filter = filter.clone().and(self.ruleset.prefilter());
        let selection = Selection {
            filter: &filter,
            limit: 0,
            // Correlations need the order of time.
            is_newest_first: false,
            cursor: None,
            last_row: None,
        };
        let mut broken = Ok(());
        reader.page(control, &selection, &mut |record| {
            self.look(record);
            if Instant::now() < self.next_progress {
                return ControlFlow::Continue(());
            }
            self.next_progress = Instant::now() + PROGRESS;
            // By where it stands: of the records before it, most were left out by the database.
            let ahead = last_row.saturating_sub(record.row.cast_unsigned());
            let looked_at = total.saturating_sub(ahead);
            broken = sink.hunt_line(&HuntLine::Progress { looked_at, total });
            if broken.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(broken)
    }

    fn look(&mut self, record: &Record) {
        self.done.looked_at += 1;
        if record.source != Began::Exec {
            return;
        }
        for fired in self.ruleset.evaluate(record) {
            self.done.matched += 1;
            self.note(fired, record);
        }
    }

    fn note(&mut self, fired: Match, record: &Record) {
        let key = (fired.rule.id.clone(), record.args.bytes.to_vec());
        if let Some(found) = self.found.get_mut(&key) {
            found.count += 1;
            found.last = rfc3339(record.time_ns);
            found.example = record.process.to_string();
            found.selections = fired.selections;
            return;
        }
        if self.found.len() >= MOST_FOUND {
            self.done.unlisted += 1;
            return;
        }
        let text = |bytes: &[u8]| escape::text(bytes).0.into_owned();
        let time = rfc3339(record.time_ns);
        self.found.insert(
            key,
            Found {
                rule_id: fired.rule.id.clone(),
                rule_title: fired.rule.title.clone(),
                level: fired.rule.level,
                command_line: text(&record.command_line()),
                executable: text(&record.executable.path.bytes),
                count: 1,
                first: time.clone(),
                last: time,
                example: record.process.to_string(),
                selections: fired.selections,
            },
        );
    }

    fn finish(mut self, mut sink: Sink, result: Result<io::Result<()>, Stopped>) -> io::Result<()> {
        match result {
            Ok(result) => result?,
            // Nobody reads any more.
            Err(Stopped::Cancelled) => return Ok(()),
            Err(error) => self.done.error = Some(error.to_string()),
        }
        let mut found: Vec<Found> = self.found.into_values().collect();
        found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| b.last.cmp(&a.last)));
        for found in found {
            sink.hunt_line(&HuntLine::Found(Box::new(found)))?;
        }
        sink.last(&HuntLine::Done(self.done))
    }
}
