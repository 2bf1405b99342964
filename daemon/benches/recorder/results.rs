//! From what was measured to rows of the table.

use crate::comparison::{Block, Measured, Memory};
use crate::load::loads;
use crate::process::Resident;
use crate::subject::{Left, Subject};
use crate::table::{Table, plain, row, signed, spread};

pub(crate) struct Results<'a> {
    all: &'a [Measured],
}

impl<'a> Results<'a> {
    pub(crate) fn new(all: &'a [Measured]) -> Self {
        Self { all }
    }

    pub(crate) fn print_absolute(&self) {
        for (at, jobs) in loads().into_iter().enumerate() {
            for measured in self.all {
                row(
                    &format!("time per exec, {}: {}", jobs.name, measured.subject),
                    &spread(elapsed(measured, at), "µs", plain),
                );
            }
        }
    }

    pub(crate) fn add_to(&self, table: &mut Table) {
        self.add_times(table);
        for (at, jobs) in loads().into_iter().enumerate() {
            let figure = format!("CPU of the daemons per exec, {}", jobs.name);
            self.add(table, &figure, "≤ 25 µs", |of| {
                spread(of.blocks.iter().map(|block| block.timed[at].cpu), "µs", plain)
            });
        }
        self.add(table, "  and of the kernel's kauditd, the latter", "", |of| {
            spread(of.blocks.iter().map(|block| block.timed[1].kauditd), "µs", plain)
        });
        self.add(table, "bytes on disk per exec", "≤ 300", |of| {
            let bytes = left(of).map(|left| left.bytes as f64 / left.execs.max(1) as f64);
            spread(bytes, "", plain)
        });
        self.add(table, "lost: not in what was recorded", "0", |of| {
            let missing: u64 = left(of).map(|left| left.missing).sum();
            let expected: u64 = left(of).map(|left| left.expected).sum();
            let what = if of.subject == Subject::Ours { "events" } else { "execs" };
            format!("{missing} of {expected} {what}")
        });
        self.add(table, "lost: by the kernel's own count", "0", |of| {
            left(of).map(|left| left.kernel_lost).sum::<u64>().to_string()
        });
        if self.all.iter().any(|of| unsettled(of) > 0) {
            self.add(table, "blocks that did not come to rest", "", |of| unsettled(of).to_string());
        }
        self.add(table, "resident memory, 1,000 exec/s", "< 64 MiB", |of| {
            of.memory.as_ref().map_or_else(|| "–".to_owned(), memory)
        });
    }

    /// Each block is compared with that of nothing in the same round, and the fastest of all rounds
    /// with the fastest: what disturbs a machine only ever adds.
    fn add_times(&self, table: &mut Table) {
        let Some(nothing) = self.of(Subject::Nothing) else { return };
        let added = |with: f64, without: f64| 100.0 * (with / without - 1.0);
        for (at, jobs) in loads().into_iter().enumerate() {
            let figure = format!("added time per exec, {}", jobs.name);
            self.add(table, &figure, "≤ +2 %", |of| {
                let pairs = elapsed(of, at).zip(elapsed(nothing, at));
                spread(pairs.map(|(with, without)| added(with, without)), "%", signed)
            });
            let least = |of| elapsed(of, at).fold(f64::INFINITY, f64::min);
            self.add(table, "  fastest block against fastest", "", |of| {
                format!("{:+.1} %", added(least(of), least(nothing)))
            });
        }
    }

    fn add(
        &self,
        table: &mut Table,
        figure: &str,
        target: &str,
        cell: impl Fn(&'a Measured) -> String,
    ) {
        let cells = [Subject::Ours, Subject::Auditd, Subject::AuditdLaurel]
            .map(|subject| self.of(subject).map_or_else(|| "left out".to_owned(), &cell));
        table.add(figure, target, cells);
    }

    fn of(&self, subject: Subject) -> Option<&'a Measured> {
        self.all.iter().find(|measured| measured.subject == subject)
    }
}

fn elapsed(measured: &Measured, at: usize) -> impl Iterator<Item = f64> {
    measured.blocks.iter().map(move |block| block.timed[at].elapsed)
}

fn left(measured: &Measured) -> impl Iterator<Item = Left> {
    measured.blocks.iter().filter_map(|block: &Block| block.left)
}

fn unsettled(measured: &Measured) -> usize {
    measured.blocks.iter().filter(|block| !block.has_settled()).count()
}

fn memory(memory: &Memory) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let of = &memory.by_process;
    let parts: Vec<String> =
        of.iter().map(|(name, resident)| format!("{name} {:.1}", mib(resident.bytes))).collect();
    let sum = |figure: fn(&Resident) -> u64| mib(of.iter().map(|(_, of)| figure(of)).sum());
    format!(
        "{:.1} MiB ({}: {:.1}; anonymous {:.1}; {:.0} exec/s)",
        sum(|of| of.proportional_bytes),
        parts.join(" + "),
        sum(|of| of.bytes),
        sum(|of| of.anonymous_bytes),
        memory.execs_per_second
    )
}
