//! A traced process chooses its name and arguments: they are text wherever they are shown.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::browser::Browser;
use crate::http::Visitor;
use crate::recorder::wait_for;
use crate::site::{Site, WORD};

const NAME: &str = "<img src=x onerror=alert(1)>";
const SCRIPT: &str = "<script>alert(1)</script>";

/// Nothing became an element, and nothing that turns text around, or begins a sequence, is left.
async fn assert_text(browser: &Browser, page: &str) {
    let shown = browser.shown().await;
    assert!(shown.contains(SCRIPT), "{page}: {shown}");
    assert!(shown.contains(r"\u{202e}"), "{page}: {shown}");
    assert!(!shown.contains(['\u{202e}', '\u{1b}']), "{page}: {shown}");
    let made = browser.number("document.querySelectorAll('main script, main img').length").await;
    assert!(made < 1.0, "{page}");
    browser.picture(page).await;
}

#[tokio::test]
async fn names_and_arguments_are_text() {
    let Some(site) = Site::start() else { return };
    let program = site.scratch.copy(Path::new("/bin/true"), NAME);
    let browser = Browser::log_in(&site, "hostile").await;
    browser.open(&format!("/processes?filter=cmd+~+{WORD}")).await;
    let run = || {
        let mut command = Command::new(&program);
        command.arg0(SCRIPT).args([WORD, "\u{202e}txt.exe", "\u{1b}[31mred", "<b>bold</b>"]);
        assert!(command.status().unwrap().success());
    };
    // Drawn by a script first, then by the server.
    run();
    browser.wait_for_text("#rows tr.is-new .c-cmd", SCRIPT).await;
    assert_text(&browser, "live").await;
    let alert =
        wait_for("an alert", || site.alerts(&format!("cmd ~ {WORD} and name != bpfctl")).pop());
    for (page, path) in [
        ("list", format!("/processes?filter=cmd+~+{WORD}")),
        ("process", format!("/processes/{}", alert.event.process.entity_id)),
        ("alerts", format!("/alerts?filter=cmd+~+{WORD}")),
        ("alert", format!("/alerts/{}", alert.alert.id)),
    ] {
        browser.open(&path).await;
        assert_text(&browser, page).await;
        assert!(browser.shown().await.contains(NAME), "{page}");
    }
    browser.finish().await;
}

/// Spreadsheets run cells that begin like a formula.
#[test]
fn no_cell_is_a_formula() {
    let Some(site) = Site::without_rules() else { return };
    let mut command = Command::new("/bin/true");
    assert!(command.arg0("=cmd()").arg("page-proof-cell").status().unwrap().success());
    let client = &site.recorder.client;
    wait_for("its record", || client.events("cmd ~ page-proof-cell").pop());
    let visitor = Visitor::log_in(site.address, &site.link());
    let target = "/api/v1/processes?format=csv&filter=cmd+~+page-proof-cell";
    let answer = visitor.get(target);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let cells: Vec<&str> = text.lines().last().unwrap().split(',').collect();
    assert!(cells.iter().any(|cell| cell.trim_matches('"').starts_with("'=cmd()")), "{text}");
    assert!(!cells.iter().any(|cell| cell.trim_matches('"').starts_with('=')), "{text}");
}
