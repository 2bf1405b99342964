//! `org.bpfrecorder.Recorder1.Rules`: the rules, and what they would have found.

use common::bus::Error;
#[cfg(feature = "capture")]
use common::escape;
use common::rule::Affected;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedFd, interface};

use super::access::{Access, Right};
#[cfg(feature = "capture")]
use super::failed;
use super::{Service, hunt, processes, read_only};
#[cfg(feature = "capture")]
use crate::rules::{self, NotOne, Pattern};

pub(super) struct Rules {
    service: Service,
    access: Access,
}

impl Rules {
    pub(super) fn new(service: Service, access: Access) -> Self {
        Self { service, access }
    }
}

/// Sigma rules: which there are, what becomes of each, and trying them on the record.
#[interface(name = "org.bpfrecorder.Recorder1.Rules")]
impl Rules {
    /// Every rule with its state, as a JSON array, most urgent first.
    async fn list(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.access.check_read(connection, &header).await?;
        self.service.rule_list().await
    }

    /// One rule with its text, as a JSON document. `id` is an id, the beginning of one that is no
    /// other's, or a whole title.
    async fn get(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: &str,
    ) -> Result<String, Error> {
        self.access.check_read(connection, &header).await?;
        self.service.rule(id).await
    }

    /// Switches rules on or off, for good. A pattern is an id or the beginning of one, a title,
    /// `tag:TAG`, `level:LEVEL`, or a glob of an id, a title or a tag.
    #[zbus(out_args("meant", "changed"))]
    async fn set_enabled(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        patterns: Vec<String>,
        is_enabled: bool,
    ) -> Result<(u32, u32), Error> {
        let uid = self.access.check(Right::ManageRules, connection, &header).await?;
        let affected = self.service.switch_rules(&patterns, is_enabled, uid).await?;
        Ok((affected.meant, affected.changed))
    }

    /// Stores a file of rules, in place of an uploaded one of the same name, and puts them into
    /// force. Answers with a JSON document that tells what became of each; a file without a usable
    /// rule is not stored.
    async fn upload(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        name: String,
        content: Vec<u8>,
    ) -> Result<String, Error> {
        self.access.check(Right::ManageRules, connection, &header).await?;
        self.service.upload_rules(name, content).await
    }

    /// As `Upload`, and stores nothing.
    async fn validate(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        name: String,
        content: Vec<u8>,
    ) -> Result<String, Error> {
        self.access.check_read(connection, &header).await?;
        self.service.validate_rules(name, content).await
    }

    /// Removes uploaded rules. Patterns are those of `SetEnabled`.
    #[zbus(out_args("meant", "changed"))]
    async fn remove(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        patterns: Vec<String>,
    ) -> Result<(u32, u32), Error> {
        self.access.check(Right::ManageRules, connection, &header).await?;
        let affected = self.service.remove_rules(&patterns).await?;
        Ok((affected.meant, affected.changed))
    }

    /// Reads the directories of rules anew; returns when what is there is in force. One that is gone
    /// is not missed any more.
    async fn reload(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), Error> {
        self.access.check(Right::ManageRules, connection, &header).await?;
        self.service.reload_rules().await
    }

    /// On what a rule would have fired, among the recorded execs that match the filter: NDJSON on a
    /// pipe, with lines of progress, what was found by command line, and a `done` line.
    async fn hunt(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: &str,
        filter: &str,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = processes::parse(filter)?;
        let text = self.service.rule_text(id)?;
        hunt::start(&self.service, filter, text).await
    }

    /// As `Hunt`, with rules that are not stored.
    async fn hunt_text(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        content: Vec<u8>,
        filter: &str,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = processes::parse(filter)?;
        hunt::start(&self.service, filter, content).await
    }

    /// The set of rules, or the state of one, is another.
    #[zbus(signal)]
    pub(super) async fn changed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

#[cfg(feature = "capture")]
impl Service {
    fn rules(&self) -> Result<&rules::Handle, Error> {
        self.inner.live.as_ref().map(|live| &live.rules).ok_or_else(read_only)
    }

    async fn rule_list(&self) -> Result<String, Error> {
        let mut list = self.rules()?.list();
        let counts = self.blocking(|reader| reader.alert_counts(&Default::default())).await?;
        for rule in &mut list {
            rule.alerts = counts.get(&rule.id).copied().unwrap_or(0);
        }
        serde_json::to_string(&list).map_err(failed)
    }

