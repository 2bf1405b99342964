//! Fields of one line, to type into.

use eframe::egui::{self, Role, Ui, WidgetInfo};

/// A field of one line with a name for people who cannot see it.
pub fn field(ui: &mut Ui, text: &mut String, name: &str, hint: &str, width: f32) -> egui::Response {
    let edit = egui::TextEdit::singleline(text).hint_text(hint).desired_width(width);
    let response = ui.add(edit);
    let value = text.clone();
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::TextInput, true, name);
        info.current_text_value = Some(value.clone());
        info
    });
    response
}

/// Enter in a field of one line. Takes the key away: it would open a row of the table below.
pub fn entered(ui: &Ui, response: &egui::Response) -> bool {
    let consume =
        |input: &mut egui::InputState| input.consume_key(egui::Modifiers::NONE, egui::Key::Enter);
    response.lost_focus() && ui.input_mut(consume)
}
