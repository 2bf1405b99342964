//! Everything that can be done by a name. Menus, palette, shortcuts and help are made of this list.

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};

use crate::views::ViewId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Show(ViewId),
    FocusFilter,
    ClearFilter,
    SaveFilter,
    Find,
    WidenRange,
    Refresh,
    Back,
    Forward,
    Escape,
    TogglePause,
    ToggleFollow,
    ToggleOrder,
    ToggleDetails,
    Columns,
    ShowInTree,
    CopyJson,
    CopyAsFilter,
    CopyCommandLine,
    CopySigma,
    Connect,
    Export,
    Palette,
    Help,
    ToggleUtc,
    ToggleAppearance,
    ZoomIn,
    ZoomOut,
    ZoomReset,
    Quit,
}

/// A menu of the bar. `None`: only in palette and help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    File,
    Edit,
    View,
    Go,
    Help,
}

impl Menu {
    pub const ALL: [Menu; 5] = [Menu::File, Menu::Edit, Menu::View, Menu::Go, Menu::Help];

    pub fn name(self) -> &'static str {
        match self {
            Menu::File => "File",
            Menu::Edit => "Edit",
            Menu::View => "View",
            Menu::Go => "Go",
            Menu::Help => "Help",
        }
    }
}

pub struct Info {
    /// As a menu has it; `…` when more input follows.
    pub name: &'static str,
    pub doc: &'static str,
    pub menu: Option<Menu>,
    pub shortcut: Option<KeyboardShortcut>,
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

const fn keys(modifiers: Modifiers, key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(modifiers, key))
}

impl Command {
    pub fn all() -> impl Iterator<Item = Command> {
        const FIXED: [Command; 29] = [
            Command::Connect,
            Command::Export,
            Command::Quit,
            Command::FocusFilter,
            Command::ClearFilter,
            Command::SaveFilter,
            Command::Find,
            Command::CopyJson,
            Command::CopyAsFilter,
            Command::CopyCommandLine,
            Command::CopySigma,
            Command::TogglePause,
            Command::ToggleFollow,
            Command::ToggleOrder,
            Command::ToggleDetails,
            Command::Columns,
            Command::WidenRange,
            Command::Refresh,
            Command::ToggleUtc,
            Command::ToggleAppearance,
            Command::ZoomIn,
            Command::ZoomOut,
            Command::ZoomReset,
            Command::ShowInTree,
            Command::Back,
            Command::Forward,
            Command::Escape,
            Command::Palette,
            Command::Help,
        ];
        FIXED.into_iter().chain(ViewId::ALL.iter().copied().map(Command::Show))
    }

