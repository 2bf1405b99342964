//! The rules there are: read, watched, compiled aside, and put into force at once.
//!
//! One thread owns the directories. Whatever changes (a file, an upload, a switch), it reads and
//! compiles everything anew and hands the set to the pipeline, which takes it between two events;
//! recording never waits for it.

mod directory;
mod pattern;
mod thread;
mod upload;

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use common::rule::{Affected, Origin, Report, RuleInfo, RuleState, RuleText};
use tokio::sync::{oneshot, watch};

use self::directory::Directory;
pub(crate) use self::pattern::{Pattern, title_fits};
use self::thread::{Order, Worker};
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use self::upload::report;
use crate::detect::{self, Compiled, Entry, Ruleset, Source, Tried};
use crate::recorder::pipeline::Handle as Pipeline;
use crate::settings::Detection;
use crate::store::{Control, Reader};

/// Rules that are loaded but not yet looked after.
pub(crate) struct Rules {
    directories: Vec<Directory>,
    reader: Reader,
    tried: Tried,
    entries: Vec<Entry>,
    troubles: Vec<String>,
}

impl Rules {
    /// Reads and compiles all there is.
    pub(crate) fn load(from: &Detection, data_dir: &Path, reader: Reader) -> (Self, Ruleset) {
        let mut directories = vec![
            Directory::new(Origin::Shipped, &from.shipped_rules),
            Directory::new(Origin::Admin, &from.admin_rules),
            Directory::new(Origin::Uploaded, &data_dir.join("rules")),
        ];
        let mut tried = Tried::default();
        let (Compiled { entries, ruleset }, troubles) =
            compile(&mut directories, &reader, &mut tried);
        tell(&entries, &ruleset, &troubles);
        (Self { directories, reader, tried, entries, troubles }, ruleset)
    }

    /// Watches the directories from now on, until told to stop.
    pub(crate) fn start(self, pipeline: Pipeline) -> std::io::Result<(Handle, JoinHandle<()>)> {
        let catalogue = Arc::new(Mutex::new(Arc::new(self.entries)));
        let troubles = Arc::new(Mutex::new(self.troubles));
        let (changed, is_changed) = watch::channel(0);
        let (orders, thread) = Worker {
            directories: self.directories,
            reader: self.reader,
            tried: self.tried,
            pipeline,
            catalogue: catalogue.clone(),
            troubles: troubles.clone(),
            changed,
        }
        .start()?;
        Ok((Handle { orders, catalogue, troubles, is_changed }, thread))
    }
}

/// And why rules may be missing.
fn compile(
    directories: &mut [Directory],
    reader: &Reader,
    tried: &mut Tried,
) -> (Compiled, Vec<String>) {
    let (mut sources, mut troubles) = (Vec::new(), Vec::new());
    for directory in directories {
        let found = directory.read();
        sources.extend(found.sources);
        troubles.extend(found.troubles);
    }
    let switches = reader.rule_switches(&Control::default()).unwrap_or_else(|error| {
        tracing::error!("which rules are switched off cannot be read: {error}");
        HashMap::new()
    });
    (detect::compile(&sources, Some(&switches), tried), troubles)
}

/// The files of rules of a directory.
pub(crate) fn sources(directory: &Path) -> Vec<Source> {
    let found = Directory::new(Origin::Admin, directory).read();
    for trouble in found.troubles {
        tracing::warn!("rules: {trouble}");
    }
    found.sources
}

fn tell(entries: &[Entry], ruleset: &Ruleset, troubles: &[String]) {
    for trouble in troubles {
        tracing::warn!("rules: {trouble}");
    }
    let is_unusable =
        |entry: &&Entry| matches!(entry.info.state, RuleState::Unusable | RuleState::Inert);
    let unusable = entries.iter().filter(is_unusable).count();
    let count = ruleset.len();
    let remark = match unusable {
        0 => String::new(),
        _ => format!("; {unusable} are not usable: see bpfctl rules list"),
    };
    tracing::info!(
        message_id = crate::log::kind::RULES_CHANGED,
        rules_in_force = count.to_string(),
        "{count} rules are in force{remark}"
    );
}

/// How everybody else speaks to the rules.
#[derive(Clone)]
pub(crate) struct Handle {
    orders: SyncSender<Order>,
    catalogue: Arc<Mutex<Arc<Vec<Entry>>>>,
    troubles: Arc<Mutex<Vec<String>>>,
    is_changed: watch::Receiver<u64>,
}

/// Why a rule is not found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotOne {
    Nothing,
    Several(usize),
}

