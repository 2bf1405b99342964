//! `bpfctl fields`: what a filter may ask for.

use std::io::Write;

use common::filter::{FIELDS, FieldInfo};

use crate::command::Context;
use crate::error::CommandError;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Column, render};

pub(crate) fn run(context: &mut Context) -> Result<(), CommandError> {
    if context.json {
        for info in FIELDS {
            writeln!(context.out, "{}", json(info))?;
        }
    } else {
        context.out.write_all(table(&context.screen).as_bytes())?;
    }
    context.out.flush()?;
    Ok(())
}

fn operators(info: &FieldInfo) -> Vec<&'static str> {
    info.kind.operators().iter().map(|operator| operator.name()).collect()
}

fn json(info: &FieldInfo) -> serde_json::Value {
    serde_json::json!({
        "name": info.name,
        "ecs": info.ecs,
        "aliases": info.aliases,
        "operators": operators(info),
        "expects": info.kind.expects(),
        "doc": info.doc,
        "example": info.example,
    })
}

fn table(screen: &Screen) -> String {
    const COLUMNS: [Column; 3] = [
        Column::left("FIELD", 8, 24),
        Column::left("EXAMPLE", 8, 40),
        Column::left("MEANING", 0, 0),
    ];
    let rows: Vec<_> = FIELDS
        .iter()
        .map(|info| {
            vec![
                Cell::toned(info.name, Tone::Strong),
                Cell::new(info.example),
                Cell::toned(info.doc, Tone::Dim),
            ]
        })
        .collect();
    // A meaning that is cut explains nothing: long lines wrap.
    let mut out = render(&COLUMNS, &rows, &Screen { width: None, ..screen.clone() });
    out.push_str(
        "\nOperators: = != ~ (contains) !~ =~ (regular expression) !=~ < <= > >= in (a, b) exists\n\
         Combine with: and or not ( )\n\
         Words alone search the command line.\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_listed_with_an_example_that_parses() {
        let table = table(&Screen::plain(None));
        for info in FIELDS {
            assert!(table.lines().any(|line| line.starts_with(info.name)), "{}", info.name);
            assert!(common::filter::Filter::parse(info.example, 0).is_ok(), "{}", info.example);
        }
    }
}
