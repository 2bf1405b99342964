//! Doing what commands and views ask for.

use eframe::egui::{self, Key, Modifiers, Theme, ViewportCommand};

use super::Window;
use crate::commands::Command;
use crate::state::copy;
use crate::state::history::Place;
use crate::state::narrow;
use crate::state::scope::Span;
use crate::state::settings::Appearance;
use crate::views::{Action, Subject, ViewId};

const ZOOM_STEP: f32 = 0.1;

impl Window {
    /// Does what was gathered while drawing.
    pub(super) fn act(&mut self, ctx: &egui::Context) {
        let actions = std::mem::take(&mut self.actions);
        if !actions.is_empty() {
            // What they change is to be seen.
            ctx.request_repaint();
        }
        for action in actions {
            match action {
                Action::Select(process) => {
                    if self.selected != Some(process) {
                        self.selected = Some(process);
                        self.details.look_at(process, &mut self.link);
                    }
                }
                Action::SelectImage(process, sequence) => {
                    self.selected = Some(process);
                    self.details.look_at_image(process, sequence, &mut self.link);
                }
                Action::Visit(view, process) => {
                    self.history.leave(self.place());
                    self.selected = Some(process);
                    self.details.look_at(process, &mut self.link);
                    self.settings.view = view;
                    self.refresh_seen();
                }
                Action::LookAt(subject) => {
                    self.history.leave(self.place());
                    self.look_at(&subject);
                }
                Action::SetFilter(filter) => self.go(&filter, self.settings.span),
                Action::Narrow(condition) => {
                    let filter = narrow::with(&self.settings.filter, &condition, self.clock.now_ns);
                    self.go(&filter, self.settings.span);
                }
                Action::SetSpan(span) => self.go(&self.settings.filter.clone(), span),
                Action::Copy(text) => {
                    self.say(format!("copied {} characters", text.chars().count()));
                    ctx.copy_text(text);
                }
                Action::Run(command) => self.run(ctx, command),
            }
        }
    }

    /// Another filter or range; one can go back.
    fn go(&mut self, filter: &str, span: Span) {
        self.history.leave(self.place());
        self.set_scope(filter, span);
    }

    fn go_to(&mut self, place: Option<Place>) {
        let Some(place) = place else { return };
        self.settings.view = place.view;
        if let Some(process) = place.process {
            self.actions.push(Action::Select(process));
        }
        if (&place.filter, place.span) == (&self.settings.filter, self.settings.span) {
            self.refresh_seen();
        } else {
            self.set_scope(&place.filter, place.span);
        }
        if let Some(subject) = &place.subject {
            self.look_at(subject);
        }
    }

    fn look_at(&mut self, subject: &Subject) {
        self.settings.view = subject.view();
        self.refresh_seen();
        self.with_view(|view, cx| view.look_at(subject, cx));
    }

