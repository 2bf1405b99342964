//! Access to the web page: one-time links, and the sessions that they become.

use serde::{Deserialize, Serialize};

/// What a link, and the session that it becomes, may let one do. These are the actions of polkit
/// without their prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebRight {
    ReadEvents,
    ManageAlerts,
    ManageRules,
    ReadBinaries,
}

impl WebRight {
    pub const ALL: [WebRight; 4] = [
        WebRight::ReadEvents,
        WebRight::ManageAlerts,
        WebRight::ManageRules,
        WebRight::ReadBinaries,
    ];

    pub fn name(self) -> &'static str {
        match self {
            WebRight::ReadEvents => "read-events",
            WebRight::ManageAlerts => "manage-alerts",
            WebRight::ManageRules => "manage-rules",
            WebRight::ReadBinaries => "read-binaries",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == text)
    }
}

/// A link that was made. It is a secret until it has been used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebLink {
    pub link: String,
    /// Seconds within which it can be used, once.
    pub valid_secs: u64,
    pub rights: Vec<WebRight>,
}

/// A session of the web page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSession {
    /// Of this run of the recorder.
    pub id: u32,
    /// Who asked for the link.
    pub user: String,
    pub rights: Vec<WebRight>,
    pub since: String,
    /// When it was last used.
    pub last: String,
    /// When it ends, used or not.
    pub expires: String,
}
