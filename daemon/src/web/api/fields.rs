//! What may be written into a filter: fields, operators, and values that occur.

use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use common::filter::{self, FIELDS};
use serde::Serialize;

use super::{Asking, Route};
use crate::web::fault::Fault;
use crate::web::form::{self, Pairs};
use crate::web::lines;

const MOST_VALUES: u32 = 20;

pub(super) fn routes() -> Vec<Route> {
    vec![("/api/v1/fields", get(fields)), ("/api/v1/complete", get(complete))]
}

#[derive(Serialize)]
struct FieldLine {
    name: &'static str,
    doc: &'static str,
}

async fn fields() -> Response {
    let line = |field: &filter::FieldInfo| FieldLine { name: field.name, doc: field.doc };
    axum::Json(FIELDS.iter().map(line).collect::<Vec<_>>()).into_response()
}

#[derive(Serialize)]
struct Completion {
    /// What it takes the place of, in UTF-16 units, as scripts count.
    from: usize,
    to: usize,
    text: String,
    doc: String,
}

async fn complete(asking: Asking, uri: Uri) -> Response {
    asking
        .answer(async {
            let pairs = Pairs::of(&uri);
            let text = pairs.last("filter");
            let units = pairs.last("cursor");
            let cursor = match units {
                "" => text.len(),
                units => {
                    let units = units.parse().map_err(|_| Fault::bad("cursor: give a number"))?;
                    byte_of(text, units)
                }
            };
            let mut completions = filter::complete(text, cursor);
            completions.extend(asking.values(text, cursor).await?);
            let completions = completions.into_iter().map(|completion| Completion {
                from: units_of(text, completion.replaces.start),
                to: units_of(text, completion.replaces.end),
                text: completion.text,
                doc: completion.doc,
            });
            Ok(axum::Json(completions.collect::<Vec<_>>()).into_response())
        })
        .await
}

impl Asking {
    /// Values that occur most often of those that begin as is written.
    async fn values(&self, text: &str, cursor: usize) -> Result<Vec<filter::Completion>, Fault> {
        let Some((field, range)) = filter::value_at(text, cursor) else { return Ok(Vec::new()) };
        let written = text[range.clone()].trim_start_matches(['"', '\'']);
        let narrowed = if written.is_empty() {
            String::new()
        } else {
            format!("{} ~ {}", field.name(), filter::quote(written))
        };
        // Not every field has values that can be counted, or looked for in part.
        if form::filter(&narrowed).is_err() {
            return Ok(Vec::new());
        }
        let _place = self.place().await?;
        let processes = self.session.processes().await?;
        let Ok(pipe) = processes.top(field.name(), &narrowed, MOST_VALUES, false).await else {
            return Ok(Vec::new());
        };
        let (counts, _) = lines::whole::<lines::Counts>(pipe).await?;
        let value = |count: common::bus::Count| filter::Completion {
            replaces: range.clone(),
            text: filter::quote(&count.value),
            doc: format!("{} times", common::number::number(count.count)),
        };
        Ok(counts.into_iter().map(value).collect())
    }
}

fn byte_of(text: &str, units: usize) -> usize {
    let mut seen = 0;
    for (byte, letter) in text.char_indices() {
        if seen >= units {
            return byte;
        }
        seen += letter.len_utf16();
    }
    text.len()
}

fn units_of(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(0, |part| part.chars().map(char::len_utf16).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_scripts() {
        let text = "a😀b";
        for (units, byte) in [(0, 0), (1, 1), (3, 5), (4, 6), (9, 6)] {
            assert_eq!(byte_of(text, units), byte);
            assert_eq!(units_of(text, byte), units.min(4));
        }
    }
}
