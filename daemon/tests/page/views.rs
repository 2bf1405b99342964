//! What every page shows, on every screen, in light and dark, with and without scripts.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::client::only;
use crate::site::{Site, WORD};

const CONTRAST: &str = include_str!("contrast.js");

/// Each kind of page, with something recorded in it.
struct Pages(Vec<(&'static str, String)>);

impl Pages {
    fn of(site: &Site) -> Self {
        let alert = site.raise();
        let process = alert.event.process.entity_id;
        let image = only(site.recorder.client.events(&format!("entity_id = {process}")));
        let hash = image.process.hash.unwrap().sha256.to_string();
        Self(vec![
            ("processes", "/processes".to_owned()),
            ("process", format!("/processes/{process}")),
            ("alerts", "/alerts".to_owned()),
            ("alert", format!("/alerts/{}", alert.alert.id)),
            ("rules", "/rules".to_owned()),
            ("rule", format!("/rules/{}", alert.rule.id)),
            ("binaries", "/binaries".to_owned()),
            ("binary", format!("/binaries/{hash}")),
            ("health", "/health".to_owned()),
        ])
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, path)| (*name, &**path))
    }
}

#[tokio::test]
async fn every_page_opens_from_the_navigation() {
    let Some(site) = Site::start() else { return };
    let pages = Pages::of(&site);
    let browser = Browser::log_in(&site, "views").await;
    for (section, word) in [
        ("processes", WORD),
        ("alerts", "Word of the test"),
        ("rules", "Program started from a temporary directory"),
        ("binaries", "/usr/bin/true"),
        ("health", "recording"),
    ] {
        browser.go(&format!("nav a[href='/{section}']")).await;
        assert_eq!(browser.path().await, format!("/{section}"));
        let here = browser.text("nav a[aria-current=page]").await.to_lowercase();
        assert!(here.starts_with(section), "{here}");
        let shown = browser.shown().await;
        assert!(shown.to_lowercase().contains(&word.to_lowercase()), "{section}: {shown}");
    }
    for (name, path) in pages.iter() {
        browser.open(path).await;
        browser.picture(name).await;
    }
    browser.finish().await;
}

#[tokio::test]
async fn every_page_fits_a_phone() {
    let Some(site) = Site::start() else { return };
    let pages = Pages::of(&site);
    let browser = Browser::log_in(&site, "phone").await;
    browser.be_a_phone().await;
    for (name, path) in pages.iter() {
        browser.open(path).await;
        browser.picture(name).await;
        let width = browser.number("document.documentElement.scrollWidth").await;
        let wide = "[...document.querySelectorAll('main *')].filter(e => \
                    e.getBoundingClientRect().right > 360).map(e => `${e.tagName}.${e.className}`)";
        let wide = browser.value(wide).await;
        assert!(width <= 360.0, "{name} is {width} wide: {wide}");
    }
    browser.finish().await;
}

/// WCAG 2.2, 1.4.3.
#[tokio::test]
async fn every_text_stands_out_in_light_and_dark() {
    let Some(site) = Site::start() else { return };
    let pages = Pages::of(&site);
    let browser = Browser::log_in(&site, "scheme").await;
    let mut faint = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        for (name, path) in pages.iter() {
            browser.open(path).await;
            browser
                .run("for (const fold of document.querySelectorAll('details')) fold.open = true")
                .await;
            browser.picture(&format!("{scheme}-{name}")).await;
            let told = browser.run(CONTRAST).await;
            assert!(told["texts"].as_u64() > Some(15), "{name}: {told}");
            let is_dark = told["text"].as_f64() > told["ground"].as_f64();
            assert_eq!(is_dark, scheme == "dark", "{name}: {told}");
            let found = told["faint"].as_array().unwrap();
            faint.extend(found.iter().map(|found| format!("{scheme} {name}: {found}")));
        }
    }
    assert!(faint.is_empty(), "{}", faint.join("\n"));
    browser.finish().await;
}

