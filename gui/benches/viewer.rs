//! What looking costs. Prints, and does not judge.
//!
//! `make bench`. Opens a database of many processes, whose path is in BPF_RECORDED, and which
//! `recorder --database` of the daemon's benchmark makes. First the window without a screen, frame by
//! frame, as it waits for the recorder and is scrolled; then the program itself under Xvfb, whose
//! drawing is done by the processor: there, the memory is what counts, and what it does when nobody
//! looks. Figures of one machine at one time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "part of a benchmark")]

#[path = "../tests/desktop/display.rs"]
#[allow(dead_code, reason = "for the tests")]
mod display;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use common::bus::Target;
use display::{Display, wait_for};
use eframe::egui::{self, Event, Modifiers, RawInput};
use gui::connection::{self, Worker};
use gui::state::scope::Span;
use gui::state::settings::Settings;
use gui::window::{Time, Window};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const SIZE: egui::Vec2 = egui::vec2(1440.0, 900.0);
/// Frames of each scroll, and points the wheel moves in each.
const FRAMES: usize = 600;
const IDLE: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let database = std::env::var_os("BPF_RECORDED").context("BPF_RECORDED names no database")?;
    let dir = tempfile::Builder::new().prefix("bpf-viewer-bench").tempdir()?;
    let service = Service::start(Path::new(&database), dir.path())?;
    window(&service)?;
    program(&service, dir.path())
}

fn row(name: &str, value: &str) {
    println!("{name:52} {value}");
}

/// `bpf-recorderd open`, ended when it is dropped.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(database: &Path, dir: &Path) -> anyhow::Result<Self> {
        let bus = dir.join("bus");
        let address = format!("unix:path={}", bus.display());
        let program = std::env::var_os("BPF_RECORDERD")
            .map_or_else(|| viewer().with_file_name("bpf-recorderd"), PathBuf::from);
        let child = Command::new(program)
            .arg("open")
            .arg(database)
            .args(["--bus", &address])
            .stderr(Stdio::null())
            .spawn()
            .context("start bpf-recorderd")?;
        wait_for("the socket", || bus.exists().then_some(()));
        Ok(Self { child, address })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn viewer() -> PathBuf {
    env!("CARGO_BIN_EXE_bpf-recorder-viewer").into()
}

/// The window, without anything that draws.
struct Stage {
    ctx: egui::Context,
    /// Dropped first: that ends the thread.
    window: Option<Window>,
    worker: Option<Worker>,
    began: Instant,
}

impl Stage {
    fn new(address: &str) -> anyhow::Result<Self> {
        let ctx = egui::Context::default();
        gui::theme::install(&ctx);
        let target: Target = address.parse().map_err(anyhow::Error::msg)?;
        let (link, end) = connection::link();
        let worker = connection::spawn(end, target.clone(), Arc::new(|| {}))?;
        let settings = Settings { span: Span::All, is_utc: true, ..Settings::default() };
        let now_ns = || i64::try_from(Timestamp::now().as_nanosecond()).unwrap();
        let time = Time { now_ns: Box::new(now_ns), local: TimeZone::UTC };
        let window = Window::new(&ctx, link, settings, target, time);
        Ok(Self { ctx, window: Some(window), worker: Some(worker), began: Instant::now() })
    }

    /// A frame up to the triangles, and how long it took.
    fn frame(&mut self, events: Vec<Event>) -> (Duration, usize) {
        let input = RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            time: Some(self.began.elapsed().as_secs_f64()),
            events,
            ..RawInput::default()
        };
        let window = self.window.as_mut().unwrap();
        let start = Instant::now();
        let mut output = self.ctx.run_ui(input, |ui| {
            window.logic(ui.ctx());
            window.ui(ui);
        });
        output.textures_delta.clear();
        let shapes = output.shapes.len();
        let triangles = self.ctx.tessellate(output.shapes, 1.0);
        std::hint::black_box(triangles);
        (start.elapsed(), shapes)
    }

    /// Frames as a screen has them, 60 a second, for so many events.
    fn play(&mut self, events: impl Iterator<Item = Vec<Event>>) -> Vec<Duration> {
        events
            .map(|events| {
                let (took, _) = self.frame(events);
                std::thread::sleep(Duration::from_micros(16_667).saturating_sub(took));
                took
            })
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.window = None;
        if let Some(worker) = self.worker.take() {
            worker.join();
        }
    }
}

