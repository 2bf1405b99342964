//! A text of rules that is pasted or read from a file, checked, tried, and uploaded.

use std::path::PathBuf;

use common::rule::{EXAMPLE, Report, RuleState};
use eframe::egui::text::{CCursor, CCursorRange};
use eframe::egui::{self, Button, Id, Label, RichText, Role, TextEdit, Ui, WidgetInfo};

use super::lines::{state_color, state_text};
use crate::connection::files::{Answer as File, Ask as AskFile};
use crate::connection::rules::{Answer as Found, Ask};
use crate::connection::{Answer, Asked, Request, Trouble};
use crate::state::rule_list::state_sentence;
use crate::theme::{self, Tokens, level_mark};
use crate::views::parts::{self, counted};
use crate::views::{Context, Reply};
use crate::widgets::text;

const NAME: &str = "my-rule.yml";

const TEXT: &str = "rule text";

#[derive(Default)]
pub(super) struct Editor {
    is_open: bool,
    name: String,
    text: String,
    /// There is no dialog: the path is typed.
    path: Option<String>,
    report: Option<Report>,
    /// Of which text the report is.
    reported: String,
    /// To be gone to in the next frame: in this one the click takes the focus away.
    wanted_line: Option<usize>,
    trouble: Option<Trouble>,
    /// What is to be tried on history.
    pub(super) wants_hunt: Option<String>,
    choosing: Asked,
    reading: Asked,
    sending: Asked,
}

impl Editor {
    pub(super) fn open(&mut self) {
        self.is_open = true;
        if self.name.is_empty() {
            NAME.clone_into(&mut self.name);
        }
    }

