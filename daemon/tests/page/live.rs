//! What happens now appears without asking for it.

use std::time::Duration;

use crate::browser::Browser;
use crate::recorder::wait_for;
use crate::site::{Site, run};

/// What a person still takes for at once is a second; a busy machine may take longer.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn processes_appear_as_they_begin() {
    let Some(site) = Site::start() else { return };
    let browser = Browser::log_in(&site, "live").await;
    browser.open("/processes?filter=cmd+~+page-proof-live").await;
    browser.run("window.isSame = true").await;
    // At once: whether its stream is open yet makes no difference.
    run(&["/bin/true", "page-proof-live", "first"]);
    browser.wait_for_text("#rows .c-cmd", "page-proof-live first").await;

    run(&["/bin/true", "page-proof-live", "second"]);
    let taken = browser.wait_for_text("#rows .c-cmd", "page-proof-live second").await;
    println!("a process appeared after {taken:?}");
    assert!(taken < SOON, "{taken:?}");
    browser.wait_for_text("#rows tr:first-child .c-state", "ended").await;

    // A pause holds back what comes, and counts it.
    browser.click("#pause").await;
    run(&["/bin/true", "page-proof-live", "third"]);
    browser.wait_for_text("#pause", "1 new").await;
    assert!(!browser.text("#rows").await.contains("third"));
    browser.picture("paused").await;
    browser.click("#pause").await;
    browser.wait_for_text("#rows .c-cmd", "page-proof-live third").await;
    browser.picture("resumed").await;
    assert_eq!(browser.value("window.isSame").await, true, "it was loaded again");
    browser.finish().await;
}

#[tokio::test]
async fn the_tree_leads_to_the_parent_and_back() {
    let Some(site) = Site::start() else { return };
    run(&["/bin/sh", "-c", "/bin/true page-proof-child one; exit 3"]);
    let client = &site.recorder.client;
    let child =
        wait_for("the child", || client.events("cmd ~ page-proof-child and name = true").pop());
    let parent = child.process.parent.as_ref().unwrap();
    let browser = Browser::log_in(&site, "tree").await;
    browser.open(&format!("/processes/{}", child.process.entity_id)).await;
    assert!(browser.text(".tree .here").await.contains("true"));
    browser.picture("child").await;
    browser.go(&format!(".tree a[href='/processes/{}']", parent.entity_id)).await;
    let shown = browser.shown().await;
    assert!(shown.contains("exit 3") && shown.contains("page-proof-child one"), "{shown}");
    browser.picture("parent").await;
    browser.go(&format!(".tree a[href='/processes/{}']", child.process.entity_id)).await;
    assert!(browser.text("h1").await.contains(&child.process.pid.to_string()));
    browser.back().await;
    assert!(browser.text("h1").await.contains(&parent.pid.to_string()));
    browser.finish().await;
}
