//! A recorded database, looked at without a recorder, a bus or a privilege.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::browser::Browser;
use crate::http::Visitor;
use crate::programs::RECORDERD;
use crate::recorder::wait_for;
use crate::scratch::Scratch;
use crate::site::{Site, WORD, free_address};

const NOBODY: u32 = 65534;

/// `bpf-recorderd open --web-only` of nobody, ended when it is dropped.
struct Opened {
    child: Child,
    links: Vec<String>,
}

impl Opened {
    fn serve(scratch: &Scratch, file: &Path, address: SocketAddr) -> Self {
        let log = scratch.path().join("open.log");
        let program = scratch.copy(&RECORDERD, "bpf-recorderd");
        let mut child = Command::new(program)
            .args(["open", "--web-only", "--web-address", &address.to_string()])
            .arg(file)
            .env_clear()
            .env("TMPDIR", scratch.make_dir("empty"))
            .current_dir(scratch.make_dir("empty"))
            .uid(NOBODY)
            .gid(NOBODY)
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let links = wait_for("a link", || {
            let said = fs::read_to_string(&log).unwrap();
            let end = child.try_wait().unwrap();
            assert!(end.is_none(), "{end:?}: {said}");
            let words = said.split_whitespace().filter(|word| word.contains("/login?link="));
            let links: Vec<String> = words.map(str::to_owned).collect();
            (!links.is_empty() && said.ends_with('\n')).then_some(links)
        });
        Self { child, links }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sockets(directory: &Path) -> Vec<std::path::PathBuf> {
    let listen = format!("{}/", directory.display());
    fs::read_to_string("/proc/net/unix")
        .unwrap()
        .lines()
        .filter_map(|line| line.split_whitespace().nth(7))
        .filter(|path| path.starts_with(&listen))
        .map(Into::into)
        .collect()
}

#[tokio::test]
async fn nobody_can_look_at_a_copy() {
    let Some(site) = Site::start() else { return };
    let alert = site.raise();
    let Site { web, recorder, scratch, .. } = site;
    drop(web);
    recorder.stop();
    let copies = scratch.make_dir("copies");
    let copy = copies.join("evidence.db");
    fs::copy(scratch.database(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o444)).unwrap();

    let address = free_address();
    let mut opened = Opened::serve(&scratch, &copy, address);
    assert_eq!(sockets(scratch.path()), Vec::<std::path::PathBuf>::new());
    let browser = Browser::start(&scratch, format!("http://{address}"), "recorded").await;
    browser.follow(&opened.links[0]).await;
    assert_eq!(browser.text("#recorder").await, "Recorded");
    let process = format!("/processes/{}", alert.event.process.entity_id);
    let alert_page = format!("/alerts/{}", alert.alert.id);
    for (name, path, word) in [
        ("processes", "/processes?since=all", WORD),
        ("process", &process, "Ancestry"),
        ("alerts", "/alerts", "Word of the test"),
        ("alert", &alert_page, WORD),
        ("rules", "/rules", ""),
        ("binaries", "/binaries", "/usr/bin/true"),
        ("health", "/health", "A recorded database"),
    ] {
        browser.open(path).await;
        browser.picture(name).await;
        let shown = browser.shown().await;
        assert!(shown.contains(word), "{name}: {shown}");
    }
    let cookie = browser.cookie().await;
    browser.finish().await;

    let visitor = Visitor { address, cookie };
    let health = visitor.get("/api/v1/health").text();
    assert!(health.contains("\"read-only\""), "{health}");
    let id = alert.alert.id;
    let decided = format!("{{\"ids\":[{id}],\"status\":\"resolved\",\"note\":\"\"}}");
    for (method, target, body) in [
        ("POST", "/api/v1/alerts/status", &*decided),
        ("POST", "/api/v1/rules/enabled", "{\"patterns\":[\"*\"],\"enabled\":false}"),
        ("PUT", "/api/v1/rules/uploads/new.yml", &crate::site::rule("New", "x")),
        ("DELETE", "/api/v1/rules/11111111-1111-4111-8111-111111111111", ""),
    ] {
        let answer = visitor.change(method, target, body);
        assert_eq!(answer.status, 409, "{method} {target}: {}", answer.text());
    }

    kill(Pid::from_raw(opened.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(opened.child.wait().unwrap().success());
    let left = |directory: &Path| fs::read_dir(directory).unwrap().count();
    assert_eq!((left(&scratch.path().join("empty")), left(&copies)), (0, 1), "files are left over");
}
