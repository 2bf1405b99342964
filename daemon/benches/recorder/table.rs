//! How figures are printed.

use std::fmt;

/// A column for each of these, after the figure's name and what is aimed at.
const COLUMNS: [&str; 5] = ["figure", "target", "this project", "auditd", "auditd + laurel"];

/// Of Markdown, so that it can be pasted into documents.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    pub(crate) fn add(&mut self, figure: &str, target: &str, cells: [String; 3]) {
        let [ours, auditd, laurel] = cells;
        self.rows.push([figure.to_owned(), target.to_owned(), ours, auditd, laurel]);
    }

    /// What the others do not do.
    pub(crate) fn add_ours(&mut self, figure: &str, target: &str, cell: String) {
        self.add(figure, target, [cell, "–".to_owned(), "–".to_owned()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = COLUMNS.map(str::to_owned);
        let all = || std::iter::once(&heads).chain(&self.rows);
        let width =
            |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 5] = std::array::from_fn(width);
        for (number, row) in all().enumerate() {
            for (cell, width) in row.iter().zip(widths) {
                write!(formatter, "| {cell:width$} ")?;
            }
            writeln!(formatter, "|")?;
            if number == 0 {
                for width in widths {
                    write!(formatter, "| {:-<width$} ", "")?;
                }
                writeln!(formatter, "|")?;
            }
        }
        Ok(())
    }
}

/// A figure outside the table.
pub(crate) fn row(name: &str, value: &str) {
    println!("{name:52} {value}");
}

pub(crate) fn plain(value: f64) -> String {
    format!("{value:.1}")
}

pub(crate) fn signed(value: f64) -> String {
    format!("{value:+.1}")
}

/// Median, least and most.
pub(crate) fn spread(
    values: impl IntoIterator<Item = f64>,
    unit: &str,
    show: fn(f64) -> String,
) -> String {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let [Some(least), Some(most)] = [values.first(), values.last()] else {
        return "–".to_owned();
    };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let median = show(values[values.len() / 2]);
    format!("{median}{unit} ({} to {})", show(*least), show(*most))
}
