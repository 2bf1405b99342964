//! A table of any number of rows, of which those are asked for that are seen.
//!
//! Not a scroll area: that keeps its offset in points, and as single precision that is too coarse
//! beyond some hundred thousand rows. Here the offset is the number of the row at the top.

mod choice;
mod scroll;

use std::ops::Range;

use eframe::egui::{self, Color32, FontId, Id, Painter, Rect, Role, Sense, Stroke, Ui, WidgetInfo};

pub use choice::choice;

use super::text;
use crate::state::columns::{Column, Columns};
use crate::theme::{self, ROW_HEIGHT, Tokens};

/// Between the edge of a column and its text.
pub const PADDING: f32 = 6.0;
const BAR_WIDTH: f32 = 10.0;
const LEAST_WIDTH: f32 = 30.0;
/// Of the mark before the title of a heading.
const MARK_WIDTH: f32 = 112.0;

/// A column as its table has it by default.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    pub title: &'static str,
    pub width: f32,
    /// Figures stand at the right.
    pub is_right: bool,
    /// Takes what the others leave.
    pub is_wide: bool,
    pub is_shown: bool,
}

impl Spec {
    fn column(&self) -> Column {
        Column { name: self.title.to_owned(), width: self.width, is_shown: self.is_shown }
    }
}

/// What stands in a row and column. The text is drawn as it is: make it with [`text::line`].
#[derive(Debug, Clone, Default)]
pub struct Cell {
    pub text: String,
    pub color: Option<Color32>,
    pub is_mono: bool,
}

/// What a table shows.
pub trait Rows {
    fn total(&self) -> u64;
    /// Names a row, wherever it stands; `None` while it is not here yet.
    fn key(&self, index: u64) -> Option<u64>;
    fn cell(&self, index: u64, column: usize) -> Cell;
    /// The whole row, for people who cannot see it.
    fn label(&self, index: u64) -> String;
    /// What a right click on a cell offers.
    fn menu(&mut self, ui: &mut Ui, index: u64, column: usize);
    /// Whether it is chosen, where several can be; else the one that is looked at is.
    fn is_chosen(&self, _index: u64) -> Option<bool> {
        None
    }
    /// Of a row that stands above others and has no columns: a mark and a title.
    fn heading(&self, _index: u64) -> Option<(Cell, Cell)> {
        None
    }
}

/// Where a table stands.
#[derive(Debug, Default)]
pub struct TableState {
    /// Row at the upper edge, with the part of it that is above.
    pub top: f64,
    /// Rows that have room.
    pub page: f64,
    /// Column that was right-clicked.
    menu_column: usize,
}

/// What people did.
#[derive(Debug, Default)]
pub struct Outcome {
    pub visible: Range<u64>,
    /// Clicked, or gone to by keys.
    pub selected: Option<u64>,
    /// That was a right click, which leaves what is chosen together as it is.
    pub is_for_menu: bool,
    /// Double-clicked, or Enter.
    pub opened: Option<u64>,
    /// Column that was clicked in, and how far from its left edge.
    pub clicked: Option<(usize, f32)>,
    /// Title that was clicked.
    pub title: Option<usize>,
    /// Scrolled by hand, so that it no longer stands where it was put.
    pub is_scrolled: bool,
}

impl TableState {
    /// Scrolls as little as it takes to see the row.
    pub fn reveal(&mut self, index: u64) {
        let row = index as f64;
        if row < self.top {
            self.top = row;
        } else if row + 1.0 > self.top + self.page {
            self.top = row + 1.0 - self.page;
        }
    }

    pub fn to_end(&mut self, total: u64) {
        self.top = (total as f64 - self.page).max(0.0);
    }

    fn clamp(&mut self, total: u64) {
        self.top = self.top.clamp(0.0, (total as f64 - self.page).max(0.0));
    }
}

/// Whether keys go to a table: it has the focus, or nothing has.
pub fn takes_keys(ui: &Ui, name: &str) -> bool {
    scroll::is_free(ui, body_id(name))
}

fn body_id(name: &str) -> Id {
    Id::unique(("table", name)).with("body")
}

