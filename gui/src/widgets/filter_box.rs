//! The filter box: the one language, completed while it is typed, its faults shown where they are.

use common::filter::{self, Completion, Field, FilterError, Kind, quote};
use eframe::egui::text::{CCursor, CCursorRange, LayoutJob, TextFormat};
use eframe::egui::{self, Id, Key, Modifiers, Response, Role, Stroke, Ui, WidgetInfo};

use crate::theme::{self, GRID, Tokens};
use crate::widgets::text;

pub const ID: &str = "filter box";
/// Offered at once.
const MOST_OFFERED: usize = 12;

/// What is being typed.
#[derive(Debug, Default)]
pub struct FilterBox {
    pub text: String,
    /// Of the text as it is.
    error: Option<FilterError>,
    offered: Vec<Completion>,
    /// The one that Enter or Tab takes.
    chosen: Option<usize>,
    /// Values that occur, of the field that was asked for.
    values: Option<(Field, Vec<String>)>,
    /// Shut until something is typed.
    is_shut: bool,
    wants_focus: bool,
    /// The completions are those of this text and cursor.
    made_for: Option<(String, usize)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Enter: show this.
    Apply(String),
    /// Escape: leave it as it was.
    Leave,
    /// Values of this field would help.
    Values(Field),
}

impl FilterBox {
    pub fn set(&mut self, text: &str) {
        self.text = text.to_owned();
        (self.error, self.made_for) = (None, None);
        self.offered.clear();
    }

    pub fn focus(&mut self) {
        self.wants_focus = true;
    }

    pub fn error(&self) -> Option<&FilterError> {
        self.error.as_ref()
    }

    /// Values of a field that occur, most frequent first.
    pub fn set_values(&mut self, field: Field, values: Vec<String>) {
        self.values = Some((field, values));
        self.made_for = None;
    }

    pub fn show(&mut self, ui: &mut Ui, recent: &[String], now_ns: i64) -> Option<Outcome> {
        let id = Id::unique(ID);
        let has_focus = ui.memory(|memory| memory.has_focus(id));
        // Before the field sees them: it would take them for itself.
        let mut outcome = if has_focus { self.keys(ui, id) } else { None };
        let is_entered =
            has_focus && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let response = self.field(ui, id);
        if std::mem::take(&mut self.wants_focus) {
            response.request_focus();
            select_all(ui, id, &self.text);
        }
        if response.changed() {
            (self.is_shut, self.chosen) = (false, None);
            self.error = filter::Filter::parse(&self.text, now_ns).err();
        }
        // After the field took in what was typed before: both may come in one frame.
        if is_entered {
            outcome = self.enter(ui, id);
        }
        if response.gained_focus() {
            self.is_shut = !self.text.is_empty();
        }
        if response.has_focus() {
            let wanted = self.complete(cursor(ui, id, &self.text), recent);
            outcome = outcome.or(wanted.map(Outcome::Values));
            self.popup(ui, id, &response);
        }
        outcome
    }

