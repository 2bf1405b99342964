//! Defaults, and what keys may be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use common::rule::Level;

use super::units::{self, DAY_NS, HOUR_NS};
use super::{Binaries, Bus, Detection, Environment, Keys, Retention, Settings, Web};

/// Ten years: what is larger is a slip, as no disk lasts so long.
const MOST_RETENTION_DAYS: i64 = 3660;

/// What runs, and what happened in the last seconds, has to fit in.
const LEAST_RETENTION_BYTES: u64 = 64 << 20;

const WEB_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

pub(crate) const REDACTED_WORDS: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
];

/// What is wrong with the value of a key, and what to give instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) key: &'static str,
    pub(super) text: String,
}

impl Keys {
    /// Everything that is wrong is told, not only what comes first.
    pub(super) fn settle(&self) -> Result<Settings, Vec<Problem>> {
        let mut judge = Judge::default();
        let settings = Settings {
            data_dir: judge.directory(
                "data-dir",
                self.data_dir.as_deref(),
                "/var/lib/bpf-recorder",
            ),
            bus: judge.value("bus", self.bus.as_deref(), Bus::System, units::bus),
            user: judge.value("user", self.user.as_deref(), None, units::user),
            ring_size_bytes: judge.value("ring-size", self.ring_size, 16 << 20, units::ring_size),
            environment: self.environment(&mut judge),
            detection: self.detection(&mut judge),
            binaries: self.binaries(&mut judge),
            retention: self.retention(&mut judge),
            web: Web {
                address: judge.value(
                    "web-address",
                    self.web_address.as_deref(),
                    Some(WEB_ADDRESS),
                    units::web_address,
                ),
                has_metrics: self.web_metrics.unwrap_or(false),
            },
            log: judge.value("log", self.log.as_deref(), "info".to_owned(), units::log_level),
        };
        if judge.problems.is_empty() { Ok(settings) } else { Err(judge.problems) }
    }

    fn environment(&self, judge: &mut Judge) -> Environment {
        let only = self.environment_only.as_deref();
        Environment {
            is_recorded: self.environment.unwrap_or(true),
            only: judge.value("environment-only", only, None, units::variable_names),
            redacted_words: self.redact.as_ref().map_or_else(
                || REDACTED_WORDS.map(str::to_owned).to_vec(),
                |words| words.iter().filter(|w| !w.is_empty()).map(|w| w.to_uppercase()).collect(),
            ),
        }
    }

    fn detection(&self, judge: &mut Judge) -> Detection {
        const SHIPPED: &str = "/usr/share/bpf-recorder/rules";
        const ADMIN: &str = "/etc/bpf-recorder/rules";
        let repeat = self.alert_repeat.as_deref();
        let journal = self.journal_alerts.as_deref();
        Detection {
            shipped_rules: judge.directory("shipped-rules", self.shipped_rules.as_deref(), SHIPPED),
            admin_rules: judge.directory("admin-rules", self.admin_rules.as_deref(), ADMIN),
            repeat_ns: judge
                .value("alert-repeat", repeat, HOUR_NS, |text| units::duration(text, 366)),
            journal_alerts: judge.value(
                "journal-alerts",
                journal,
                Some(Level::High),
                units::alert_level,
            ),
        }
    }

    fn binaries(&self, judge: &mut Judge) -> Binaries {
        let mut size = |key, text: &Option<String>, default| {
            judge.value(key, text.as_deref(), default, units::size)
        };
        Binaries {
            file_limit_bytes: size("binary-file-limit", &self.binary_file_limit, 256 << 20),
            total_limit_bytes: size("binary-total-limit", &self.binary_total_limit, 4 << 30),
            min_free_bytes: size("binary-min-free", &self.binary_min_free, 1 << 30),
            cache_entries: judge.value(
                "binary-cache-size",
                self.binary_cache_size,
                1024,
                units::cache_entries,
            ),
        }
    }

    fn retention(&self, judge: &mut Judge) -> Retention {
        // Zero stands for no bound: a record that keeps nothing would be of no use.
        let mut age = |key, text: &Option<String>, default_days: i64| {
            let default_ns = default_days * DAY_NS;
            let ns = judge.value(key, text.as_deref(), default_ns, |text| {
                units::duration(text, MOST_RETENTION_DAYS)
            });
            (ns > 0).then_some(ns)
        };
        let age_ns = age("retention-age", &self.retention_age, 30);
        let alert_age_ns = age("alert-retention-age", &self.alert_retention_age, 365);
        let size = self.retention_size.as_deref();
        let size_bytes = judge.value("retention-size", size, 10 << 30, retention_size);
        Retention { age_ns, size_bytes: (size_bytes > 0).then_some(size_bytes), alert_age_ns }
    }
}

