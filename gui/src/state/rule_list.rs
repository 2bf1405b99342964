//! Rules as they are listed: narrowed by words, in an order, each with its key.

use common::rule::{RuleInfo, RuleState};

/// Names a rule: ids may be missing, or of several.
pub type Key = (Box<str>, u32);

pub fn key(rule: &RuleInfo) -> Key {
    (format!("{}/{}", rule.origin.name(), rule.file).into(), rule.document)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As the recorder has it: most urgent first.
    #[default]
    Level,
    State,
    Title,
    Hits,
    Origin,
}

#[derive(Debug, Default)]
pub struct RuleList {
    rules: Vec<RuleInfo>,
    words: String,
    order: Order,
    /// Positions of what is seen, in order.
    shown: Vec<usize>,
    keys: Vec<Key>,
}

impl RuleList {
    pub fn replace(&mut self, rules: Vec<RuleInfo>) {
        self.rules = rules;
        self.arrange();
    }

    pub fn narrow(&mut self, words: &str) {
        if self.words != words {
            words.clone_into(&mut self.words);
            self.arrange();
        }
    }

    pub fn sort(&mut self, order: Order) {
        self.order = order;
        self.arrange();
    }

    pub fn order(&self) -> Order {
        self.order
    }

    /// Keys of what is seen, in order.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub fn shown(&self, index: u64) -> Option<&RuleInfo> {
        self.rules.get(*self.shown.get(usize::try_from(index).ok()?)?)
    }

    pub fn find(&self, wanted: &Key) -> Option<&RuleInfo> {
        self.rules.iter().find(|rule| key(rule) == *wanted)
    }

    /// The rule that has an id, the one that wins first.
    pub fn with_id(&self, id: &str) -> Option<&RuleInfo> {
        let all = || self.rules.iter().filter(|rule| rule.id == id);
        all().find(|rule| rule.state != RuleState::Overridden).or_else(|| all().next())
    }

    /// How many are in each state that occurs.
    pub fn states(&self) -> Vec<(RuleState, usize)> {
        let count = |state| self.rules.iter().filter(|rule| rule.state == state).count();
        let counts = RuleState::ALL.into_iter().map(|state| (state, count(state)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn arrange(&mut self) {
        let words = self.words.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        let rules = &self.rules;
        let mut shown: Vec<usize> =
            (0..rules.len()).filter(|at| fits(&rules[*at], &words)).collect();
        match self.order {
            Order::Level => {}
            Order::State => shown.sort_by_key(|at| rules[*at].state),
            Order::Title => shown.sort_by_key(|at| rules[*at].title.to_lowercase()),
            Order::Hits => shown.sort_by_key(|at| std::cmp::Reverse(rules[*at].alerts)),
            Order::Origin => {
                shown.sort_by_key(|at| {
                    (std::cmp::Reverse(rules[*at].origin), rules[*at].file.clone())
                });
            }
        }
        self.keys = shown.iter().map(|at| key(&rules[*at])).collect();
        self.shown = shown;
    }
}

/// Every word is somewhere in what is shown of a rule.
fn fits(rule: &RuleInfo, words: &[&str]) -> bool {
    if words.is_empty() {
        return true;
    }
    let mut text = [
        rule.title.as_str(),
        &rule.id,
        rule.level.name(),
        state_name(rule.state),
        rule.origin.name(),
        &rule.file,
        rule.reason.as_deref().unwrap_or_default(),
    ]
    .join("\n");
    for tag in &rule.tags {
        text.push('\n');
        text.push_str(tag);
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// As people read it.
pub fn state_name(state: RuleState) -> &'static str {
    match state {
        RuleState::Active => "enabled",
        other => other.name(),
    }
}

/// Ids are told to the recorder as patterns: one that reads as a pattern of another kind would mean
/// others, too.
pub fn is_nameable(id: &str) -> bool {
    !id.trim().is_empty()
        && id.trim() == id
        && !id.contains(['*', '?'])
        && !id.starts_with("tag:")
        && !id.starts_with("level:")
}

/// What a state means, for people.
pub fn state_sentence(rule: &RuleInfo) -> String {
    let reason = rule.reason.as_deref();
    match rule.state {
        RuleState::Active => "looks at every event".to_owned(),
        RuleState::Disabled => "switched off".to_owned(),
        RuleState::Inert => match reason {
            Some(reason) => format!("can never fire here: {reason}"),
            None => "can never fire here".to_owned(),
        },
        RuleState::Overridden => match reason {
            Some(reason) => format!("another rule wins: {reason}"),
            None => "another rule has its id and wins".to_owned(),
        },
        RuleState::Unusable => match reason {
            Some(reason) => format!("cannot be used: {reason}"),
            None => "cannot be used".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use common::rule::{Level, Origin};

    use super::*;

    fn rule(title: &str, state: RuleState, level: Level) -> RuleInfo {
        let json = serde_json::json!({
            "id": title.to_lowercase(), "title": title, "level": level, "is_correlation": false,
            "state": state, "is_enabled": true, "origin": Origin::Shipped,
            "file": format!("{title}.yml"), "document": 1, "tags": ["attack.t1059"],
        });
        serde_json::from_value(json).unwrap()
    }

    fn list() -> RuleList {
        let mut list = RuleList::default();
        list.replace(vec![
            rule("Beta", RuleState::Active, Level::High),
            rule("alpha", RuleState::Inert, Level::Low),
        ]);
        list
    }

    fn titles(list: &RuleList) -> Vec<&str> {
        (0..9).filter_map(|at| list.shown(at)).map(|rule| rule.title.as_str()).collect()
    }

    #[test]
    fn words_narrow() {
        let mut list = list();
        for (words, expected) in [
            ("", &["Beta", "alpha"][..]),
            ("HIGH t1059", &["Beta"]),
            ("inert", &["alpha"]),
            ("high inert", &[]),
        ] {
            list.narrow(words);
            assert_eq!(titles(&list), expected, "{words}");
            assert_eq!(list.keys().len(), expected.len());
        }
    }

    #[test]
    fn orders() {
        let mut list = list();
        list.sort(Order::Title);
        assert_eq!(titles(&list), ["alpha", "Beta"]);
        list.sort(Order::Level);
        assert_eq!(titles(&list), ["Beta", "alpha"]);
        assert_eq!(list.states(), [(RuleState::Active, 1), (RuleState::Inert, 1)]);
    }

    #[test]
    fn the_winner_of_an_id_is_found() {
        let mut list = RuleList::default();
        let loser = RuleInfo { document: 2, ..rule("a", RuleState::Overridden, Level::Low) };
        list.replace(vec![loser, rule("a", RuleState::Active, Level::Low)]);
        assert_eq!(list.with_id("a").map(|rule| rule.document), Some(1));
        assert!(list.with_id("b").is_none());
    }

    #[test]
    fn hostile_ids_are_no_patterns() {
        for id in ["*", "a?", "tag:x", "level:high", "", " ", " a"] {
            assert!(!is_nameable(id), "{id}");
        }
        assert!(is_nameable("7d829fe1-f3e4-46da-9c93-81faa85ff570"));
    }
}
