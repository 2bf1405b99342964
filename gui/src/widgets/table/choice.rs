//! What columns a table has: choose them, give the choice a name, take it again.

use eframe::egui::{Id, Role, Ui, WidgetInfo};

use crate::state::columns::{Column, Columns};
use crate::theme::Tokens;
use crate::widgets::saved::{self, Picked};
use crate::widgets::{field, text};

/// `table` tells it from other tables.
pub fn choice(ui: &mut Ui, table: &str, columns: &mut Columns) {
    for index in 0..columns.now.len() {
        let can_hide = columns.can_hide(&columns.now[index]);
        let column = &mut columns.now[index];
        let tick =
            ui.add_enabled_ui(can_hide, |ui| ui.checkbox(&mut column.is_shown, &column.name));
        tick.inner.on_disabled_hover_text("The last one stays");
    }
    if ui.button("As at first").on_hover_text("The columns and widths it began with").clicked() {
        columns.now.clear();
    }
    ui.separator();
    match saved::list(ui, &columns.sets, "column set", &columns.now, |set| shown(set)) {
        Some(Picked::Take(set)) => columns.now = set,
        Some(Picked::Remove(name)) => columns.sets.remove(&name),
        None => {}
    }
    name_field(ui, table, columns);
}

/// What is shown now, kept under a name.
fn name_field(ui: &mut Ui, table: &str, columns: &mut Columns) {
    let id = Id::unique(("name of a column set", table));
    let (mut name, mut trouble): (String, Option<String>) =
        ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let mut is_given = false;
    ui.horizontal(|ui| {
        let typed = field::field(ui, &mut name, "Name of the column set", "keep as", 130.0);
        is_given = field::entered(ui, &typed);
        let label = if columns.sets.has(&name) { "Replace" } else { "Save" };
        let save = ui.button(label);
        save.widget_info(|| {
            WidgetInfo::labeled(Role::Button, true, format!("{label} the column set"))
        });
        is_given |= save.clicked();
    });
    if is_given {
        trouble = columns.sets.save(&name, columns.now.clone()).err();
        if trouble.is_none() {
            name.clear();
        }
    }
    if let Some(trouble) = &trouble {
        ui.colored_label(Tokens::of(ui.ctx()).failed, format!("⚠ {trouble}"));
    }
    ui.data_mut(|data| data.insert_temp(id, (name, trouble)));
}

fn shown(set: &[Column]) -> String {
    let names = set.iter().filter(|column| column.is_shown).map(|column| text::line(&column.name));
    names.collect::<Vec<_>>().join(", ")
}
