//! Doing anything by its name.

use eframe::egui::{self, Key, Modifiers, Role, Ui, WidgetInfo};

use super::Window;
use crate::commands::Command;
use crate::state::saved::Named;
use crate::theme::{self, Tokens};
use crate::views::Action;
use crate::widgets::text;

#[derive(Default)]
pub(super) struct Palette {
    text: String,
    chosen: usize,
}

#[derive(Clone)]
enum Done {
    Run(Command),
    Filter(String),
    Closed,
}

/// Something that is offered.
struct Entry {
    name: String,
    doc: String,
    keys: String,
    done: Done,
}

impl Entry {
    fn command(command: Command, ctx: &egui::Context) -> Self {
        let info = command.info();
        Entry {
            name: info.name.to_owned(),
            doc: info.doc.to_owned(),
            keys: command.shortcut_text(ctx),
            done: Done::Run(command),
        }
    }

    fn filter(saved: &Named<String>) -> Self {
        Entry {
            name: text::line(&saved.name),
            doc: text::line(&saved.value),
            keys: "saved filter".to_owned(),
            done: Done::Filter(saved.value.clone()),
        }
    }

    /// Keys are no words, nor is what a saved filter says: a pid that is typed would be found there.
    fn has(&self, words: &[&str]) -> bool {
        let more = match self.done {
            Done::Filter(_) => &self.keys,
            Done::Run(_) | Done::Closed => &self.doc,
        };
        let known = format!("{} {more}", self.name).to_lowercase();
        words.iter().all(|word| known.contains(word))
    }
}

impl Window {
    pub(super) fn open_palette(&mut self) {
        self.palette = match self.palette {
            Some(_) => None,
            None => Some(Palette::default()),
        };
    }

    pub(super) fn palette_window(&mut self, ctx: &egui::Context) {
        let Some(mut palette) = self.palette.take() else { return };
        let area = egui::Modal::default_area(egui::Id::unique("palette"))
            .anchor(egui::Align2::CENTER_TOP, egui::vec2(0.0, 80.0));
        let modal = egui::Modal::new(egui::Id::unique("palette")).area(area);
        let response = modal.show(ctx, |ui| palette.show(ui, self));
        match response.inner {
            Some(Done::Run(command)) => self.actions.push(Action::Run(command)),
            Some(Done::Filter(filter)) => self.actions.push(Action::SetFilter(filter)),
            Some(Done::Closed) => {}
            None if response.should_close() => {}
            None => self.palette = Some(palette),
        }
    }
}

impl Palette {
    fn show(&mut self, ui: &mut Ui, window: &Window) -> Option<Done> {
        ui.set_width(460.0);
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::Escape) {
            return Some(Done::Closed);
        }
        let (down, up, enter) =
            (pressed(Key::ArrowDown), pressed(Key::ArrowUp), pressed(Key::Enter));
        if down {
            self.chosen += 1;
        }
        if up {
            self.chosen = self.chosen.saturating_sub(1);
        }
        let edit = egui::TextEdit::singleline(&mut self.text)
            .hint_text("What to do, or a process id, pid or hash")
            .desired_width(f32::INFINITY);
        let response = ui.add(edit);
        response.request_focus();
        let text = self.text.clone();
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::TextInput, true, "Command");
            info.current_text_value = Some(text.clone());
            info
        });
        if response.changed() {
            self.chosen = 0;
        }
        // After the field took in what was typed: Enter may come in the same frame.
        let found = self.found(ui.ctx(), window);
        self.chosen = self.chosen.min(found.len().saturating_sub(1));
        if enter {
            return found
                .get(self.chosen)
                .map(|entry| entry.done.clone())
                .or_else(|| filter_of(&self.text).map(Done::Filter));
        }
        self.list(ui, &found)
    }

    fn list(&mut self, ui: &mut Ui, found: &[Entry]) -> Option<Done> {
        let tokens = Tokens::of(ui.ctx());
        let mut done = None;
        if let (true, Some(filter)) = (found.is_empty(), filter_of(&self.text)) {
            ui.label(format!("Enter: show {filter}"));
        } else if found.is_empty() {
            ui.colored_label(tokens.weak, "Nothing has this name.");
        }
        let height = 16.0 * theme::ROW_HEIGHT;
        egui::ScrollArea::vertical().max_height(height).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (at, entry) in found.iter().enumerate() {
                let button = egui::Button::selectable(at == self.chosen, entry.name.as_str())
                    .shortcut_text(entry.keys.as_str())
                    .truncate()
                    .min_size(egui::vec2(ui.available_width(), theme::ROW_HEIGHT));
                let label = ui.add(button).on_hover_text(&entry.doc);
                if at == self.chosen {
                    label.scroll_to_me(None);
                }
                if label.clicked() {
                    done = Some(entry.done.clone());
                }
            }
        });
        done
    }

    /// Commands and saved filters whose name or meaning has all the words.
    fn found(&self, ctx: &egui::Context, window: &Window) -> Vec<Entry> {
        let text = self.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_offered = |command: &Command| !matches!(command, Command::Palette | Command::Escape);
        let commands = Command::all()
            .filter(is_offered)
            .filter(|command| window.is_possible(*command))
            .map(|command| Entry::command(command, ctx));
        let saved = window.settings.saved_filters.iter().map(Entry::filter);
        let mut found: Vec<Entry> =
            commands.chain(saved).filter(|entry| entry.has(&words)).collect();
        let is_by_name = |entry: &Entry| {
            words.first().is_some_and(|word| entry.name.to_lowercase().starts_with(word))
        };
        found.sort_by_key(|entry| !is_by_name(entry));
        found
    }
}

/// What a text that is no command may name.
fn filter_of(text: &str) -> Option<String> {
    let text = text.trim();
    if text.parse::<common::id::ProcessId>().is_ok() {
        return Some(format!("id = {text}"));
    }
    if text.parse::<u32>().is_ok() {
        return Some(format!("pid = {text}"));
    }
    let is_hash = text.chars().all(|c| c.is_ascii_hexdigit());
    match text.len() {
        64 if is_hash => Some(format!("sha256 = {}", text.to_lowercase())),
        40 if is_hash => Some(format!("sha1 = {}", text.to_lowercase())),
        32 if is_hash => Some(format!("md5 = {}", text.to_lowercase())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_command_may_name_something() {
        assert_eq!(filter_of("4711"), Some("pid = 4711".to_owned()));
        assert_eq!(filter_of(&"aB".repeat(32)), Some(format!("sha256 = {}", "ab".repeat(32))));
        assert_eq!(filter_of("pause"), None);
    }
}