/// Draws a table into all there is of the `ui`. `name` tells it from other tables.
pub fn show(
    ui: &mut Ui,
    name: &str,
    specs: &[Spec],
    columns: &mut Columns,
    state: &mut TableState,
    selected: Option<u64>,
    rows: &mut dyn Rows,
) -> Outcome {
    let id = Id::unique(("table", name));
    let area = ui.available_rect_before_wrap();
    columns.complete(specs.iter().map(Spec::column));
    let mut outcome = Outcome::default();
    let head = Rect::from_min_size(area.min, egui::vec2(area.width(), ROW_HEIGHT));
    let body = Rect::from_min_max(head.left_bottom(), area.max - egui::vec2(BAR_WIDTH, 0.0));
    let layout = Layout::new(specs, &columns.now, head.left(), body.right());
    state.page = f64::from((body.height() / ROW_HEIGHT).max(1.0));
    let total = rows.total();

    outcome.title = titles(ui, name, head, &layout, specs, columns);
    let whole = ui.interact(body, body_id(name), Sense::click());
    whole.widget_info(|| WidgetInfo::labeled(Role::Table, true, name));
    outcome.is_scrolled = scroll::wheel(ui, body, state);
    outcome.is_scrolled |= scroll::bar(ui, id, body, BAR_WIDTH, state, total);
    if scroll::has_keys(ui, &whole) {
        if let Some(to) = scroll::moved_by_keys(ui, state, total, selected) {
            outcome.selected = Some(to);
            outcome.is_scrolled = true;
            state.reveal(to);
        }
        if selected.is_some() && scroll::is_opened_by_keys(ui) {
            outcome.opened = selected;
        }
    }
    state.clamp(total);

    let first = state.top.floor();
    let shown = (state.page + 1.0).ceil();
    outcome.visible = first as u64..((first + shown) as u64).min(total);
    let mut y = body.top() - ((state.top - first) as f32) * ROW_HEIGHT;
    for index in outcome.visible.clone() {
        let rect =
            Rect::from_min_size(egui::pos2(body.left(), y), egui::vec2(body.width(), ROW_HEIGHT));
        let is_at = selected == Some(index);
        let is_selected = rows.is_chosen(index).unwrap_or(is_at);
        let row = Row { specs, index, rect, body, is_selected, is_at };
        row.show(ui, id, &layout, state, rows, &mut outcome);
        y += ROW_HEIGHT;
    }
    ui.advance_cursor_after_rect(area);
    outcome
}

/// Where the columns that are shown stand.
struct Layout {
    places: Vec<Place>,
}

struct Place {
    /// Of the column, in the order of the specs.
    number: usize,
    left: f32,
    width: f32,
}

impl Place {
    fn rect(&self, y: egui::Rangef) -> Rect {
        Rect::from_x_y_ranges(self.left..=self.left + self.width, y)
    }

    fn has(&self, x: f32) -> bool {
        (self.left..self.left + self.width).contains(&x)
    }
}

impl Layout {
    /// What has no room is left out, from the right: half a column is of no use. The wide one stays.
    fn new(specs: &[Spec], columns: &[Column], left: f32, right: f32) -> Self {
        let mut shown: Vec<(usize, f32)> = columns
            .iter()
            .filter(|column| column.is_shown)
            .filter_map(|column| {
                let number = specs.iter().position(|spec| spec.title == column.name)?;
                Some((number, column.width.max(LEAST_WIDTH)))
            })
            .collect();
        let used = |shown: &[(usize, f32)]| shown.iter().map(|(_, width)| width).sum::<f32>();
        while shown.len() > 1 && used(&shown) > right - left {
            let last = shown.iter().rposition(|(number, _)| !specs[*number].is_wide);
            shown.remove(last.unwrap_or(shown.len() - 1));
        }
        let left_over = (right - left - used(&shown)).max(0.0);
        let wide = shown.iter().map(|(number, _)| *number).find(|number| specs[*number].is_wide);
        let mut at = left;
        let places = shown
            .into_iter()
            .map(|(number, width)| {
                let width = if Some(number) == wide { width + left_over } else { width };
                let place = Place { number, left: at, width };
                at += width;
                place
            })
            .collect();
        Self { places }
    }

    fn column_at(&self, x: f32) -> Option<usize> {
        self.places.iter().find(|place| place.has(x)).map(|place| place.number)
    }
}

/// The titles: click, drag their right edges, right-click to choose. Gives the one that was clicked.
fn titles(
    ui: &Ui,
    name: &str,
    head: Rect,
    layout: &Layout,
    specs: &[Spec],
    columns: &mut Columns,
) -> Option<usize> {
    let id = Id::unique(("table", name));
    let tokens = Tokens::of(ui.ctx());
    ui.painter().rect_filled(head, 0.0, tokens.panel);
    ui.painter().hline(head.x_range(), head.bottom() - 0.5, Stroke::new(1.0, tokens.line));
    let mut clicked = None;
    for place in &layout.places {
        let spec = &specs[place.number];
        let rect = place.rect(head.y_range()).intersect(head);
        let title = ui.interact(rect, id.with(("title", spec.title)), Sense::click());
        title.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, true, spec.title));
        if title.clicked() {
            clicked = Some(place.number);
        }
        egui::Popup::context_menu(&title)
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
            .show(|ui| choice(ui, name, columns));
        let color = if title.hovered() { tokens.text } else { tokens.weak };
        paint(
            &ui.painter_at(head),
            rect,
            spec.title.to_owned(),
            theme::small(),
            color,
            spec.is_right,
        );

        let edge = Rect::from_center_size(rect.right_center(), egui::vec2(7.0, rect.height()));
        let handle = ui
            .interact(edge, id.with(("edge", spec.title)), Sense::drag())
            .on_hover_cursor(egui::CursorIcon::ResizeHorizontal);
        handle.widget_info(|| {
            WidgetInfo::labeled(Role::Splitter, true, format!("width of column {}", spec.title))
        });
        if handle.dragged()
            && let Some(column) = columns.now.iter_mut().find(|column| column.name == spec.title)
        {
            column.width = (column.width + handle.drag_delta().x).max(LEAST_WIDTH);
        }
        ui.painter().vline(
            rect.right() - 0.5,
            rect.shrink(4.0).y_range(),
            Stroke::new(1.0, tokens.line),
        );
    }
    clicked
}

