//! The keys and the fields, from the tables that make them work.

use common::filter::FIELDS;
use eframe::egui::{self, RichText};

use super::Window;
use crate::commands::Command;
use crate::theme::{self, Tokens};

impl Window {
    pub(super) fn help_window(&mut self, ctx: &egui::Context) {
        let mut is_open = self.is_help_open;
        egui::Window::new("Keys and filter fields")
            .open(&mut is_open)
            .default_size([620.0, 520.0])
            .collapsible(false)
            .show(ctx, |ui| {
                egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                    ui.label(RichText::new("Commands").strong());
                    egui::Grid::new("commands").striped(true).show(ui, |ui| {
                        for command in Command::all() {
                            let info = command.info();
                            ui.label(
                                RichText::new(command.shortcut_text(ui.ctx())).font(theme::mono()),
                            );
                            ui.label(info.name);
                            ui.label(info.doc);
                            ui.end_row();
                        }
                    });
                    ui.add_space(8.0);
                    ui.label(RichText::new("Fields of the filter").strong());
                    let tokens = Tokens::of(ui.ctx());
                    ui.colored_label(
                        tokens.weak,
                        "field operator value, with and, or, not ( ). \
                         Operators: = != ~ (contains) =~ (regex) < <= > >= in exists",
                    );
                    egui::Grid::new("fields").striped(true).show(ui, |ui| {
                        for field in FIELDS {
                            ui.label(RichText::new(field.name).font(theme::mono()));
                            ui.label(field.doc);
                            ui.label(RichText::new(field.example).font(theme::mono()));
                            ui.end_row();
                        }
                    });
                });
            });
        self.is_help_open = is_open;
    }
}