    fn field(&mut self, ui: &mut Ui, id: Id) -> Response {
        let tokens = Tokens::of(ui.ctx());
        let fault = self.error.as_ref().map(|error| (error.column - 1, error.length));
        let mut layouter = |ui: &Ui, buffer: &dyn egui::TextBuffer, _width: f32| {
            ui.fonts_mut(|fonts| fonts.layout_job(job(buffer.as_str(), fault, tokens)))
        };
        let is_wrong = self.error.is_some();
        let stroke = if is_wrong { tokens.killed } else { tokens.line };
        let width = ui.available_width();
        let edit = egui::TextEdit::singleline(&mut self.text)
            .id(id)
            .font(theme::mono())
            .hint_text("Filter, such as exe ~ /tmp and user = www-data")
            .desired_width(width)
            .lock_focus(true)
            .layouter(&mut layouter);
        let response = ui
            .scope(|ui| {
                ui.visuals_mut().widgets.inactive.bg_stroke = Stroke::new(1.0, stroke);
                ui.visuals_mut().widgets.hovered.bg_stroke = Stroke::new(1.0, stroke);
                ui.add(edit)
            })
            .inner;
        let name = match &self.error {
            None => "Filter".to_owned(),
            Some(error) => format!("Filter, {error}"),
        };
        let text = self.text.clone();
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::TextInput, true, &name);
            info.current_text_value = Some(text.clone());
            info
        });
        response
    }

    /// Tab, Escape and the arrows.
    fn keys(&mut self, ui: &Ui, id: Id) -> Option<Outcome> {
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let offered = if self.is_shut { 0 } else { self.offered.len() };
        if offered > 0 && pressed(Key::ArrowDown) {
            self.chosen = Some(self.chosen.map_or(0, |at| (at + 1) % offered));
        }
        if offered > 0 && pressed(Key::ArrowUp) {
            self.chosen = Some(self.chosen.map_or(offered - 1, |at| (at + offered - 1) % offered));
        }
        if pressed(Key::ArrowDown) {
            self.is_shut = false;
        }
        if pressed(Key::Tab) && offered > 0 {
            self.take(ui, id, self.chosen.unwrap_or(0));
        }
        if pressed(Key::Escape) {
            if offered > 0 && self.chosen.is_some() {
                (self.is_shut, self.chosen) = (true, None);
                return None;
            }
            ui.memory_mut(|memory| memory.surrender_focus(id));
            return Some(Outcome::Leave);
        }
        None
    }

    fn enter(&mut self, ui: &Ui, id: Id) -> Option<Outcome> {
        if let (Some(chosen), false) = (self.chosen, self.is_shut) {
            self.take(ui, id, chosen);
            return None;
        }
        self.is_shut = true;
        if self.error.is_some() {
            return None;
        }
        ui.memory_mut(|memory| memory.surrender_focus(id));
        Some(Outcome::Apply(self.text.trim().to_owned()))
    }

    /// Makes the completions for the cursor. Tells the field whose values would help.
    fn complete(&mut self, at: usize, recent: &[String]) -> Option<Field> {
        let made_for = (self.text.clone(), at);
        if self.made_for.as_ref() == Some(&made_for) {
            return None;
        }
        self.made_for = Some(made_for);
        if self.text.is_empty() {
            self.offered = recent.iter().take(6).map(|text| of_recent(text)).collect();
            self.offered.extend(filter::complete("", 0));
            return None;
        }
        self.offered = filter::complete(&self.text, at);
        let (field, typed) = filter::value_at(&self.text, at)?;
        if !matches!(field.kind(), Kind::Text | Kind::Account(_) | Kind::CommandLine) {
            return None;
        }
        match &self.values {
            Some((known, values)) if *known == field => {
                let written = self.text[typed.clone()].trim_start_matches('"').to_lowercase();
                let fits = values.iter().filter(|value| value.to_lowercase().contains(&written));
                let offer = |value: &String| Completion {
                    replaces: typed.clone(),
                    text: quote(value),
                    doc: "occurs".to_owned(),
                };
                self.offered.splice(0..0, fits.map(offer).take(MOST_OFFERED));
                None
            }
            _ => Some(field),
        }
    }

    fn popup(&mut self, ui: &Ui, id: Id, response: &Response) {
        let has_offers = !self.is_shut && !self.offered.is_empty();
        if !has_offers && self.error.is_none() {
            return;
        }
        let mut taken = None;
        egui::Popup::from_response(response)
            .id(id.with("popup"))
            .open(true)
            .gap(2.0)
            .width(response.rect.width().min(640.0))
            .close_behavior(egui::PopupCloseBehavior::IgnoreClicks)
            .show(|ui| {
                let tokens = Tokens::of(ui.ctx());
                ui.set_min_width(response.rect.width().min(640.0));
                if let Some(error) = &self.error {
                    self.tell(ui, error, tokens);
                }
                if has_offers {
                    taken = self.offers(ui, tokens);
                }
            });
        if let Some(at) = taken {
            self.take(ui, id, at);
            response.request_focus();
        }
    }

    fn tell(&self, ui: &mut Ui, error: &FilterError, tokens: &Tokens) {
        ui.colored_label(
            tokens.killed,
            format!("✖ {} (column {})", text::line(&error.message), error.column),
        );
        if let Some(hint) = &error.hint {
            ui.label(text::line(hint));
        }
    }

    /// The completion that was clicked.
    fn offers(&self, ui: &mut Ui, tokens: &Tokens) -> Option<usize> {
        let mut taken = None;
        let chosen = self.chosen.unwrap_or(usize::MAX);
        let first =
            if chosen < self.offered.len() { chosen.saturating_sub(MOST_OFFERED - 1) } else { 0 };
        ui.spacing_mut().item_spacing.y = 0.0;
        for (at, offer) in self.offered.iter().enumerate().skip(first).take(MOST_OFFERED) {
            let mut job = LayoutJob::default();
            let word = text::line(&offer.text);
            job.append(&word, 0.0, TextFormat::simple(theme::mono(), tokens.text));
            let doc = TextFormat::simple(theme::small(), tokens.weak);
            job.append(&text::line(&offer.doc), 3.0 * GRID, doc);
            job.wrap.max_rows = 1;
            job.wrap.max_width = ui.available_width();
            let label = ui.selectable_label(at == chosen, job);
            label.widget_info(|| {
                WidgetInfo::selected(Role::ListBoxOption, true, at == chosen, &offer.text)
            });
            if label.clicked() {
                taken = Some(at);
            }
        }
        ui.add_space(2.0);
        ui.colored_label(tokens.weak, "Tab completes · Enter applies · Esc leaves");
        taken
    }

    fn take(&mut self, ui: &Ui, id: Id, at: usize) {
        let Some(offer) = self.offered.get(at).cloned() else { return };
        let range = offer.replaces;
        if self.text.get(range.clone()).is_none() {
            return;
        }
        let written = format!("{} ", offer.text);
        self.text.replace_range(range.clone(), &written);
        let end = self.text[..range.start + written.len()].chars().count();
        set_cursor(ui, id, CCursorRange::one(CCursor::new(end)));
        self.chosen = None;
        self.made_for = None;
        self.error = None;
    }
}

