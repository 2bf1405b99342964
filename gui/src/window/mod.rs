//! The window: what is looked at, and everything that comes in and goes out.
//!
//! Nothing here waits. Notices are taken in `logic`, which also runs while the window is hidden; `ui`
//! draws; what views and bars want done is gathered as actions and done after drawing.

mod bars;
mod columns;
mod export;
mod help;
mod notices;
mod palette;
mod run;
mod saved;
mod start;
mod strip;

use std::collections::HashSet;
use std::sync::Arc;

use common::bus::Target;
use common::filter::FilterError;
use common::health::Health;
use common::id::ProcessId;
use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, Ui, ViewportCommand};
use jiff::tz::TimeZone;

use crate::commands::Command;
use crate::connection::{Asked, Link, Status};
use crate::panel::Details;
use crate::state::history::{History, Place};
use crate::state::scope::{Scope, Span};
use crate::state::settings::{Appearance, Settings};
use crate::theme::Tokens;
use crate::views::{self, Action, Context, View, ViewId};
use crate::widgets::filter_box::FilterBox;
use crate::widgets::text::{self, Clock};

/// Where times come from; tests have their own.
pub struct Time {
    pub now_ns: Box<dyn Fn() -> i64>,
    pub local: TimeZone,
}

pub struct Window {
    link: Link,
    target: Target,
    status: Status,
    health: Option<Arc<Health>>,
    settings: Settings,
    time: Time,
    clock: Clock,

    scope: Scope,
    views: Vec<Box<dyn View>>,
    /// Views that were not seen since filter or range became others.
    stale: HashSet<ViewId>,
    selected: Option<ProcessId>,
    details: Details,
    history: History,

    following: Asked,
    /// The subscription is asked for, and everything else waits for it.
    is_beginning: bool,
    /// Rows that came while paused.
    paused: Option<u64>,
    /// The range that people chose, while a recorded database is shown whole.
    span_of_live: Option<Span>,
    /// A live stream had holes: ask again at this time.
    refresh_at: Option<i64>,
    strip: strip::StripState,

    filter_box: FilterBox,
    values: (Asked, Option<common::filter::Field>),
    palette: Option<palette::Palette>,
    is_help_open: bool,
    is_choosing_columns: bool,
    export: export::Export,
    naming: Option<saved::Naming>,
    start: start::Start,
    /// Said for a moment, such as that something was copied.
    remark: Option<(String, i64)>,
    /// What the desktop calls the window.
    title: String,
    actions: Vec<Action>,
}

impl Window {
    /// The context has had [`crate::theme::install`].
    pub fn new(
        ctx: &egui::Context,
        link: Link,
        settings: Settings,
        target: Target,
        time: Time,
    ) -> Self {
        let now_ns = (time.now_ns)();
        let scope = Scope::settle(&settings.filter, settings.span, now_ns, None)
            .or_else(|_| Scope::settle("", settings.span, now_ns, None))
            .expect("the empty filter is one");
        let mut filter_box = FilterBox::default();
        filter_box.set(scope.filter.text());
        let zone = if settings.is_utc { TimeZone::UTC } else { time.local.clone() };
        let window = Self {
            link,
            start: start::Start::new(&target),
            target,
            status: Status::Connecting,
            health: None,
            settings,
            clock: Clock { now_ns, zone },
            time,
            scope,
            views: views::all(),
            stale: ViewId::ALL.iter().copied().collect(),
            selected: None,
            details: Details::default(),
            history: History::default(),
            following: Asked::default(),
            is_beginning: false,
            paused: None,
            span_of_live: None,
            refresh_at: None,
            strip: strip::StripState::default(),
            filter_box,
            values: (Asked::default(), None),
            palette: None,
            is_help_open: false,
            is_choosing_columns: false,
            export: export::Export::default(),
            naming: None,
            remark: None,
            title: String::new(),
            actions: Vec::new(),
        };
        window.apply_settings(ctx);
        window
    }

    /// As they are to be remembered.
    pub fn settings(&self) -> Settings {
        let span = self.span_of_live.unwrap_or(self.settings.span);
        Settings { span, ..self.settings.clone() }
    }

    /// Takes in what came. Draws nothing.
    pub fn logic(&mut self, ctx: &egui::Context) {
        self.clock.now_ns = (self.time.now_ns)();
        self.take_notices(ctx);
        if self.refresh_at.is_some_and(|at| at <= self.clock.now_ns) {
            self.refresh();
        }
    }

