//! A headless Chromium, driven through WebDriver.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::Method;
use fantoccini::key::Key;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::programs::RECORDERD;
use crate::recorder::PATIENCE;
use crate::scratch::Scratch;
use crate::site::Site;

/// Ends with this process, and its browser with it.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    fn start(scratch: &Scratch) -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}: run packaging/install-deps"));
        let said = BufReader::new(child.stdout.take().unwrap());
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            line.strip_suffix('.')?.rsplit_once("successfully on port ")?.1.parse().ok()
        });
        Self { child, port: port.expect("chromedriver says at which port it listens") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// What Chromium understands beyond WebDriver.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

pub(crate) struct Browser {
    client: Client,
    origin: String,
    name: &'static str,
    _driver: Driver,
}

impl Browser {
    /// Logged in, at the list of processes. `name` is that of the pictures.
    pub(crate) async fn log_in(site: &Site, name: &'static str) -> Self {
        let browser = Self::start(&site.scratch, site.origin(), name).await;
        browser.follow(&site.link()).await;
        browser
    }

    pub(crate) async fn start(scratch: &Scratch, origin: String, name: &'static str) -> Self {
        let driver = Driver::start(scratch);
        let profile = scratch.path().join("profile");
        let capabilities = json!({
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--hide-scrollbars", "--window-size=1280,800", "--remote-debugging-pipe",
                "--no-first-run", "--disable-background-networking",
                format!("--user-data-dir={}", profile.display()),
            ] },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            // A dialog is to fail the test, not to be closed by the driver.
            "unhandledPromptBehavior": "ignore",
        });
        let capabilities: Capabilities = serde_json::from_value(capabilities).unwrap();
        let address = format!("http://127.0.0.1:{}", driver.port);
        let client =
            Client::with_capabilities_and_connector(&address, &capabilities, HttpConnector::new())
                .await
                .expect("chromedriver starts Chromium");
        Self { client, origin, name, _driver: driver }
    }

    /// Uses a link up.
    pub(crate) async fn follow(&self, link: &str) {
        self.client.goto(link).await.unwrap();
        self.wait("the list after the login", "location.pathname === '/processes'").await;
        self.wait_until_ready().await;
    }

    /// A page by its path.
    pub(crate) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.unwrap();
        self.wait_until_ready().await;
    }

    /// As [`Self::open`], where no script runs.
    pub(crate) async fn open_plain(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.unwrap();
    }

    pub(crate) async fn wait_until_ready(&self) {
        let is_ready = "document.readyState === 'complete' && \
                        document.documentElement.classList.contains('js')";
        self.wait("the scripts of the page", is_ready).await;
    }

    /// The value of an expression.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression})")).await
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        let result = self.client.execute(script, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub(crate) async fn number(&self, expression: &str) -> f64 {
        let value = self.value(expression).await;
        value.as_f64().unwrap_or_else(|| panic!("{expression}: {value}"))
    }

    /// Waits until an expression is true; returns how long that took.
    pub(crate) async fn wait(&self, what: &str, expression: &str) -> Duration {
        let begin = Instant::now();
        loop {
            // In the middle of a navigation there is nothing to ask.
            let script = format!("return !!({expression})");
            let told = self.client.execute(&script, Vec::new()).await;
            if matches!(told, Ok(Value::Bool(true))) {
                return begin.elapsed();
            }
            if begin.elapsed() > PATIENCE {
                self.picture("failed").await;
                panic!(
                    "in vain waited for {what} ({expression}): {told:?}\n{}",
                    self.shown().await
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn wait_for_text(&self, selector: &str, text: &str) -> Duration {
        let (selector, text) = (json!(selector), json!(text));
        let is_there = format!(
            "[...document.querySelectorAll({selector})].some(e => e.innerText.includes({text}))"
        );
        self.wait(&format!("{text} in {selector}"), &is_there).await
    }

    /// The text that can be seen.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    pub(crate) async fn shown(&self) -> String {
        self.text("body").await
    }

    async fn find(&self, selector: &str) -> fantoccini::elements::Element {
        let found = self.client.find(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Follows a link, and waits for the page it leads to.
    pub(crate) async fn go(&self, selector: &str) {
        self.run("window.isOld = true").await;
        self.click(selector).await;
        self.wait("the next page", "!window.isOld").await;
        self.wait_until_ready().await;
    }

    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.unwrap();
    }

    /// Pastes, which is what people do with long texts.
    pub(crate) async fn paste(&self, selector: &str, text: &str) {
        self.click(selector).await;
        self.devtools("Input.insertText", json!({ "text": text })).await;
    }

    pub(crate) async fn press(&self, key: Key) {
        self.press_text(&char::from(key).to_string()).await;
    }

    /// Goes to whatever has the focus.
    pub(crate) async fn press_text(&self, text: &str) {
        self.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    }

    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    pub(crate) async fn back(&self) {
        let here = json!(self.path().await);
        self.client.back().await.unwrap();
        self.wait("the page before", &format!("location.pathname !== {here}")).await;
        self.wait_until_ready().await;
    }

    /// Of the session, as a header of a request.
    pub(crate) async fn cookie(&self) -> String {
        let cookies = self.client.get_all_cookies().await.unwrap();
        format!("cookie: {}={}", cookies[0].name(), cookies[0].value())
    }

    pub(crate) async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.extension("goog/cdp/execute", body).await;
    }

    async fn extension(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Extension { path, body }).await.unwrap()
    }

    pub(crate) async fn be_a_phone(&self) {
        let screen = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    }

    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Kept below the target directory, for people to look at.
    pub(crate) async fn picture(&self, of: &str) {
        let directory = pictures();
        fs::create_dir_all(&directory).unwrap();
        let picture = self.client.screenshot().await.unwrap();
        fs::write(directory.join(format!("{}-{of}.png", self.name)), picture).unwrap();
    }

    /// Ends it: no script failed, nothing was against the policy of the pages, and nothing was
    /// asked of anybody else.
    pub(crate) async fn finish(self) {
        self.check_logs().await;
        self.client.close().await.unwrap();
    }

    async fn check_logs(&self) {
        for entry in self.log("browser").await {
            let message = entry["message"].as_str().unwrap();
            let is_bad = entry["level"] == "SEVERE" || message.contains("Content Security Policy");
            assert!(!is_bad, "the browser complains: {entry}");
        }
        let mut own = 0;
        for entry in self.log("performance").await {
            let entry: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &entry["message"];
            if message["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let url = message["params"]["request"]["url"].as_str().unwrap();
            let is_own = url.starts_with(&format!("{}/", self.origin));
            own += usize::from(is_own);
            // What the browser begins with is its own.
            let is_nowhere = ["data:", "about:", "chrome:"].iter().any(|own| url.starts_with(own));
            assert!(is_own || is_nowhere, "{url}");
        }
        assert!(own > 0, "the log of requests is empty");
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.extension("se/log", json!({ "type": kind })).await;
        log.as_array().unwrap_or_else(|| panic!("{log}")).clone()
    }
}

fn pictures() -> PathBuf {
    RECORDERD.parent().unwrap().with_file_name("screenshots").join("page")
}
