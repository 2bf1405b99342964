//! The rules of SigmaHQ by a second engine, `sigma-rust`, on events that are made from the rules:
//! where the two differ, one is wrong, and it is written down which.
//!
//! Events are made from the rule as the parser of our engine reads it. Were it read wrongly, the
//! other engine would not fire on what is made to make it fire.

use std::collections::BTreeSet;
use std::path::Path;

use common::rule::RuleState;
use rsigma_ir::{
    IrCondition, IrDetection, IrDetectionItem, IrMatcher, IrNumber, IrPattern, IrPatternPart,
    IrRule, IrStrOp,
};
use rsigma_parser::Quantifier;

use super::super::Ruleset;
use super::*;

/// Rule, kind of event, who is right by the specification, and why.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    ("omigod_scx_runasprovider_executescript", "numbers as texts", "we", NUMBERS),
    ("omigod_scx_runasprovider_executeshellcommand", "numbers as texts", "we", NUMBERS),
];

/// `LogonId: 0` of the rule finds the text "0" in ours, and only the number in the other engine.
const NUMBERS: &str = "all values are treated as case-insensitive strings";

/// Of the ways to meet a condition, and of the values that a way can be gone by.
const MOST_WAYS: usize = 16;
const MOST_CHOICES: usize = 50;
/// An event of one rule is shown to one in so many others.
const OTHERS: usize = 12;

#[test]
fn verdicts_are_those_of_another_engine() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/sigma");
    if !directory.is_dir() {
        println!("skipped: {} is not there", directory.display());
        return;
    }
    let rules: Vec<Rule> = files(&directory.join("process_creation"), ".yml")
        .into_iter()
        .map(|(file, text)| Rule::of(&file, text))
        .collect();
    assert_eq!(rules.len(), 144);
    let mut comparison = Comparison::of(&rules);
    for (index, rule) in rules.iter().enumerate() {
        for (number, (kind, event)) in events(&rule.ir).into_iter().enumerate() {
            // Some of the others are asked, too; all would take too long.
            let is_asked = |other: usize| other == index || other % OTHERS == number % OTHERS;
            comparison.compare(kind, &event, is_asked);
        }
    }
    for event in unrelated() {
        comparison.compare("unrelated", &event, |_| true);
    }
    comparison.check();
}

/// An event: fields and their values.
type Fields = BTreeMap<String, Value>;

struct Rule {
    file: String,
    text: String,
    id: String,
    /// As it is written, which events are made from.
    ir: IrRule,
    other: sigma_rust::Rule,
}

impl Rule {
    fn of(file: &str, text: String) -> Self {
        let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap().rules.remove(0);
        let name = Path::new(file).file_name().unwrap().to_string_lossy();
        let name = name.trim_start_matches("proc_creation_lnx_").trim_end_matches(".yml");
        let id = parsed.id.clone().unwrap();
        Self {
            file: name.to_owned(),
            id,
            ir: rsigma_ir::lower_rule(&parsed, &rsigma_ir::LowerOptions::default()).unwrap(),
            other: sigma_rust::rule_from_yaml(&text).unwrap_or_else(|e| panic!("{file}: {e}")),
            text,
        }
    }
}

/// Both engines with all rules, and what came of it.
struct Comparison<'r> {
    rules: &'r [Rule],
    ours: Ruleset,
    /// Rules on which both have fired.
    fired: BTreeSet<usize>,
    /// Rules on which both have not.
    quiet: BTreeSet<usize>,
    events: usize,
    verdicts: usize,
    firing: usize,
    differing: usize,
    differences: BTreeSet<(&'r str, &'static str)>,
}

impl<'r> Comparison<'r> {
    fn of(rules: &'r [Rule]) -> Self {
        let texts: Vec<&str> = rules.iter().map(|rule| rule.text.as_str()).collect();
        let Compiled { entries, ruleset } = compiled("all.yml", &texts.join("\n---\n"));
        assert_eq!(entries.len(), rules.len());
        assert!(entries.iter().all(|entry| entry.info.state == RuleState::Active));
        Self {
            rules,
            ours: ruleset,
            fired: BTreeSet::new(),
            quiet: BTreeSet::new(),
            events: 0,
            verdicts: 0,
            firing: 0,
            differing: 0,
            differences: BTreeSet::new(),
        }
    }

