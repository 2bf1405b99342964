//! Correlations: which are accepted, and when they fire.

use common::rule::RuleState;

use super::states::rule;
use super::*;

/// Three rules to refer to, by id and by name, and a correlation of them as fourth document.
fn correlation(head: &str, body: &str) -> String {
    let base: String = ["a", "b", "c"]
        .map(|user| rule(&format!("id: id-{user}\nname: {user}"), &format!("{{User: {user}}}")))
        .concat();
    format!("{base}title: C\nid: corr\nlevel: high\n{head}\ncorrelation: {{{body}}}\n---\n")
}

/// The state of a document of a file, and why.
fn state_of_document(text: &str, document: u32) -> (RuleState, String) {
    let mut infos = compiled("t.yml", text).entries.into_iter().map(|entry| entry.info);
    let info = infos.find(|info| info.document == document).unwrap();
    (info.state, info.reason.unwrap_or_default())
}

#[test]
fn correlations_that_cannot_work_are_refused() {
    const COUNT: &str = "timespan: 10s, condition: {gte: 2}";
    let cases = [
        (format!("type: event_count, rules: [a], {COUNT}"), ""),
        (format!("type: event_count, rules: [id-a], {COUNT}"), ""),
        (format!("type: event_count, rules: ID-A, {COUNT}"), ""),
        ("type: event_count, rules: [a], timeframe: 7d, condition: {gte: 2}".into(), ""),
        ("type: temporal, rules: [a, b], timespan: 10s".into(), ""),
        (format!("type: temporal, rules: [a, b], {COUNT}"), ""),
        (format!("type: temporal, rules: [a, z], {COUNT}"), "to z, and there is no such rule"),
        (format!("type: temporal, rules: [a, corr], {COUNT}"), "to corr, which is not in force"),
        (format!("type: temporal, rules: [], {COUNT}"), "refers to no rule"),
        ("type: temporal, rules: [a], timespan: 1s, condition: a and c".into(), "names c"),
        ("type: temporal, rules: [a], timespan: 1s, condition: 1 of a".into(), "a selector"),
        ("type: event_count, rules: [a], timespan: 1s".into(), "requires a condition"),
        ("type: event_count, rules: [a], timespan: 1s, condition: {}".into(), "an operator"),
        ("type: event_count, rules: [a], timespan: 8d, condition: {gte: 2}".into(), "is 8d"),
        ("type: event_count, rules: [a], timespan: 0s, condition: {gte: 2}".into(), "is 0s"),
        ("type: event_count, rules: [a], timespan: 1x, condition: {gte: 2}".into(), "1x"),
        ("type: event_count, rules: [a], condition: {gte: 2}".into(), "Missing timeframe"),
        (format!("type: value_count, rules: [a], {COUNT}"), "needs a field"),
        (
            "type: value_count, rules: [a], timespan: 1s, condition: {gte: 2, field: Imphash}"
                .into(),
            "nothing is recorded as Imphash",
        ),
        (format!("type: event_count, rules: [a], group-by: [user], {COUNT}"), "mean User?"),
        (
            format!("type: event_count, rules: [a], aliases: {{w: {{a: Imphash}}}}, {COUNT}"),
            "nothing is recorded as Imphash",
        ),
        ("type: event_count, rules: [a], timespan: 1s, condition: a".into(), "only supported for"),
        (format!("type: near, rules: [a], {COUNT}"), "near"),
    ];
    for (body, part) in cases {
        let (state, reason) = state_of_document(&correlation("", &body), 4);
        let expected = if part.is_empty() { RuleState::Active } else { RuleState::Unusable };
        assert_eq!(state, expected, "{body}: {reason}");
        assert!(reason.contains(part), "{body}: {reason}");
    }
}

#[test]
fn what_a_correlation_refers_to_must_be_in_force() {
    const BODY: &str = "type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}";
    let cases = [
        (rule("id: x\nname: a\nstatus: deprecated", "{User: a}"), "to a, which is disabled"),
        (rule("id: x\nname: a", "{Imphash: a}"), "to a, which is inert"),
        (rule("id: x\nname: a", "{User|re: '('}"), "to a, which is unusable"),
    ];
    for (first, part) in cases {
        let text = format!("{first}title: C\nid: corr\ncorrelation: {{{BODY}}}\n");
        let (state, reason) = state_of_document(&text, 2);
        assert_eq!(state, RuleState::Unusable);
        assert!(reason.contains(part), "{reason}");
    }
}

