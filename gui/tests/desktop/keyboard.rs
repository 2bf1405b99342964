//! Keys, as they come from a keyboard.

use crate::display::Display;

impl Display {
    /// Keys one after the other, each with what is held: `ctrl+l`.
    pub(crate) fn press(&self, keys: &[&str]) {
        let arguments = [&["key", "--clearmodifiers", "--delay", "40"], keys].concat();
        self.run("xdotool", &arguments);
    }

    pub(crate) fn type_text(&self, text: &str) {
        self.run("xdotool", &["type", "--clearmodifiers", "--delay", "20", text]);
    }
}