    /// Compares what they say of an event, of the rules that are asked and of those that fire.
    fn compare(&mut self, kind: &'static str, event: &Fields, is_asked: impl Fn(usize) -> bool) {
        let theirs = other_event(event);
        let judged = self.ours.judge(&Sample(event.clone()), 0);
        assert!(judged.iter().all(|found| !found.fields.is_empty()), "unexplained: {event:?}");
        let ours: BTreeSet<&str> = judged.iter().map(|found| found.rule.id.as_str()).collect();
        self.events += 1;
        for (index, rule) in self.rules.iter().enumerate() {
            let fires = ours.contains(rule.id.as_str());
            if !fires && !is_asked(index) {
                continue;
            }
            self.verdicts += 1;
            if fires != rule.other.is_match(&theirs) {
                println!("{}, {kind}: ours says {fires} of {event:?}", rule.file);
                self.differing += 1;
                self.differences.insert((&rule.file, kind));
            } else if fires {
                self.firing += 1;
                self.fired.insert(index);
            } else {
                self.quiet.insert(index);
            }
        }
    }

    fn check(&self) {
        println!(
            "{} rules, {} events: of {} verdicts {} differ, and both engines fire in {}",
            self.rules.len(),
            self.events,
            self.verdicts,
            self.differing,
            self.firing
        );
        for (index, rule) in self.rules.iter().enumerate() {
            assert!(self.fired.contains(&index), "{}: no event on which both fire", rule.file);
            assert!(self.quiet.contains(&index), "{}: both fire on every event", rule.file);
        }
        let expected = DIFFERENCES.iter().map(|(file, kind, ..)| (*file, *kind)).collect();
        assert_eq!(self.differences, expected);
    }
}

fn other_event(event: &Fields) -> sigma_rust::Event {
    let mut other = sigma_rust::Event::new();
    for (field, value) in event {
        match value {
            Value::Number(number) => other.insert(field.clone(), number.as_i64().unwrap()),
            value => other.insert(field.clone(), value.as_str().unwrap_or_default().to_owned()),
        }
    }
    other
}

/// What a field has to hold.
#[derive(Debug, Clone)]
enum Wish {
    Number(i64),
    Is(String),
    Begins(String),
    Holds(String),
    Ends(String),
}

impl Wish {
    /// It lacks the last letter.
    fn shortened(&self) -> Self {
        let short = |text: &String| {
            let mut text = text.clone();
            text.pop();
            text
        };
        match self {
            Wish::Number(number) => Wish::Number(number / 10 + 1),
            Wish::Is(text) => Wish::Is(short(text)),
            Wish::Begins(text) => Wish::Begins(short(text)),
            Wish::Holds(text) => Wish::Holds(short(text)),
            Wish::Ends(text) => Wish::Ends(short(text)),
        }
    }
}

type Wishes = Vec<(String, Wish)>;

