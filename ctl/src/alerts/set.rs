//! `bpfctl alerts set`: what people say of alerts.

use std::io::Write;

use common::alert::Status;
use common::bus::{self, AlertsProxy};
use serde_json::json;

use crate::args::Judgement;
use crate::command::Context;
use crate::error::CommandError;
use crate::text;

/// More at once is a slip of the finger.
const MOST_IDS: usize = 100_000;
/// So many are asked for one by one, to name those that do not exist.
const MOST_NAMED: usize = 100;

/// The numbers meant, each once; settled before anything is asked for.
pub(crate) fn ids(judgement: &Judgement) -> Result<Vec<u64>, CommandError> {
    if judgement.status.is_none() && note(judgement).is_empty() {
        return Err(CommandError::usage("an empty note says nothing")
            .hint("give --status, or a --note with a text"));
    }
    let mut ids = Vec::new();
    for range in &judgement.ids {
        ids.extend(range.clone().take(MOST_IDS + 1 - ids.len().min(MOST_IDS)));
    }
    ids.sort_unstable();
    ids.dedup();
    match ids.len() > MOST_IDS {
        true => Err(CommandError::usage(format!(
            "more than {} alerts at once",
            text::number(MOST_IDS as u64)
        ))
        .hint("take smaller ranges")),
        false => Ok(ids),
    }
}

fn note(judgement: &Judgement) -> &str {
    judgement.note.as_deref().unwrap_or_default().trim()
}

pub(crate) async fn run(
    context: &mut Context,
    judgement: &Judgement,
    ids: &[u64],
) -> Result<(), CommandError> {
    let alerts = context.alerts().await?;
    let status = judgement.status.map(Status::name).unwrap_or_default();
    let count = alerts.set(ids, status, note(judgement)).await?;
    let missing = ids.len().saturating_sub(count as usize);
    if count == 0 {
        return Err(CommandError::failure(none(ids))
            .hint("`bpfctl alerts --status all` lists them with their numbers"));
    }
    if context.json {
        writeln!(context.out, "{}", json!({"meant": ids.len(), "changed": count}))?;
    } else {
        writeln!(context.out, "{}", done(judgement, count))?;
    }
    context.out.flush()?;
    if missing > 0 {
        let remark = unknown(&alerts, ids, missing).await;
        // A remark that cannot be made is not worth a failure.
        let _ = writeln!(std::io::stderr(), "{remark}");
    }
    Ok(())
}

fn none(ids: &[u64]) -> String {
    match ids {
        [id] => format!("no such alert: {id}"),
        ids => format!("none of these {} alerts exists", text::number(ids.len() as u64)),
    }
}

/// `3 alerts set to resolved, with a note`
fn done(judgement: &Judgement, count: u32) -> String {
    let alerts = text::counted(count.into(), "alert");
    match (judgement.status, note(judgement)) {
        (Some(status), "") => format!("{alerts} set to {}", status.name()),
        (Some(status), _) => format!("{alerts} set to {}, with a note", status.name()),
        (None, _) => format!("note added to {alerts}"),
    }
}

/// The recorder only counts: of a few, each is asked for.
async fn unknown(alerts: &AlertsProxy<'_>, ids: &[u64], missing: usize) -> String {
    let mut names = Vec::new();
    if ids.len() <= MOST_NAMED {
        for id in ids {
            if let Err(bus::Error::NotFound(_)) = alerts.get(*id).await {
                names.push(id.to_string());
            }
        }
    }
    match names.is_empty() {
        true => format!("{} of these do not exist", text::number(missing as u64)),
        false => format!("no such alert: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    fn judgement(ids: &[RangeInclusive<u64>], note: Option<&str>) -> Judgement {
        Judgement { ids: ids.to_vec(), status: None, note: note.map(str::to_owned) }
    }

    #[test]
    fn numbers_are_meant_once_and_in_measure() {
        let found = ids(&judgement(&[3..=5, 12..=12, 4..=6], Some("x")));
        assert_eq!(found, Ok(vec![3, 4, 5, 6, 12]));
        for ranges in [vec![0..=u64::MAX], vec![0..=99_999, 100_000..=100_000]] {
            let error = ids(&judgement(&ranges, Some("x"))).unwrap_err();
            assert_eq!(error.kind, crate::error::Kind::Usage);
        }
        assert_eq!(ids(&judgement(&[1..=100_000], Some("x"))).unwrap().len(), 100_000);
        assert!(ids(&judgement(&[1..=1], Some(" "))).is_err());
    }

    #[test]
    fn what_was_done_is_said() {
        let mut judgement = judgement(&[1..=1], Some("our backup"));
        assert_eq!(done(&judgement, 1), "note added to 1 alert");
        judgement.status = Some(Status::FalsePositive);
        assert_eq!(done(&judgement, 3), "3 alerts set to false_positive, with a note");
        judgement.note = None;
        assert_eq!(done(&judgement, 3), "3 alerts set to false_positive");
    }
}
