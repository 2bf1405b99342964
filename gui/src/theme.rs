//! Colours by what they mean, for light and dark, and the measures of everything.
//!
//! Colour means state and nothing else, and is always doubled by a word or a shape. A test holds each
//! text colour to the contrast of WCAG AA on what it stands on.

use common::record::State;
use common::rule::Level;
use eframe::egui::{self, Color32, CornerRadius, FontFamily, FontId, Stroke, TextStyle, Theme};

/// Everything stands on multiples of this.
pub const GRID: f32 = 4.0;
pub const ROW_HEIGHT: f32 = 20.0;
pub const TEXT_SIZE: f32 = 13.0;
const SMALL_SIZE: f32 = 11.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Behind tables and texts.
    pub paper: Color32,
    /// Behind bars and panels.
    pub panel: Color32,
    /// Behind fields that are typed into.
    pub field: Color32,
    pub hover: Color32,
    pub line: Color32,
    pub text: Color32,
    /// What is not looked at first.
    pub weak: Color32,
    /// Selection and focus.
    pub accent: Color32,
    /// Behind a selected row; its text stays `text`.
    pub selection: Color32,
    pub bar: Color32,
    /// A bar outside of the chosen range.
    pub bar_weak: Color32,
    pub running: Color32,
    pub failed: Color32,
    pub killed: Color32,
    /// Something is lost, or should be looked at.
    pub warning: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    let [_, r, g, b] = hex.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

pub const LIGHT: Tokens = Tokens {
    paper: rgb(0xff_ff_ff),
    panel: rgb(0xf4_f5_f7),
    field: rgb(0xff_ff_ff),
    hover: rgb(0xe9_ec_f0),
    line: rgb(0xd5_d9_df),
    text: rgb(0x1b_1f_24),
    weak: rgb(0x59_63_70),
    accent: rgb(0x0b_5c_ad),
    selection: rgb(0xd3_e6_fa),
    bar: rgb(0x4f_7a_a8),
    bar_weak: rgb(0xcd_d8_e4),
    running: rgb(0x1a_6e_35),
    failed: rgb(0x8d_54_00),
    killed: rgb(0xb4_23_18),
    warning: rgb(0x8d_54_00),
};

pub const DARK: Tokens = Tokens {
    paper: rgb(0x16_18_1c),
    panel: rgb(0x1e_21_26),
    field: rgb(0x12_14_17),
    hover: rgb(0x2a_2e_35),
    line: rgb(0x35_3a_42),
    text: rgb(0xe2_e5_e9),
    weak: rgb(0x9b_a4_af),
    accent: rgb(0x6c_b0_f5),
    selection: rgb(0x1b_39_59),
    bar: rgb(0x4f_7d_ab),
    bar_weak: rgb(0x2e_3c_4a),
    running: rgb(0x6c_cb_86),
    failed: rgb(0xe3_ae_55),
    killed: rgb(0xf4_8a_80),
    warning: rgb(0xe3_ae_55),
};

impl Tokens {
    pub fn of(ctx: &egui::Context) -> &'static Tokens {
        match ctx.theme() {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        }
    }

    pub fn state(&self, state: State) -> Color32 {
        match state {
            State::Running => self.running,
            State::Ended => self.text,
            State::Unobserved => self.weak,
            State::Failed => self.failed,
            State::Killed => self.killed,
        }
    }

    pub fn level(&self, level: Level) -> Color32 {
        match level {
            Level::Informational | Level::Low => self.weak,
            Level::Medium => self.accent,
            Level::High => self.failed,
            Level::Critical => self.killed,
        }
    }
}

/// A shape for each state, so that colour is not all that tells them apart.
pub fn state_mark(state: State) -> &'static str {
    match state {
        State::Running => "▶",
        State::Ended => "✔",
        State::Failed => "✖",
        State::Killed => "⚡",
        State::Unobserved => "?",
    }
}

/// A shape for each level, the same everywhere.
pub fn level_mark(level: Level) -> &'static str {
    match level {
        Level::Informational => "△",
        Level::Low => "▵",
        Level::Medium => "▲",
        Level::High => "▲▲",
        Level::Critical => "▲▲▲",
    }
}