/// Events of a rule, each with its kind: such as meet its condition, and such as just do not.
fn events(rule: &IrRule) -> Vec<(&'static str, Fields)> {
    let mut events: Vec<(&'static str, Fields)> = Vec::new();
    for condition in &rule.conditions {
        for way in ways(rule, condition, true).into_iter().take(MOST_WAYS) {
            let named = |wanted: bool| {
                way.iter()
                    .filter(move |(_, is_true)| *is_true == wanted)
                    .map(|(name, _)| &rule.detections[name])
            };
            let (positive, negative): (Vec<_>, Vec<_>) =
                (named(true).collect(), named(false).collect());
            events.extend(of_way(&positive, &negative));
        }
    }
    let mut seen = BTreeSet::new();
    events.retain(|(_, event)| seen.insert(format!("{event:?}")));
    events
}

/// Events by which selections are to be true, and which false.
fn of_way(positive: &[&IrDetection], negative: &[&IrDetection]) -> Vec<(&'static str, Fields)> {
    let all = |pick: usize| -> Wishes {
        positive.iter().flat_map(|detection| wishes(detection, pick)).collect()
    };
    let most = positive.iter().map(|detection| choices(detection)).max().unwrap_or(1);
    let mut events: Vec<(&'static str, Fields)> =
        spread(most, MOST_CHOICES).map(|pick| ("satisfying", event(&all(pick), " "))).collect();
    let base = all(0);
    for index in 0..base.len() {
        let mut broken = base.clone();
        let (field, wish) = broken.remove(index);
        events.push(("broken", event(&broken, " ")));
        for nearly in [wish.shortened(), Wish::Holds("something".to_owned())] {
            let nearly = [broken.clone(), vec![(field.clone(), nearly)]].concat();
            events.push(("broken", event(&nearly, " ")));
        }
    }
    for detection in negative {
        for pick in spread(choices(detection), 4) {
            let filtered = [all(pick), wishes(detection, pick)].concat();
            events.push(("filtered", event(&filtered, " ")));
        }
    }
    events.extend(variants(&base));
    events
}

/// The event of all wishes, changed as a whole.
fn variants(wishes: &[(String, Wish)]) -> Vec<(&'static str, Fields)> {
    let values = event(wishes, " ");
    let each = |change: fn(&str) -> String| -> Fields {
        let changed = |value: &Value| value.as_str().map_or(value.clone(), |v| change(v).into());
        values.iter().map(|(field, value)| (field.clone(), changed(value))).collect()
    };
    let texts = values.iter().map(|(field, value)| match value {
        Value::Number(number) => (field.clone(), Value::from(number.to_string())),
        text => (field.clone(), text.clone()),
    });
    let backwards: Wishes = wishes.iter().rev().cloned().collect();
    vec![
        ("numbers as texts", texts.collect()),
        ("another order", event(&backwards, " ")),
        ("upper case", each(str::to_uppercase)),
        ("longer", each(|value| format!("{value}x"))),
        ("longer before", each(|value| format!("x{value}"))),
        ("shorter", each(|value| value.chars().skip(1).collect())),
        ("line breaks", event(wishes, "\n")),
        ("line breaks", each(|value| format!("{value}\n"))),
    ]
}

/// Numbers below `count`, at most so many, from its beginning to its end.
fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let steps = count.min(most);
    (0..steps).map(move |step| step * count / steps)
}

/// How a condition can come out as wanted: names of selections, and whether they are true.
fn ways(rule: &IrRule, condition: &IrCondition, wanted: bool) -> Vec<Vec<(String, bool)>> {
    match condition {
        IrCondition::Detection(name) => vec![vec![(name.clone(), wanted)]],
        IrCondition::Not(inner) => ways(rule, inner, !wanted),
        IrCondition::And(parts) if wanted => {
            product(parts.iter().map(|part| ways(rule, part, true)))
        }
        IrCondition::Or(parts) if !wanted => {
            product(parts.iter().map(|part| ways(rule, part, false)))
        }
        IrCondition::And(parts) | IrCondition::Or(parts) => {
            parts.iter().flat_map(|part| ways(rule, part, wanted)).collect()
        }
        IrCondition::Selector { quantifier, pattern } => {
            let mut names: Vec<&String> = rule
                .detections
                .keys()
                .filter(|name| pattern.matches_detection_name(name))
                .collect();
            names.sort();
            let each = names.into_iter().map(|name| (name.clone(), wanted));
            match quantifier {
                Quantifier::Any if wanted => each.map(|one| vec![one]).collect(),
                Quantifier::All if !wanted => each.map(|one| vec![one]).collect(),
                Quantifier::Any | Quantifier::All => vec![each.collect()],
                Quantifier::Count(_) => panic!("not made: {condition:?}"),
            }
        }
    }
}

/// One of each.
fn product(parts: impl Iterator<Item = Vec<Vec<(String, bool)>>>) -> Vec<Vec<(String, bool)>> {
    parts.fold(vec![Vec::new()], |sums, ways| {
        let with = |sum: &Vec<(String, bool)>| {
            ways.iter().map(|way| [sum.clone(), way.clone()].concat()).collect::<Vec<_>>()
        };
        sums.iter().flat_map(with).collect()
    })
}

/// In how many ways a selection can be met.
fn choices(detection: &IrDetection) -> usize {
    match detection {
        IrDetection::AllOf(items) => items.iter().map(choices_of_item).max().unwrap_or(1),
        IrDetection::And(parts) => parts.iter().map(choices).max().unwrap_or(1),
        IrDetection::AnyOf(parts) => parts.iter().map(choices).sum(),
        other => panic!("not made: {other:?}"),
    }
}

fn choices_of_item(item: &IrDetectionItem) -> usize {
    match &item.matcher {
        IrMatcher::AnyOf(values) => values.len(),
        _ => 1,
    }
}

/// What fields have to hold to meet a selection in one of its ways.
fn wishes(detection: &IrDetection, pick: usize) -> Wishes {
    match detection {
        IrDetection::AllOf(items) => {
            items.iter().flat_map(|item| wishes_of_item(item, pick)).collect()
        }
        IrDetection::And(parts) => parts.iter().flat_map(|part| wishes(part, pick)).collect(),
        IrDetection::AnyOf(parts) => {
            let mut pick = pick % choices(detection);
            for part in parts {
                if pick < choices(part) {
                    return wishes(part, pick);
                }
                pick -= choices(part);
            }
            Vec::new()
        }
        other => panic!("not made: {other:?}"),
    }
}

fn wishes_of_item(item: &IrDetectionItem, pick: usize) -> Wishes {
    let field = item.field.clone().expect("there are no keywords among these rules");
    let wanted: Vec<&IrMatcher> = match &item.matcher {
        IrMatcher::AnyOf(values) => vec![&values[pick % values.len()]],
        IrMatcher::AllOf(values) => values.iter().collect(),
        one => vec![one],
    };
    wanted.into_iter().map(|matcher| (field.clone(), wish(matcher))).collect()
}

fn wish(matcher: &IrMatcher) -> Wish {
    match matcher {
        IrMatcher::Str { op, pattern, .. } => {
            let text = text(pattern);
            match op {
                IrStrOp::Exact => Wish::Is(text),
                IrStrOp::Contains => Wish::Holds(text),
                IrStrOp::StartsWith => Wish::Begins(text),
                IrStrOp::EndsWith => Wish::Ends(text),
            }
        }
        IrMatcher::Regex { pattern, .. } => Wish::Holds(found_by(pattern)),
        IrMatcher::NumericEq(IrNumber::Literal(number)) => Wish::Number(*number as i64),
        other => panic!("not made: {other:?}"),
    }
}

fn text(pattern: &IrPattern) -> String {
    let parts = pattern.parts.iter().map(|part| match part {
        IrPatternPart::Literal(text) => text.as_str(),
        IrPatternPart::WildcardMulti => "any",
        IrPatternPart::WildcardSingle => "1",
    });
    parts.collect()
}

/// A text that a regular expression of one of the rules finds.
fn found_by(pattern: &str) -> String {
    let text = match pattern {
        r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}" => "203.0.113.7",
        r"https://[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}" => "https://203.0.113.7",
        "-D" => "-D",
        "(.){200,}" => return "long ".repeat(50),
        r#"-(W|R)\s?(\s|"|')([0-9a-fA-F]{2}\s?){2,20}(\s|"|')"# => r#"-W "0a ff 1b ""#,
        r"\s-[FTd]\s" => " -F ",
        r"(?:\s-[^-\s]{0,20}i|\s--inode\s)" => " -li",
        r"(?:\s-[^-\s]{0,20}d|\s--directory\s)" => " --directory ",
        r"\s-O\s" => " -O ",
        other => panic!("no text is known that {other} finds"),
    };
    text.to_owned()
}

