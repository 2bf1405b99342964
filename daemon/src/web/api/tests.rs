//! What the description says is what the running page does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::web::tests::Stage;

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

fn description() -> Value {
    serde_json::from_str(DESCRIPTION).unwrap()
}

/// With something in place of what stands between braces.
fn example(path: &str) -> String {
    path.replace("{id}", "1").replace("{hash}", "abcdef").replace("{name}", "a.yml")
}

#[tokio::test]
async fn every_path_and_method_is_described_and_no_other() {
    let described = description();
    let described = described["paths"].as_object().unwrap();
    let mut served: BTreeSet<&str> = routes().into_iter().map(|(path, _)| path).collect();
    served.insert("/api/v1/logout");
    assert_eq!(described.keys().map(String::as_str).collect::<BTreeSet<_>>(), served);
    let stage = Stage::logged_in().await;
    for (path, operations) in described {
        for method in METHODS {
            if path == "/api/v1/logout" && method == "POST" {
                continue;
            }
            let marked = [("x-bpf-recorder", "1")];
            let answer = stage.ask(method, &example(path), &marked, "").await;
            let is_described = operations.get(method.to_lowercase()).is_some();
            let is_served = answer.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_served, is_described, "{method} {path}");
            if is_described {
                check(&operations[method.to_lowercase()], method, path, &answer);
            }
        }
    }
}

/// The status, and the form of what was found, are among those described.
fn check(operation: &Value, method: &str, path: &str, answer: &crate::web::tests::Answer) {
    let status = answer.status.as_u16().to_string();
    let response = operation["responses"].get(&status);
    let response = response.unwrap_or_else(|| panic!("{method} {path}: {status} {}", answer.body));
    if answer.status == StatusCode::NO_CONTENT {
        return;
    }
    let kind = answer.headers["content-type"].to_str().unwrap();
    if response.get("$ref").is_some() {
        assert_eq!(kind, "application/json", "{method} {path}");
        let fault: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(fault["error"].as_str().is_some_and(|text| !text.is_empty()), "{fault}");
    } else {
        let kinds = response["content"].as_object().unwrap();
        assert!(kinds.contains_key(kind), "{method} {path}: {kind}");
    }
}

#[tokio::test]
async fn every_parameter_that_is_described_is_one() {
    // What is not a number is refused where a number is described, and only there is it read.
    let described = description();
    let stage = Stage::logged_in().await;
    let mut count = 0;
    for (path, operations) in described["paths"].as_object().unwrap() {
        let Some(parameters) = operations.pointer("/get/parameters") else { continue };
        for parameter in parameters.as_array().unwrap() {
            if parameter["in"] != "query" || parameter["schema"]["type"] != "integer" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let required: String = parameters
                .as_array()
                .unwrap()
                .iter()
                .filter(|other| other["required"] == true && other["in"] == "query")
                .map(|other| format!("&{}=1", other["name"].as_str().unwrap()))
                .collect();
            let answer = stage.get(&format!("{}?{name}=x{required}", example(path))).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {name}: {}", answer.body);
            count += 1;
        }
    }
    assert!(count > 10);
}
