//! Rules against events that are given as the fields that rules ask for.

mod cases;
mod correlations;
mod rules;
mod second_opinion;
mod states;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use common::rule::Origin;
use rsigma_eval::{Event, EventValue};
use serde_json::Value;

use super::fields::is_known;
use super::{Compiled, Source, Tried, compile};

/// An event: names of fields, dotted ones whole, and their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample(pub(super) BTreeMap<String, Value>);

impl Sample {
    pub(super) fn of(value: &Value) -> Self {
        let object = value.as_object().expect("an event is an object");
        Self(object.clone().into_iter().collect())
    }
}

impl Event for Sample {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        if let Some(value) = self.0.get(path) {
            return Some(EventValue::from(value));
        }
        // As with a record, where the name follows from the path.
        let (_, name) = self.0.get("Image")?.as_str()?.rsplit_once('/')?;
        (path == "process.name").then_some(EventValue::Str(Cow::Borrowed(name)))
    }

    fn any_string_value(&self, is_it: &dyn Fn(&str) -> bool) -> bool {
        self.0.values().filter_map(Value::as_str).any(is_it)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.0.values().filter_map(Value::as_str).map(Cow::Borrowed).collect()
    }

    fn to_json(&self) -> Value {
        Value::Null
    }
}

pub(super) fn compiled(file: &str, text: &str) -> Compiled {
    let source = Source {
        origin: Origin::Admin,
        file: file.to_owned(),
        content: Ok(text.as_bytes().to_vec()),
    };
    compile(&[source], Some(&HashMap::new()), &mut Tried::default())
}

/// Files of a directory and those below it that end so, with their texts.
pub(super) fn files(directory: &std::path::Path, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}
