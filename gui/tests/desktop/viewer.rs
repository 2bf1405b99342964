//! The viewer, in a window.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use crate::display::{Display, wait_for};

/// Ended when it is dropped.
pub(crate) struct Viewer {
    child: Child,
    log: PathBuf,
}

impl Viewer {
    /// Starts it with nothing remembered, and gives it the keys.
    pub(crate) fn start(display: &Display, program: &Path, address: &str, dir: &Path) -> Self {
        let home = dir.join("home");
        fs::create_dir_all(&home).unwrap();
        let log = dir.join("viewer.log");
        let child = display
            .command(program)
            .args(["--address", address])
            .env("HOME", &home)
            .env("XDG_RUNTIME_DIR", &home)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut viewer = Self { child, log };
        wait_for("the window", || {
            let end = viewer.child.try_wait().unwrap();
            assert!(end.is_none(), "the viewer ended ({end:?}):\n{}", viewer.log());
            display.ask("xdotool", &["search", "--onlyvisible", "--name", "BPF Recorder"])
        });
        viewer
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its end, which is told to come.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("the end of the viewer", || self.child.try_wait().unwrap())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- the viewer's messages\n{}----", self.log());
        }
    }
}
