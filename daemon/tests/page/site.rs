//! A recorder and its web page, for a test.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::alert::Alert;

use crate::programs::RECORDERD;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;

/// In the command line of what the rule of [`Site::with_alert`] fires on.
pub(crate) const WORD: &str = "page-proof-word";

/// `bpf-recorderd web`, ended when it is dropped.
pub(crate) struct Web {
    child: Child,
}

impl Web {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The order is that of the end.
pub(crate) struct Site {
    pub(crate) web: Web,
    pub(crate) recorder: Recorder,
    pub(crate) scratch: Scratch,
    pub(crate) address: SocketAddr,
}

impl Site {
    /// With the rules that come with the program, and one for [`WORD`].
    pub(crate) fn start() -> Option<Self> {
        let scratch = Scratch::new();
        copy_rules(&scratch.make_dir("shipped"));
        let admin = scratch.make_dir("admin");
        fs::write(admin.join("word.yml"), rule("Word of the test", WORD)).unwrap();
        Self::serve(scratch)
    }

    pub(crate) fn without_rules() -> Option<Self> {
        let scratch = Scratch::new();
        scratch.make_dir("shipped");
        scratch.make_dir("admin");
        Self::serve(scratch)
    }

    fn serve(scratch: Scratch) -> Option<Self> {
        let address = free_address();
        let text = address.to_string();
        let shipped = scratch.path().join("shipped").display().to_string();
        let admin = scratch.path().join("admin").display().to_string();
        let mut options = vec!["--web-address", &*text];
        options.extend(["--shipped-rules", &*shipped, "--admin-rules", &*admin]);
        options.extend(LOSSLESS);
        let recorder = Recorder::start(&scratch, &options)?;
        let web = serve(&scratch, address);
        Some(Self { web, recorder, scratch, address })
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn link(&self) -> String {
        self.recorder.client.print(&["web"]).trim().to_owned()
    }

    pub(crate) fn alerts(&self, filter: &str) -> Vec<Alert<'static>> {
        let out = self.recorder.client.print(&["alerts", "--json", "-n", "0", filter]);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Executes what the rule looks for, and waits until it has fired.
    pub(crate) fn raise(&self) -> Alert<'static> {
        run(&["/bin/sh", "-c", &format!("/bin/true {WORD} --of 1; /bin/false")]);
        let alert =
            wait_for("an alert", || self.alerts(&format!("cmd ~ {WORD} and name = true")).pop());
        // Its file is read a little later.
        let filter = format!("entity_id = {} and sha256 exists", alert.event.process.entity_id);
        wait_for("its hash", || self.recorder.client.events(&filter).pop());
        alert
    }
}

fn serve(scratch: &Scratch, address: SocketAddr) -> Web {
    let log = scratch.path().join("web.log");
    let mut child = Command::new(&*RECORDERD)
        .args(["web", "--bus", &format!("unix:path={}", scratch.bus().display())])
        .args(["--web-address", &address.to_string()])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    wait_for("the web page", || {
        let end = child.try_wait().unwrap();
        assert!(end.is_none(), "{end:?}: {}", fs::read_to_string(&log).unwrap());
        TcpStream::connect(address).ok()
    });
    Web { child }
}

/// Nobody listens there.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Where the recorder's user may read them.
fn copy_rules(to: &Path) {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../rules");
    for directory in fs::read_dir(rules).unwrap().map(|entry| entry.unwrap().path()) {
        for rule in fs::read_dir(directory).into_iter().flatten() {
            let rule: PathBuf = rule.unwrap().path();
            fs::copy(&rule, to.join(rule.file_name().unwrap())).unwrap();
        }
    }
}

pub(crate) fn rule(title: &str, word: &str) -> String {
    format!(
        "title: {title}\nid: 11111111-1111-4111-8111-111111111111\nlevel: high\n\
         logsource: {{category: process_creation, product: linux}}\n\
         detection:\n  by_word:\n    CommandLine|contains: {word}\n  condition: by_word\n"
    )
}

/// Runs a command to its end.
pub(crate) fn run(command: &[&str]) {
    let status = Command::new(command[0]).args(&command[1..]).status();
    status.unwrap_or_else(|error| panic!("{command:?}: {error}"));
}
