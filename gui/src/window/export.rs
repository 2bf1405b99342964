//! Export: what the filter and the range select, as a file.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Role, Ui, WidgetInfo};

use super::Window;
use crate::connection::export::{Answer as Found, Ask, Form, Tally};
use crate::connection::{Answer, Asked, Link, Request, Trouble, TroubleKind, files};
use crate::state::scope::{Scope, Span};
use crate::theme::Tokens;
use crate::views::{Reply, parts};
use crate::widgets::text;

#[derive(Default)]
pub(super) struct Export {
    pub(super) is_open: bool,
    form: Form,
    path: String,
    trouble: Option<Trouble>,
    /// How it ended, when well.
    remark: Option<String>,
    /// So far, while it is written.
    tally: Tally,
    /// What is written, was last, or will be once its place is chosen.
    ask: Option<Ask>,
    choosing: Asked,
    writing: Asked,
}

impl Export {
    /// Takes an answer that is its own; gives back any other.
    pub(super) fn answer(&mut self, reply: Reply, link: &mut Link) -> Option<Reply> {
        if self.choosing.take(reply.ticket) {
            match (reply.result, self.ask.take()) {
                (Ok(Answer::Files(files::Answer::Chosen(Some(path)))), Some(ask)) => {
                    // The dialog has asked whether to replace what is there.
                    self.begin(Ask { path, may_replace: true, ..ask }, link);
                }
                (Ok(_), _) => {}
                (Err(trouble), _) => self.trouble = Some(trouble),
            }
        } else if self.writing.is(reply.ticket) {
            match reply.result {
                Ok(Answer::Export(Found::Progress(tally))) => self.tally = tally,
                Ok(Answer::Export(Found::Written { path, tally })) => {
                    self.writing.forget();
                    self.remark = Some(written(&path, tally));
                }
                Ok(_) => {}
                Err(trouble) => {
                    self.writing.forget();
                    self.trouble = Some(trouble);
                }
            }
        } else {
            return Some(reply);
        }
        None
    }

    /// The thread has dropped all questions: no answer comes any more.
    pub(super) fn cut_off(&mut self) {
        let was_writing = self.writing.is_waiting();
        if was_writing || self.choosing.is_waiting() {
            let text = "the connection was lost before the export was complete";
            let trouble = Trouble::new(TroubleKind::NotRunning, text);
            self.trouble = Some(trouble.hint("export again once there is a connection"));
        }
        self.writing.forget();
        self.choosing.forget();
    }

    fn begin(&mut self, ask: Ask, link: &mut Link) {
        (self.trouble, self.remark, self.tally) = (None, None, Tally::default());
        self.writing.ask(link, Request::Export(ask.clone()));
        self.ask = Some(ask);
    }

    fn show(&mut self, ui: &mut Ui, link: &mut Link, scope: &Scope) {
        ui.set_max_width(480.0);
        let filter = match &scope.filter.text().trim() {
            &"" => "all records".to_owned(),
            filter => format!("what matches {}", text::line(filter)),
        };
        ui.add(egui::Label::new(format!("Of {}: {filter}", scope.span.name())).wrap());
        parts::weak(
            ui,
            "Arguments and environments may hold secrets: only you may read the file that is made.",
        );
        parts::trouble_bar(ui, &mut self.trouble);
        self.offer_to_replace(ui, link);
        if let Some(remark) = &self.remark {
            let tokens = Tokens::of(ui.ctx());
            let label = egui::Label::new(egui::RichText::new(remark).color(tokens.running));
            ui.add(label.wrap());
        }
        if self.writing.is_waiting() {
            self.progress(ui, link);
        } else {
            self.choices(ui, link, scope);
        }
    }

    fn choices(&mut self, ui: &mut Ui, link: &mut Link, scope: &Scope) {
        ui.horizontal(|ui| {
            ui.radio_value(&mut self.form, Form::Ndjson, "NDJSON")
                .on_hover_text("Everything of each record, one JSON object a line");
            ui.radio_value(&mut self.form, Form::Csv, "CSV")
                .on_hover_text("What has a column, for a spreadsheet");
        });
        ui.horizontal(|ui| {
            let hint = "/path/to/file";
            let field = parts::field(ui, &mut self.path, "Path to export to", hint, 280.0);
            let is_entered = parts::entered(ui, &field);
            let path = PathBuf::from(self.path.trim());
            let is_named = !path.as_os_str().is_empty();
            let export = ui.add_enabled(is_named, egui::Button::new("Export"));
            if export.clicked() || is_entered && is_named {
                self.begin(self.ask_for(scope, path), link);
            }
            let is_free = !self.choosing.is_waiting();
            if ui.add_enabled(is_free, egui::Button::new("Choose a file…")).clicked() {
                self.choose(link, scope);
            }
        });
    }

