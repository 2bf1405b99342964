//! What rules and the readers of files say of the images in the table.

use std::sync::Arc;

use common::record::Record;
use ebpf::event::TaskId;

use super::detector::MOST_ANCESTORS;
use super::table::{Entry, Table};
use super::tracker::Tracker;
use crate::binaries::Found;
use crate::detect::Part;
use crate::sensor::opening::Way;
use crate::store::Finding;

impl Tracker {
    /// An exec: rules that ask for its content wait, where that is not settled.
    pub(super) fn judge(&mut self, record: &Arc<Record>, is_settled: bool) {
        self.batch.findings.extend(self.contents.look_at_script(record));
        self.ask_rules(record, Part::WithoutHash);
        if is_settled {
            self.ask_rules(record, Part::WithHash);
        } else if self.detector.has_hash_rules() && !self.contents.wait(record) {
            self.detector.give_up();
        }
    }

    fn ask_rules(&mut self, record: &Arc<Record>, part: Part) {
        let Self { detector, table, batch, live, .. } = self;
        detector.look(record, part, || ancestors(table, record), batch, live);
    }

    /// Whether what it says can be judged only once all is read that has happened until now.
    pub(crate) fn depends_on_later_events(&self, found: &Found) -> bool {
        let Found::Answer(answer) = found else { return false };
        matches!(answer.way, Some(Way::Process { .. }))
    }

    /// Something was found out of executed files.
    pub(crate) fn found(&mut self, found: Found) {
        let answer = match found {
            Found::Answer(answer) => *answer,
            Found::Copies { sha256, storage } => {
                self.contents.forget(&sha256);
                self.batch.findings.push(Finding::Copies { sha256, storage });
                return;
            }
            Found::Orphan { content, size_bytes, stored_bytes } => {
                let finding = Finding::Orphan { content, size_bytes, stored_bytes };
                self.batch.findings.push(finding);
                return;
            }
        };
        let (findings, waited) = self.contents.take(answer);
        self.batch.findings.extend(findings);
        for record in waited {
            self.ask_rules(&Arc::new(record), Part::WithHash);
        }
    }

    /// What the process ran until now it does not run any more.
    pub(super) fn note_end_of_image(&mut self, task: TaskId, boottime_ns: u64) {
        // A child that has not executed yet shares its parent's image, which goes on.
        let own_row = |entry: &Entry| {
            let image = entry.image.as_ref().filter(|image| image.process == entry.process)?;
            Some(image.row)
        };
        if let Some(row) = self.table.get(task).and_then(own_row) {
            self.contents.moved_on(row, boottime_ns);
        }
    }
}

/// Those of them that still run, parent first.
fn ancestors(table: &Table, of: &Record) -> Vec<Arc<Record>> {
    let mut found = Vec::new();
    let mut parent = of.parent.as_ref().map(|parent| parent.process);
    while let Some(process) = parent
        && found.len() < MOST_ANCESTORS
    {
        let task = TaskId { pid: process.pid, start_boottime_ns: process.start_boottime_ns };
        let Some(entry) = table.get(task) else { break };
        let Some(image) = &entry.image else { break };
        found.push(image.clone());
        parent = entry.parent.as_ref().map(|link| link.parent.process);
    }
    found
}