/// A correlation that fires whenever one of others does.
fn echo(name: &str, rules: &str) -> String {
    format!(
        "title: {name}\nid: {name}\nname: {name}\nlevel: low\ncorrelation: {{type: event_count, \
         rules: [{rules}], timespan: 10s, condition: {{gte: 1}}}}\n---\n"
    )
}

#[test]
fn correlations_may_refer_to_correlations_but_not_in_a_circle() {
    let circle = echo("x", "y") + &echo("y", "x");
    assert!(state_of_document(&circle, 1).1.contains("to y, which is not in force"));
    assert!(state_of_document(&circle, 2).1.contains("to x, which is unusable"));
    // The order in the file does not matter. Who is referred to is silent.
    let chain = echo("x", "y") + &echo("y", "a") + &rule("id: a", "{User: a}");
    check_sequence(&chain, &["0 a /x 1", "1 b /x 0"]);
    // What one says has no values that another could count.
    let values = echo("y", "a").replace("event_count", "value_count") + &echo("a", "b");
    let values = values.replace("{gte: 1}", "{gte: 1, field: User}");
    let (state, reason) = state_of_document(&(values + &rule("id: b", "{User: b}")), 1);
    assert!(state == RuleState::Unusable && reason.contains("a correlation has none"), "{reason}");
}

/// Each line is an event: seconds, user, image, and how many rules fire on it.
fn check_sequence(text: &str, events: &[&str]) {
    let Compiled { entries, mut ruleset } = compiled("t.yml", text);
    for entry in &entries {
        assert_eq!(entry.info.state, RuleState::Active, "{:?}", entry.info.reason);
    }
    for line in events {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [seconds, user, image, wanted] = parts[..] else { panic!("{line}") };
        let event = Sample::of(&serde_json::json!({ "User": user, "Image": image }));
        let time_ns = (seconds.parse::<f64>().unwrap() * 1e9) as i64;
        let fired = ruleset.judge(&event, 1_700_000_000_000_000_000 + time_ns).len();
        assert_eq!(fired.to_string(), wanted, "{line} of {events:?} with {text}");
    }
}

#[test]
fn events_are_counted_within_a_time_and_a_group() {
    let count = correlation(
        "",
        "type: event_count, rules: [a, b], group-by: [Image], timespan: 10s, condition: {gte: 3}",
    );
    check_sequence(&count, &["0 a /x 0", "1 b /x 0", "2 a /x 1", "3 a /x 1"]);
    check_sequence(&count, &["0 a /x 0", "1 a /y 0", "2 a /x 0", "3 a /y 0", "4 a /x 1"]);
    check_sequence(&count, &["0 a /x 0", "6 a /x 0", "11 a /x 0", "12 a /x 1"]);
    let between =
        correlation("", "type: event_count, rules: [a], timespan: 10s, condition: {gt: 1, lte: 3}");
    check_sequence(&between, &["0 a /x 0", "1 a /y 1", "2 a /x 1", "3 a /x 0", "12.5 a /x 1"]);
    let values = correlation(
        "",
        "type: value_count, rules: [a], timespan: 10s, condition: {field: Image, gte: 2}",
    );
    check_sequence(&values, &["0 a /x 0", "1 a /x 0", "2 a /y 1"]);
    check_sequence(&values, &["0 a /x 0", "11 a /y 0", "12 b /z 1", "13 a /z 1"]);
}

