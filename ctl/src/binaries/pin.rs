//! `bpfctl binaries pin` and `unpin`

use std::io::{self, Write};

use common::binary::Storage;
use common::bus::{self, BinariesProxy};
use serde_json::json;

use super::{LIST_HINT, ambiguous, parse};
use crate::args::ContentHash;
use crate::command::Context;
use crate::error::CommandError;
use crate::text;

/// So many are asked for one by one, to name those that are not known or have no copy.
const MOST_NAMED: usize = 100;

pub(crate) async fn pin(context: &mut Context, hashes: &[ContentHash]) -> Result<(), CommandError> {
    let hashes = each_once(hashes);
    let binaries = context.binaries().await?;
    set(context, &binaries, &hashes, true).await?;
    if !context.json && hashes.len() <= MOST_NAMED {
        for hash in hashes {
            // A remark that cannot be made is not worth a failure.
            let answer = binaries.get(hash.as_str()).await.unwrap_or_default();
            if let Ok(binary) = parse(answer.as_bytes())
                && binary.storage != Storage::Kept
            {
                let _ = writeln!(io::stderr(), "note: {hash}: {}", binary.storage.sentence());
            }
        }
    }
    Ok(())
}

pub(crate) async fn unpin(
    context: &mut Context,
    hashes: &[ContentHash],
) -> Result<(), CommandError> {
    let hashes = each_once(hashes);
    let binaries = context.binaries().await?;
    set(context, &binaries, &hashes, false).await
}

fn each_once(hashes: &[ContentHash]) -> Vec<&ContentHash> {
    let mut hashes: Vec<_> = hashes.iter().collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

async fn set(
    context: &mut Context,
    binaries: &BinariesProxy<'_>,
    hashes: &[&ContentHash],
    is_pinned: bool,
) -> Result<(), CommandError> {
    let texts: Vec<_> = hashes.iter().map(|hash| hash.as_str()).collect();
    let answer = binaries.pin(&texts, is_pinned).await;
    let count = answer.map_err(|error| match error {
        bus::Error::InvalidArgument(text) => ambiguous(&text),
        error => error.into(),
    })?;
    if context.json {
        writeln!(context.out, "{}", json!({"meant": hashes.len(), "changed": count}))?;
    } else if count > 0 {
        let done = if is_pinned { "pinned" } else { "no longer pinned" };
        writeln!(context.out, "{} {done}", text::counted(count.into(), "binary"))?;
    }
    context.out.flush()?;
    match hashes.len().saturating_sub(count as usize) {
        0 => Ok(()),
        missing => {
            Err(CommandError::failure(unknown(binaries, hashes, missing).await).hint(LIST_HINT))
        }
    }
}

/// The recorder only counts: of a few, each is asked for.
async fn unknown(binaries: &BinariesProxy<'_>, hashes: &[&ContentHash], missing: usize) -> String {
    let mut names = Vec::new();
    if hashes.len() <= MOST_NAMED {
        for hash in hashes {
            if let Err(bus::Error::NotFound(_)) = binaries.get(hash.as_str()).await {
                names.push(hash.as_str());
            }
        }
    }
    match names.is_empty() {
        true => format!("{} of these binaries are not known", text::number(missing as u64)),
        false => format!("no such binary: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_meant_once() {
        let hashes: Vec<ContentHash> =
            ["bbbbbb", "aaaaaa", "BBBBBB"].iter().map(|text| text.parse().unwrap()).collect();
        let once: Vec<_> = each_once(&hashes).iter().map(|hash| hash.as_str()).collect();
        assert_eq!(once, ["aaaaaa", "bbbbbb"]);
    }
}
