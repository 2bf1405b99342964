//! A message bus that is restarted. It is one of this test alone, in the place of the system's.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::ecs::Event;
use common::health::Health;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::programs::{BPFCTL, RECORDERD};
use crate::workload::{finish, start};

const ADDRESS: &str = "DBUS_SYSTEM_BUS_ADDRESS";

/// Anybody may do anything on it.
struct Bus {
    daemon: Child,
}

impl Bus {
    /// `None` where there is no such program.
    fn start(scratch: &Scratch) -> Option<Self> {
        let socket = scratch.path().join("system-bus");
        let _ = fs::remove_file(&socket);
        let config = scratch.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>custom</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context='default'><allow user='*'/><allow own='*'/><allow send_type='*'/>\
             <allow receive_type='*'/><allow eavesdrop='false' send_destination='*'/></policy>\
             </busconfig>",
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--nofork").arg(format!("--config-file={}", config.display()));
        let daemon = match command.stdin(Stdio::null()).spawn() {
            Ok(daemon) => daemon,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("dbus-daemon: {error}"),
        };
        wait_for("the bus", || socket.exists().then_some(()));
        Some(Self { daemon })
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn on_the_bus(program: &Path, scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null());
    let socket = scratch.path().join("system-bus");
    command.env(ADDRESS, format!("unix:path={}", socket.display()));
    command
}

fn ask(scratch: &Scratch, arguments: &[&str]) -> Option<String> {
    let Output { status, stdout, .. } = on_the_bus(&BPFCTL, scratch, arguments).output().unwrap();
    status.success().then(|| String::from_utf8(stdout).unwrap())
}

#[test]
fn a_bus_that_is_restarted_is_joined_again() {
    // Also the skip.
    if crate::recorder::shared().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let Some(mut bus) = Bus::start(&scratch) else { return println!("skipped: no dbus-daemon") };
    let data = scratch.data();
    let options = ["run", "--bus", "system", "--data-dir", data.to_str().unwrap()];
    let log = scratch.path().join("log");
    let mut command = on_the_bus(&RECORDERD, &scratch, &options);
    command.args(LOSSLESS).stderr(File::create(&log).unwrap());
    let recorder = start(&mut command);
    wait_for("an answer", || ask(&scratch, &["status"]));
    let mut runs = vec![(run(&["exit", "1"]), 1)];
    // Twice: one that could do it only once would be deaf after the next upgrade of the bus.
    for (round, code) in (1..).zip([2, 4]) {
        drop(bus);
        wait_for("the bus to be missed", || {
            let log = fs::read_to_string(&log).unwrap();
            (log.matches("system bus is gone").count() == round).then_some(())
        });
        runs.push((run(&["exit", &code.to_string()]), code));
        bus = Bus::start(&scratch).unwrap();
        wait_for("an answer on the new bus", || ask(&scratch, &["status"]));
        runs.push((run(&["exit", &(code + 1).to_string()]), code + 1));
    }
    for (run, code) in &runs {
        let filter = format!("pid = {} and ppid = {}", run.pid, std::process::id());
        let out = ask(&scratch, &["events", "--json", "-n", "0", &filter]).unwrap();
        let event: Event<'_> = serde_json::from_str(out.trim()).unwrap();
        assert_eq!(event.process.exit_code, Some(*code));
    }
    let out = ask(&scratch, &["health", "--json"]).unwrap();
    let health: Health = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((health.store.lost, health.store.gaps), (0, 0), "{health:#?}");
    assert_eq!(capture(&health).recorder_restarts, 0);
    kill(Pid::from_raw(recorder.pid().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(finish(recorder).status.success(), "{}", fs::read_to_string(&log).unwrap());
    drop(bus);
    assert_sound(&scratch.database());
}