fn retention_size(text: &str) -> Result<u64, String> {
    match units::size(text)? {
        bytes @ 1..LEAST_RETENTION_BYTES => Err(format!(
            "{bytes} bytes are too few to keep a record in: give {}MiB or more, or 0 for no limit",
            LEAST_RETENTION_BYTES >> 20
        )),
        bytes => Ok(bytes),
    }
}

#[derive(Default)]
struct Judge {
    problems: Vec<Problem>,
}

impl Judge {
    /// What `read` makes of a value. The default stands in for one that is wrong, so that the rest
    /// is judged too.
    fn value<G, T>(
        &mut self,
        key: &'static str,
        given: Option<G>,
        default: T,
        read: impl FnOnce(G) -> Result<T, String>,
    ) -> T {
        match given.map(read) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(text)) => {
                self.problems.push(Problem { key, text });
                default
            }
        }
    }

    fn directory(&mut self, key: &'static str, given: Option<&Path>, default: &str) -> PathBuf {
        self.value(key, given, default.into(), units::directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<Problem> {
        toml::from_str::<Keys>(text).unwrap().settle().unwrap_err()
    }

    #[test]
    fn bad_values_name_key_and_remedy() {
        for (key, value) in [
            ("data-dir", "''"),
            ("data-dir", "\"a\\u0000b\""),
            ("bus", "'tcp:x'"),
            ("user", "'root'"),
            ("user", "'00'"),
            ("user", "''"),
            ("ring-size", "5000"),
            ("ring-size", "2048"),
            ("ring-size", "2147483648"),
            ("ring-size", "-4096"),
            ("environment-only", "['A=b']"),
            ("shipped-rules", "''"),
            ("admin-rules", "''"),
            ("alert-repeat", "'1w'"),
            ("alert-repeat", "'367d'"),
            ("journal-alerts", "'hi'"),
            ("journal-alerts", "'error'"),
            ("retention-age", "'3661d'"),
            ("retention-age", "'0'"),
            ("retention-size", "'much'"),
            ("retention-size", "'63MiB'"),
            ("retention-size", "'1'"),
            ("alert-retention-age", "'1y'"),
            ("binary-cache-size", "0"),
            ("binary-cache-size", "-1"),
            ("binary-cache-size", "1048577"),
            ("binary-file-limit", "'big'"),
            ("binary-total-limit", "'-1'"),
            ("binary-min-free", "''"),
            ("web-address", "'8080'"),
            ("web-address", "'0.0.0.0:8080'"),
            ("web-address", "'127.0.0.1:0'"),
            ("web-address", "'localhost:8080'"),
            ("log", "'loud'"),
        ] {
            let problems = problems(&format!("{key} = {value}"));
            let [problem] = &problems[..] else { panic!("{key} = {value}: {problems:?}") };
            assert_eq!(problem.key, key);
            assert!(problem.text.contains("give "), "{problem:?}");
        }
    }

    #[test]
    fn zero_and_none_are_no_bound() {
        let text = "retention-age = '0s'\nretention-size = '0'\nalert-retention-age = '0d'\n\
                    journal-alerts = 'none'";
        let settings = toml::from_str::<Keys>(text).unwrap().settle().unwrap();
        let unbounded = Retention { age_ns: None, size_bytes: None, alert_age_ns: None };
        assert_eq!(settings.retention, unbounded);
        assert_eq!(settings.detection.journal_alerts, None);
    }

    #[test]
    fn bounds_are_read() {
        let text = "retention-age = '3660d'\nretention-size = '64MiB'\n\
                    alert-retention-age = '1h'\njournal-alerts = 'low'";
        let settings = toml::from_str::<Keys>(text).unwrap().settle().unwrap();
        let bounds = Retention {
            age_ns: Some(3660 * DAY_NS),
            size_bytes: Some(64 << 20),
            alert_age_ns: Some(HOUR_NS),
        };
        assert_eq!(settings.retention, bounds);
        assert_eq!(settings.detection.journal_alerts, Some(Level::Low));
    }

    #[test]
    fn all_problems_are_told() {
        let problems = problems("bus = ''\nring-size = 1\nlog = ''\nalert-repeat = ''");
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["bus", "ring-size", "alert-repeat", "log"]);
    }
}
