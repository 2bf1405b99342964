//! Loads that somebody could put on a machine to hurt the recorder, or to hide in what it loses.
//! What the workload itself counted is what was recorded, plus what was counted as lost.

mod bombs;
mod crowd;
mod namespaces;
pub(crate) mod pids;
mod starved;
pub(crate) mod storms;
pub(crate) mod witness;