#[tokio::test]
async fn a_keyboard_is_enough() {
    let Some(site) = Site::start() else { return };
    site.raise();
    let browser = Browser::log_in(&site, "keys").await;
    let filter = format!("cmd ~ {WORD} and name = true");
    browser.press_text("/").await;
    assert_eq!(browser.value("document.activeElement.id").await, "filter");
    browser.press_text(&filter).await;
    // The first closes the list of completions, if that has come.
    let is_left = "document.activeElement === document.body";
    browser.press(Key::Escape).await;
    if browser.value(is_left).await != true {
        browser.press(Key::Escape).await;
    }
    assert_eq!(browser.value(is_left).await, true);
    browser.press_text("/").await;
    browser.run("window.isOld = true").await;
    browser.press(Key::Enter).await;
    browser.wait("the list that was asked for", "!window.isOld && location.search").await;
    browser.wait_until_ready().await;
    assert_eq!(browser.number("document.querySelectorAll('#rows tr').length").await, 1.0);

    // Every step of the tabulator is seen, and one of them is the row.
    let is_row = "document.activeElement.matches('tr[data-open]')";
    let mut steps = 0;
    while browser.value(is_row).await != true {
        browser.press(Key::Tab).await;
        // An outline, or a mark within the first cell of a row.
        let is_seen = "[document.activeElement, document.activeElement.cells?.[0]].some(e => e && \
                       (getComputedStyle(e).outlineStyle !== 'none' || \
                        getComputedStyle(e).boxShadow !== 'none'))";
        let at = browser.value("document.activeElement.outerHTML.slice(0, 200)").await;
        assert_eq!(browser.value(is_seen).await, true, "not seen: {at}");
        steps += 1;
        assert!(steps < 60, "no row is reached");
    }
    browser.picture("row").await;
    browser.press(Key::Enter).await;
    browser.wait("the process", "location.pathname.startsWith('/processes/')").await;
    browser.wait_until_ready().await;
    assert!(browser.text("h1").await.contains("true"));

    // Arrows from row to row; help and back; another page.
    browser.open("/processes").await;
    browser.press(Key::Down).await;
    let first = browser.value("document.activeElement.dataset.seq").await;
    browser.press(Key::Down).await;
    let second = browser.value("document.activeElement.dataset.seq").await;
    assert!(first.is_string() && second.is_string() && first != second, "{first} {second}");
    browser.press_text("?").await;
    assert_eq!(browser.value("document.getElementById('help').open").await, true);
    browser.picture("help").await;
    browser.press(Key::Escape).await;
    assert_eq!(browser.value("document.getElementById('help').open").await, false);
    browser.press_text("ga").await;
    browser.wait("the alerts", "location.pathname === '/alerts'").await;
    browser.wait_until_ready().await;
    browser.finish().await;
}

#[tokio::test]
async fn without_scripts_the_record_can_be_read() {
    let Some(site) = Site::start() else { return };
    let pages = Pages::of(&site);
    let browser = Browser::log_in(&site, "plain").await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    for (name, path) in pages.iter() {
        browser.open_plain(path).await;
        browser.picture(name).await;
        // Scripts do not run, and what needs one does not stand there.
        let is_plain = "!document.documentElement.classList.contains('js') && \
                        ![...document.querySelectorAll('.needs-js')].some(e => e.checkVisibility())";
        assert_eq!(browser.value(is_plain).await, true, "{name}");
    }
    browser.open_plain("/processes").await;
    browser.type_into("#filter", &format!("cmd ~ {WORD} and name = true")).await;
    browser.click(".filter button").await;
    browser.wait("the list that was asked for", "location.search.includes('filter=')").await;
    assert_eq!(browser.number("document.querySelectorAll('#rows tr').length").await, 1.0);
    assert!(browser.text("#rows").await.contains(WORD));
    browser.click("#rows .c-name a").await;
    browser.wait("the process", "location.pathname.startsWith('/processes/')").await;
    let shown = browser.shown().await;
    assert!(shown.contains("Ancestry") && shown.contains("/usr/bin/true"), "{shown}");
    // A filter that is none says where.
    browser.open_plain("/processes?filter=nosuch+%3D+1").await;
    assert!(browser.text("#trouble").await.contains("nosuch"));
    browser.picture("trouble").await;
    browser
        .devtools("Emulation.setScriptExecutionDisabled", json!({ "value": Value::Bool(false) }))
        .await;
    browser.finish().await;
}