    fn run(&mut self, ctx: &egui::Context, command: Command) {
        match command {
            Command::Show(view) if view != self.settings.view => {
                self.history.leave(self.place());
                self.settings.view = view;
                self.refresh_seen();
            }
            Command::Show(_) => {}
            Command::FocusFilter => self.filter_box.focus(),
            Command::ClearFilter => self.go("", self.settings.span),
            Command::WidenRange => {
                self.go(&self.settings.filter.clone(), self.settings.span.wider());
            }
            Command::Refresh => self.refresh(),
            Command::Back => {
                let place = self.history.back(self.place());
                self.go_to(place);
            }
            Command::Forward => {
                let place = self.history.forward(self.place());
                self.go_to(place);
            }
            // What is open closes itself, see `escape`.
            Command::Escape => self.run(ctx, Command::Back),
            Command::TogglePause => self.pause_or_resume(),
            Command::ToggleFollow => self.settings.is_following = !self.settings.is_following,
            Command::ToggleOrder => self.settings.is_newest_first = !self.settings.is_newest_first,
            Command::ToggleDetails => self.settings.has_details = !self.settings.has_details,
            Command::ShowInTree => match self.selected {
                Some(process) if self.settings.view != ViewId::Tree => {
                    self.actions.push(Action::Visit(ViewId::Tree, process));
                }
                // There, it looks at the selected process.
                Some(_) => {}
                None => self.say("select a process first".to_owned()),
            },
            Command::CopyJson
            | Command::CopyAsFilter
            | Command::CopyCommandLine
            | Command::CopySigma => self.copy(ctx, command),
            Command::Connect => self.start.is_wanted = !self.start.is_wanted,
            Command::Export => self.export.is_open = !self.export.is_open,
            // The view opens it.
            Command::Find if self.is_possible(Command::Find) => {}
            Command::Find => {
                self.say("find is for processes, rules and binaries: here, filter".to_owned());
            }
            Command::SaveFilter => self.name_filter(),
            Command::Columns => self.is_choosing_columns = true,
            Command::Palette => self.open_palette(),
            Command::Help => self.is_help_open = !self.is_help_open,
            Command::ToggleUtc => self.toggle_utc(),
            Command::ToggleAppearance => self.toggle_appearance(ctx),
            Command::ZoomIn => self.zoom(ctx, self.settings.zoom + ZOOM_STEP),
            Command::ZoomOut => self.zoom(ctx, self.settings.zoom - ZOOM_STEP),
            Command::ZoomReset => self.zoom(ctx, 1.0),
            Command::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
        self.with_view(|view, cx| view.run(command, cx));
    }

    fn copy(&mut self, ctx: &egui::Context, command: Command) {
        let Some(image) = self.details.image() else {
            self.say("select a process first".to_owned());
            return;
        };
        let text = match command {
            Command::CopyAsFilter => copy::filter(image),
            Command::CopyCommandLine => copy::shell_command(image),
            Command::CopySigma => copy::sigma_stub(image),
            _ => copy::json(self.details.images()),
        };
        self.say(format!("copied {} characters", text.chars().count()));
        ctx.copy_text(text);
    }

    fn toggle_utc(&mut self) {
        self.settings.is_utc = !self.settings.is_utc;
        self.clock.zone =
            if self.settings.is_utc { jiff::tz::TimeZone::UTC } else { self.time.local.clone() };
    }

    fn toggle_appearance(&mut self, ctx: &egui::Context) {
        self.settings.appearance = match ctx.theme() {
            Theme::Light => Appearance::Dark,
            Theme::Dark => Appearance::Light,
        };
        self.apply_settings(ctx);
    }

    fn zoom(&mut self, ctx: &egui::Context, zoom: f32) {
        self.settings.zoom = zoom.clamp(0.5, 3.0);
        self.apply_settings(ctx);
    }

    /// Escape closes what is open, else goes back. What is typed into takes it before.
    pub(super) fn escape(&mut self, ctx: &egui::Context) {
        let is_taken = egui::Popup::is_any_open(ctx) || ctx.egui_wants_keyboard_input();
        if is_taken || !ctx.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape)) {
            return;
        }
        if self.is_help_open {
            self.is_help_open = false;
        } else if self.export.is_open {
            self.export.is_open = false;
        } else if self.start.is_wanted {
            self.start.is_wanted = false;
        } else {
            self.actions.push(Action::Run(Command::Escape));
        }
    }

    /// Whether a command that switches something is on.
    pub(super) fn is_on(&self, command: Command) -> Option<bool> {
        Some(match command {
            Command::Show(view) => view == self.settings.view,
            Command::TogglePause => self.paused.is_some(),
            Command::ToggleFollow => self.settings.is_following,
            Command::ToggleOrder => self.settings.is_newest_first,
            Command::ToggleDetails => self.settings.has_details,
            Command::ToggleUtc => self.settings.is_utc,
            _ => return None,
        })
    }

    pub(super) fn is_possible(&self, command: Command) -> bool {
        match command {
            Command::Back => self.history.can_go_back(),
            Command::Forward => self.history.can_go_forward(),
            Command::Find => {
                matches!(self.settings.view, ViewId::Timeline | ViewId::Rules | ViewId::Binaries)
            }
            Command::SaveFilter => !self.settings.filter.is_empty(),
            Command::Columns => !self.needs_start() && !self.tables().is_empty(),
            Command::ShowInTree => self.selected.is_some(),
            Command::CopyJson
            | Command::CopyAsFilter
            | Command::CopyCommandLine
            | Command::CopySigma => self.details.image().is_some(),
            _ => true,
        }
    }
}
