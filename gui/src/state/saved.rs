//! What was given a name, to be taken again: filters, and sets of columns.

use serde::{Deserialize, Serialize};

/// More could not be told apart in a menu.
pub const MOST: usize = 200;
const MOST_NAME_CHARS: usize = 80;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named<T> {
    pub name: String,
    pub value: T,
}

/// By name, without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Saved<T>(Vec<Named<T>>);

impl<T> Default for Saved<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Saved<T> {
    pub fn iter(&self) -> impl Iterator<Item = &Named<T>> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, name: &str) -> bool {
        let name = settled(name);
        self.0.iter().any(|saved| saved.name == name)
    }

    /// Takes the place of one with the same name. The error says what to do.
    pub fn save(&mut self, name: &str, value: T) -> Result<(), String> {
        let name = settled(name);
        if name.is_empty() {
            return Err("give it a name".to_owned());
        }
        if let Some(known) = self.0.iter_mut().find(|saved| saved.name == name) {
            known.value = value;
            return Ok(());
        }
        if self.0.len() >= MOST {
            return Err(format!("there are {MOST} already: remove one first"));
        }
        self.0.push(Named { name, value });
        self.0.sort_by_cached_key(|saved| saved.name.to_lowercase());
        Ok(())
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|saved| saved.name != name);
    }
}

/// A name as it is kept: not too long for a menu, and without space around it.
fn settled(name: &str) -> String {
    let cut: String = name.trim().chars().take(MOST_NAME_CHARS).collect();
    cut.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'s>(saved: &'s Saved<&str>) -> Vec<&'s str> {
        saved.iter().map(|saved| saved.name.as_str()).collect()
    }

    #[test]
    fn a_name_is_there_once() {
        let mut saved = Saved::default();
        for (name, value) in [("web", "user = www-data"), ("Root", "user = root"), (" web ", "x")] {
            saved.save(name, value).unwrap();
        }
        assert_eq!(names(&saved), ["Root", "web"]);
        assert_eq!(saved.iter().nth(1).map(|saved| saved.value), Some("x"));
        assert!(saved.has("web ") && !saved.has("we"));
        saved.remove("web");
        assert_eq!(names(&saved), ["Root"]);
    }

    #[test]
    fn names_and_their_number_are_bounded() {
        let mut saved = Saved::default();
        assert!(saved.save(" \n", "pid = 1").is_err());
        let long = "é".repeat(1000);
        saved.save(&long, "pid = 1").unwrap();
        assert_eq!(names(&saved)[0].chars().count(), MOST_NAME_CHARS);
        assert!(saved.has(&long));
        for number in 1..MOST {
            saved.save(&number.to_string(), "pid = 1").unwrap();
        }
        assert!(saved.save("one more", "pid = 1").unwrap_err().contains("remove one"));
        saved.save("1", "pid = 2").unwrap();
    }
}
