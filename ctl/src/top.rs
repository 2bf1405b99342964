//! `bpfctl top`: which values a field has, and how often.

use std::io::Write;

use common::bus::Count;

use crate::args::Top;
use crate::command::Context;
use crate::error::{self, CommandError};
use crate::screen::{Screen, Tone};
use crate::stream::Stream;
use crate::table::{Cell, Column, render};
use crate::text;

pub(crate) async fn run(
    context: &mut Context,
    args: &Top,
    filter: &str,
) -> Result<(), CommandError> {
    let processes = context.processes().await?;
    let pipe = processes.top(&args.field, filter, args.limit, args.rarest).await?;
    let mut stream = Stream::new(pipe)?;
    let mut counts: Vec<Count> = Vec::new();
    while stream.next().await?.is_some() {
        let count = serde_json::from_slice(stream.line());
        counts.push(count.map_err(|error| error::not_understood(&error))?);
    }
    if context.json {
        for count in &counts {
            let line =
                serde_json::to_string(count).map_err(|error| error::not_understood(&error))?;
            writeln!(context.out, "{line}")?;
        }
    } else {
        context.out.write_all(table(&counts, &context.screen).as_bytes())?;
    }
    context.out.flush()?;
    if counts.is_empty() && !context.json {
        let _ = writeln!(std::io::stderr(), "no process matches, or none has this field");
    }
    Ok(())
}

fn table(counts: &[Count], screen: &Screen) -> String {
    const COLUMNS: [Column; 4] = [
        Column::right("COUNT", 5, 16),
        Column::left("FIRST", 23, 23),
        Column::left("LAST", 23, 23),
        Column::left("VALUE", 0, 0),
    ];
    if counts.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = counts
        .iter()
        .map(|count| {
            let time = |ns| Cell::toned(text::date_time(ns, &screen.zone), Tone::Dim);
            vec![
                Cell::new(text::number(count.count)),
                time(count.first_ns),
                time(count.last_ns),
                Cell::new(&*count.value),
            ]
        })
        .collect();
    render(&COLUMNS, &rows, screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stand_right_and_values_are_harmless() {
        let ns = 1_795_510_206_123_456_789;
        let count =
            |value: &str, count| Count { value: value.into(), count, first_ns: 0, last_ns: ns };
        let table = table(&[count("/bin/sh", 12_481), count("\x1b[2J", 1)], &Screen::plain(None));
        assert_eq!(
            table.lines().collect::<Vec<_>>(),
            [
                " COUNT  FIRST                    LAST                     VALUE",
                "12,481  1970-01-01 00:00:00.000  2026-11-24 08:50:06.123  /bin/sh",
                "     1  1970-01-01 00:00:00.000  2026-11-24 08:50:06.123  \\x1b[2J",
            ]
        );
    }

    #[test]
    fn the_whole_of_a_hash_needs_a_wide_terminal() {
        let hash = "9f86d081".repeat(8);
        let count = Count { value: hash.clone(), count: 1, first_ns: 0, last_ns: 0 };
        let value = |width| {
            let table = table(std::slice::from_ref(&count), &Screen::plain(width));
            table.lines().nth(1).unwrap()[57..].to_owned()
        };
        assert_eq!(value(None), hash);
        assert_eq!(value(Some(121)), hash);
        // The beginning of a hash is as good, but for the mark.
        assert_eq!(value(Some(80)), format!("{}…", &hash[..22]));
    }
}