impl Handle {
    pub(crate) fn entries(&self) -> Arc<Vec<Entry>> {
        self.catalogue.lock().map_or_else(|_| Arc::default(), |entries| entries.clone())
    }

    pub(crate) fn list(&self) -> Vec<RuleInfo> {
        self.entries().iter().map(|entry| entry.info.clone()).collect()
    }

    /// The rule of this id, or whose id begins so, or of this title. Of several with one id, the
    /// one that wins.
    pub(crate) fn get(&self, id: &str) -> Result<RuleText, NotOne> {
        let entries = self.entries();
        let wanted = id.trim().to_lowercase();
        let by = |is_it: &dyn Fn(&RuleInfo) -> bool| {
            let mut found: Vec<&Entry> =
                entries.iter().filter(|entry| is_it(&entry.info)).collect();
            found.sort_by_key(|entry| (entry.info.state, entry.info.id.clone()));
            found.dedup_by_key(|entry| entry.info.id.clone());
            found
        };
        let mut found = by(&|info| info.id == wanted && !wanted.is_empty());
        if found.is_empty() {
            found = by(&|info| info.title.to_lowercase() == wanted);
        }
        if found.is_empty() && !wanted.is_empty() {
            found = by(&|info| info.id.starts_with(&wanted));
        }
        match found[..] {
            [] => Err(NotOne::Nothing),
            [entry] => Ok(RuleText { info: entry.info.clone(), text: entry.text.clone() }),
            _ => Err(NotOne::Several(found.len())),
        }
    }

    /// The text of a rule; of a correlation with the texts of the rules that it refers to, by
    /// whatever they are called.
    pub(crate) fn with_references(&self, rule: &RuleText) -> String {
        let mut text = rule.text.clone();
        if !rule.info.is_correlation {
            return text;
        }
        for entry in self.entries().iter().filter(|entry| entry.info.id != rule.info.id) {
            let name = entry.text.lines().find_map(|line| line.strip_prefix("name:"));
            let is_named = name.is_some_and(|name| {
                let name = name.trim().trim_matches(['"', '\'']);
                !name.is_empty() && rule.text.contains(name)
            });
            if is_named || (!entry.info.id.is_empty() && rule.text.contains(&entry.info.id)) {
                text.push_str("\n---\n");
                text.push_str(&entry.text);
            }
        }
        text
    }

    /// Ids of the rules that fit one of the patterns, each once, with whether it is enabled.
    pub(crate) fn fitting(&self, patterns: &[Pattern]) -> Vec<(String, bool)> {
        let entries = self.entries();
        let mut found: Vec<(String, bool)> = entries
            .iter()
            .map(|entry| &entry.info)
            .filter(|info| !info.id.is_empty() && patterns.iter().any(|p| p.fits(info)))
            .map(|info| (info.id.clone(), info.is_enabled))
            .collect();
        found.sort();
        found.dedup_by(|a, b| a.0 == b.0);
        found
    }

    /// Why rules may be missing, as of when the directories were read last.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.troubles.lock().map_or_else(|_| Vec::new(), |troubles| troubles.clone())
    }

    /// Reads everything anew; returns when it is in force. `None` if the thread has ended.
    pub(crate) async fn reload(&self) -> Option<()> {
        self.ask(Order::Reload).await
    }

    /// As [`Self::reload`], for somebody who says that the directories are as they should be.
    pub(crate) async fn accept(&self) -> Option<()> {
        self.ask(Order::Accept).await
    }

    pub(crate) async fn upload(&self, name: String, content: Vec<u8>) -> Option<Report> {
        self.ask(|answer| Order::Upload { name, content, answer }).await
    }

    /// What would become of a text, next to the rules there are.
    pub(crate) fn validate(&self, name: &str, content: &[u8]) -> Report {
        upload::report(name, content, &self.entries(), &mut Tried::default())
    }

    pub(crate) async fn remove(&self, patterns: Vec<Pattern>) -> Option<Result<Affected, String>> {
        self.ask(|answer| Order::Remove { patterns, answer }).await
    }

    /// Fails only if the thread has ended by itself.
    pub(crate) fn stop(&self) {
        let _ = self.orders.send(Order::Stop);
    }

    /// Counts the sets that were put into force.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.is_changed.clone()
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let (orders, order) = (self.orders.clone(), order(sender));
        // The queue may be full for as long as a set is compiled.
        tokio::task::spawn_blocking(move || orders.send(order)).await.ok()?.ok()?;
        receiver.await.ok()
    }
}
