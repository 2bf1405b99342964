//! A display that nobody sees, and what is on it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For what comes soon or never.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `probe` gives a value, and gives up when it is hopeless.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Xvfb, ended when it is dropped.
pub(crate) struct Display {
    server: Child,
    name: String,
}

impl Display {
    pub(crate) fn start(size: &str) -> Self {
        // It takes a number that is free, and tells it when it is ready. It is not to begin anew
        // whenever one that looks for a window was the only one there.
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp"])
            .args(["-screen", "0", &format!("{size}x24")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Xvfb: {error}: run `make install-deps`"));
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.trim().is_empty(), "Xvfb gave up: {:?}", server.wait());
        Self { server, name: format!(":{}", number.trim()) }
    }

    /// A program that is to use this display.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("DISPLAY", &self.name).env("LANG", "C.UTF-8").stdin(Stdio::null());
        command
    }

    /// What a program says; nothing when it fails.
    pub(crate) fn ask(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.command(program).args(arguments).output();
        let output =
            output.unwrap_or_else(|error| panic!("{program}: {error}: run `make install-deps`"));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[track_caller]
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        self.ask(program, arguments).unwrap_or_else(|| panic!("{program} {arguments:?} failed"))
    }

    /// The window with a title that this expression fits, once there is one. Only ASCII: of the rest
    /// xdotool does not see that it is the same.
    pub(crate) fn window(&self, title: &str) -> String {
        wait_for(&format!("a window with the title {title:?}"), || {
            let found = self.ask("xdotool", &["search", "--onlyvisible", "--name", title])?;
            found.lines().next().map(str::to_owned)
        })
    }

    pub(crate) fn clipboard(&self) -> String {
        self.ask("xclip", &["-selection", "clipboard", "-o"]).unwrap_or_default()
    }

    /// The whole screen, as a PNG file.
    pub(crate) fn save(&self, file: &Path) {
        self.run("import", &["-window", "root", "-strip", file.to_str().unwrap()]);
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
