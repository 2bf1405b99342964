//! The window as eframe knows it: what is remembered, and the thread behind it.

use std::sync::Arc;

use eframe::egui;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::Args;
use crate::connection::{self, Worker};
use crate::state::settings::Settings;
use crate::theme;
use crate::window::{Time, Window};

const SETTINGS: &str = "settings";

pub struct Viewer {
    /// Dropped first: that ends the thread.
    window: Option<Window>,
    worker: Option<Worker>,
}

impl Viewer {
    pub fn new(cc: &eframe::CreationContext<'_>, args: &Args) -> std::io::Result<Self> {
        theme::install(&cc.egui_ctx);
        let stored = cc.storage.and_then(|storage| storage.get_string(SETTINGS));
        let settings = stored.map(|text| Settings::read(&text)).unwrap_or_default();
        let (mut link, end) = connection::link();
        let ctx = cc.egui_ctx.clone();
        let wake = Arc::new(move || ctx.request_repaint());
        let worker = connection::spawn(end, args.address.clone(), wake)?;
        if let Some(file) = &args.file {
            link.open(file.clone());
        }
        let window = Window::new(&cc.egui_ctx, link, settings, args.address.clone(), real_time());
        Ok(Self { window: Some(window), worker: Some(worker) })
    }
}

impl eframe::App for Viewer {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        if let Some(window) = &mut self.window {
            window.logic(ctx);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        if let Some(window) = &mut self.window {
            window.ui(ui);
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        if let Some(window) = &self.window {
            storage.set_string(SETTINGS, window.settings().write());
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.window = None;
        if let Some(worker) = self.worker.take() {
            worker.join();
        }
    }
}

fn real_time() -> Time {
    Time {
        now_ns: Box::new(|| i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)),
        local: TimeZone::system(),
    }
}