    pub(super) fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) -> Option<Reply> {
        if self.choosing.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Files(File::Chosen(Some(path)))) => self.read(path, cx),
                Ok(_) => {}
                Err(trouble) => {
                    self.path = Some(String::new());
                    self.trouble = Some(trouble);
                }
            }
        } else if self.reading.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Files(File::Text { name, text })) => {
                    (self.name, self.text, self.path) = (name, text, None);
                    self.trouble = None;
                    self.send(false, cx);
                }
                Ok(_) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else if self.sending.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Rules(Found::Report(report))) => {
                    self.trouble = None;
                    self.report = Some(report);
                }
                Ok(_) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else {
            return Some(reply);
        }
        None
    }

    fn read(&mut self, path: PathBuf, cx: &mut Context<'_>) {
        self.reading.ask(cx.link, Request::Files(AskFile::Read { path }));
    }

    fn send(&mut self, is_to_be_stored: bool, cx: &mut Context<'_>) {
        let (name, text) = (self.name.trim().to_owned(), self.text.clone());
        self.report = None;
        self.reported.clone_from(&text);
        let ask = match is_to_be_stored {
            true => Ask::Upload { name, text },
            false => Ask::Check { name, text },
        };
        self.sending.ask(cx.link, Request::Rules(ask));
    }

    pub(super) fn window(&mut self, ctx: &egui::Context, cx: &mut Context<'_>) {
        if !self.is_open {
            return;
        }
        let mut is_open = true;
        let screen = ctx.content_rect();
        egui::Window::new("Add a rule")
            .open(&mut is_open)
            .collapsible(false)
            .default_size([620.0, (screen.height() - 220.0).clamp(240.0, 560.0)])
            .default_pos(screen.center_top() + egui::vec2(-310.0, 90.0))
            .max_size(screen.size() - egui::vec2(40.0, 60.0))
            .show(ctx, |ui| self.ui(ui, cx));
        let is_escaped = !egui::Popup::is_any_open(ctx)
            && !ctx.egui_wants_keyboard_input()
            && ctx.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Escape));
        self.is_open = is_open && !is_escaped;
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        if let Some(line) = self.wanted_line.take() {
            go_to_line(ui, &self.text, line);
        }
        parts::weak(
            ui,
            "Paste a rule in the Sigma format, or take one from a file. Nothing is in force before it is uploaded.",
        );
        ui.horizontal_wrapped(|ui| {
            ui.label("Name");
            parts::field(ui, &mut self.name, "Name of the file", NAME, 240.0);
            let open = ui.add_enabled(!self.choosing.is_waiting(), Button::new("From a file…"));
            if open.clicked() {
                let title = "Rules to upload".to_owned();
                self.choosing.ask(cx.link, Request::Files(AskFile::ChooseToOpen { title }));
            }
            if self.text.is_empty() && ui.button("Begin with an example").clicked() {
                EXAMPLE.clone_into(&mut self.text);
            }
        });
        self.path_field(ui, cx);
        egui::Panel::bottom("rule report").resizable(false).show_separator_line(false).show(
            ui,
            |ui| {
                parts::trouble_bar(ui, &mut self.trouble);
                self.report(ui);
                // At the lower edge, where they stay whatever is said above.
                self.buttons(ui, cx);
            },
        );
        egui::ScrollArea::vertical().id_salt("rule editor").auto_shrink(false).show(ui, |ui| {
            let edit = TextEdit::multiline(&mut self.text)
                .font(theme::mono())
                .desired_width(f32::INFINITY)
                .min_size(ui.available_size())
                .id(Id::unique(TEXT))
                .hint_text("Paste the text of a rule here");
            let response = ui.add(edit);
            response.widget_info(|| {
                let mut info =
                    WidgetInfo::labeled(Role::MultilineTextInput, true, "Text of the rule");
                info.current_text_value = Some(self.text.clone());
                info
            });
        });
    }

    fn path_field(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let Some(mut path) = self.path.take() else { return };
        let mut chosen = None;
        ui.horizontal(|ui| {
            ui.label("Path");
            let field = parts::field(ui, &mut path, "Path of the file", "/path/to/rule.yml", 360.0);
            let is_entered = parts::entered(ui, &field);
            if (ui.button("Read").clicked() || is_entered) && !path.trim().is_empty() {
                chosen = Some(PathBuf::from(path.trim()));
            }
        });
        self.path = Some(path);
        if let Some(path) = chosen {
            self.read(path, cx);
        }
    }

    fn buttons(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        ui.add_space(4.0);
        ui.horizontal_wrapped(|ui| {
            let is_free = !self.text.trim().is_empty() && !self.sending.is_waiting();
            if ui.add_enabled(is_free, Button::new("Check")).clicked() {
                self.send(false, cx);
            }
            let hunt = ui.add_enabled(is_free, Button::new("Try on history"));
            let what = "What it would have fired on, in filter and range; nothing is stored";
            if hunt.on_hover_text(what).clicked() {
                self.wants_hunt = Some(self.text.clone());
            }
            let is_named = !self.name.trim().is_empty();
            let upload = ui.add_enabled(is_free && is_named, Button::new("Upload"));
            if upload.on_hover_text("Store it and put it into force").clicked() {
                self.send(true, cx);
            }
            if self.sending.is_waiting() {
                ui.spinner();
            }
        });
    }

    /// What became of the text, or would.
    fn report(&mut self, ui: &mut Ui) {
        let Some(report) = &self.report else { return };
        let tokens = Tokens::of(ui.ctx());
        let is_usable = report.rules.iter().any(|rule| rule.state != RuleState::Unusable);
        let (title, color) = match (&report.reason, report.is_stored, is_usable) {
            (Some(reason), ..) => (format!("✖ Refused: {}", text::line(reason)), tokens.failed),
            (None, true, _) => {
                (format!("✔ Stored as {}", text::line(&report.file)), tokens.running)
            }
            (None, false, true) => ("✔ Good; nothing is stored yet".to_owned(), tokens.running),
            (None, false, false) => ("✖ No rule in it can be used".to_owned(), tokens.failed),
        };
        ui.add(Label::new(RichText::new(title).color(color).strong()).wrap());
        let reasons = report.rules.iter().filter_map(|rule| rule.reason.as_deref());
        if let Some(line) = report.reason.as_deref().into_iter().chain(reasons).find_map(line_of)
            && ui.button(format!("Go to line {line}")).clicked()
        {
            self.wanted_line = Some(line);
            ui.ctx().request_repaint();
        }
        if self.reported != self.text {
            parts::weak(ui, "the text was changed since");
        }
        if !report.replaced.is_empty() {
            let count = counted(report.replaced.len() as u64, "rule");
            let verb = if report.is_stored { "replaced" } else { "would replace" };
            parts::weak(ui, format!("{verb} {count} that had the same id"));
        }
        egui::ScrollArea::vertical().id_salt("rule report").max_height(160.0).show(ui, |ui| {
            for rule in &report.rules {
                ui.horizontal_wrapped(|ui| {
                    ui.colored_label(state_color(rule.state, tokens), state_text(rule.state));
                    let level = format!("{} {}", level_mark(rule.level), rule.level.name());
                    ui.colored_label(tokens.level(rule.level), level);
                    let title = if rule.title.is_empty() { "(no title)" } else { &rule.title };
                    ui.label(text::line(title));
                });
                if rule.state != RuleState::Active {
                    ui.add(Label::new(text::whole(&state_sentence(rule), 2000)).wrap());
                }
                for note in &rule.notes {
                    parts::weak(ui, format!("⚠ {}", text::line(note)));
                }
            }
        });
    }
}

/// `line 15, column 1: …` is 15.
fn line_of(reason: &str) -> Option<usize> {
    let after = reason.split("line ").nth(1)?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Puts the cursor there, with the line selected.
fn go_to_line(ui: &Ui, text: &str, line: usize) {
    let lines: Vec<&str> = text.split('\n').collect();
    let at = line.saturating_sub(1).min(lines.len() - 1);
    let start: usize = lines[..at].iter().map(|line| line.chars().count() + 1).sum();
    let end = start + lines[at].chars().count();
    let id = Id::unique(TEXT);
    let mut state = egui::text_edit::TextEditState::load(ui.ctx(), id).unwrap_or_default();
    let range = CCursorRange::two(CCursor::new(start), CCursor::new(end));
    state.cursor.set_char_range(Some(range));
    state.store(ui.ctx(), id);
    ui.memory_mut(|memory| memory.request_focus(id));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_in_reasons() {
        assert_eq!(line_of("line 15, column 1: did not find expected"), Some(15));
        assert_eq!(line_of("rule: at line 3"), Some(3));
        assert_eq!(line_of("a line too long"), None);
        assert_eq!(line_of("no condition"), None);
    }
}
