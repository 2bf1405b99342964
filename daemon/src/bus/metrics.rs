//! Figures for Prometheus: counters, lag and sizes, and nothing that was recorded.
//!
//! Text form: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write as _;

use common::health::{Health, Kinds};

pub(super) fn text(health: &Health) -> String {
    let mut page = Page::default();
    page.one("info", "gauge", "Version of the recorder.", &[("version", &health.version)], 1);
    page.one(
        "recording",
        "gauge",
        "1 while this machine is recorded.",
        &[],
        u64::from(health.state == "recording"),
    );
    page.one("warnings", "gauge", "What a person should look at.", &[], count(&health.warnings));
    let store = &health.store;
    page.one("store_size_bytes", "gauge", "Size of the database.", &[], store.size_bytes);
    page.one("store_records", "gauge", "Records in the database.", &[], store.records);
    page.one("store_gaps", "gauge", "Gaps in the database.", &[], store.gaps);
    page.one("store_lost", "gauge", "Records that these gaps stand for.", &[], store.lost);
    page.one("alerts_new", "gauge", "Nobody has looked at them.", &[], store.alerts_new);
    page.one("disk_free_bytes", "gauge", "Left for the database.", &[], store.free_disk_bytes);
    if let Some(retention) = &store.retention {
        let (name, help) = ("deleted_records_total", "Deleted because of their age or for room.");
        page.one(name, "counter", help, &[], retention.deleted_records);
        let (name, help) = ("deleted_alerts_total", "Alerts that were deleted.");
        page.one(name, "counter", help, &[], retention.deleted_alerts);
    }
    let Some(capture) = &health.capture else { return page.text };
    page.kinds("events_meant_total", "Events the kernel programs meant to send.", capture.meant);
    page.kinds("events_total", "Events that were read and understood.", capture.decoded);
    page.kinds("events_dropped_total", "Lost: the ring was full.", capture.dropped_ring_full);
    for (name, help, value) in [
        ("events_skipped_total", "Lost: the kernel skipped the program.", capture.not_run),
        ("events_undecodable_total", "Not understood.", capture.undecodable),
        ("events_not_evaluated_total", "Recorded, but no rule looked.", capture.not_evaluated),
        ("subscriber_missed_total", "Not sent to slow subscribers.", capture.subscriber_missed),
        ("recorder_restarts_total", "Restarts.", u64::from(capture.recorder_restarts)),
        ("files_read_total", "Executed files that were hashed.", capture.files.read),
        ("files_not_asked_total", "Executed files passed over.", capture.files.not_asked),
    ] {
        page.one(name, "counter", help, &[], value);
    }
    for (name, help, value) in [
        ("ring_size_bytes", "Size of the ring.", capture.ring_size_bytes),
        ("ring_used_bytes", "Waits in the ring.", capture.ring_used_bytes),
        ("lag_milliseconds", "Age of the oldest event not yet stored.", capture.lag_ms),
        ("resident_bytes", "Memory of the recorder.", capture.resident_bytes),
        ("processes_running", "Processes that run.", capture.running),
        ("rules", "Rules in force.", capture.rules),
        ("subscribers", "Clients that follow.", u64::from(capture.subscribers)),
        ("files_kept", "Copies of executed files.", capture.files.kept),
        ("files_kept_bytes", "What these take on disk.", capture.files.kept_bytes),
    ] {
        page.one(name, "gauge", help, &[], value);
    }
    page.text
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP bpf_recorder_{name} {help}");
        let _ = writeln!(self.text, "# TYPE bpf_recorder_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let _ = write!(self.text, "bpf_recorder_{name}");
        for (number, (label, text)) in labels.iter().enumerate() {
            let open = if number == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}={text:?}");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, labels: &[(&str, &str)], value: u64) {
        self.head(name, kind, help);
        self.sample(name, labels, value);
    }

    fn kinds(&mut self, name: &str, help: &str, kinds: Kinds) {
        self.head(name, "counter", help);
        for (kind, value) in [("fork", kinds.fork), ("exec", kinds.exec), ("exit", kinds.exit)] {
            self.sample(name, &[("kind", kind)], value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_follows_its_type_and_no_name_comes_twice() {
        let mut health = Health { version: "1.0\"".to_owned(), ..Health::default() };
        let recorded = text(&health);
        assert!(recorded.contains("bpf_recorder_info{version=\"1.0\\\"\"} 1\n"), "{recorded}");
        health.store.retention = Some(common::health::Retention::default());
        health.capture = Some(common::health::Capture::default());
        let text = text(&health);
        assert!(text.starts_with(&recorded[..recorded.find("bpf_recorder_info{").unwrap()]));
        let mut names = Vec::new();
        let mut name = "";
        for line in text.lines() {
            if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (typed, kind) = typed.split_once(' ').unwrap();
                assert_eq!(typed.ends_with("_total"), kind == "counter", "{line}");
                assert!(!names.contains(&typed), "{line}");
                names.push(typed);
                name = typed;
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                assert_eq!(sample.split('{').next(), Some(name));
                value.parse::<u64>().unwrap();
            }
        }
        assert!(names.len() > 20);
    }
}
