//! Sigma rules as the recorder lists them: what it knows of a rule, and what it says of a text.

use serde::{Deserialize, Serialize};

/// What a rule looks like, for who has none at hand.
pub const EXAMPLE: &str = "\
title: Download into /tmp
logsource:
    product: linux
    category: process_creation
detection:
    tool:
        Image|endswith:
            - /curl
            - /wget
    place:
        CommandLine|contains: ' /tmp/'
    condition: tool and place
level: medium
";

/// How bad it is if a rule fires. Ordered.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    pub const ALL: [Level; 5] =
        [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];

    pub fn name(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// By its name, or a beginning of it that is no other's.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let fits = |level: &Level| !text.is_empty() && level.name().starts_with(&text);
        Self::ALL.into_iter().find(fits)
    }

    /// As `event.severity` of ECS, 0 to 100.
    pub fn severity(self) -> u8 {
        match self {
            Level::Informational => 0,
            Level::Low => 25,
            Level::Medium => 50,
            Level::High => 75,
            Level::Critical => 100,
        }
    }
}

/// Where a rule lies. Of several with one id the last kind wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Came with the program.
    Shipped,
    /// Put into its directory by the administrator.
    Admin,
    /// Uploaded over D-Bus.
    Uploaded,
}

impl Origin {
    pub fn name(self) -> &'static str {
        match self {
            Origin::Shipped => "shipped",
            Origin::Admin => "admin",
            Origin::Uploaded => "uploaded",
        }
    }
}

/// What becomes of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleState {
    /// Looks at every event.
    Active,
    /// Switched off.
    Disabled,
    /// Fine, but it can never fire here.
    Inert,
    /// Another rule has its id and wins.
    Overridden,
    /// Cannot be used.
    Unusable,
}

impl RuleState {
    pub const ALL: [RuleState; 5] = [
        RuleState::Active,
        RuleState::Disabled,
        RuleState::Inert,
        RuleState::Overridden,
        RuleState::Unusable,
    ];

    pub fn name(self) -> &'static str {
        match self {
            RuleState::Active => "active",
            RuleState::Disabled => "disabled",
            RuleState::Inert => "inert",
            RuleState::Overridden => "overridden",
            RuleState::Unusable => "unusable",
        }
    }
}

/// A rule as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleInfo {
    /// The rule's own, or one derived from its text where it has none. Empty where the text is no
    /// rule at all.
    pub id: String,
    pub title: String,
    pub level: Level,
    pub is_correlation: bool,
    pub state: RuleState,
    /// Why it is not active, where that is not somebody's wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub is_enabled: bool,
    pub origin: Origin,
    /// Below the directory of its origin.
    pub file: String,
    /// Which document of the file, from 1.
    pub document: u32,
    /// Maturity, as the rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub falsepositives: Vec<String>,
    /// What whoever wrote it should know: an id that was derived, a field that is never filled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Alerts that are stored of it.
    #[serde(default)]
    pub alerts: u64,
}

/// A rule with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleText {
    #[serde(flatten)]
    pub info: RuleInfo,
    pub text: String,
}

/// What became of a text that was uploaded or checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub file: String,
    /// The text is stored now. Not if nothing in it is usable, or it was only checked.
    pub is_stored: bool,
    /// Why the whole text is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// One for each document.
    pub rules: Vec<RuleInfo>,
    /// Ids of rules that these replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<String>,
}

/// How many rules were meant, and how many of them changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, zbus::wire::Type)]
pub struct Affected {
    pub meant: u32,
    pub changed: u32,
}

/// One line of a retro-hunt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HuntLine {
    /// Records looked at so far, of how many.
    Progress { looked_at: u64, total: u64 },
    /// What a rule would have fired on, at the end; most frequent first.
    Found(Box<Found>),
    /// The last line of every result. One without it was cut off.
    Done(HuntDone),
}

/// Events with one command line on which a rule would have fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    pub rule_id: String,
    pub rule_title: String,
    pub level: Level,
    pub command_line: String,
    pub executable: String,
    pub count: u64,
    pub first: String,
    pub last: String,
    /// The newest of them: entity id of the process.
    pub example: String,
    /// The selections that matched in it.
    pub selections: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HuntDone {
    /// Records that the engine looked at.
    pub looked_at: u64,
    /// Events on which a rule would have fired.
    pub matched: u64,
    /// Events with command lines beyond the limit, which are not listed.
    #[serde(default)]
    pub unlisted: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_named() {
        assert!(Level::ALL.is_sorted());
        assert_eq!(Level::parse("Crit"), Some(Level::Critical));
        assert_eq!(Level::parse("info"), Some(Level::Informational));
        assert_eq!(Level::parse(""), None);
        assert_eq!(Level::parse("severe"), None);
    }
}