    async fn rule(&self, id: &str) -> Result<String, Error> {
        let mut rule = self.rules()?.get(id).map_err(|not_one| no_rule(id, &not_one))?;
        let counts = self.blocking(|reader| reader.alert_counts(&Default::default())).await?;
        rule.info.alerts = counts.get(&rule.info.id).copied().unwrap_or(0);
        serde_json::to_string(&rule).map_err(failed)
    }

    fn rule_text(&self, id: &str) -> Result<Vec<u8>, Error> {
        let rule = self.rules()?.get(id).map_err(|not_one| no_rule(id, &not_one))?;
        Ok(self.rules()?.with_references(&rule).into_bytes())
    }

    async fn switch_rules(
        &self,
        patterns: &[String],
        is_enabled: bool,
        uid: u32,
    ) -> Result<Affected, Error> {
        let rules = self.rules()?;
        let meant = rules.fitting(&parse_patterns(patterns)?);
        let changing: Vec<String> =
            meant.iter().filter(|(_, is)| *is != is_enabled).map(|(id, _)| id.clone()).collect();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let affected = Affected { meant: count(meant.len()), changed: count(changing.len()) };
        if !changing.is_empty() {
            let what = crate::store::What::Rules { ids: changing, is_enabled };
            self.change(uid, what).await?;
            rules.reload().await.ok_or_else(no_rules_thread)?;
        }
        Ok(affected)
    }

    async fn upload_rules(&self, name: String, content: Vec<u8>) -> Result<String, Error> {
        let report = self.rules()?.upload(name, content).await.ok_or_else(no_rules_thread)?;
        serde_json::to_string(&report).map_err(failed)
    }

    async fn remove_rules(&self, patterns: &[String]) -> Result<Affected, Error> {
        let patterns = parse_patterns(patterns)?;
        let removed = self.rules()?.remove(patterns).await.ok_or_else(no_rules_thread)?;
        removed.map_err(Error::Failed)
    }

    async fn reload_rules(&self) -> Result<(), Error> {
        self.rules()?.accept().await.ok_or_else(no_rules_thread)
    }

    async fn validate_rules(&self, name: String, content: Vec<u8>) -> Result<String, Error> {
        let rules = self.rules()?.clone();
        let report = tokio::task::spawn_blocking(move || rules.validate(&name, &content));
        serde_json::to_string(&report.await.map_err(failed)?).map_err(failed)
    }
}

#[cfg(not(feature = "capture"))]
impl Service {
    async fn rule_list(&self) -> Result<String, Error> {
        Err(read_only())
    }

    async fn rule(&self, _id: &str) -> Result<String, Error> {
        Err(read_only())
    }

    fn rule_text(&self, _id: &str) -> Result<Vec<u8>, Error> {
        Err(read_only())
    }

    async fn switch_rules(
        &self,
        _patterns: &[String],
        _is_enabled: bool,
        _uid: u32,
    ) -> Result<Affected, Error> {
        Err(read_only())
    }

    async fn upload_rules(&self, _name: String, _content: Vec<u8>) -> Result<String, Error> {
        Err(read_only())
    }

    async fn remove_rules(&self, _patterns: &[String]) -> Result<Affected, Error> {
        Err(read_only())
    }

    async fn reload_rules(&self) -> Result<(), Error> {
        Err(read_only())
    }

    async fn validate_rules(&self, _name: String, _content: Vec<u8>) -> Result<String, Error> {
        Err(read_only())
    }
}

#[cfg(feature = "capture")]
fn parse_patterns(patterns: &[String]) -> Result<Vec<Pattern>, Error> {
    let parsed: Result<Vec<Pattern>, String> =
        patterns.iter().map(|text| Pattern::parse(text)).collect();
    parsed.map_err(Error::InvalidArgument)
}

#[cfg(feature = "capture")]
fn no_rule(id: &str, not_one: &NotOne) -> Error {
    let id = escape::terminal(id);
    match not_one {
        NotOne::Nothing => Error::NotFound(format!("there is no rule {id}: see bpfctl rules list")),
        NotOne::Several(count) => {
            Error::InvalidArgument(format!("{count} rules are called {id}: give more of the id"))
        }
    }
}

#[cfg(feature = "capture")]
fn no_rules_thread() -> Error {
    Error::Failed("the rules are not looked after any more: see the log of the recorder".to_owned())
}
