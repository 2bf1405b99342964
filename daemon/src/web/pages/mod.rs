//! The pages as HTML: data in, markup out.
//!
//! Nothing here asks the recorder, reads a clock or knows who is logged in: what a page needs is
//! given. Nothing is inline, neither script nor style, so that the policy of the server can forbid
//! both. Every string of a traced process passes through `hostile`.

mod alert;
mod alert_rows;
mod alerts;
mod binaries;
mod binary;
mod clock;
mod copy;
mod doors;
mod facts;
mod found;
mod frame;
mod health;
mod histogram;
mod hostile;
mod hunt;
mod link;
mod mark;
mod measure;
mod process;
mod processes;
mod rows;
mod rule;
mod rules;
mod scope;
mod sections;
mod tree;
mod triage;
mod trouble;
mod upload;

pub(crate) use alert::{AlertPage, alert};
pub(crate) use alerts::{AlertQuery, AlertsPage, alerts};
pub(crate) use binaries::{BinariesPage, BinaryOrder, BinaryQuery, binaries};
pub(crate) use binary::{BinaryPage, binary};
pub(crate) use clock::Clock;
pub(crate) use doors::{Closed, message, welcome};
pub(crate) use frame::{Chrome, Rights, Section};
pub(crate) use health::{HealthPage, health};
pub(crate) use histogram::Histogram;
pub(crate) use mark::Fired;
pub(crate) use process::{ProcessPage, process};
pub(crate) use processes::{Order, ProcessQuery, ProcessesPage, processes};
pub(crate) use rule::{RulePage, rule};
pub(crate) use rules::{RulesPage, rules};
pub(crate) use trouble::Trouble;
