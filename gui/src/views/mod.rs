//! The views, one file each.
//!
//! A view is its state, what it asks for, and how it draws. To add one: a file with a type that has
//! [`View`], and a line in the table below. The window gives it filter, range and selection, hands it
//! answers and live records, and shows the details of the selected process beside it.

mod alerts;
mod binaries;
mod health;
pub(crate) mod parts;
mod rules;
mod sessions;
mod timeline;
mod tree;

use common::id::ProcessId;
use eframe::egui::{Key, Ui};
use serde::{Deserialize, Serialize};

use crate::commands::Command;
use crate::connection::processes::Live;
use crate::connection::{Answer, Link, Ticket, Trouble};
use crate::state::scope::{Scope, Span};
use crate::state::settings::Settings;
use crate::widgets::text::Clock;

macro_rules! views {
    ($($id:ident $type:path, $name:literal, $key:ident, $doc:literal;)*) => {
        /// Names a view.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ViewId { $($id),* }

        impl ViewId {
            /// In the order in which they are listed.
            pub const ALL: &[ViewId] = &[$(ViewId::$id),*];

            pub fn name(self) -> &'static str {
                match self { $(ViewId::$id => $name),* }
            }

            /// What one does there.
            pub fn doc(self) -> &'static str {
                match self { $(ViewId::$id => $doc),* }
            }

            /// With Ctrl.
            pub fn key(self) -> Key {
                match self { $(ViewId::$id => Key::$key),* }
            }
        }

        /// A new one of each, in the same order.
        pub fn all() -> Vec<Box<dyn View>> {
            vec![$(Box::new(<$type>::default())),*]
        }
    };
}

views! {
    Timeline timeline::Timeline, "Processes", Num1, "What ran, in the order in which it began";
    Tree tree::TreeView, "Tree", Num2, "Who started what: ancestors and descendants of a process";
    Sessions sessions::Sessions, "Sessions", Num3, "What one login, terminal or service ran, like a transcript";
    Alerts alerts::Alerts, "Alerts", Num4, "What rules fired on, and what people say of it";
    Rules rules::Rules, "Rules", Num5, "What is looked for, and how often it was found";
    Binaries binaries::Binaries, "Binaries", Num6, "Contents that ran, and the copies kept of them";
    Health health::HealthView, "Health", Num7, "Whether the record is whole, and what to do where not";
}

/// What is common to all views.
pub trait View {
    fn id(&self) -> ViewId;

    /// Filter or range are others, or the connection is new: what is shown is to be asked for anew.
    /// What was asked before is to be cancelled. Called for the view that is seen, and for another
    /// when it comes to be seen.
    fn refresh(&mut self, cx: &mut Context<'_>);

    /// Takes an answer that is its own; gives back any other.
    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) -> Option<Reply>;

    /// What happened just now and matches the filter. Not called while paused.
    fn live(&mut self, live: &Live, cx: &mut Context<'_>);

    /// Draws all but the details.
    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>);

    /// The names of the tables that it draws now.
    fn tables(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Draws details of its own; false: those of the selected process are drawn.
    fn details(&mut self, _ui: &mut Ui, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// Looks at something of its own kind; false where it has none of these.
    fn look_at(&mut self, _subject: &Subject, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// What is looked at, so that one can come back to it.
    fn subject(&self) -> Option<Subject> {
        None
    }

    /// Asked for even while another view is seen: its count tells of something urgent.
    fn is_always_fresh(&self) -> bool {
        false
    }

    /// Brings a time into sight, where that means something.
    fn go_to(&mut self, _time_ns: i64, _cx: &mut Context<'_>) {}

    /// Does what a command asks of this view; false where it is not for it.
    fn run(&mut self, _command: Command, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// How many there are, for the list of views.
    fn count(&self) -> Option<u64> {
        None
    }
}

/// Something that one of the views shows alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Alert(u64),
    /// By its id.
    Rule(String),
    /// By its SHA-256.
    Binary(String),
}

impl Subject {
    pub fn view(&self) -> ViewId {
        match self {
            Subject::Alert(_) => ViewId::Alerts,
            Subject::Rule(_) => ViewId::Rules,
            Subject::Binary(_) => ViewId::Binaries,
        }
    }
}

/// An answer on its way to whoever asked.
#[derive(Debug)]
pub struct Reply {
    pub ticket: Ticket,
    pub result: Result<Answer, Trouble>,
}

/// What a view sees of the window, and how it asks for what it cannot do itself.
pub struct Context<'a> {
    pub link: &'a mut Link,
    pub scope: &'a Scope,
    pub settings: &'a mut Settings,
    pub clock: &'a Clock,
    /// The process that is looked at, in whichever view.
    pub selected: Option<ProcessId>,
    /// New rows are shown as they come.
    pub is_live: bool,
    /// Done after drawing, in order.
    pub actions: &'a mut Vec<Action>,
}

/// What a view wants of the window.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Looks at a process, where one is.
    Select(ProcessId),
    /// The same, and at one of its images, by its position in the store.
    SelectImage(ProcessId, i64),
    /// Looks at a process in another view. One can go back.
    Visit(ViewId, ProcessId),
    /// Looks at something else in its view. One can go back.
    LookAt(Subject),
    /// Shows something else. One can go back.
    SetFilter(String),
    /// Adds a condition to the filter. One can go back.
    Narrow(String),
    SetSpan(Span),
    Copy(String),
    Run(Command),
}

impl Context<'_> {
    pub fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}

impl Default for ViewId {
    fn default() -> Self {
        ViewId::ALL[0]
    }
}

// By name, so that settings of a version with other views can be read.
impl Serialize for ViewId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ViewId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = ViewId::ALL.iter().find(|id| id.name() == name);
        Ok(known.copied().unwrap_or_default())
    }
}