    /// As things are when it is asked for: what comes later is not in it.
    fn ask_for(&self, scope: &Scope, path: PathBuf) -> Ask {
        Ask { filter: filter_of(scope), form: self.form, path, may_replace: false }
    }

    fn choose(&mut self, link: &mut Link, scope: &Scope) {
        self.trouble = None;
        self.ask = Some(self.ask_for(scope, PathBuf::new()));
        let name = match self.form {
            Form::Ndjson => "processes.ndjson",
            Form::Csv => "processes.csv",
        };
        let title = "Export records".to_owned();
        let ask = files::Ask::ChooseToSave { title, name: name.to_owned() };
        self.choosing.ask(link, Request::Files(ask));
    }

    fn offer_to_replace(&mut self, ui: &mut Ui, link: &mut Link) {
        let is_there = self.trouble.as_ref().is_some_and(|t| t.kind == TroubleKind::Exists);
        if is_there
            && let Some(ask) = &self.ask
            && ui.button("Overwrite it").clicked()
        {
            self.begin(Ask { may_replace: true, ..ask.clone() }, link);
        }
    }

    fn progress(&mut self, ui: &mut Ui, link: &mut Link) {
        ui.horizontal(|ui| {
            let records = parts::counted(self.tally.records, "row");
            ui.label(format!("{records} written, {}", text::size(self.tally.bytes)));
            if ui.button("Cancel").clicked() {
                self.writing.cancel(link);
                self.remark = Some("cancelled; nothing was written".to_owned());
            }
        });
    }
}

/// What is shown, by filter and range. All of the record has no beginning that could be missed.
fn filter_of(scope: &Scope) -> String {
    match scope.span {
        Span::All => scope.filter_text(),
        _ => scope.within(scope.from_ns, scope.to_ns),
    }
}

fn written(path: &Path, tally: Tally) -> String {
    let path = text::line(&path.display().to_string());
    let mut said = format!("wrote {} to {path}", parts::counted(tally.records, "row"));
    if tally.lost > 0 {
        let lost = parts::counted(tally.lost, "record");
        said.push_str(&format!("; {lost} of this time were lost, see Health"));
    }
    if tally.is_behind {
        said.push_str("; the recorder is behind in writing: the newest may be missing");
    }
    said
}

impl Window {
    pub(super) fn export_window(&mut self, ctx: &egui::Context) {
        if !self.export.is_open {
            return;
        }
        // An open range ends now, and not when it was last asked for.
        let scope = self.settle(&self.settings.filter, self.settings.span);
        let scope = scope.unwrap_or_else(|_| self.scope.clone());
        let (export, link) = (&mut self.export, &mut self.link);
        let mut is_open = true;
        let shown = egui::Window::new("Export records")
            .open(&mut is_open)
            .collapsible(false)
            .resizable(false)
            .show(ctx, |ui| export.show(ui, link, &scope));
        if let Some(shown) = shown {
            let name = "Export records";
            shown.response.widget_info(|| WidgetInfo::labeled(Role::Window, true, name));
        }
        self.export.is_open = is_open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_510_206_123_456_789;

    fn filter(span: Span) -> String {
        filter_of(&Scope::settle("pid = 1", span, NOW, None).unwrap())
    }

    #[test]
    fn a_range_is_part_of_what_is_written() {
        assert_eq!(filter(Span::All), "pid = 1");
        let hour = filter(Span::Last(3600));
        assert!(hour.matches("time").count() == 2 && hour.ends_with("pid = 1"), "{hour}");
    }

    #[test]
    fn what_is_missing_is_told() {
        let tally = Tally { records: 1, lost: 2, is_behind: true, ..Tally::default() };
        let said = written(Path::new("/tmp/a\nb"), tally);
        assert!(said.starts_with("wrote 1 row to /tmp/a\\nb; 2 records of"), "{said}");
        assert!(said.contains("behind"), "{said}");
    }

    #[test]
    fn a_lost_connection_ends_it() {
        let (mut link, _service) = crate::connection::link();
        let mut export = Export::default();
        let scope = Scope::settle("", Span::All, NOW, None).unwrap();
        export.begin(export.ask_for(&scope, "/tmp/x".into()), &mut link);
        export.cut_off();
        assert!(!export.writing.is_waiting() && export.trouble.is_some());
        export.trouble = None;
        export.cut_off();
        assert_eq!(export.trouble, None, "nothing was under way");
    }
}
