//! From the text of a rule to an alert that somebody has dealt with, all in the page.

use crate::browser::Browser;
use crate::recorder::wait_for;
use crate::site::{Site, run};

const ID: &str = "33333333-3333-4333-8333-333333333333";
const TITLE: &str = "Pasted in the page";

fn text(title: &str) -> String {
    crate::site::rule(title, "page-proof-pasted")
        .replace("11111111-1111-4111-8111-111111111111", ID)
}

async fn upload(browser: &Browser) {
    browser.click("a[href='#add']").await;
    browser.run("document.querySelector('#upload [name=name]').value = ''").await;
    browser.type_into("#upload [name=name]", "pasted.yml").await;
    browser.paste("#upload textarea", "title: [").await;
    browser.click("#upload button[value=validate]").await;
    browser.wait_for_text("#upload .report", "Refused").await;
    browser.picture("refused").await;
    browser.run("document.querySelector('#upload textarea').value = ''").await;
    browser.paste("#upload textarea", &text(TITLE)).await;
    browser.click("#upload button[value=validate]").await;
    browser.wait_for_text("#upload .report", "nothing is stored yet").await;
    browser.click("#upload button[value=upload]").await;
    browser.wait_for_text("#upload .report", "Stored as pasted.yml").await;
    browser.picture("stored").await;
}

#[tokio::test]
async fn a_pasted_rule_fires_and_its_alert_is_dealt_with() {
    let Some(site) = Site::start() else { return };
    let client = &site.recorder.client;
    let browser = Browser::log_in(&site, "triage").await;
    browser.open("/rules").await;
    upload(&browser).await;
    assert!(client.print(&["rules", "show", ID]).contains(TITLE));

    // It appears in the list of alerts by itself.
    browser.open("/alerts").await;
    browser.run("window.isSame = true").await;
    run(&["/bin/true", "page-proof-pasted"]);
    let taken = browser.wait_for_text("#rows tr.is-new", TITLE).await;
    println!("an alert appeared after {taken:?}");
    assert_eq!(browser.value("window.isSame").await, true, "it was loaded again");
    assert!(browser.text("#rows tr.is-new").await.contains(TITLE));
    browser.picture("raised").await;

    // Why it fired.
    browser.go("#rows tr.is-new .c-rule a").await;
    let id = browser.path().await.rsplit('/').next().unwrap().to_owned();
    assert_eq!(browser.text("table.found mark").await, "page-proof-pasted");
    assert!(browser.text("ol.code .found").await.contains("by_word"));

    // What is decided is known to the recorder.
    browser.type_into("form[data-triage] input[name=note]", "seen in the page").await;
    browser.click("form[data-triage] button[value=false_positive]").await;
    browser.wait_for_text("form[data-triage] .result", "1 alert changed").await;
    browser.picture("decided").await;
    let shown = client.print(&["alerts", "show", &id]);
    assert!(shown.contains("false_positive") || shown.contains("false positive"), "{shown}");
    assert!(shown.contains("seen in the page"), "{shown}");
    browser.open(&format!("/alerts/{id}")).await;
    assert!(browser.text("#note").await.contains("seen in the page"));

    // A rule that is switched off is silent.
    browser.open(&format!("/rules/{ID}")).await;
    browser.go("#rule-actions button[value=disable]").await;
    assert!(browser.text("header.subject").await.contains("switched off"));
    browser.picture("disabled").await;
    let before = site.alerts("cmd ~ page-proof-pasted").len();
    run(&["/bin/true", "page-proof-pasted", "when-disabled"]);
    wait_for("its record", || client.events("cmd ~ when-disabled and name = true").pop());
    // Rules look at an event before it is written.
    assert_eq!(site.alerts("cmd ~ page-proof-pasted").len(), before);
    browser.finish().await;
}
