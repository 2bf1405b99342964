//! The little window in which the columns of the tables in sight are chosen.

use eframe::egui::{self, RichText};

use super::Window;
use crate::widgets::table;

impl Window {
    pub(super) fn tables(&self) -> Vec<&'static str> {
        let view = self.views.iter().find(|view| view.id() == self.settings.view);
        view.map(|view| view.tables()).unwrap_or_default()
    }

    pub(super) fn columns_window(&mut self, ctx: &egui::Context) {
        if !self.is_choosing_columns {
            return;
        }
        let id = egui::Id::unique("columns");
        let response = egui::Modal::new(id).show(ctx, |ui| {
            let mut tables = self.tables();
            // What has not been drawn yet has no columns to choose from.
            tables.retain(|name| self.settings.tables.contains_key(*name));
            if tables.is_empty() {
                ui.label("There is nothing here yet that has columns.");
            }
            ui.horizontal_top(|ui| {
                for name in tables {
                    let Some(columns) = self.settings.tables.get_mut(name) else { continue };
                    ui.vertical(|ui| {
                        ui.set_width(220.0);
                        ui.label(RichText::new(format!("Columns of {name}")).strong());
                        table::choice(ui, name, columns);
                    });
                }
            });
            ui.add_space(8.0);
            ui.button("Close").clicked()
        });
        self.is_choosing_columns = !response.inner && !response.should_close();
    }
}
