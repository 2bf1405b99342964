//! The window with its fake recorder, and what tests do to it.

use std::cell::Cell;
use std::rc::Rc;

use common::bus::Target;
use common::ecs::Event;
use common::time::rfc3339;
use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, HarnessBuilder, Node};
use gui::connection::link;
use gui::state::settings::{Appearance, Settings};
use gui::window::{Time, Window};
use jiff::tz::TimeZone;

use crate::draw::Software;
use crate::fake::Fake;
use crate::select::began;

const SIZE: [f32; 2] = [1400.0, 900.0];

pub(crate) struct Stage {
    pub(crate) harness: Harness<'static, Inner>,
    now_ns: Rc<Cell<i64>>,
}

pub(crate) struct Inner {
    window: Option<Window>,
    pub(crate) fake: Fake,
}

impl Stage {
    /// Shortly after what was recorded, connected, everything there.
    pub(crate) fn new() -> Self {
        Self::unconnected().connected()
    }

    pub(crate) fn unconnected() -> Self {
        Self::built(Harness::builder().with_size(SIZE), Appearance::Dark)
    }

    /// Of which pictures can be made.
    pub(crate) fn drawn(size: [f32; 2], appearance: Appearance) -> Self {
        let builder = Harness::builder().with_size(size);
        let renderer = egui_kittest::LazyRenderer::new(Software::new);
        Self::built(builder.renderer(renderer), appearance).connected()
    }

    fn connected(mut self) -> Self {
        self.fake().connect();
        self.settle();
        self
    }

    fn built(builder: HarnessBuilder<Inner>, appearance: Appearance) -> Self {
        let (link, end) = link();
        let fake = Fake::new(end);
        let last = fake.events.iter().map(began).max().unwrap();
        let now_ns = Rc::new(Cell::new(last + 10_000_000_000));
        let clock = now_ns.clone();
        let mut link = Some(link);
        let show = move |ui: &mut egui::Ui, inner: &mut Inner| {
            let window = inner.window.get_or_insert_with(|| {
                let clock = clock.clone();
                let time = Time { now_ns: Box::new(move || clock.get()), local: TimeZone::UTC };
                let settings = Settings { is_utc: true, appearance, ..Settings::default() };
                let link = link.take().unwrap();
                Window::new(ui.ctx(), link, settings, Target::SystemBus, time)
            });
            inner.fake.work();
            window.logic(ui.ctx());
            window.ui(ui);
        };
        let harness = builder
            .with_context_setup(gui::theme::install)
            .build_ui_state(show, Inner { window: None, fake });
        Self { harness, now_ns }
    }

    pub(crate) fn fake(&mut self) -> &mut Fake {
        &mut self.harness.state_mut().fake
    }

    pub(crate) fn settings(&self) -> Settings {
        self.harness.state().window.as_ref().unwrap().settings()
    }

    /// What the desktop calls the window.
    pub(crate) fn title(&self) -> String {
        self.harness.state().window.as_ref().unwrap().title()
    }

    /// Until questions are answered and shown: each answer may raise another question.
    pub(crate) fn settle(&mut self) {
        for _ in 0..8 {
            self.harness.run_steps(1);
        }
        self.harness.run();
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, ns: i64) {
        self.now_ns.set(self.now_ns.get() + ns);
    }

    /// As an event that was recorded, another process that begins now.
    pub(crate) fn new_event(&self, like: usize, pid: u32, command_line: &str) -> Event<'static> {
        let fake = &self.harness.state().fake;
        let mut event = fake.events[like].clone();
        let last = fake.events.iter().map(|event| event.event.sequence).max().unwrap();
        event.event.sequence = last + i64::from(pid) + 1;
        event.process.pid = pid;
        event.process.entity_id.pid = pid;
        event.process.entity_id.start_boottime_ns += u64::from(pid);
        event.timestamp = rfc3339(self.now_ns.get());
        event.process.start = event.timestamp.clone();
        event.process.command_line = Some(command_line.to_owned().into());
        event
    }

    pub(crate) fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    pub(crate) fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.settle();
    }

    /// Types a filter and applies it.
    pub(crate) fn filter(&mut self, text: &str) {
        self.key(Modifiers::COMMAND, Key::L);
        self.type_text(text);
        self.key(Modifiers::NONE, Key::Enter);
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.harness.event(egui::Event::Text(text.to_owned()));
        self.settle();
    }

    /// Text and Enter so soon one after the other that both are there when the frame begins.
    pub(crate) fn type_and_enter(&mut self, text: &str) {
        let key = |pressed| egui::Event::Key {
            key: Key::Enter,
            physical_key: None,
            pressed,
            repeat: false,
            modifiers: Modifiers::NONE,
        };
        let events = [egui::Event::Text(text.to_owned()), key(true), key(false)];
        self.harness.input_mut().events.extend(events);
        self.settle();
    }

    /// What is said of each row that is seen, from top to bottom.
    pub(crate) fn rows(&self) -> Vec<String> {
        let mut rows: Vec<(f32, String)> = self
            .harness
            .query_all_by_role(egui::Role::Row)
            .map(|node| (node.rect().top(), label(&node)))
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows.into_iter().map(|(_, label)| label).collect()
    }

    #[track_caller]
    pub(crate) fn row(&self, part: &str) -> Node<'_> {
        let found =
            self.harness.query_all_by_role(egui::Role::Row).find(|node| label(node).contains(part));
        found.unwrap_or_else(|| panic!("no row has {part:?}: {:#?}", self.rows()))
    }

    /// A rule fires.
    pub(crate) fn raise_alert(&mut self) {
        let now_ns = self.now_ns.get();
        for notice in self.fake().triage.raise(now_ns) {
            self.fake().tell(notice);
        }
        self.settle();
    }

    /// Gives the keys to a field.
    pub(crate) fn focus(&mut self, label: &str) {
        self.harness.get_by_label(label).focus();
        self.settle();
    }

    /// Clicks the first of several that have the same name.
    pub(crate) fn click_first(&mut self, name: &str) {
        self.harness.get_all_by_label(name).next().unwrap().click();
        self.settle();
    }

    /// Whether anything says this.
    pub(crate) fn says(&self, part: &str) -> bool {
        self.harness.query_all_by_label_contains(part).next().is_some()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        collect(&self.harness.root(), &mut texts);
        texts
    }
}

fn collect(node: &Node<'_>, texts: &mut Vec<String>) {
    let of = node.accesskit_node();
    texts.extend(of.label());
    texts.extend(of.value());
    for child in node.children() {
        collect(&child, texts);
    }
}

pub(crate) fn label(node: &Node<'_>) -> String {
    node.accesskit_node().label().unwrap_or_default()
}