#[test]
fn events_come_together_in_any_order_or_in_one() {
    // All of them, unless the condition says how many.
    let all = correlation("", "type: temporal, rules: [a, b, c], timespan: 10s");
    check_sequence(&all, &["0 c /x 0", "1 a /x 0", "2 a /x 0", "3 b /x 1"]);
    check_sequence(&all, &["0 c /x 0", "1 a /x 0", "10.5 b /x 0", "10.9 c /x 1"]);
    let two =
        correlation("", "type: temporal, rules: [a, b, c], timespan: 10s, condition: {gte: 2}");
    check_sequence(&two, &["0 a /x 0", "1 a /x 0", "2 c /x 1"]);
    let either =
        correlation("", "type: temporal, rules: [a, b, c], timespan: 10s, condition: a and b");
    check_sequence(&either, &["0 c /x 0", "1 b /x 0", "2 a /x 1"]);
    let groups = correlation("", "type: temporal, rules: [a, b], group-by: [Image], timespan: 10s");
    check_sequence(&groups, &["0 a /x 0", "1 b /y 0", "2 b /x 1"]);
    // In the order of the rules, also within a second.
    let ordered = correlation("", "type: temporal_ordered, rules: [a, b], timespan: 10s");
    check_sequence(&ordered, &["0 a /x 0", "0.2 b /x 1"]);
    check_sequence(&ordered, &["0 b /x 0", "0.2 a /x 0"]);
    check_sequence(&ordered, &["0 b /x 0", "0.002 a /x 0", "0.004 b /x 1"]);
    check_sequence(&ordered, &["0 a /x 0", "11 b /x 0"]);
}

#[test]
fn events_of_different_fields_are_one_group_by_an_alias() {
    let text = correlation(
        "",
        "type: temporal, rules: [a, b], group-by: [who], timespan: 10s, \
         aliases: {who: {a: Image, b: ParentImage}}",
    );
    let Compiled { mut ruleset, .. } = compiled("t.yml", &text);
    let mut fires = |user: &str, field: &str, value: &str| {
        let event = serde_json::json!({ "User": user, field: value });
        !ruleset.judge(&Sample::of(&event), 0).is_empty()
    };
    assert!(!fires("a", "Image", "/x"));
    assert!(!fires("b", "ParentImage", "/y"));
    assert!(fires("b", "ParentImage", "/x"));
}

#[test]
fn rules_of_a_correlation_are_silent_unless_it_says_otherwise() {
    const BODY: &str = "type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}";
    check_sequence(&correlation("", BODY), &["0 a /x 0", "1 a /x 1", "2 b /x 1"]);
    check_sequence(&correlation("generate: true", BODY), &["0 a /x 1", "1 a /x 2", "2 b /x 1"]);
}

#[test]
fn known_limits_of_correlations_are_as_described() {
    // One event would do by the specification; it cannot be told from no condition at all.
    let one = "type: temporal, rules: [a, b], timespan: 10s, condition: {gte: 1}";
    check_sequence(&correlation("", one), &["0 a /x 0", "1 b /x 1"]);
    // A correlation of correlations groups by what these group by: two users are two groups by the
    // specification, and here both have none.
    let inner = echo("x", "a").replace("timespan", "group-by: [Image], timespan");
    let outer = echo("y", "x").replace("timespan", "group-by: [User], timespan");
    let text = rule("id: a", "{Image: '/*'}") + &inner + &outer.replace("gte: 1", "gte: 2");
    check_sequence(&text, &["0 a /x 0", "1 b /x 1"]);
}

#[test]
fn attributes_of_one_rule_do_not_change_how_others_fire() {
    const ATTRIBUTES: [&str; 5] = [
        "rsigma.suppress: 1h",
        "rsigma.action: reset",
        "rsigma.timestamp_field: Image",
        "rsigma.max_group_entries: '1'",
        "rsigma.include_event: 'true'",
    ];
    let hostile = |text: &str| {
        let inner = ATTRIBUTES.map(|line| format!("  {line}\n")).concat();
        format!("{}\ncustom_attributes:\n{inner}{text}", ATTRIBUTES.join("\n"))
    };
    let counting =
        correlation("", "type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}");
    let text = hostile(&rule("id: h", "{User: z}")) + &hostile(&echo("e", "h")) + &counting;
    check_sequence(
        &text,
        &["0 a /x 0", "1 a /x 1", "2 a /x 1", "3 a /x 1", "4 z /x 1", "5 z /x 1"],
    );
}
