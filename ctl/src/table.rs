//! Lines of aligned cells, that can be written before all rows are known.

use common::escape;

use crate::screen::{Screen, Tone};
use crate::text;

/// Text of any origin, safe on a terminal from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into();
        let text = match escape::terminal(&text) {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(safe) => safe,
        };
        Self { text, tone }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub title: &'static str,
    pub align: Align,
    /// Width before any cell is known.
    pub min: usize,
    /// Width that cells may ask for; longer ones are cut on a terminal.
    pub max: usize,
}

impl Column {
    pub(crate) const fn left(title: &'static str, min: usize, max: usize) -> Self {
        Self { title, align: Align::Left, min, max }
    }

    pub(crate) const fn right(title: &'static str, min: usize, max: usize) -> Self {
        Self { title, align: Align::Right, min, max }
    }
}

/// Columns and their widths. The last column takes what is left of the line.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    columns: Vec<Column>,
    widths: Vec<usize>,
}

const BETWEEN: &str = "  ";
/// However narrow the terminal, the last column keeps this much.
const MIN_REST: usize = 16;

impl Layout {
    pub(crate) fn new(columns: &[Column]) -> Self {
        let widths = columns.iter().map(|c| c.min.max(text::width(c.title))).collect();
        Self { columns: columns.to_vec(), widths }
    }

    /// Makes room for the cells of a row.
    pub(crate) fn widen(&mut self, cells: &[Cell]) {
        for ((width, column), cell) in self.widths.iter_mut().zip(&self.columns).zip(cells) {
            *width = (*width).max(text::width(&cell.text).min(column.max));
        }
    }

    pub(crate) fn header(&self, screen: &Screen) -> String {
        let cells: Vec<_> = self.columns.iter().map(|c| Cell::toned(c.title, Tone::Dim)).collect();
        self.line(&cells, screen)
    }

    /// One line, with its line feed.
    pub(crate) fn line(&self, cells: &[Cell], screen: &Screen) -> String {
        let mut line = String::new();
        let mut used = 0;
        let last = self.columns.len() - 1;
        for (at, cell) in cells.iter().enumerate() {
            if at == last {
                let rest = screen.width.map(|width| width.saturating_sub(used).max(MIN_REST));
                let text = rest.map_or((&*cell.text).into(), |rest| text::cut(&cell.text, rest));
                line.push_str(&screen.paint(cell.tone, &text));
            } else {
                used += self.push_cell(&mut line, at, cell, screen) + BETWEEN.len();
                line.push_str(BETWEEN);
            }
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }

    fn push_cell(&self, line: &mut String, at: usize, cell: &Cell, screen: &Screen) -> usize {
        let wanted = self.widths[at];
        let text = match screen.width {
            Some(_) => text::cut(&cell.text, wanted),
            None => (&*cell.text).into(),
        };
        let width = text::width(&text);
        let space = " ".repeat(wanted.saturating_sub(width));
        let painted = screen.paint(cell.tone, &text);
        match self.columns[at].align {
            Align::Left => line.extend([&*painted, &*space]),
            Align::Right => line.extend([&*space, &*painted]),
        }
        width.max(wanted)
    }
}

/// A whole table, of rows that are all known.
pub(crate) fn render(columns: &[Column], rows: &[Vec<Cell>], screen: &Screen) -> String {
    let mut layout = Layout::new(columns);
    for row in rows {
        layout.widen(row);
    }
    let mut out = layout.header(screen);
    out.extend(rows.iter().map(|row| layout.line(row, screen)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [Column::right("N", 3, 8), Column::left("NAME", 4, 6), Column::left("WHAT", 0, 0)];

    fn check(width: Option<usize>, rows: &[[&str; 3]], expected: &[&str]) {
        let rows: Vec<Vec<_>> =
            rows.iter().map(|row| row.iter().map(|text| Cell::new(*text)).collect()).collect();
        let table = render(&COLUMNS, &rows, &Screen::plain(width));
        assert_eq!(table.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn cells_align_and_numbers_stand_right() {
        check(
            None,
            &[["1", "a", "x"], ["12345", "abcdef", ""]],
            &["    N  NAME    WHAT", "    1  a       x", "12345  abcdef"],
        );
    }

    #[test]
    fn a_terminal_cuts_and_a_pipe_does_not() {
        let rows = [["1", "abcdefgh", "a long command line that goes on"]];
        check(Some(40), &rows, &["  N  NAME    WHAT", "  1  abcde…  a long command line that g…"]);
        check(
            None,
            &rows,
            &["  N  NAME    WHAT", "  1  abcdefgh  a long command line that goes on"],
        );
    }

    #[test]
    fn wide_characters_keep_the_columns() {
        check(
            Some(80),
            &[["1", "漢字", "x"], ["2", "ab", "y"]],
            &["  N  NAME  WHAT", "  1  漢字  x", "  2  ab    y"],
        );
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        check(
            Some(80),
            &[["1", "a\nb", "\x1b]0;own\x07\u{202e}x"]],
            &["  N  NAME  WHAT", "  1  a\\nb  \\x1b]0;own\\x07\\u{202e}x"],
        );
    }
}