/// The event in which all wishes come true, as far as they can together.
fn event(wishes: &[(String, Wish)], between: &str) -> Fields {
    let mut fields: BTreeMap<String, Vec<&Wish>> = BTreeMap::new();
    for (field, wish) in wishes {
        fields.entry(field.clone()).or_default().push(wish);
    }
    fields.into_iter().map(|(field, wishes)| (field, value(&wishes, between))).collect()
}

fn value(wishes: &[&Wish], between: &str) -> Value {
    let (mut beginning, mut middle, mut end) = ("", Vec::new(), "");
    for wish in wishes {
        match wish {
            Wish::Number(number) => return Value::from(*number),
            Wish::Is(text) => return Value::from(text.as_str()),
            Wish::Begins(text) if text.len() > beginning.len() => beginning = text,
            Wish::Ends(text) if text.len() > end.len() => end = text,
            Wish::Holds(text) => middle.push(text.as_str()),
            Wish::Begins(_) | Wish::Ends(_) => {}
        }
    }
    let mut parts = vec![beginning];
    parts.append(&mut middle);
    parts.push(end);
    parts.retain(|part| !part.is_empty());
    Value::from(parts.join(between))
}

/// Events that no rule was asked for.
fn unrelated() -> Vec<Fields> {
    const IMAGES: [&str; 10] = [
        "/usr/bin/bash",
        "/usr/bin/python3.12",
        "/usr/sbin/sshd",
        "/usr/bin/curl",
        "/usr/bin/git",
        "/usr/bin/grep",
        "/usr/bin/apt",
        "/opt/app/bin/server",
        "/usr/bin/cat",
        "",
    ];
    const LINES: [&str; 5] = [
        "",
        "-c 'echo hello'",
        "--help",
        "clone https://example.org/x.git /srv/x",
        "-r needle /etc /var/log --include=*.conf é\n",
    ];
    let event = |image: &str, line: &str| -> Fields {
        [
            ("Image", image.to_owned()),
            ("CommandLine", format!("{} {line}", image.rsplit('/').next().unwrap_or_default())),
            ("ParentImage", "/usr/lib/systemd/systemd".to_owned()),
            ("ParentCommandLine", "/sbin/init splash".to_owned()),
            ("CurrentDirectory", "/home/user".to_owned()),
            ("User", "user".to_owned()),
        ]
        .map(|(field, value)| (field.to_owned(), Value::from(value)))
        .into()
    };
    IMAGES.iter().flat_map(|image| LINES.iter().map(move |line| event(image, line))).collect()
}
