//! What is remembered from one start to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::saved::Saved;
use super::scope::Span;
use crate::views::ViewId;

/// Filters that the box offers again.
const MOST_RECENT: usize = 30;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Appearance {
    /// As the desktop has it.
    #[default]
    System,
    Light,
    Dark,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub view: ViewId,
    pub filter: String,
    pub span: Span,
    pub appearance: Appearance,
    pub is_utc: bool,
    pub zoom: f32,
    pub has_details: bool,
    /// By the name of the table.
    pub tables: BTreeMap<String, Columns>,
    /// Sections of the details that are folded.
    pub folded: BTreeSet<String>,
    /// Newest first.
    pub recent_filters: Vec<String>,
    pub saved_filters: Saved<String>,
    pub is_newest_first: bool,
    pub is_following: bool,
    /// Of a view, as the view likes it. Views read and write their own.
    pub views: BTreeMap<String, serde_json::Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            view: ViewId::default(),
            filter: String::new(),
            span: Span::Last(3600),
            appearance: Appearance::System,
            is_utc: false,
            zoom: 1.0,
            has_details: true,
            tables: BTreeMap::new(),
            folded: ["environment", "namespaces", "origin"].map(str::to_owned).into(),
            recent_filters: Vec::new(),
            saved_filters: Saved::default(),
            is_newest_first: false,
            is_following: true,
            views: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// As they were written; the defaults where that is not understood.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn remember_filter(&mut self, filter: &str) {
        let filter = filter.trim();
        if filter.is_empty() {
            return;
        }
        self.recent_filters.retain(|known| known != filter);
        self.recent_filters.insert(0, filter.to_owned());
        self.recent_filters.truncate(MOST_RECENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back() {
        let mut settings = Settings { is_utc: true, ..Settings::default() };
        settings.remember_filter("pid = 1");
        settings.remember_filter("pid = 2");
        settings.remember_filter(" pid = 1 ");
        settings.saved_filters.save("\"a\"\n", "pid = 1".to_owned()).unwrap();
        let read = Settings::read(&settings.write());
        assert_eq!(read, settings);
        assert_eq!(read.recent_filters, ["pid = 1", "pid = 2"]);
    }

    #[test]
    fn what_is_not_understood_is_default() {
        assert_eq!(Settings::read("nonsense"), Settings::default());
        assert!(Settings::read("{\"is_utc\":true,\"future\":1}").is_utc);
    }
}
