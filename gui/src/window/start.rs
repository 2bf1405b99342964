//! The start window: what is missing, what to do about it, and other ways in.

use common::bus::Target;
use eframe::egui::{self, RichText, Role, Ui, WidgetInfo};

use super::Window;
use crate::connection::{Status, Trouble, TroubleKind};
use crate::theme::{self, Tokens};
use crate::widgets::text;

pub(super) struct Start {
    /// Asked for, although there is a connection.
    pub(super) is_wanted: bool,
    address: String,
    file: String,
    /// What is wrong with the address.
    fault: Option<String>,
}

impl Start {
    pub(super) fn new(target: &Target) -> Self {
        let address = match target {
            Target::SystemBus => "system".to_owned(),
            Target::SessionBus => "session".to_owned(),
            Target::Peer(address) => address.to_string(),
        };
        Self { is_wanted: false, address, file: String::new(), fault: None }
    }
}

impl Window {
    /// Until there is something to show, and when it is asked for.
    pub(super) fn needs_start(&self) -> bool {
        let has_nothing = match self.status {
            Status::Absent(_) => true,
            Status::Connecting => self.health.is_none(),
            Status::Connected | Status::Lost(_) => false,
        };
        has_nothing || self.start.is_wanted
    }

    pub(super) fn start_window(&mut self, ui: &mut Ui) {
        self.take_dropped_file(ui.ctx());
        ui.add_space((ui.available_height() / 5.0).min(120.0));
        ui.vertical_centered(|ui| {
            ui.set_max_width(620.0);
            ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                self.tell_status(ui);
                ui.add_space(16.0);
                self.other_ways(ui);
            });
        });
    }

    fn tell_status(&self, ui: &mut Ui) {
        let tokens = Tokens::of(ui.ctx());
        match &self.status {
            Status::Connecting => {
                ui.heading("Connecting to the recorder…");
            }
            Status::Connected => {
                ui.heading("Connected");
                let host = self.health.as_ref().map_or("", |health| health.host.as_str());
                ui.label(format!("to the recorder of {}", text::line(host)));
            }
            Status::Lost(trouble) | Status::Absent(trouble) => {
                tell_trouble(ui, trouble, tokens);
                ui.add_space(4.0);
                ui.colored_label(
                    tokens.weak,
                    "It is tried again all the time; this window goes on by itself.",
                );
            }
        }
    }

    fn other_ways(&mut self, ui: &mut Ui) {
        let tokens = Tokens::of(ui.ctx());
        ui.label(RichText::new("Another recorder").strong());
        ui.horizontal(|ui| {
            let edit = egui::TextEdit::singleline(&mut self.start.address)
                .font(theme::mono())
                .hint_text("system, or unix:path=FILE")
                .desired_width(440.0);
            let response = named_edit(ui, edit, "Address of the recorder");
            let is_entered = entered(ui, &response);
            if ui.button("Connect").clicked() || is_entered {
                self.connect_to_typed();
            }
        });
        if let Some(fault) = &self.start.fault {
            ui.colored_label(tokens.killed, format!("✖ {fault}"));
        }
        ui.add_space(8.0);
        ui.label(RichText::new("A recorded database").strong());
        ui.horizontal(|ui| {
            let edit = egui::TextEdit::singleline(&mut self.start.file)
                .font(theme::mono())
                .hint_text("/path/to/recorder.db, or drop the file here")
                .desired_width(440.0);
            let response = named_edit(ui, edit, "Recorded database");
            let is_entered = entered(ui, &response);
            if (ui.button("Open").clicked() || is_entered) && !self.start.file.trim().is_empty() {
                let file = self.start.file.trim().into();
                self.open_file(file);
            }
        });
        ui.colored_label(
            tokens.weak,
            "It is opened read-only, by a recorder that is started for it and ends with this window.",
        );
        if self.start.is_wanted && ui.button("Back").clicked() {
            self.start.is_wanted = false;
        }
    }

    fn connect_to_typed(&mut self) {
        match self.start.address.trim().parse::<Target>() {
            Ok(target) => {
                self.start.fault = None;
                self.start.is_wanted = false;
                self.forget();
                self.target = target.clone();
                self.link.connect(target);
            }
            Err(fault) => self.start.fault = Some(fault),
        }
    }

    fn open_file(&mut self, file: std::path::PathBuf) {
        self.start.is_wanted = false;
        self.forget();
        self.link.open(file);
    }

    /// What was seen of another recorder.
    fn forget(&mut self) {
        self.health = None;
        self.status = Status::Connecting;
        self.selected = None;
        self.details = crate::panel::Details::default();
        self.views = crate::views::all();
    }

    fn take_dropped_file(&mut self, ctx: &egui::Context) {
        let dropped =
            ctx.input(|input| input.raw.dropped_files.first().map(|f| f.path().to_owned()));
        if let Some(file) = dropped {
            self.open_file(file);
        }
    }
}

fn tell_trouble(ui: &mut Ui, trouble: &Trouble, tokens: &Tokens) {
    let title = match trouble.kind {
        TroubleKind::NotInstalled => "The recorder is not installed",
        TroubleKind::NotRunning => "The recorder does not run",
        TroubleKind::NotPermitted => "You may not read the record",
        TroubleKind::NotFound => "There is no such file",
        _ => "The recorder cannot be reached",
    };
    ui.heading(title);
    ui.colored_label(tokens.weak, text::line(&trouble.message));
    ui.add_space(8.0);
    for hint in &trouble.hints {
        hint_line(ui, hint);
    }
}

/// A hint, its command in the face of commands with a button that copies it.
fn hint_line(ui: &mut Ui, hint: &str) {
    ui.horizontal_wrapped(|ui| {
        for (number, part) in hint.split('`').enumerate() {
            if number % 2 == 0 {
                ui.label(text::line(part));
            } else {
                ui.label(RichText::new(text::line(part)).font(theme::mono()).strong());
                let copy = ui.small_button("Copy");
                copy.widget_info(|| {
                    WidgetInfo::labeled(Role::Button, true, format!("Copy {part}"))
                });
                if copy.clicked() {
                    ui.ctx().copy_text(part.to_owned());
                }
            }
        }
    });
}

fn named_edit(ui: &mut Ui, edit: egui::TextEdit<'_>, name: &str) -> egui::Response {
    let response = ui.add(edit);
    response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, name));
    response
}

fn entered(ui: &Ui, response: &egui::Response) -> bool {
    response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter))
}