fn of_recent(filter: &str) -> Completion {
    Completion { replaces: 0..0, text: filter.to_owned(), doc: "used before".to_owned() }
}

/// The text with its fault underlined.
fn job(text: &str, fault: Option<(usize, usize)>, tokens: &Tokens) -> LayoutJob {
    let plain = TextFormat::simple(theme::mono(), tokens.text);
    let Some((from, length)) = fault else {
        return LayoutJob::single_section(text.to_owned(), plain);
    };
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    let (start, end) = (byte(from), byte(from + length));
    let mut wrong = TextFormat::simple(theme::mono(), tokens.killed);
    wrong.underline = Stroke::new(1.5, tokens.killed);
    let mut job = LayoutJob::default();
    job.append(&text[..start], 0.0, plain.clone());
    job.append(&text[start..end], 0.0, wrong);
    job.append(&text[end..], 0.0, plain);
    job
}

/// Byte offset of the cursor.
fn cursor(ui: &Ui, id: Id, text: &str) -> usize {
    let state = egui::TextEdit::load_state(ui.ctx(), id);
    let range = state.and_then(|state| state.cursor.char_range());
    let Some(range) = range else { return text.len() };
    let at = range.primary.index.0;
    text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte)
}

fn set_cursor(ui: &Ui, id: Id, range: CCursorRange) {
    let mut state = egui::TextEdit::load_state(ui.ctx(), id).unwrap_or_default();
    state.cursor.set_char_range(Some(range));
    egui::TextEdit::store_state(ui.ctx(), id, state);
}

fn select_all(ui: &Ui, id: Id, text: &str) {
    let end = CCursor::new(text.chars().count());
    set_cursor(ui, id, CCursorRange::two(CCursor::new(0), end));
}
