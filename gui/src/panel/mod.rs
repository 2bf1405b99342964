//! The details of a process, beside every view: the same sections in the same order, folded as they
//! were left.

mod sections;
pub(crate) mod widgets;

use std::sync::Arc;

use common::alert::Alert;
use common::bus::AlertSelection;
use common::ecs::Event;
use common::filter::Field;
use common::id::ProcessId;
use eframe::egui::{self, Ui};

use crate::connection::alerts::{Answer as Alerts, Ask as AskAlerts};
use crate::connection::processes::{Answer as Found, Ask};
use crate::connection::{Answer, Asked, Link, Request, Trouble};
use crate::state::narrow::Condition;
use crate::theme::Tokens;
use crate::views::{Context, Reply};
use crate::widgets::text;

/// Ancestors that are asked for.
const MOST_ANCESTORS: u32 = 32;
const MOST_ALERTS: u32 = 50;

#[derive(Default)]
pub struct Details {
    process: Option<ProcessId>,
    images: Arc<Vec<Event<'static>>>,
    /// The image that is looked at.
    image: usize,
    /// Its position in the store, as long as it is not here; the newest image where that is not known.
    wanted_image: Option<i64>,
    /// From the oldest.
    ancestors: Vec<Event<'static>>,
    alerts: Vec<Alert<'static>>,
    trouble: Option<Trouble>,
    asked_images: Asked,
    asked_ancestors: Asked,
    asked_alerts: Asked,
}

impl Details {
    /// Looks at a process. What was known of it is asked for again: it may have ended.
    pub fn look_at(&mut self, process: ProcessId, link: &mut Link) {
        if self.process != Some(process) {
            self.process = Some(process);
            self.images = Arc::default();
            self.ancestors.clear();
            self.alerts.clear();
        }
        self.trouble = None;
        let id = process.to_string();
        self.asked_images.ask(link, Request::Processes(Ask::Process { id: id.clone() }));
        let tree = Ask::Tree { id: id.clone(), up: MOST_ANCESTORS, down: 0, limit: 100 };
        self.asked_ancestors.ask(link, Request::Processes(tree));
        let alerts = AskAlerts::Page {
            filter: Condition::equal(Field::Id, &id).include,
            selection: AlertSelection::default(),
            limit: MOST_ALERTS,
            cursor: String::new(),
        };
        self.asked_alerts.ask(link, Request::Alerts(alerts));
    }

    /// Looks at one image of a process.
    pub fn look_at_image(&mut self, process: ProcessId, sequence: i64, link: &mut Link) {
        self.wanted_image = Some(sequence);
        if self.process == Some(process) && !self.images.is_empty() {
            self.choose_image(&self.images.clone());
        } else {
            self.look_at(process, link);
        }
    }

    fn choose_image(&mut self, images: &[Event<'_>]) {
        let wanted = self.wanted_image.take();
        let known = images.iter().position(|image| Some(image.event.sequence) == wanted);
        if let Some(known) = known {
            self.image = known;
        } else if self.images.len() != images.len() {
            self.image = images.len().saturating_sub(1);
        }
    }

    /// Something happened to the process that is looked at.
    pub fn update(&mut self, link: &mut Link) {
        if let (Some(process), false) = (self.process, self.asked_images.is_waiting()) {
            self.look_at(process, link);
        }
    }

    pub fn process(&self) -> Option<ProcessId> {
        self.process
    }

    pub fn images(&self) -> &Arc<Vec<Event<'static>>> {
        &self.images
    }

    pub fn image(&self) -> Option<&Event<'static>> {
        self.images.get(self.image)
    }

    pub fn answer(&mut self, reply: Reply) -> Option<Reply> {
        if self.asked_images.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Processes(Found::Process(images))) => {
                    self.choose_image(&images);
                    self.images = images;
                }
                Ok(_) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else if self.asked_ancestors.take(reply.ticket) {
            if let Ok(Answer::Processes(Found::Tree(mut events))) = reply.result {
                events.retain(|event| Some(event.process.entity_id) != self.process);
                self.ancestors = events;
            }
        } else if self.asked_alerts.take(reply.ticket) {
            if let Ok(Answer::Alerts(Alerts::Page { alerts, .. })) = reply.result {
                self.alerts = alerts;
            }
        } else {
            return Some(reply);
        }
        None
    }

    pub fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let tokens = Tokens::of(ui.ctx());
        if self.process.is_none() {
            ui.add_space(ui.available_height() / 3.0);
            ui.vertical_centered(|ui| {
                ui.colored_label(tokens.weak, "Select a process to see all that is known of it.");
            });
            return;
        }
        if let Some(trouble) = &self.trouble {
            ui.colored_label(tokens.failed, format!("⚠ {}", text::line(&trouble.message)));
        }
        let images = self.images.clone();
        let Some(image) = images.get(self.image.min(images.len().saturating_sub(1))) else {
            if self.trouble.is_none() {
                ui.colored_label(tokens.weak, "…");
            }
            return;
        };
        sections::heading(ui, cx, image);
        egui::ScrollArea::vertical().id_salt("details").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            sections::arguments(ui, cx, image);
            sections::ancestry(ui, cx, &self.ancestors, image);
            sections::alerts(ui, cx, &self.alerts);
            sections::images(ui, cx, &images, &mut self.image);
            sections::environment(ui, cx, image);
            sections::identity(ui, cx, image);
            sections::place(ui, cx, image);
            sections::namespaces(ui, cx, image);
            sections::binary(ui, cx, image);
            sections::resources(ui, cx, image);
            sections::origin(ui, cx, image);
        });
    }
}
