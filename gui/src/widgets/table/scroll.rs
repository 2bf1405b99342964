//! Moving in a table: wheel, bar and keys.

use eframe::egui::{self, Id, Key, Modifiers, Rect, Role, Sense, Ui, WidgetInfo};

use super::TableState;
use crate::theme::{ROW_HEIGHT, Tokens};

const LEAST_THUMB: f32 = 24.0;

/// True when it moved the table.
pub(super) fn wheel(ui: &Ui, body: Rect, state: &mut TableState) -> bool {
    if !ui.rect_contains_pointer(body) {
        return false;
    }
    let moved = ui.input_mut(|input| {
        let moved = input.smooth_scroll_delta.y;
        // Nothing around the table scrolls, too.
        input.smooth_scroll_delta.y = 0.0;
        moved
    });
    state.top -= f64::from(moved / ROW_HEIGHT);
    moved != 0.0
}

/// True when it was dragged or clicked.
pub(super) fn bar(
    ui: &Ui,
    id: Id,
    body: Rect,
    width: f32,
    state: &mut TableState,
    total: u64,
) -> bool {
    let track = Rect::from_min_size(body.right_top(), egui::vec2(width, body.height()));
    let hidden = total as f64 - state.page;
    if hidden <= 0.0 {
        return false;
    }
    let share = state.page / total as f64;
    let length = (track.height() * share as f32).clamp(LEAST_THUMB, track.height());
    let room = track.height() - length;
    let response = ui.interact(track, id.with("bar"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::ScrollBar, true, "scroll"));
    let mut is_moved = false;
    if (response.dragged() || response.clicked())
        && let Some(at) = response.interact_pointer_pos()
        && room > 0.0
    {
        let part = ((at.y - track.top() - length / 2.0) / room).clamp(0.0, 1.0);
        state.top = f64::from(part) * hidden;
        is_moved = true;
    }
    let part = (state.top / hidden).clamp(0.0, 1.0) as f32;
    let thumb = Rect::from_min_size(
        egui::pos2(track.left() + 2.0, track.top() + part * room),
        egui::vec2(width - 4.0, length),
    );
    let tokens = Tokens::of(ui.ctx());
    let is_active = response.hovered() || response.dragged();
    ui.painter().rect_filled(thumb, 3.0, if is_active { tokens.weak } else { tokens.line });
    is_moved
}

/// Keys go to the table that has the focus, and to the one there is when nothing has it.
pub(super) fn has_keys(ui: &Ui, whole: Id) -> bool {
    let is_free = ui.memory(|memory| memory.focused().is_none_or(|id| id == whole));
    is_free && !egui::Popup::is_any_open(ui.ctx())
}

/// The row that the keys lead to.
pub(super) fn moved_by_keys(
    ui: &Ui,
    state: &TableState,
    total: u64,
    selected: Option<u64>,
) -> Option<u64> {
    let last = total.checked_sub(1)?;
    let page = (state.page as u64).saturating_sub(1).max(1);
    let pressed =
        |key| ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key) as u64);
    let (up, down) = (pressed(Key::ArrowUp), pressed(Key::ArrowDown));
    let (page_up, page_down) = (pressed(Key::PageUp), pressed(Key::PageDown));
    if pressed(Key::Home) > 0 {
        return Some(0);
    }
    if pressed(Key::End) > 0 {
        return Some(last);
    }
    let (back, on) = (up + page_up * page, down + page_down * page);
    if back == 0 && on == 0 {
        return None;
    }
    let Some(from) = selected else {
        // Begins with what is in sight.
        return Some(if on > 0 { state.top.ceil() as u64 } else { last }.min(last));
    };
    Some((from + on).saturating_sub(back).min(last))
}

pub(super) fn is_opened_by_keys(ui: &Ui) -> bool {
    ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter))
}
