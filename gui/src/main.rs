//! `bpf-recorder-viewer`: the desktop viewer. So far an empty window with the application's id.

use std::process::ExitCode;

use eframe::egui;

/// Desktop id: names the window for Wayland compositors and the `.desktop` file.
const APP_ID: &str = "org.bpfrecorder.Viewer";

fn main() -> ExitCode {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_app_id(APP_ID)
            .with_title("BPF Recorder")
            .with_inner_size([1280.0, 800.0]),
        renderer: eframe::Renderer::Glow,
        ..Default::default()
    };
    match eframe::run_native(APP_ID, options, Box::new(|_| Ok(Box::new(Viewer)))) {
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

struct Viewer;

impl eframe::App for Viewer {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        ui.centered_and_justified(|ui| {
            ui.label("The viewer does not show anything yet: use bpfctl events.");
        });
    }
}
