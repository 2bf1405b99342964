//! A list of what was given a name: take one, or remove it.

use eframe::egui::{self, Role, Ui, WidgetInfo};

use super::text;
use crate::state::saved::{Named, Saved};

pub enum Picked<T> {
    Take(T),
    Remove(String),
}

/// `kind` is what they are, as in `saved filter`. `doc` says more of one.
pub fn list<T: Clone + PartialEq>(
    ui: &mut Ui,
    saved: &Saved<T>,
    kind: &str,
    now: &T,
    doc: impl Fn(&T) -> String,
) -> Option<Picked<T>> {
    let mut picked = None;
    egui::ScrollArea::vertical().max_height(400.0).id_salt(kind).show(ui, |ui| {
        for Named { name, value } in saved.iter() {
            let shown = text::line(name);
            ui.horizontal(|ui| {
                let remove = ui.small_button("✖").on_hover_text("Remove it from this list");
                remove.widget_info(|| {
                    WidgetInfo::labeled(Role::Button, true, format!("Remove {kind} {shown}"))
                });
                if remove.clicked() {
                    picked = Some(Picked::Remove(name.clone()));
                }
                let take = ui.selectable_label(value == now, &shown);
                if take.on_hover_text(doc(value)).clicked() {
                    picked = Some(Picked::Take(value.clone()));
                }
            });
        }
    });
    picked
}
