use std::path::Path;

use super::*;

/// `text` has exactly these mistakes, told without the name of the file.
#[track_caller]
fn check_mistakes(text: &str, expected: &[&str]) {
    let (_, mistakes) = check(Path::new("f"), text);
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let expected: Vec<String> = expected.iter().map(|text| format!("f:{text}")).collect();
    assert_eq!(mistakes, expected, "{text}");
}

#[test]
fn good_files_are_read() {
    let text = "\u{feff}# é\r\nbus = 'session'\r\nredact = [\n 'pin', # c\n]\n\"log\" = \"warn\"";
    let (keys, mistakes) = check(Path::new("f"), text);
    assert_eq!(mistakes, []);
    assert_eq!(keys.bus.as_deref(), Some("session"));
    assert_eq!(keys.redact, Some(vec!["pin".to_owned()]));
    assert_eq!(keys.log.as_deref(), Some("warn"));
    check_mistakes("", &[]);
}

#[test]
fn unknown_keys_come_with_the_nearest() {
    check_mistakes(
        "ring-sise = 5\nring_size = 5\n  colour = 'red'\n",
        &[
            "1:1: ring-sise: there is no such key: did you mean ring-size?",
            "2:1: ring_size: there is no such key: did you mean ring-size?",
            "3:3: colour: there is no such key: remove it, or see bpf-recorder.toml(5)",
        ],
    );
    let table = "there is no such table, nor any: write keys without a table";
    check_mistakes("[capture]\nring-size = 5000\n", &[&format!("1:2: capture: {table}")]);
    check_mistakes("bus.x = 1\n", &["1:1: bus: is of type table: give a string"]);
}

#[test]
fn wrong_types_come_with_the_right_one() {
    check_mistakes(
        "ring-size = '16M'\nenvironment = 'yes'\nredact = 'pin'\nbus = ['a']\nuser = 990\n\
         environment-only = ['A', 5]\nlog = 2026-01-01\nbinary-cache-size = 1.5\n\
         retention-age = 30\nretention-size = 1_000\n",
        &[
            "1:13: ring-size: is of type string: give a whole number",
            "2:15: environment: is of type string: give true or false",
            "3:10: redact: is of type string: give an array of strings",
            "4:7: bus: is of type array: give a string",
            "5:8: user: is of type integer: give a string, such as \"990\"",
            "6:26: environment-only: an element is of type integer: give strings, such as \"5\"",
            "7:7: log: is of type datetime: give a string",
            "8:21: binary-cache-size: is of type float: give a whole number",
            // Quotes alone would not do here.
            "9:17: retention-age: is of type integer: give a string",
            "10:18: retention-size: is of type integer: give a string",
        ],
    );
    check_mistakes(
        "ring-size = 99999999999999999999\n",
        &["1:13: ring-size: is out of range: give a smaller number"],
    );
}

#[test]
fn bad_values_are_judged_as_at_the_start() {
    check_mistakes(
        "# é\nring-size = 5000\nlog = 'lóud'\nalert-repeat='1w'\nbus = 'tcp'",
        &[
            "2:13: ring-size: 5000 is no size of a ring: give a power of two from 4096 to \
             1073741824 (for example 16777216)",
            "3:7: log: \"lóud\" is no level: give error, warn, info, debug or trace",
            "4:14: alert-repeat: \"1w\" is no duration: give a whole number with s, m, h or d, \
             at most 366d",
            "5:7: bus: \"tcp\" is no bus: give system, session or unix:path=PATH, the path \
             without a comma",
        ],
    );
}

#[test]
fn duplicates_name_both_lines() {
    check_mistakes(
        "bus = 'session'\n\nlog = 'loud'\n 'bus' = 'system'\n",
        &[
            "3:7: log: \"loud\" is no level: give error, warn, info, debug or trace",
            "4:2: bus: is given a second time, after line 1: remove one of them",
        ],
    );
}

#[test]
fn after_an_error_of_syntax_the_rest_is_judged_too() {
    check_mistakes(
        "bus = system\nlog = 'loud'\nuser\nring-sise = 1\n[log\nuser = ''\nlog = 'info'",
        &[
            "1:7: string values must be quoted, expected literal string",
            "2:7: log: \"loud\" is no level: give error, warn, info, debug or trace",
            "3:5: key with no value, expected `=`",
            "4:1: ring-sise: there is no such key: did you mean ring-size?",
            "5:5: unclosed table, expected `]`",
            "6:8: user: \"\" is no user: give a name or a number",
            "7:1: log: is given a second time, after line 2: remove one of them",
        ],
    );
}

#[test]
fn one_line_has_one_error_of_syntax() {
    check_mistakes("bus = = = =\n", &["1:7: extra `=`, expected nothing"]);
    let comma = "missing comma between array elements, expected `,`";
    check_mistakes("redact = ['a' 'b' 'c']", &[&format!("1:15: {comma}")]);
    check_mistakes("redact = ['a'\nlog = 'loud'\n", &[&format!("2:1: {comma}")]);
}

#[test]
fn what_is_not_closed_is_told_where_it_would_end() {
    check_mistakes("log = \"loud\nbus = 'session'", &["1:12: invalid basic string, expected `\"`"]);
    check_mistakes(
        "log = \"\"\"loud\nbus = 'tcp'\n",
        &["3:1: invalid multi-line basic string, expected `\"`"],
    );
    check_mistakes("bus = {\nlog = 'x'", &["2:10: unclosed inline table, expected `}`"]);
}

#[test]
fn texts_of_the_file_are_shown_harmless() {
    check_mistakes(
        "log = \"\\u001b[31m\u{202e}\"\n\"\\u001b\\n: x\" = 1\n'b\u{202e}us' = 1",
        &[
            "1:7: log: \"\\u{1b}[31m\\u{202e}\" is no level: give error, warn, info, debug or trace",
            "2:1: \"\\u{1b}\\n: x\": there is no such key: remove it, or see bpf-recorder.toml(5)",
            "3:1: \"b\\u{202e}us\": there is no such key: did you mean bus?",
        ],
    );
    let (_, mistakes) =
        check(Path::new("f"), &format!("{} = '{}'", "k".repeat(999), "v".repeat(999)));
    assert!(mistakes.iter().all(|mistake| mistake.to_string().len() < 200), "{mistakes:?}");
}

#[test]
fn a_thousand_mistakes_are_enough() {
    let unknown: String = (0..5000).map(|number| format!("key{number} = 1\n")).collect();
    for text in ["bus = 1\n".repeat(100_000), "bus\n".repeat(100_000), unknown] {
        let (_, mistakes) = check(Path::new("f"), &text);
        assert_eq!(mistakes.len(), 1001);
        assert_eq!(
            mistakes[1000].to_string(),
            "f: has more than 1000 mistakes: give a configuration"
        );
    }
    let (_, mistakes) = check(Path::new("f"), &"bus\n".repeat(1000));
    assert_eq!(mistakes.len(), 1000);
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_odd(text in "([a-z='\"\\[\\]{}.,#\\\\ \n\t0-9é\u{1b}]|bus|redact|log = ){0,60}") {
        for mistake in check(Path::new("f"), &text).1 {
            proptest::prop_assert!(!mistake.to_string().chars().any(char::is_control));
        }
    }
}