    pub fn info(self) -> Info {
        let info = |name, doc, menu, shortcut| Info { name, doc, menu, shortcut };
        let file = Some(Menu::File);
        let edit = Some(Menu::Edit);
        let view = Some(Menu::View);
        let go = Some(Menu::Go);
        match self {
            Command::Show(id) => info(id.name(), id.doc(), go, keys(CTRL, id.key())),
            Command::FocusFilter => {
                info("Edit filter", "Type what is to be shown", edit, keys(CTRL, Key::L))
            }
            Command::ClearFilter => {
                info("Clear filter", "Show everything of the range", edit, keys(CTRL_SHIFT, Key::L))
            }
            Command::Find => info(
                "Find…",
                "Among the processes that are loaded, the rules, or the binaries",
                edit,
                keys(CTRL, Key::F),
            ),
            Command::SaveFilter => {
                info("Save filter…", "Keep it under a name", edit, keys(CTRL, Key::S))
            }
            Command::WidenRange => {
                info("Widen range", "Take the next longer range of time", view, keys(CTRL, Key::W))
            }
            Command::Refresh => info("Refresh", "Ask the recorder anew", view, keys(NONE, Key::F5)),
            Command::Back => info("Back", "To where one was before", go, keys(ALT, Key::ArrowLeft)),
            Command::Forward => info("Forward", "Undo going back", go, keys(ALT, Key::ArrowRight)),
            Command::Escape => info(
                "Close or back",
                "Close what is open, else go back",
                None,
                keys(NONE, Key::Escape),
            ),
            Command::TogglePause => info(
                "Pause",
                "Show nothing new until resumed; recording goes on",
                view,
                keys(CTRL, Key::Space),
            ),
            Command::ToggleFollow => {
                info("Follow", "Keep the newest row in sight", view, keys(CTRL, Key::J))
            }
            Command::ToggleOrder => {
                info("Newest first", "Turn the order of tables round", view, None)
            }
            Command::ToggleDetails => {
                info("Details", "Show or hide the panel beside the table", view, keys(CTRL, Key::D))
            }
            Command::Columns => info(
                "Columns…",
                "Choose the columns of the table, and keep sets of them",
                view,
                keys(CTRL, Key::K),
            ),
            Command::ShowInTree => info(
                "Show in tree",
                "The ancestors and descendants of the selected process",
                go,
                keys(CTRL, Key::T),
            ),
            Command::CopyJson => info(
                "Copy as JSON",
                "Every image of the selected process",
                edit,
                keys(CTRL_SHIFT, Key::J),
            ),
            Command::CopyAsFilter => {
                info("Copy as filter", "A filter that finds its like", edit, None)
            }
            Command::CopyCommandLine => info(
                "Copy as shell command",
                "Its arguments, quoted for a shell",
                edit,
                keys(CTRL_SHIFT, Key::C),
            ),
            Command::CopySigma => info(
                "Copy as Sigma rule",
                "The beginning of a rule that finds its like",
                edit,
                None,
            ),
            Command::Connect => info(
                "Connect…",
                "To another recorder, or to a recorded database",
                file,
                keys(CTRL, Key::O),
            ),
            Command::Export => info(
                "Export…",
                "Write what filter and range select to a file",
                file,
                keys(CTRL, Key::E),
            ),
            Command::Palette => {
                info("Commands…", "Do anything by its name", Some(Menu::Help), keys(CTRL, Key::P))
            }
            Command::Help => {
                info("Keys and filter fields", "This list", Some(Menu::Help), keys(NONE, Key::F1))
            }
            Command::ToggleUtc => {
                info("UTC", "Times in UTC or in local time", view, keys(CTRL, Key::U))
            }
            Command::ToggleAppearance => {
                info("Light or dark", "Turn to the other appearance", view, None)
            }
            Command::ZoomIn => {
                info("Zoom in", "Make everything larger", view, keys(CTRL, Key::Plus))
            }
            Command::ZoomOut => {
                info("Zoom out", "Make everything smaller", view, keys(CTRL, Key::Minus))
            }
            Command::ZoomReset => {
                info("Original size", "Neither larger nor smaller", view, keys(CTRL, Key::Num0))
            }
            Command::Quit => info("Quit", "Close the window", file, keys(CTRL, Key::Q)),
        }
    }

    /// Of the keys that were pressed, the commands they mean. Takes the keys away.
    pub fn pressed(ctx: &egui::Context) -> Vec<Command> {
        // A shortcut with more modifiers also fits one with fewer: the longer ones come first.
        let mut shortcuts: Vec<(KeyboardShortcut, Command)> = Command::all()
            .filter(|command| *command != Command::Escape)
            .filter_map(|command| Some((command.info().shortcut?, command)))
            .collect();
        shortcuts.sort_by_key(|(keys, _)| std::cmp::Reverse(keys.modifiers.shift));
        ctx.input_mut(|input| {
            shortcuts
                .into_iter()
                .filter(|(keys, _)| input.consume_shortcut(keys))
                .map(|(_, command)| command)
                .collect()
        })
    }

    pub fn shortcut_text(self, ctx: &egui::Context) -> String {
        self.info().shortcut.map(|keys| ctx.format_shortcut(&keys)).unwrap_or_default()
    }
}

const NONE: Modifiers = Modifiers::NONE;
const ALT: Modifiers = Modifiers::ALT;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_commands_share_a_name_or_keys() {
        let mut names = HashSet::new();
        let mut shortcuts = HashSet::new();
        for command in Command::all() {
            let info = command.info();
            assert!(names.insert(info.name), "{}", info.name);
            if let Some(keys) = info.shortcut {
                assert!(shortcuts.insert(format!("{keys:?}")), "{}", info.name);
            }
            assert!(!info.doc.ends_with('.'), "{}", info.name);
        }
    }
}
