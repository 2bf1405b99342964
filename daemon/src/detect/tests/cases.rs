//! What the specification of Sigma demands, one small case each; and the places where our verdict
//! is another one, with the reason.
//!
//! The specification is that of rules 2.0 and of modifiers 2.1 (github.com/SigmaHQ/
//! sigma-specification). The fields are only names here: `User` and `Image` hold whatever a case
//! puts into them.

use common::rule::RuleState;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Verdict {
    Match,
    No,
    /// The rule is not accepted; the reason says so.
    Refused(&'static str),
}

use Verdict::{Match, No, Refused};

/// What becomes of an event: `Err` is why the rule is refused.
fn judged(selections: &str, condition: &str, event: &str) -> Result<bool, String> {
    let text = format!(
        "title: T\nlogsource: {{category: process_creation, product: linux}}\nlevel: low\n\
         detection: {{{selections}, condition: {condition}}}\n"
    );
    let Compiled { entries, mut ruleset } = compiled("case.yml", &text);
    let info = &entries[0].info;
    match info.state {
        RuleState::Active => {
            let event = serde_json::from_str(event).unwrap_or_else(|e| panic!("{event}: {e}"));
            Ok(!ruleset.judge(&Sample::of(&event), 0).is_empty())
        }
        RuleState::Unusable => Err(info.reason.clone().unwrap_or_default()),
        state => panic!("{text} is {}: {:?}", state.name(), info.reason),
    }
}

/// What is wrong with a case, if anything is.
fn check(selections: &str, condition: &str, event: &str, expected: Verdict) -> Option<String> {
    let judged = judged(selections, condition, event);
    let is_right = match (&judged, expected) {
        (Ok(fired), Match) => *fired,
        (Ok(fired), No) => !fired,
        (Err(reason), Refused(part)) => reason.contains(part),
        _ => false,
    };
    (!is_right).then(|| {
        format!("{selections} | {condition} | {event}\n    wanted {expected:?}, got {judged:?}")
    })
}

/// Cases of one selection.
fn check_selections(cases: &[(&str, &str, Verdict)]) {
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|(selection, event, expected)| {
            check(&format!("s: {selection}"), "s", event, *expected)
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn values_are_compared_without_regard_to_case() {
    check_selections(&[
        ("{User: root}", r#"{"User": "root"}"#, Match),
        ("{User: ROOT}", r#"{"User": "Root"}"#, Match),
        ("{User: root}", r#"{"User": "root2"}"#, No),
        ("{User: root}", r#"{"User": " root"}"#, No),
        ("{User: root}", r#"{"Image": "root"}"#, No),
        ("{User: root}", "{}", No),
        ("{User: JOSÉ}", r#"{"User": "josé"}"#, Match),
        ("{User|contains: админ}", r#"{"User": "xАДМИНx"}"#, Match),
        ("{User: José}", r#"{"User": "jose"}"#, No),
        ("{User: 'a.b'}", r#"{"User": "axb"}"#, No),
        ("{User|contains: 'a+(b'}", r#"{"User": "xa+(bx"}"#, Match),
        ("{User: '%name%'}", r#"{"User": "%NAME%"}"#, Match),
        ("{User|cased: root}", r#"{"User": "root"}"#, Match),
        ("{User|cased: root}", r#"{"User": "Root"}"#, No),
        ("{User|contains|cased: Oo}", r#"{"User": "root"}"#, No),
        ("{User|cased|startswith: Ro}", r#"{"User": "Root"}"#, Match),
        ("{User|cased: 'R*t'}", r#"{"User": "root"}"#, No),
        ("{User|cased: 'R*t'}", r#"{"User": "Root"}"#, Match),
    ]);
}

#[test]
fn lists_are_alternatives_and_maps_are_conjunctions() {
    check_selections(&[
        ("{User: [a, b]}", r#"{"User": "b"}"#, Match),
        ("{User: [a, b]}", r#"{"User": "c"}"#, No),
        ("{User: a, Image: b}", r#"{"User": "a", "Image": "b"}"#, Match),
        ("{User: a, Image: b}", r#"{"User": "a", "Image": "c"}"#, No),
        ("{User: a, Image: b}", r#"{"User": "a"}"#, No),
        ("[{User: a}, {Image: b}]", r#"{"User": "x", "Image": "b"}"#, Match),
        ("[{User: a}, {Image: b}]", r#"{"User": "b", "Image": "a"}"#, No),
        ("[{User: a, Image: b}, {User: c}]", r#"{"User": "a", "Image": "c"}"#, No),
        ("[needle, {User: a}]", r#"{"User": "a"}"#, Match),
        ("[needle, {User: a}]", r#"{"Image": "/x/needle"}"#, Match),
        ("[needle, {User: a}]", r#"{"Image": "a"}"#, No),
        ("{User: [a, 'b*', '?']}", r#"{"User": "bcd"}"#, Match),
        ("{User: []}", "{}", Refused("empty list")),
        ("[]", "{}", Refused("empty")),
        ("{}", "{}", Refused("empty")),
        ("{User: {a: b}}", "{}", Refused("a map or a list where")),
        ("{User: [[a]]}", "{}", Refused("a map or a list where")),
        ("{User: a, User: b}", "{}", Refused("duplicate")),
    ]);
}

#[test]
fn parts_of_texts_are_found_where_they_must_be() {
    check_selections(&[
        ("{User|contains: b}", r#"{"User": "aBc"}"#, Match),
        ("{User|contains: b}", r#"{"User": "ac"}"#, No),
        ("{User|contains: b}", "{}", No),
        ("{User|contains: ''}", r#"{"User": "a"}"#, Match),
        ("{User|contains: [x, b]}", r#"{"User": "abc"}"#, Match),
        ("{User|startswith: a}", r#"{"User": "Abc"}"#, Match),
        ("{User|startswith: b}", r#"{"User": "abc"}"#, No),
        ("{User|endswith: c}", r#"{"User": "abC"}"#, Match),
        ("{User|endswith: b}", r#"{"User": "abc"}"#, No),
        ("{User|endswith: /sh}", r#"{"User": "/bin/zsh"}"#, No),
        ("{User|contains|all: [a, c]}", r#"{"User": "abc"}"#, Match),
        ("{User|all|contains: [a, c]}", r#"{"User": "abc"}"#, Match),
        ("{User|contains|all: [a, d]}", r#"{"User": "abc"}"#, No),
        ("{User|startswith|all: [a, ab]}", r#"{"User": "abc"}"#, Match),
        ("{User|all: ['*a*', '*c*']}", r#"{"User": "cba"}"#, Match),
        ("{User|contains|all: [a]}", "{}", Refused("more than one value")),
        ("{User|contains|startswith: a}", "{}", Refused("conflicting modifiers")),
        ("{User|startwith: a}", "{}", Refused("startwith")),
        ("{User|not: a}", "{}", Refused("not")),
        ("{User|i: a}", "{}", Refused("without |re")),
    ]);
}

#[test]
fn long_values_are_searched_to_their_end() {
    let long = format!("{}needle", "a".repeat(100 << 10));
    for (selection, expected) in [
        ("{User|contains: needle}", Match),
        ("{User|endswith: needle}", Match),
        ("{User|re: 'needle$'}", Match),
        ("{User: 'a*needle'}", Match),
        ("[eneedle, aneedle]", Match),
        ("{User|contains: noodle}", No),
    ] {
        let event = format!(r#"{{"User": "{long}"}}"#);
        let fault = check(&format!("s: {selection}"), "s", &event, expected);
        assert!(fault.is_none(), "{selection}");
    }
}

#[test]
fn wildcards_stand_for_anything_and_can_be_escaped() {
    check_selections(&[
        ("{User: 'a*c'}", r#"{"User": "ABBC"}"#, Match),
        ("{User: 'a*c'}", r#"{"User": "ac"}"#, Match),
        ("{User: 'a*c'}", r#"{"User": "abcd"}"#, No),
        ("{User: 'a*c'}", r#"{"User": "xac"}"#, No),
        ("{User: 'a?c'}", r#"{"User": "abc"}"#, Match),
        ("{User: 'a?c'}", r#"{"User": "aéc"}"#, Match),
        ("{User: 'a?c'}", r#"{"User": "ac"}"#, No),
        ("{User: 'a?c'}", r#"{"User": "abbc"}"#, No),
        ("{User: '*'}", r#"{"User": ""}"#, Match),
        ("{User: '*'}", "{}", No),
        ("{User: '?*'}", r#"{"User": ""}"#, No),
        ("{User: 'a*c'}", r#"{"User": "a\n\nc"}"#, Match),
        ("{User: 'a?c'}", r#"{"User": "a\nc"}"#, Match),
        ("{User: 'a*'}", r#"{"User": "a\nb"}"#, Match),
        ("{User: 'a'}", r#"{"User": "a\n"}"#, No),
        ("{User|contains: 'a*c'}", r#"{"User": "xabcx"}"#, Match),
        ("{User|contains: 'a?c'}", r#"{"User": "xacx"}"#, No),
        ("{User|startswith: 'a?c'}", r#"{"User": "abcd"}"#, Match),
        ("{User|startswith: 'a?c'}", r#"{"User": "xabc"}"#, No),
        ("{User|endswith: 'a?c'}", r#"{"User": "xabc"}"#, Match),
        ("{User|endswith: 'a?c'}", r#"{"User": "abcx"}"#, No),
        ("{User: 'a.*'}", r#"{"User": "abc"}"#, No),
        // A backslash before a wildcard makes it an ordinary character.
        (r"{User: 'a\*'}", r#"{"User": "a*"}"#, Match),
        (r"{User: 'a\*'}", r#"{"User": "ab"}"#, No),
        (r"{User: 'a\?'}", r#"{"User": "a?"}"#, Match),
        (r"{User: 'a\?'}", r#"{"User": "ab"}"#, No),
        (r"{User|contains: '\*b*d'}", r#"{"User": "a*bcd"}"#, Match),
        // Two are a backslash, and the wildcard is one.
        (r"{User: 'a\\*'}", r#"{"User": "a\\"}"#, Match),
        (r"{User: 'a\\*'}", r#"{"User": "a\\bc"}"#, Match),
        (r"{User: 'a\\*'}", r#"{"User": "abc"}"#, No),
        (r"{User: 'a\\?'}", r#"{"User": "a\\b"}"#, Match),
        // Three are a backslash and an ordinary character.
        (r"{User: 'a\\\*'}", r#"{"User": "a\\*"}"#, Match),
        (r"{User: 'a\\\*'}", r#"{"User": "a\\b"}"#, No),
        // Elsewhere one or two are one, three or four are two.
        (r"{User: 'a\b'}", r#"{"User": "a\\b"}"#, Match),
        (r"{User: 'a\\b'}", r#"{"User": "a\\b"}"#, Match),
        (r"{User: 'a\\b'}", r#"{"User": "a\\\\b"}"#, No),
        (r"{User: 'a\\\b'}", r#"{"User": "a\\\\b"}"#, Match),
        (r"{User: 'a\\\\b'}", r#"{"User": "a\\\\b"}"#, Match),
        (r"{User: 'a\'}", r#"{"User": "a\\"}"#, Match),
        (r"{User: 'a\\'}", r#"{"User": "a\\"}"#, Match),
        (r"{User|endswith: '\sh'}", r#"{"User": "C:\\sh"}"#, Match),
    ]);
}

#[test]
fn regular_expressions_are_searched_for() {
    check_selections(&[
        ("{User|re: 'b+'}", r#"{"User": "abbc"}"#, Match),
        ("{User|re: 'B'}", r#"{"User": "abc"}"#, No),
        ("{User|re|i: 'B'}", r#"{"User": "abc"}"#, Match),
        ("{User|re: '^b'}", r#"{"User": "abc"}"#, No),
        ("{User|re: '^a.c$'}", r#"{"User": "abc"}"#, Match),
        ("{User|re: 'a*b'}", r#"{"User": "b"}"#, Match),
        ("{User|re: '^b$'}", r#"{"User": "a\nb\nc"}"#, No),
        ("{User|re|m: '^b$'}", r#"{"User": "a\nb\nc"}"#, Match),
        ("{User|re: 'a.b'}", r#"{"User": "a\nb"}"#, No),
        ("{User|re|s: 'a.b'}", r#"{"User": "a\nb"}"#, Match),
        ("{User|re|i|s: 'A.B'}", r#"{"User": "a\nb"}"#, Match),
        (r"{User|re: 'a\.b'}", r#"{"User": "axb"}"#, No),
        (r"{User|re: 'a\\b'}", r#"{"User": "a\\b"}"#, Match),
        ("{User|re: '[a-c]{2,3}$'}", r#"{"User": "xab"}"#, Match),
        ("{User|re: ['x', 'y$']}", r#"{"User": "ay"}"#, Match),
        ("{User|re: ['X', 'Y', 'Z']}", r#"{"User": "xyz"}"#, No),
        ("{User|re|all: ['a', 'b']}", r#"{"User": "a"}"#, No),
        ("{User|re: 'a|b'}", "{}", No),
        ("{ProcessId|re: '^4'}", r#"{"ProcessId": 42}"#, Match),
        ("{User|re: '('}", "{}", Refused("is wrong")),
        ("{User|re: '*'}", "{}", Refused("is wrong")),
        ("{User|re: 'a(?=b)'}", "{}", Refused("look-around")),
        ("{User|re: '(?<!b)a'}", "{}", Refused("look-around")),
        (r"{User|re: '(a)\1'}", "{}", Refused("backreference")),
        ("{User|re|contains: 'a'}", "{}", Refused("conflicting modifiers")),
    ]);
}

#[test]
fn networks_contain_addresses() {
    check_selections(&[
        ("{User|cidr: 10.0.0.0/8}", r#"{"User": "10.255.0.1"}"#, Match),
        ("{User|cidr: 10.0.0.0/8}", r#"{"User": "11.0.0.1"}"#, No),
        ("{User|cidr: 10.0.0.0/8}", r#"{"User": "10.0.0.1:80"}"#, No),
        ("{User|cidr: 10.0.0.0/8}", r#"{"User": "2001:db8::1"}"#, No),
        ("{User|cidr: ['192.168.0.0/16', 10.0.0.0/8]}", r#"{"User": "10.0.0.1"}"#, Match),
        ("{User|cidr: '2001:db8::/32'}", r#"{"User": "2001:DB8:0::1"}"#, Match),
        ("{User|cidr: '2001:db8::/32'}", r#"{"User": "2001:db9::1"}"#, No),
        ("{User|cidr: 10.0.0.0/33}", "{}", Refused("CIDR")),
        ("{User|cidr: here}", "{}", Refused("CIDR")),
    ]);
}

#[test]
fn numbers_and_booleans_are_values_too() {
    check_selections(&[
        ("{ProcessId: 5}", r#"{"ProcessId": 5}"#, Match),
        ("{ProcessId: 5}", r#"{"ProcessId": 50}"#, No),
        ("{ProcessId: 5}", r#"{"ProcessId": "5"}"#, Match),
        ("{ProcessId: '5'}", r#"{"ProcessId": 5}"#, Match),
        ("{ProcessId: [4, 5]}", r#"{"ProcessId": 5}"#, Match),
        ("{ProcessId: -1}", r#"{"ProcessId": -1}"#, Match),
        ("{ProcessId: 5}", r#"{"ProcessId": "x"}"#, No),
        ("{User: 1.5}", r#"{"User": "1.5"}"#, Match),
        ("{ProcessId|startswith: 4}", r#"{"ProcessId": 42}"#, Match),
        ("{ProcessId|contains: '2'}", r#"{"ProcessId": 42}"#, Match),
        ("{ProcessId: '4*'}", r#"{"ProcessId": 42}"#, Match),
        ("{ProcessId|gt: 5}", r#"{"ProcessId": 6}"#, Match),
        ("{ProcessId|gt: 5}", r#"{"ProcessId": 5}"#, No),
        ("{ProcessId|gte: 5}", r#"{"ProcessId": 5}"#, Match),
        ("{ProcessId|lt: 5}", r#"{"ProcessId": 4}"#, Match),
        ("{ProcessId|lt: 5}", r#"{"ProcessId": 5}"#, No),
        ("{ProcessId|lte: 5}", r#"{"ProcessId": 5}"#, Match),
        ("{ProcessId|lt: 5}", "{}", No),
        ("{ProcessId|gt: 5}", r#"{"ProcessId": "x"}"#, No),
        ("{ProcessId|gt: 10}", r#"{"ProcessId": 9}"#, No),
        ("{ProcessId|gt: x}", "{}", Refused("numeric")),
        ("{recorder.file.memfd: true}", r#"{"recorder.file.memfd": true}"#, Match),
        ("{recorder.file.memfd: true}", r#"{"recorder.file.memfd": false}"#, No),
        ("{recorder.file.memfd: false}", r#"{"recorder.file.memfd": false}"#, Match),
        ("{recorder.file.memfd: 'true'}", r#"{"recorder.file.memfd": true}"#, Match),
        ("{recorder.file.memfd: true}", "{}", No),
        ("{recorder.file.mode: '4755'}", r#"{"recorder.file.mode": "4755"}"#, Match),
    ]);
}

#[test]
fn absence_emptiness_and_difference_are_told_apart() {
    check_selections(&[
        ("{User: null}", "{}", Match),
        ("{User: }", "{}", Match),
        ("{User: null}", r#"{"User": null}"#, Match),
        ("{User: null}", r#"{"User": ""}"#, No),
        ("{User: null}", r#"{"User": "null"}"#, No),
        ("{User: 'null'}", r#"{"User": "null"}"#, Match),
        ("{User: [null, a]}", "{}", Match),
        ("{User: [null, a]}", r#"{"User": "a"}"#, Match),
        ("{User: [null, a]}", r#"{"User": "b"}"#, No),
        ("{User: [null, ''], Image: b}", r#"{"User": "", "Image": "b"}"#, Match),
        ("{User: [null, ''], Image: b}", r#"{"Image": "c"}"#, No),
        ("{User: ''}", r#"{"User": ""}"#, Match),
        ("{User: ''}", r#"{"User": "a"}"#, No),
        ("{User: ''}", "{}", No),
        ("{User|exists: true}", r#"{"User": "a"}"#, Match),
        ("{User|exists: true}", r#"{"User": ""}"#, Match),
        ("{User|exists: true}", "{}", No),
        ("{User|exists: false}", "{}", Match),
        ("{User|exists: false}", r#"{"User": "a"}"#, No),
        ("{User|neq: a}", r#"{"User": "b"}"#, Match),
        ("{User|neq: a}", r#"{"User": "A"}"#, No),
        ("{User|neq: [a, b]}", r#"{"User": "b"}"#, No),
        ("{User|neq: [a, b]}", r#"{"User": "c"}"#, Match),
        ("{ProcessId|neq: 5}", r#"{"ProcessId": 6}"#, Match),
        ("{ProcessId|neq: 5}", r#"{"ProcessId": 5}"#, No),
        ("{User|contains|neq: a}", r#"{"User": "xay"}"#, No),
        ("{User|neq: null}", "{}", No),
        ("{User|neq: null}", r#"{"User": "a"}"#, Match),
    ]);
}

#[test]
fn fields_are_compared_with_fields() {
    check_selections(&[
        ("{User|fieldref: Image}", r#"{"User": "a", "Image": "A"}"#, Match),
        ("{User|fieldref: Image}", r#"{"User": "a", "Image": "b"}"#, No),
        ("{User|fieldref: Image}", r#"{"User": "Image", "Image": "b"}"#, No),
        ("{User|fieldref: Image}", r#"{"User": "a"}"#, No),
        ("{User|fieldref: Image}", r#"{"Image": "a"}"#, No),
        ("{User|fieldref: [Image, ParentUser]}", r#"{"User": "a", "ParentUser": "a"}"#, Match),
        ("{User|fieldref|contains: Image}", r#"{"User": "xay", "Image": "A"}"#, Match),
        ("{User|fieldref|startswith: Image}", r#"{"User": "ab", "Image": "a"}"#, Match),
        ("{User|fieldref|startswith: Image}", r#"{"User": "ab", "Image": "b"}"#, No),
        ("{User|fieldref|endswith: Image}", r#"{"User": "ab", "Image": "b"}"#, Match),
        ("{User|fieldref|neq: Image}", r#"{"User": "a", "Image": "b"}"#, Match),
        ("{User|fieldref|neq: Image}", r#"{"User": "a", "Image": "a"}"#, No),
        (
            "{ProcessId|fieldref: ParentProcessId}",
            r#"{"ProcessId": 5, "ParentProcessId": 5}"#,
            Match,
        ),
        ("{User|fieldref: 'Im*'}", "{}", Refused("wildcards")),
    ]);
}

#[test]
fn encoded_values_are_found() {
    check_selections(&[
        ("{User|base64: foobar}", r#"{"User": "Zm9vYmFy"}"#, Match),
        ("{User|base64: foobar}", r#"{"User": "zm9vymfy"}"#, No),
        ("{User|base64: fo}", r#"{"User": "Zm8="}"#, Match),
        ("{User|base64|contains: foo}", r#"{"User": "xZm9vx"}"#, Match),
        ("{User|base64|contains: foo}", r#"{"User": "foo"}"#, No),
        ("{User|base64: 'a b'}", r#"{"User": "YSBi"}"#, Match),
        // "foo" in "foobar", "xfoobar" and "xyfoobar".
        ("{User|base64offset|contains: foo}", r#"{"User": "Zm9vYmFy"}"#, Match),
        ("{User|base64offset|contains: foo}", r#"{"User": "eGZvb2Jhcg=="}"#, Match),
        ("{User|base64offset|contains: foo}", r#"{"User": "eHlmb29iYXI="}"#, Match),
        ("{User|base64offset|contains: foo}", r#"{"User": "eHlnb29iYXI="}"#, No),
        ("{User|base64offset|contains: foo}", r#"{"User": "zm9vymfy"}"#, No),
        // "cmd" as UTF-16.
        ("{User|utf16le|base64: cmd}", r#"{"User": "YwBtAGQA"}"#, Match),
        ("{User|wide|base64: cmd}", r#"{"User": "YwBtAGQA"}"#, Match),
        ("{User|utf16be|base64: cmd}", r#"{"User": "AGMAbQBk"}"#, Match),
        ("{User|utf16|base64: cmd}", r#"{"User": "//5jAG0AZAA="}"#, Match),
        ("{User|utf16be|base64: cmd}", r#"{"User": "YwBtAGQA"}"#, No),
        ("{User|wide|base64offset|contains: cmd}", r#"{"User": "xYwBtAGQAx"}"#, Match),
        // "cmd" with two bytes before it.
        ("{User|wide|base64offset|contains: cmd}", r#"{"User": "eABjAG0AZAA="}"#, Match),
        ("{User|utf16|utf16be|base64: cmd}", "{}", Refused("mutually exclusive")),
        ("{User|base64|base64offset: cmd}", "{}", Refused("mutually exclusive")),
        ("{User|base64|re: cmd}", "{}", Refused("cannot be combined")),
        ("{User|base64: 'a*'}", "{}", Refused("wildcards")),
    ]);
}

#[test]
fn dashes_have_variants() {
    check_selections(&[
        ("{User|windash|contains: ' -f'}", r#"{"User": "a -f"}"#, Match),
        ("{User|windash|contains: ' -f'}", r#"{"User": "a /F"}"#, Match),
        ("{User|windash|contains: ' -f'}", r#"{"User": "a –f"}"#, Match),
        ("{User|windash|contains: ' -f'}", r#"{"User": "a —f"}"#, Match),
        ("{User|windash|contains: ' -f'}", r#"{"User": "a ―f"}"#, Match),
        ("{User|windash|contains: ' -f'}", r#"{"User": "a +f"}"#, No),
        ("{User|windash: '-f'}", r#"{"User": "/f"}"#, Match),
        ("{User|windash: '-f'}", r#"{"User": "x/f"}"#, No),
        ("{User|contains|all|windash: [' -a', ' -b']}", r#"{"User": "x /a -b"}"#, Match),
        ("{User|contains|all|windash: [' -a', ' -b']}", r#"{"User": "x /a +b"}"#, No),
        ("{User|windash|contains: '-a-b'}", r#"{"User": "/a–b"}"#, Match),
        ("{User|windash|contains: '-a*'}", "{}", Refused("wildcards")),
    ]);
}

#[test]
fn placeholders_are_refused() {
    check_selections(&[
        ("{User|expand: '%admins%'}", "{}", Refused("placeholder")),
        ("{User|expand|contains: 'a%admins%'}", "{}", Refused("placeholder")),
    ]);
}

#[test]
fn keywords_are_looked_for_in_the_whole_event() {
    check_selections(&[
        ("[foo, bar]", r#"{"User": "a FOO b"}"#, Match),
        ("[foo, bar]", r#"{"User": "x", "Image": "/bar"}"#, Match),
        ("[foo, bar]", r#"{"User": "fo", "Image": "o"}"#, No),
        ("[foo, bar]", "{}", No),
        ("foo", r#"{"User": "a foo b"}"#, Match),
        ("['f*o']", r#"{"User": "a fxxo b"}"#, Match),
        ("['f?o']", r#"{"User": "a fo b"}"#, No),
        (r"['f\*o']", r#"{"User": "a f*o b"}"#, Match),
        (r"['f\*o']", r#"{"User": "a fxo b"}"#, No),
        ("[4444]", r#"{"User": "nc 1.2.3.4 4444"}"#, Match),
        ("[4444]", r#"{"User": "nc 1.2.3.4 444"}"#, No),
        ("[1, 2, 3, 4, 5, 6, 7, 8, 9]", r#"{"User": "a9"}"#, Match),
        ("{'|all': [foo, bar]}", r#"{"User": "foo bar"}"#, Match),
        ("{'|all': [foo, bar]}", r#"{"User": "foo", "Image": "bar"}"#, Match),
        ("{'|all': [foo, bar]}", r#"{"User": "foo"}"#, No),
        ("{'|all': [foo, 'b*r']}", r#"{"User": "foo", "Image": "xbaarx"}"#, Match),
        ("{'|all': [foo, bar], User: a}", r#"{"User": "a", "Image": "foo bar"}"#, Match),
        ("{'|all': [foo, bar], User: a}", r#"{"User": "b", "Image": "foo bar"}"#, No),
        ("{'|contains': foo}", r#"{"User": "a foo b"}"#, Match),
        ("{'|re': 'f.o$'}", r#"{"User": "a fxo"}"#, Match),
        ("{'|re': 'f.o$'}", r#"{"User": "a fxo b"}"#, No),
        ("{'|cased': Foo}", r#"{"User": "a foo b"}"#, No),
    ]);
}

#[test]
fn a_field_of_several_values_matches_with_any_of_them() {
    check_selections(&[
        ("{process.args: b}", r#"{"process.args": ["a", "B"]}"#, Match),
        ("{process.args: c}", r#"{"process.args": ["a", "b"]}"#, No),
        ("{process.args: a b}", r#"{"process.args": ["a", "b"]}"#, No),
        ("{process.args: a}", r#"{"process.args": []}"#, No),
        ("{process.args|startswith: '-'}", r#"{"process.args": ["a", "-x"]}"#, Match),
        ("{process.args|re: '^b$'}", r#"{"process.args": ["a", "b"]}"#, Match),
        ("{process.args: 'b*'}", r#"{"process.args": ["a", "bc"]}"#, Match),
        ("{process.args|contains|all: [a, b]}", r#"{"process.args": ["a", "b"]}"#, Match),
        ("{process.args|neq: a}", r#"{"process.args": ["b", "a"]}"#, No),
        ("{process.args|gt: 5}", r#"{"process.args": ["a", "6"]}"#, Match),
        ("{process.args|exists: true}", r#"{"process.args": []}"#, Match),
    ]);
}

#[test]
fn conditions_combine_selections() {
    const AB: &str = "sel_a: {User: a}, sel_b: {Image: b}, other: {ProcessId: 1}";
    const HIDDEN: &str = "a: {User: a}, _b: {Image: b}";
    const ONLY_A: &str = r#"{"User": "a"}"#;
    const ONLY_B: &str = r#"{"Image": "b"}"#;
    const BOTH: &str = r#"{"User": "a", "Image": "b"}"#;
    const ALL: &str = r#"{"User": "a", "Image": "b", "ProcessId": 1}"#;
    const A_AND_1: &str = r#"{"User": "a", "ProcessId": 1}"#;
    let cases = [
        (AB, "1 of sel*", ONLY_B, Match),
        (AB, "1 of sel*", r#"{"ProcessId": 1}"#, No),
        (AB, "any of sel_*", ONLY_B, Match),
        (AB, "all of sel_*", BOTH, Match),
        (AB, "all of sel_*", ONLY_A, No),
        (AB, "1 of *_b", ONLY_B, Match),
        (AB, "1 of *_b", ONLY_A, No),
        (AB, "1 of s*_a", ONLY_A, Match),
        (AB, "1 of sel_a", ONLY_A, Match),
        (AB, "2 of them", BOTH, Match),
        (AB, "2 of them", ONLY_A, No),
        (AB, "1 of them", r#"{"ProcessId": 1}"#, Match),
        (AB, "1 of them", "{}", No),
        (AB, "all of them", ALL, Match),
        (AB, "all of them", BOTH, No),
        (HIDDEN, "1 of them", ONLY_B, No),
        (HIDDEN, "all of them", ONLY_A, Match),
        (HIDDEN, "a and _b", BOTH, Match),
        (HIDDEN, "1 of _*", ONLY_B, Match),
        (AB, "sel_a and not sel_b", ONLY_A, Match),
        (AB, "sel_a and not sel_b", BOTH, No),
        (AB, "not sel_a", "{}", Match),
        (AB, "sel_a and not 1 of sel_b*", BOTH, No),
        (AB, "not all of sel_*", ONLY_A, Match),
        // `not` binds closest, then `and`, then `or`.
        (AB, "sel_a or sel_b and other", ONLY_A, Match),
        (AB, "sel_b and other or sel_a", ONLY_A, Match),
        (AB, "(sel_a or sel_b) and other", ONLY_A, No),
        (AB, "(sel_a or sel_b) and other", A_AND_1, Match),
        (AB, "not sel_a and sel_b", ONLY_B, Match),
        (AB, "not sel_a or sel_b", BOTH, Match),
        (AB, "not (sel_a or sel_b)", ONLY_B, No),
        (AB, "not not sel_a", ONLY_A, Match),
        (AB, "1 of sel_* and other", ONLY_A, No),
        (AB, "((sel_a))", ONLY_A, Match),
        // Of several conditions one has to hold.
        (AB, "[sel_a and other, sel_b]", ONLY_B, Match),
        (AB, "[sel_a and other, sel_b]", ONLY_A, No),
        // A slip of its author must not be a rule that never or always fires.
        (AB, "nothing", "{}", Refused("nothing")),
        (AB, "sel_a and nothing", "{}", Refused("nothing")),
        (AB, "1 of filter_*", "{}", Refused("selects nothing")),
        (AB, "sel_a and not 1 of filter_*", "{}", Refused("selects nothing")),
        ("_a: {User: a}", "1 of them", "{}", Refused("selects nothing")),
        (AB, "0 of sel_*", "{}", Refused("asks for 0")),
        (AB, "3 of sel_*", "{}", Refused("asks for 3")),
        (AB, "sel_a AND sel_b", "{}", Refused("Condition parse")),
        (AB, "sel_a sel_b", "{}", Refused("Condition parse")),
        (AB, "(sel_a", "{}", Refused("Condition parse")),
        (AB, "sel_a | count() > 5", "{}", Refused("Condition parse")),
        (AB, "[]", "{}", Refused("no condition")),
        (AB, "''", "{}", Refused("Condition parse")),
    ];
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|(selections, condition, event, expected)| {
            check(selections, condition, event, *expected)
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Selections, condition, event, what the specification demands, and what we say.
type Limit = (&'static str, &'static str, &'static str, Verdict, Verdict);

/// Where we differ from the specification, and how. Where it says nothing, what the author of a rule
/// would expect stands for it.
const KNOWN_LIMITS: &[(&str, Limit)] = &[
    (
        "an absent field is not different from a value: it has to be there",
        ("s: {User|neq: a}", "s", "{}", Match, No),
    ),
    (
        "a text that reads as infinite is a number",
        ("s: {User|gt: 5}", "s", r#"{"User": "inf"}"#, No, Match),
    ),
    (
        "a field without a value does not exist; the recorder has none",
        ("s: {User|exists: true}", "s", r#"{"User": null}"#, Match, No),
    ),
    (
        "a reference to a field of several values is refused",
        (
            "s: {User|fieldref: process.args}",
            "s",
            r#"{"User": "a", "process.args": ["a", "b"]}"#,
            Match,
            Refused("several values"),
        ),
    ),
    (
        "the parts of a time (hour, day and so on) are not supported",
        ("s: {User|hour: 14}", "s", r#"{"User": "2026-11-24T14:03:27Z"}"#, Match, Refused("times")),
    ),
    (
        "a value under an empty name, or one that is no text, is a keyword",
        ("s: {1: foo}", "s", r#"{"User": "a foo"}"#, No, Match),
    ),
    (
        "windash has variants of -, but not of / and the long dashes",
        ("s: {User|windash|contains: ' /f'}", "s", r#"{"User": "a -f"}"#, Match, No),
    ),
    (
        "windash accepts three dashes at most: each multiplies by five",
        (
            "s: {User|windash|contains: '--a--b'}",
            "s",
            r#"{"User": "--a--b"}"#,
            Match,
            Refused("more than 3 dashes"),
        ),
    ),
    (
        "windash is not accepted before base64",
        (
            "s: {User|windash|base64: '-f'}",
            "s",
            r#"{"User": "L2Y="}"#,
            Match,
            Refused("windash together"),
        ),
    ),
    (
        "encodings have an order: wide, then base64",
        (
            "s: {User|base64|wide: cmd}",
            "s",
            r#"{"User": "YwBtAGQA"}"#,
            No,
            Refused("come before base64"),
        ),
    ),
    (
        "a wildcard with an encoding is an ordinary character if there is a backslash in the value",
        (r"s: {User|base64: 'a\b*'}", "s", r#"{"User": "YVxiKg=="}"#, Refused("wildcards"), Match),
    ),
    (
        "an escaped wildcard with an encoding is refused as if it were one",
        (r"s: {User|base64: 'a\*'}", "s", r#"{"User": "YSo="}"#, Match, Refused("wildcards")),
    ),
    (
        "a network needs its length, also that of one address: 10.0.0.1/32",
        ("s: {User|cidr: 10.0.0.1}", "s", r#"{"User": "10.0.0.1"}"#, Match, Refused("CIDR")),
    ),
    (
        "an IPv4 address in the form of IPv6 is not in a network of IPv4",
        ("s: {User|cidr: 10.0.0.0/8}", "s", r#"{"User": "::ffff:10.0.0.1"}"#, Match, No),
    ),
    (
        "the letter Σ at the end of a value is taken for a final one",
        ("s: {User|contains: 'ΣΟΣ'}", "s", r#"{"User": "ΣΟΣΑ"}"#, Match, No),
    ),
    (
        "a++ is a repetition of a repetition, not a possessive one",
        ("s: {User|re: 'a++a'}", "s", r#"{"User": "aa"}"#, Refused("quantifier"), Match),
    ),
    (
        "flags inside of regular expressions in a list hold for all of it",
        ("s: {User|re|i: ['(?-i:ROOT)', x]}", "s", r#"{"User": "ROOT"}"#, Refused("flag"), No),
    ),
    (
        "the size of a compiled regular expression is bounded",
        ("s: {User|re: '(a{100}){100}'}", "s", r#"{"User": "a"}"#, No, Refused("too large")),
    ),
    (
        "one wildcard in the pattern of a selector, not several",
        (
            "sel_a_x: {User: a}",
            "1 of sel_*_*",
            r#"{"User": "a"}"#,
            Match,
            Refused("selects nothing"),
        ),
    ),
    (
        "anchors and aliases of YAML are refused",
        (
            "s: {User: &a root, Image: *a}",
            "s",
            r#"{"User": "root", "Image": "root"}"#,
            Match,
            Refused("anchors"),
        ),
    ),
];

/// What the parser lets through, or the engine would take for something else.
#[test]
fn values_are_what_their_author_wrote() {
    const CASES: &[(&str, &str, &str, Verdict)] = &[
        ("s: {User: 5}", "s", r#"{"User": "05"}"#, No),
        ("s: {ProcessId: 9007199254740993}", "s", r#"{"ProcessId": 9007199254740992}"#, No),
        ("s: {User: true}", "s", r#"{"User": "yes"}"#, No),
        ("s: {User|contains: true}", "s", r#"{"User": "it is true"}"#, Match),
        ("s: {User|exists: maybe}", "s", r#"{"User": "a"}"#, Refused("boolean")),
        ("s: ['']", "s", r#"{"User": "a"}"#, Refused("empty keyword")),
        ("s: [true]", "s", r#"{"User": "it is true"}"#, Match),
        ("s: {'|neq': foo}", "s", r#"{"User": "foo", "Image": "b"}"#, Refused("field")),
        ("s: {'|exists': true}", "s", r#"{"User": "foo"}"#, Refused("field")),
        ("s: {User: {a: 'b*'}}", "s", r#"{"User": "b"}"#, Refused("map")),
        ("s: {User|base64: {a: b}}", "s", r#"{"User": "b"}"#, Refused("map")),
        (
            "s: {User|windash|base64offset|contains: foo}",
            "s",
            r#"{"User": "zm9vymfy"}"#,
            Refused("windash together"),
        ),
        ("s: {User|wide: cmd}", "s", r#"{"User": "cmd"}"#, Refused("only before base64")),
        ("s: {User|base64: 5}", "s", r#"{"User": "NQ=="}"#, Match),
    ];
    let faults: Vec<String> = CASES
        .iter()
        .filter_map(|(selections, condition, event, expected)| {
            check(selections, condition, event, *expected)
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn known_limits_are_as_described() {
    let faults: Vec<String> = KNOWN_LIMITS
        .iter()
        .filter_map(|(why, (selections, condition, event, demanded, ours))| {
            if check(selections, condition, event, *demanded).is_none() {
                return Some(format!("no limit any more: {why}"));
            }
            let fault = check(selections, condition, event, *ours)?;
            Some(format!("not as described: {why}\n{fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
