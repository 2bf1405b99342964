//! From a process that runs to an alert that is dealt with.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use image::RgbImage;

use crate::display::{Display, wait_for};
use crate::recorder::{Recorder, program};
use crate::viewer::Viewer;

const SIZE: &str = "1280x800";
/// Before keys are pressed again.
const TIME_TO_TAKE_EFFECT: Duration = Duration::from_secs(5);
/// None of its letters decides anything, should it go to the list.
const NOTE: &str = "all is well";

struct Desk {
    display: Display,
    /// Where what it looked like is kept.
    pictures: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let target = program("BPF_RECORDERD", "bpf-recorderd");
        let pictures = target.parent().unwrap().with_file_name("screenshots").join("desktop");
        fs::create_dir_all(&pictures).unwrap();
        Self { display: Display::start(SIZE), pictures }
    }

    /// Presses keys until the process they lead to is copied: what they are for may not be there yet.
    fn press_until_copied(&self, expected: &str, press: impl Fn(&Display)) {
        let copy = || {
            self.display.press(&["ctrl+shift+c"]);
            self.display.clipboard()
        };
        self.try_until(expected, || press(&self.display), || copy() == expected);
    }

    /// Does something, again and again, until it had its effect.
    fn try_until(&self, what: &str, mut act: impl FnMut(), mut is_done: impl FnMut() -> bool) {
        let wait = AssertUnwindSafe(|| {
            wait_for(what, || {
                act();
                let deadline = Instant::now() + TIME_TO_TAKE_EFFECT;
                while !is_done() {
                    if Instant::now() > deadline {
                        return None;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                Some(())
            });
        });
        if let Err(panic) = catch_unwind(wait) {
            self.save("failed");
            resume_unwind(panic);
        }
    }

    fn save(&self, name: &str) -> RgbImage {
        let file = self.pictures.join(name).with_extension("png");
        self.display.save(&file);
        image::open(&file).unwrap().into_rgb8()
    }

    /// Keeps what is seen, which is not nothing: text alone has some hundred shades.
    fn look(&self, name: &str) -> RgbImage {
        wait_for(&format!("a picture of {name}"), || {
            let picture = self.save(name);
            let colors = picture.pixels().collect::<HashSet<_>>().len();
            (colors > 100).then_some(picture)
        })
    }

    /// The same, once it is another by so many pixels.
    fn look_for_change(&self, name: &str, before: &RgbImage, pixels: usize) {
        wait_for(&format!("another picture of {name}"), || {
            let now = self.save(name);
            let changed = before.pixels().zip(now.pixels()).filter(|(a, b)| a != b).count();
            (changed > pixels).then_some(())
        });
    }
}

/// A shell that is told to keep no history, and its parent, as a shell would have them.
struct Ran {
    pid: String,
    child: String,
    parent: String,
}

fn run_suspicious(unique: &str) -> Ran {
    let inner = format!("unset HISTFILE; echo $$; : child-of-{unique}");
    let outer = format!("sh -c \"$INNER\"; : parent-in-{unique}");
    let output = Command::new("sh")
        .args(["-c", &outer])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("INNER", &inner)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    Ran {
        pid: String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        child: format!("sh -c '{inner}'"),
        parent: format!("sh -c '{outer}'"),
    }
}

#[test]
fn a_process_is_seen_placed_and_its_alert_dealt_with() {
    let dir = tempfile::Builder::new().prefix("bpf-desktop-").tempdir_in("/tmp").unwrap();
    // The recorder is not root.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let Some(recorder) = Recorder::start(dir.path()) else { return };
    let desk = Desk::new();
    let mut viewer = Viewer::start(
        &desk.display,
        Path::new(env!("CARGO_BIN_EXE_bpf-recorder-viewer")),
        &recorder.address,
        dir.path(),
    );
    let window = desk.display.window("^Processes ");
    // There is no window manager to do it.
    desk.display.run("xdotool", &["windowsize", "--sync", &window, "1280", "800"]);
    desk.display.run("xdotool", &["windowfocus", "--sync", &window]);

    // It runs while the viewer looks on.
    let unique = dir.path().file_name().unwrap().to_str().unwrap();
    let ran = run_suspicious(unique);
    // What types the filter has its words, too.
    let filter = format!("pid = {} and cmd ~ child-of-{unique}", ran.pid);
    find(&desk, &ran, &filter);
    place(&desk, &ran);
    deal_with_alert(&desk, &recorder, &filter);

    desk.display.press(&["ctrl+q"]);
    assert!(viewer.wait().success());
}

/// By its words.
fn find(desk: &Desk, ran: &Ran, filter: &str) {
    desk.press_until_copied(&ran.child, |display| {
        display.press(&["ctrl+l", "ctrl+a"]);
        display.type_text(filter);
        display.press(&["Return", "Home"]);
    });
    desk.look("processes");
}

/// In the tree, its parent is one step to the left.
fn place(desk: &Desk, ran: &Ran) {
    desk.display.press(&["ctrl+t"]);
    desk.display.window("^Tree ");
    desk.press_until_copied(&ran.parent, |display| display.press(&["Left"]));
    desk.look("tree");
}

/// It is worked on, gets a note, and is resolved.
fn deal_with_alert(desk: &Desk, recorder: &Recorder, filter: &str) {
    let alert = || recorder.alerts(filter).into_iter().next();
    let first = wait_for("the alert", alert);
    assert_eq!(first["alert"]["status"], "new", "{first}");
    let is_now = |status: &str| alert().is_some_and(|alert| alert["alert"]["status"] == status);
    let press = |keys: &[&str]| desk.display.press(keys);

    let take = || press(&["ctrl+4", "End", "p"]);
    desk.try_until("it is worked on", take, || is_now("in_progress"));
    desk.display.window("^Alerts ");
    let before = desk.look("alerts");

    let id = first["alert"]["id"].to_string();
    let write = || {
        press(&["ctrl+4", "m", "ctrl+a"]);
        desk.display.type_text(NOTE);
        press(&["Return"]);
    };
    desk.try_until("it has a note", write, || recorder.alert(&id).contains(NOTE));

    let resolve = || press(&["ctrl+4", "End", "r"]);
    desk.try_until("it is resolved", resolve, || is_now("resolved"));
    // It leaves the list, of which its row alone has more pixels than this.
    desk.look_for_change("resolved", &before, 10_000);
}