fn window(service: &Service) -> anyhow::Result<()> {
    let mut stage = Stage::new(&service.address)?;
    // Hundreds of texts are rows; before, there are the bars and a few words.
    let deadline = stage.began + Duration::from_secs(60);
    while stage.frame(Vec::new()).1 < 300 {
        ensure!(Instant::now() < deadline, "no rows came");
        std::thread::sleep(Duration::from_millis(2));
    }
    let first = stage.began.elapsed();
    row("from the start of the window to its first rows", &format!("{} ms", first.as_millis()));
    // Counts, the strip and the details follow.
    stage.play((0..120).map(|_| Vec::new()));
    let middle = egui::pos2(500.0, 500.0);
    let wheel = |points: f32| {
        move |_| {
            vec![
                Event::PointerMoved(middle),
                Event::MouseWheel {
                    unit: egui::MouseWheelUnit::Point,
                    delta: egui::vec2(0.0, points),
                    phase: egui::TouchPhase::Move,
                    source: egui::MouseWheelSource::Wheel,
                    modifiers: Modifiers::NONE,
                },
            ]
        }
    };
    let still = stage.play((0..FRAMES).map(|_| Vec::new()));
    tell("frame, nothing moves", still);
    let slow = stage.play((0..FRAMES).map(wheel(30.0)));
    tell("frame, wheel, 90 rows a second", slow);
    let quick = stage.play((0..FRAMES).map(wheel(20_000.0)));
    tell("frame, wheel, 60,000 rows a second", quick);
    Ok(())
}

fn tell(name: &str, mut frames: Vec<Duration>) {
    frames.sort();
    let at = |hundredths: usize| frames[(frames.len() - 1) * hundredths / 100].as_secs_f64() * 1e3;
    let value =
        format!("{:.2} ms (99 of 100 within {:.2} ms, most {:.2} ms)", at(50), at(99), at(100));
    row(name, &value);
}

/// The program itself, in a window of a display that nobody sees.
fn program(service: &Service, dir: &Path) -> anyhow::Result<()> {
    let display = Display::start("1440x900");
    let home = dir.join("home");
    fs::create_dir(&home)?;
    let mut viewer = display
        .command(viewer())
        .args(["--address", &service.address])
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", &home)
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .stderr(Stdio::null())
        .spawn()?;
    let window = display.window("^Processes ");
    display.run("xdotool", &["windowsize", "--sync", &window, "1440", "900"]);
    std::thread::sleep(Duration::from_secs(5));
    row("resident memory of the program", &memory(viewer.id(), "VmRSS")?);

    // Nobody has given it the keys, and the pointer is elsewhere.
    let before = cpu_ns(viewer.id())?;
    std::thread::sleep(IDLE);
    let used = cpu_ns(viewer.id())? - before;
    let share = used as f64 / IDLE.as_nanos() as f64 * 100.0;
    row(
        &format!("CPU while nobody looks, of {} s", IDLE.as_secs()),
        &format!("{:.1} ms ({share:.2} % of a core)", used as f64 / 1e6),
    );

    display.run("xdotool", &["windowfocus", "--sync", &window]);
    for keys in [["Home"; 40], ["Page_Down"; 40], ["End"; 40], ["Page_Up"; 40]] {
        let arguments = [&["key", "--delay", "30"], &keys[..]].concat();
        display.run("xdotool", &arguments);
    }
    for view in ["ctrl+2", "ctrl+3", "ctrl+4", "ctrl+5", "ctrl+6", "ctrl+7", "ctrl+1"] {
        display.run("xdotool", &["key", view]);
        std::thread::sleep(Duration::from_secs(1));
    }
    row("  at most, scrolled, every view seen", &memory(viewer.id(), "VmHWM")?);
    viewer.kill()?;
    viewer.wait()?;
    Ok(())
}

/// A figure of `/proc/PID/status`.
fn memory(pid: u32, name: &str) -> anyhow::Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    let kib: u64 = line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").parse()?;
    Ok(format!("{} MiB", kib >> 10))
}

/// Sum over the threads: field 1 of `/proc/PID/task/TID/schedstat` is time on the CPU.
fn cpu_ns(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(sum)
}
