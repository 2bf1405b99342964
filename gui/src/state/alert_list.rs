//! Alerts in groups: by rule or by process, the group with the newest alert first, and newest first
//! within.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::alert::Status;
use common::rule::Level;
use serde::{Deserialize, Serialize};

use super::alert_row::AlertRow;
use super::marks::{Marks, Reach};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grouping {
    #[default]
    Rule,
    Process,
}

/// Names a line: a group by its rule or process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Group(Box<str>),
    Alert(u64),
}

/// What is shown of those there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    pub grouping: Grouping,
    pub statuses: Vec<Status>,
    pub lowest: Level,
}

impl Default for Choice {
    /// What nobody has decided on yet.
    fn default() -> Self {
        let statuses = vec![Status::New, Status::InProgress];
        Self { grouping: Grouping::Rule, statuses, lowest: Level::Informational }
    }
}

impl Choice {
    fn takes(&self, row: &AlertRow) -> bool {
        self.statuses.contains(&row.status) && row.level >= self.lowest
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub key: Box<str>,
    /// In order.
    pub alerts: Vec<u64>,
    pub worst: Level,
    pub new: u64,
}

#[derive(Debug, Default)]
pub struct AlertList {
    rows: HashMap<u64, AlertRow>,
    choice: Choice,
    groups: Vec<Group>,
    folded: BTreeSet<Box<str>>,
    /// What is seen, from top to bottom.
    lines: Vec<Key>,
    shown: u64,
}

impl AlertList {
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    pub fn lines(&self) -> &[Key] {
        &self.lines
    }

    pub fn row(&self, id: u64) -> Option<&AlertRow> {
        self.rows.get(&id)
    }

    pub fn group(&self, key: &str) -> Option<&Group> {
        self.groups.iter().find(|group| &*group.key == key)
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn is_folded(&self, key: &str) -> bool {
        self.folded.contains(key)
    }

    /// Alerts that are shown, those in folded groups included.
    pub fn shown(&self) -> u64 {
        self.shown
    }

    /// How many there are, and how many of these wait for somebody.
    pub fn total(&self) -> usize {
        self.rows.len()
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.arrange();
    }

    /// Others in the place of those there are.
    pub fn replace(&mut self, rows: Vec<AlertRow>, marks: &mut Marks<Key>) {
        self.rows.clear();
        self.add(rows, marks);
    }

    /// More, or newer ones of those there are.
    pub fn add(&mut self, rows: Vec<AlertRow>, marks: &mut Marks<Key>) {
        self.rows.extend(rows.into_iter().map(|row| (row.id, row)));
        self.arrange_with(marks);
    }

    pub fn choose(&mut self, choice: Choice, marks: &mut Marks<Key>) {
        self.choice = choice;
        self.arrange_with(marks);
    }

    pub fn fold(&mut self, key: &str, is_folded: bool, marks: &mut Marks<Key>) {
        let is_other = match is_folded {
            true => self.folded.insert(key.into()),
            false => self.folded.remove(key),
        };
        if is_other {
            self.arrange_with(marks);
        }
    }

    /// So that the alert is seen. False where it is not here.
    pub fn unfold_to(&mut self, id: u64, marks: &mut Marks<Key>) -> bool {
        let group = self.groups.iter().find(|group| group.alerts.contains(&id));
        let Some(key) = group.map(|group| group.key.clone()) else { return false };
        self.fold(&key, false, marks);
        true
    }

    /// The group that a line is or belongs to.
    pub fn group_of(&self, key: &Key) -> Option<Box<str>> {
        match key {
            Key::Group(group) => Some(group.clone()),
            Key::Alert(id) => self.rows.get(id).map(|row| self.group_key(row)),
        }
    }

    /// The alerts that are meant by what is chosen: of a group all of it.
    pub fn meant(&self, marks: &Marks<Key>) -> Vec<u64> {
        let ids: BTreeSet<u64> = marks
            .chosen()
            .flat_map(|key| match key {
                Key::Alert(id) => vec![*id],
                Key::Group(key) => self.group(key).map_or(Vec::new(), |g| g.alerts.clone()),
            })
            .collect();
        ids.into_iter().collect()
    }

    fn arrange_with(&mut self, marks: &mut Marks<Key>) {
        let before = std::mem::take(&mut self.lines);
        let was_alert = matches!(marks.cursor(), Some(Key::Alert(_)));
        self.arrange();
        marks.follow(&before, &self.lines);
        let Some(Key::Group(key)) = marks.cursor().filter(|_| was_alert).cloned() else { return };
        // From one alert to the next: the same key once more must not decide on a whole group.
        match self.group(&key).and_then(|group| group.alerts.first()) {
            Some(first) if !self.is_folded(&key) => {
                marks.choose(&self.lines, &Key::Alert(*first), Reach::Only);
            }
            _ => marks.choose(&self.lines, &Key::Group(key), Reach::Toggle),
        }
    }

    fn group_key(&self, row: &AlertRow) -> Box<str> {
        match self.choice.grouping {
            Grouping::Rule => row.rule_id.clone(),
            Grouping::Process => row.process.to_string().into(),
        }
    }

    fn arrange(&mut self) {
        let mut rows: Vec<&AlertRow> = self.rows.values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.time_ns, row.id)));
        let mut groups: Vec<Group> = Vec::new();
        let mut places: BTreeMap<Box<str>, usize> = BTreeMap::new();
        for row in rows {
            let key = self.group_key(row);
            let at = *places.entry(key.clone()).or_insert_with(|| {
                groups.push(Group { key, alerts: Vec::new(), worst: Level::default(), new: 0 });
                groups.len() - 1
            });
            // A group keeps its place while one decides on what is in it.
            if !self.choice.takes(row) {
                continue;
            }
            let group = &mut groups[at];
            group.alerts.push(row.id);
            group.worst = group.worst.max(row.level);
            group.new += u64::from(row.status == Status::New);
        }
        groups.retain(|group| !group.alerts.is_empty());
        self.shown = groups.iter().map(|group| group.alerts.len() as u64).sum();
        self.lines.clear();
        for group in &groups {
            self.lines.push(Key::Group(group.key.clone()));
            if !self.folded.contains(&group.key) {
                self.lines.extend(group.alerts.iter().map(|id| Key::Alert(*id)));
            }
        }
        self.groups = groups;
    }
}

#[cfg(test)]
#[path = "alert_list_tests.rs"]
mod tests;