    pub fn ui(&mut self, ui: &mut Ui) {
        for command in Command::pressed(ui.ctx()) {
            self.actions.push(Action::Run(command));
        }
        let tokens = Tokens::of(ui.ctx());
        ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.panel);
        let bar = Frame::new().inner_margin(Margin::symmetric(8, 4)).fill(tokens.panel);
        Panel::top("bar").frame(bar).resizable(false).show(ui, |ui| self.bar(ui));
        if self.needs_start() {
            CentralPanel::default().show(ui, |ui| self.start_window(ui));
        } else {
            self.main(ui, tokens);
        }
        self.palette_window(ui.ctx());
        self.help_window(ui.ctx());
        self.export_window(ui.ctx());
        self.naming_window(ui.ctx());
        self.columns_window(ui.ctx());
        self.escape(ui.ctx());
        self.act(ui.ctx());
        self.entitle(ui.ctx());
    }

    /// What is looked at, for whoever looks for this among other windows.
    pub fn title(&self) -> String {
        match &self.health {
            Some(health) if !self.needs_start() => {
                let host = text::line(&health.host);
                format!("{} – {host} – BPF Recorder", self.settings.view.name())
            }
            _ => "BPF Recorder".to_owned(),
        }
    }

    fn entitle(&mut self, ctx: &egui::Context) {
        let title = self.title();
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    fn main(&mut self, ui: &mut Ui, tokens: &Tokens) {
        let strip = Frame::new().inner_margin(Margin::symmetric(8, 2)).fill(tokens.panel);
        Panel::top("strip").frame(strip).resizable(false).show(ui, |ui| self.strip_bar(ui));
        let list = Frame::new().inner_margin(Margin::same(4)).fill(tokens.panel);
        Panel::left("views")
            .frame(list)
            .resizable(true)
            .default_size(128.0)
            .size_range(72.0..=240.0)
            .show(ui, |ui| self.view_list(ui));
        let side = Frame::new().inner_margin(Margin::symmetric(8, 6)).fill(tokens.panel);
        if self.settings.has_details {
            Panel::right("details")
                .frame(side)
                .resizable(true)
                .default_size(380.0)
                .size_range(220.0..=900.0)
                .show(ui, |ui| self.side(ui));
        }
        CentralPanel::no_frame().frame(Frame::new().fill(tokens.paper)).show(ui, |ui| {
            self.with_view(|view, cx| view.ui(ui, cx));
        });
    }

    fn side(&mut self, ui: &mut Ui) {
        // As wide as people left it, whatever there is to say.
        ui.take_available_width();
        let has_own = self.with_view(|view, cx| view.details(ui, cx));
        if !has_own {
            let mut details = std::mem::take(&mut self.details);
            details.ui(ui, &mut self.context());
            self.details = details;
        }
    }

    /// Calls the view that is seen.
    fn with_view<T>(&mut self, call: impl FnOnce(&mut dyn View, &mut Context<'_>) -> T) -> T {
        let at = self.view_at(self.settings.view);
        let mut views = std::mem::take(&mut self.views);
        let result = call(views[at].as_mut(), &mut self.context());
        self.views = views;
        result
    }

    fn view_at(&self, id: ViewId) -> usize {
        self.views.iter().position(|view| view.id() == id).unwrap_or(0)
    }

    fn context(&mut self) -> Context<'_> {
        Context {
            link: &mut self.link,
            scope: &self.scope,
            settings: &mut self.settings,
            clock: &self.clock,
            selected: self.selected,
            is_live: self.paused.is_none(),
            actions: &mut self.actions,
        }
    }

    fn place(&self) -> Place {
        Place {
            view: self.settings.view,
            filter: self.settings.filter.clone(),
            span: self.settings.span,
            process: self.selected,
            subject: self.views[self.view_at(self.settings.view)].subject(),
        }
    }

    /// Where the record begins.
    fn oldest_ns(&self) -> Option<i64> {
        common::time::parse_rfc3339(self.health.as_ref()?.store.oldest.as_deref()?)
    }

    fn settle(&self, text: &str, span: Span) -> Result<Scope, FilterError> {
        Scope::settle(text, span, self.clock.now_ns, self.oldest_ns())
    }

    /// Takes another filter or range. One that does not parse is only shown.
    fn set_scope(&mut self, filter: &str, span: Span) {
        self.filter_box.set(filter);
        match self.settle(filter, span) {
            Ok(scope) => {
                self.scope = scope;
                self.settings.filter = filter.to_owned();
                self.settings.span = span;
                self.settings.remember_filter(filter);
                self.refresh();
            }
            Err(error) => self.say(error.to_string()),
        }
    }

    fn say(&mut self, remark: String) {
        self.remark = Some((remark, self.clock.now_ns));
    }

    fn apply_settings(&self, ctx: &egui::Context) {
        ctx.set_theme(match self.settings.appearance {
            Appearance::System => egui::ThemePreference::System,
            Appearance::Light => egui::ThemePreference::Light,
            Appearance::Dark => egui::ThemePreference::Dark,
        });
        ctx.set_zoom_factor(self.settings.zoom.clamp(0.5, 3.0));
    }
}