pub fn mono() -> FontId {
    FontId::new(12.5, FontFamily::Monospace)
}

pub fn body() -> FontId {
    FontId::new(TEXT_SIZE, FontFamily::Proportional)
}

pub fn small() -> FontId {
    FontId::new(SMALL_SIZE, FontFamily::Proportional)
}

/// Gives the context both appearances, and the shapes that texts need: of the fonts that are built in
/// only the monospaced one has circles, triangles and arrows. What else people wrote is drawn with the
/// fonts of the system.
pub fn install(ctx: &egui::Context) {
    let mut fonts = egui::FontDefinitions::default();
    fonts.families.entry(FontFamily::Proportional).or_default().push("Hack".to_owned());
    ctx.set_fonts(fonts);
    for (theme, tokens) in [(Theme::Light, &LIGHT), (Theme::Dark, &DARK)] {
        ctx.style_mut_of(theme, |style| apply(style, theme, tokens));
    }
}

fn apply(style: &mut egui::Style, theme: Theme, tokens: &Tokens) {
    style.text_styles = [
        (TextStyle::Heading, FontId::new(16.0, FontFamily::Proportional)),
        (TextStyle::Body, body()),
        (TextStyle::Button, body()),
        (TextStyle::Small, small()),
        (TextStyle::Monospace, mono()),
    ]
    .into();
    style.spacing.item_spacing = egui::vec2(2.0 * GRID, GRID);
    style.spacing.button_padding = egui::vec2(1.5 * GRID, 2.0);
    style.spacing.interact_size.y = ROW_HEIGHT;
    style.spacing.menu_margin = egui::Margin::same(4);
    style.spacing.indent = 4.0 * GRID;
    style.spacing.scroll = egui::style::ScrollStyle::thin();
    style.animation_time = 0.0;
    style.interaction.selectable_labels = true;
    style.visuals = visuals(theme, tokens);
}

fn visuals(theme: Theme, tokens: &Tokens) -> egui::Visuals {
    let mut visuals = match theme {
        Theme::Light => egui::Visuals::light(),
        Theme::Dark => egui::Visuals::dark(),
    };
    visuals.panel_fill = tokens.panel;
    visuals.window_fill = tokens.panel;
    visuals.extreme_bg_color = tokens.field;
    visuals.faint_bg_color = tokens.panel;
    visuals.window_stroke = Stroke::new(1.0, tokens.line);
    visuals.hyperlink_color = tokens.accent;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.killed;
    visuals.selection.bg_fill = tokens.selection;
    visuals.selection.stroke = Stroke::new(1.0, tokens.text);
    visuals.weak_text_color = Some(tokens.weak);
    visuals.window_corner_radius = CornerRadius::same(4);
    visuals.menu_corner_radius = CornerRadius::same(4);
    let widgets = &mut visuals.widgets;
    for (widget, fill, stroke) in [
        (&mut widgets.noninteractive, tokens.panel, tokens.line),
        (&mut widgets.inactive, Color32::TRANSPARENT, tokens.line),
        (&mut widgets.hovered, tokens.hover, tokens.weak),
        (&mut widgets.active, tokens.selection, tokens.accent),
        (&mut widgets.open, tokens.hover, tokens.line),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, stroke);
        widget.fg_stroke = Stroke::new(1.0, tokens.text);
        widget.corner_radius = CornerRadius::same(3);
        widget.expansion = 0.0;
    }
    visuals.widgets.inactive.bg_stroke = Stroke::new(1.0, tokens.line);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color32) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.039_28 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn texts_have_the_contrast_of_wcag_aa() {
        for (name, tokens) in [("light", &LIGHT), ("dark", &DARK)] {
            let texts = [
                tokens.text,
                tokens.weak,
                tokens.accent,
                tokens.running,
                tokens.failed,
                tokens.killed,
                tokens.warning,
            ];
            for text in texts {
                for ground in
                    [tokens.paper, tokens.panel, tokens.field, tokens.hover, tokens.selection]
                {
                    let found = contrast(text, ground);
                    assert!(found >= 4.5, "{name}: {text:?} on {ground:?}: {found:.2}");
                }
            }
            assert!(contrast(tokens.bar, tokens.panel) >= 3.0, "{name}: bars");
        }
    }
}
