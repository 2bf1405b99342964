//! `bpf-recorder-viewer`: the desktop viewer.

use std::process::ExitCode;

use clap::Parser as _;
use eframe::egui;
use gui::app::Viewer;
use gui::args::Args;

/// Desktop id: names the window for Wayland compositors and the `.desktop` file.
const APP_ID: &str = "org.bpfrecorder.Viewer";

fn main() -> ExitCode {
    let args = Args::parse();
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_app_id(APP_ID)
            .with_title("BPF Recorder")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([640.0, 400.0]),
        renderer: eframe::Renderer::Glow,
        ..Default::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(move |cc| Ok(Box::new(Viewer::new(cc, &args)?)));
    match eframe::run_native(APP_ID, options, create) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bpf-recorder-viewer: cannot open a window: {error}");
            eprintln!(
                "hint: it needs a Wayland or X11 session with OpenGL; without one use bpfctl"
            );
            ExitCode::FAILURE
        }
    }
}
