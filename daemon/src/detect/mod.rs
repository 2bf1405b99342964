//! Detection with Sigma rules: texts to a set of rules, events to what fired and why.
//!
//! The engine is rsigma; nothing outside this module knows it. Its known faults are mended between
//! its stages, in `lower` and `correlate`, or the rule is refused. Deliberately absent: files,
//! threads, SQLite.

mod ascii;
mod catalogue;
mod correlate;
mod document;
mod explain;
mod fields;
mod implied;
mod index;
mod interest;
mod lower;
mod prefilter;
mod reach;
mod ruleset;
mod scan;
mod signs;
mod trial;
mod values;

#[cfg(any(test, feature = "capture"))]
pub(crate) use catalogue::Compiled;
#[cfg(feature = "capture")]
pub(crate) use catalogue::Entry;
pub(crate) use catalogue::{Source, compile};
#[cfg(feature = "capture")]
pub(crate) use document::{MOST_FILE_BYTES, without};
#[cfg(test)]
pub(crate) use fields::RULE_FIELDS;
#[cfg(feature = "capture")]
pub(crate) use ruleset::Part;
pub(crate) use ruleset::{Match, Ruleset};
pub(crate) use trial::Tried;

#[cfg(test)]
mod tests;