struct Row<'t> {
    specs: &'t [Spec],
    index: u64,
    rect: Rect,
    body: Rect,
    is_selected: bool,
    /// Where the keys are.
    is_at: bool,
}

impl Row<'_> {
    fn show(
        &self,
        ui: &mut Ui,
        id: Id,
        layout: &Layout,
        state: &mut TableState,
        rows: &mut dyn Rows,
        outcome: &mut Outcome,
    ) {
        let tokens = Tokens::of(ui.ctx());
        let Some(key) = rows.key(self.index) else {
            let painter = ui.painter_at(self.body);
            paint(&painter, self.rect, "…".to_owned(), theme::body(), tokens.weak, false);
            return;
        };
        let seen = self.rect.intersect(self.body);
        let response = ui.interact(seen, id.with(key), Sense::click());
        response.widget_info(|| {
            WidgetInfo::selected(Role::Row, true, self.is_selected, rows.label(self.index))
        });
        if response.clicked() || response.secondary_clicked() {
            outcome.selected = Some(self.index);
            outcome.is_for_menu = response.secondary_clicked();
            ui.memory_mut(|memory| memory.request_focus(id.with("body")));
        }
        if response.clicked()
            && let Some(at) = response.interact_pointer_pos()
            && let Some(place) = layout.places.iter().find(|place| place.has(at.x))
        {
            outcome.clicked = Some((place.number, at.x - place.left));
        }
        if response.double_clicked() {
            outcome.opened = Some(self.index);
        }
        if response.secondary_clicked()
            && let Some(at) = response.interact_pointer_pos()
        {
            state.menu_column = layout.column_at(at.x).unwrap_or(0);
        }
        let ground = match (self.is_selected, response.hovered()) {
            (true, _) => Some(tokens.selection),
            (false, true) => Some(tokens.hover),
            (false, false) if rows.heading(self.index).is_some() => Some(tokens.panel),
            (false, false) => None,
        };
        if let Some(ground) = ground {
            ui.painter_at(self.body).rect_filled(self.rect, 0.0, ground);
        }
        if self.is_at {
            // Not by colour alone.
            let mark = Rect::from_min_size(self.rect.min, egui::vec2(3.0, ROW_HEIGHT));
            ui.painter_at(self.body).rect_filled(mark, 0.0, tokens.accent);
        }
        let painter = ui.painter_at(self.body);
        if let Some((mark, title)) = rows.heading(self.index) {
            let (left, right) = self.rect.split_left_right_at_x(self.rect.left() + MARK_WIDTH);
            for (rect, cell) in [(left, mark), (right, title)] {
                let color = cell.color.unwrap_or(tokens.text);
                paint(&painter, rect, cell.text, theme::body(), color, false);
            }
        }
        for place in &layout.places {
            let cell = rows.cell(self.index, place.number);
            let font = if cell.is_mono { theme::mono() } else { theme::body() };
            let color = cell.color.unwrap_or(tokens.text);
            let is_right = self.specs[place.number].is_right;
            let rect = place.rect(self.rect.y_range());
            paint(&painter, rect, cell.text, font, color, is_right);
        }
        let column = state.menu_column;
        response.context_menu(|ui| rows.menu(ui, self.index, column));
    }
}

fn paint(
    painter: &Painter,
    rect: Rect,
    text: String,
    font: FontId,
    color: Color32,
    is_right: bool,
) {
    if text.is_empty() {
        return;
    }
    let inner = rect.shrink2(egui::vec2(PADDING, 0.0));
    let galley = text::elided(painter, text, font, color, inner.width());
    let x = if is_right { inner.right() - galley.size().x } else { inner.left() };
    let y = rect.center().y - galley.size().y / 2.0;
    painter.with_clip_rect(painter.clip_rect().intersect(rect)).galley(
        egui::pos2(x.max(inner.left()), y),
        galley,
        color,
    );
}

#[cfg(test)]
mod tests;
