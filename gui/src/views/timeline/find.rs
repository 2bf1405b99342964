//! Find: from match to match among the rows that are here, by their command lines.
//!
//! The recorder is not asked: what is not here is found by a filter, which a button makes of the text.

use common::filter::quote;
use eframe::egui::{self, Id, Key, Modifiers, Role, Ui, WidgetInfo};

use crate::state::row::Row;
use crate::theme::Tokens;
use crate::views::{Action, Context};
use crate::widgets::text;

const ID: &str = "find in processes";

/// What is looked for, while the bar is open.
#[derive(Default)]
pub(super) struct Find {
    is_open: bool,
    wants_focus: bool,
    text: String,
    said: String,
}

/// A row that has the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) sequence: i64,
    /// Counted from 1, in the order of the rows.
    number: usize,
    of: usize,
}

/// Towards later rows of the table or earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Next,
    Previous,
}

impl Find {
    pub(super) fn open(&mut self) {
        (self.is_open, self.wants_focus) = (true, true);
    }

    /// Draws the bar. Tells which way to go.
    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) -> Option<Way> {
        if !self.is_open {
            return None;
        }
        let id = Id::unique(ID);
        let mut way = None;
        if ui.memory(|memory| memory.has_focus(id)) {
            way = Self::keys(ui);
        }
        ui.horizontal(|ui| {
            let edit = egui::TextEdit::singleline(&mut self.text).id(id).desired_width(240.0);
            let field = ui.add(edit.hint_text("Part of a command line"));
            let value = self.text.clone();
            field.widget_info(|| {
                let mut info = WidgetInfo::labeled(Role::TextInput, true, "Find in command lines");
                info.current_text_value = Some(value.clone());
                info
            });
            if std::mem::take(&mut self.wants_focus) {
                field.request_focus();
            }
            // The key takes the focus first; it must not go back in history as well.
            let escape =
                |input: &mut egui::InputState| input.consume_key(Modifiers::NONE, Key::Escape);
            if field.lost_focus() && ui.input_mut(escape) {
                self.is_open = false;
            }
            if field.changed() {
                self.said.clear();
            }
            let has_text = !self.text.is_empty();
            for (name, meant) in [("Previous", Way::Previous), ("Next", Way::Next)] {
                if ui.add_enabled(has_text, egui::Button::new(name)).clicked() {
                    way = Some(meant);
                }
            }
            let filter = ui.add_enabled(has_text, egui::Button::new("Filter by it"));
            if filter.on_hover_text("Finds it in all of the range").clicked() {
                cx.act(Action::Narrow(format!("cmd ~ {}", quote(&self.text))));
            }
            let close = ui.small_button("✖");
            close.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Close find"));
            if close.clicked() {
                self.is_open = false;
            }
            ui.colored_label(Tokens::of(ui.ctx()).weak, &self.said);
        });
        way.filter(|_| self.is_open && !self.text.is_empty())
    }

    /// Before the field sees them: it would give up the keys.
    fn keys(ui: &Ui) -> Option<Way> {
        let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
        // Enter alone would also take the one with Shift.
        if pressed(Modifiers::SHIFT, Key::Enter) {
            return Some(Way::Previous);
        }
        pressed(Modifiers::NONE, Key::Enter).then_some(Way::Next)
    }

    /// The match after the row with this position in the store, round the end. `rows` are those that
    /// are here, in the order of the table; there are `total`.
    pub(super) fn go(
        &mut self,
        rows: &[&Row],
        total: u64,
        from: Option<i64>,
        way: Way,
    ) -> Option<Found> {
        let found = step(rows, &self.text, from, way);
        self.said = match found {
            Some(found) => format!("{} of {}", found.number, found.of),
            None => "not found".to_owned(),
        };
        let here = rows.len() as u64;
        if here < total {
            let (here, total) = (text::number(here), text::number(total));
            let more = format!(", in the {here} of {total} rows that are loaded");
            self.said.push_str(&more);
        }
        found
    }
}

fn step(rows: &[&Row], wanted: &str, from: Option<i64>, way: Way) -> Option<Found> {
    let wanted = wanted.to_lowercase();
    let has_it = |row: &Row| row.command_line.text.to_lowercase().contains(&wanted);
    let places = rows.iter().enumerate().filter(|(_, row)| has_it(row));
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    let from = from.and_then(|from| rows.iter().position(|row| row.sequence == from));
    let (first, last) = (0, places.len().checked_sub(1)?);
    let at = match (way, from) {
        (Way::Next, None) => first,
        (Way::Previous, None) => last,
        (Way::Next, Some(from)) => places.iter().position(|place| *place > from).unwrap_or(first),
        (Way::Previous, Some(from)) => {
            places.iter().rposition(|place| *place < from).unwrap_or(last)
        }
    };
    Some(Found { sequence: rows[places[at]].sequence, number: at + 1, of: places.len() })
}

#[cfg(test)]
mod tests {
    use common::ecs::Event;

    use super::*;

    fn rows() -> Vec<Row> {
        let line = include_str!("../../../tests/data/processes.ndjson").lines().next().unwrap();
        let event: Event<'_> = serde_json::from_str(line).unwrap();
        let row = |(sequence, command_line): (i64, &str)| {
            let mut row = Row::of(&event);
            row.sequence = sequence;
            row.command_line = crate::state::row::Text::new(command_line);
            row
        };
        [(7, "cat a"), (3, "CURL x"), (9, "ls"), (4, "curl y")].map(row).into()
    }

    #[test]
    fn matches_follow_each_other_round_the_end() {
        let rows = rows();
        let rows: Vec<&Row> = rows.iter().collect();
        let at = |from, way| {
            step(&rows, "curl", from, way).map(|found| (found.sequence, found.number, found.of))
        };
        assert_eq!(at(None, Way::Next), Some((3, 1, 2)));
        assert_eq!(at(Some(3), Way::Next), Some((4, 2, 2)));
        assert_eq!(at(Some(4), Way::Next), Some((3, 1, 2)));
        assert_eq!(at(Some(9), Way::Previous), Some((3, 1, 2)));
        assert_eq!(at(Some(7), Way::Previous), Some((4, 2, 2)));
        assert_eq!(at(Some(100), Way::Previous), Some((4, 2, 2)), "a row that is not here");
        assert_eq!(step(&rows, "wget", None, Way::Next), None);
    }

    #[test]
    fn rows_that_are_not_here_are_told() {
        let rows = rows();
        let rows: Vec<&Row> = rows.iter().collect();
        let mut find = Find { text: "curl".to_owned(), ..Find::default() };
        assert!(find.go(&rows, 4, None, Way::Next).is_some());
        assert_eq!(find.said, "1 of 2");
        find.text = "wget".to_owned();
        assert!(find.go(&rows, 4000, None, Way::Next).is_none());
        assert_eq!(find.said, "not found, in the 4 of 4,000 rows that are loaded");
    }
}
