//! What becomes of whole rules: their states, ids, levels and switches.

use common::rule::RuleState;

use super::*;

/// A document of a file of rules.
pub(super) fn rule(head: &str, selection: &str) -> String {
    format!(
        "title: T\nlogsource: {{category: process_creation, product: linux}}\n{head}\n\
         detection: {{s: {selection}, condition: s}}\n---\n"
    )
}

/// The state of the only rule, why, and notes.
pub(super) fn state_of(text: &str) -> (RuleState, String) {
    let info = compiled("t.yml", text).entries.remove(0).info;
    (info.state, info.reason.into_iter().chain(info.notes).collect::<Vec<_>>().join("; "))
}

#[test]
fn rules_that_can_never_fire_are_inert() {
    use RuleState::{Active, Inert};
    const A: &str = "s: {User: a}";
    let fits = "{category: process_creation, product: linux}";
    let cases = [
        (fits, "s: {Imphash: a}", "s", Inert, "nothing is recorded as Imphash"),
        (fits, "s: {image: a}", "s", Inert, "did you mean Image?"),
        (fits, "s: {User: a, Imphash: a}", "s", Inert, "Imphash"),
        (fits, "s: {Imphash|exists: true}", "s", Inert, "Imphash"),
        (fits, "s: [{Imphash: a}, {User: a}]", "s", Active, "nothing is recorded as Imphash"),
        (fits, "s: {User: a}, t: {Imphash: a}", "1 of them", Active, "Imphash"),
        (fits, "s: {User: a}, t: {Imphash: a}", "all of them", Inert, "Imphash"),
        (fits, "s: {User: a}, t: {Imphash: a}", "s and not t", Active, "Imphash"),
        (fits, "s: {User: a}, t: {Imphash: a}", "[s and t, t]", Inert, "Imphash"),
        (fits, "s: {User: a, Imphash|exists: false}", "s", Active, "Imphash"),
        (fits, "s: {User: a, Imphash: null}", "s", Active, "Imphash"),
        (fits, "s: {User: a}, t: {Imphash|exists: false}", "s and not t", Inert, "Imphash"),
        (fits, A, "s", Active, ""),
        ("{product: linux}", A, "s", Active, ""),
        ("{category: process_creation}", A, "s", Active, ""),
        ("{category: process_creation, product: Linux}", A, "s", Active, ""),
        ("{category: process_creation, product: windows}", A, "s", Inert, "product windows"),
        ("{category: file_event, product: linux}", A, "s", Inert, "category file_event"),
        ("{product: linux, service: auditd}", A, "s", Inert, "service auditd"),
        ("{definition: x}", A, "s", Inert, "none stated"),
    ];
    for (source, selections, condition, expected, part) in cases {
        let text = format!(
            "title: T\nid: t\nlevel: low\nlogsource: {source}\n\
             detection: {{{selections}, condition: {condition}}}\n"
        );
        let (state, said) = state_of(&text);
        assert_eq!(state, expected, "{text}{said}");
        assert!(said.contains(part) && said.is_empty() == part.is_empty(), "{text}{said}");
    }
}

#[test]
fn ids_are_kept_or_derived() {
    let id = |file: &str, text: &str| compiled(file, text).entries.remove(0).info.id;
    assert_eq!(id("t.yml", &rule("id: 0E95725D-7320", "{User: a}")), "0e95725d-7320");
    let derived = id("t.yml", &rule("", "{User: a}"));
    assert_eq!(derived.len(), 36);
    // It stays when the rule is edited, and is that of this file and title only.
    assert_eq!(derived, id("t.yml", &rule("level: low", "{User: b}")));
    assert_ne!(derived, id("u.yml", &rule("", "{User: a}")));
    assert_ne!(derived, id("t.yml", &rule("", "{User: a}").replace("title: T", "title: U")));
    assert_eq!(derived, id("t.yml", &rule("id: 'not one!'", "{User: a}")));
    assert!(state_of(&rule("id: 'not one!'", "{User: a}")).1.contains("not usable"));
    assert!(state_of(&rule("", "{User: a}")).1.contains("it has no id"));
}

#[test]
fn a_level_that_is_missing_is_medium() {
    use common::rule::Level;
    let level = |head: &str| {
        let info = compiled("t.yml", &rule(head, "{User: a}")).entries.remove(0).info;
        (info.level, info.notes.iter().any(|note| note.contains("taken as medium")))
    };
    assert_eq!(level("id: t"), (Level::Medium, true));
    assert_eq!(level("id: t\nlevel: critical"), (Level::Critical, false));
    assert_eq!(level("id: t\nlevel: urgent"), (Level::Medium, true));
}

/// Files of rules by origin, and who of them is in force: fires on `{"User": ...}`.
fn winners(sources: &[(Origin, &str, String)]) -> Vec<String> {
    let sources: Vec<Source> = sources
        .iter()
        .map(|(origin, file, text)| Source {
            origin: *origin,
            file: (*file).to_owned(),
            content: Ok(text.clone().into_bytes()),
        })
        .collect();
    let Compiled { entries, mut ruleset } =
        compile(&sources, Some(&HashMap::new()), &mut Tried::default());
    let states = entries.iter().map(|entry| {
        let info = &entry.info;
        let reason = info.reason.clone().unwrap_or_default();
        format!("{} {}: {reason}", info.file, info.state.name())
    });
    let fired = ["a", "b", "c"].into_iter().filter(|user| {
        let event = serde_json::json!({ "User": user });
        !ruleset.judge(&Sample::of(&event), 0).is_empty()
    });
    states.chain(fired.map(|user| format!("fires on {user}"))).collect()
}

#[test]
fn of_several_rules_with_one_id_one_is_in_force() {
    let with = |user: &str| rule("id: x", &format!("{{User: {user}}}"));
    let shipped = (Origin::Shipped, "s.yml", with("a"));
    let admin = (Origin::Admin, "m.yml", with("b"));
    let uploaded = (Origin::Uploaded, "u.yml", with("c"));
    assert_eq!(
        winners(&[uploaded, shipped.clone(), admin.clone()]),
        [
            "m.yml overridden: uploaded u.yml has its id and wins",
            "s.yml overridden: uploaded u.yml has its id and wins",
            "u.yml active: ",
            "fires on c",
        ]
    );
    assert_eq!(
        winners(&[admin, shipped.clone()]),
        ["m.yml active: ", "s.yml overridden: admin m.yml has its id and wins", "fires on b"]
    );
    assert_eq!(
        winners(&[shipped, (Origin::Shipped, "t.yml", with("b"))]),
        ["s.yml active: ", "t.yml unusable: shipped s.yml has the same id", "fires on a"]
    );
    // Without ids, two of one title in a file are the same.
    let twice = rule("", "{User: a}") + &rule("", "{User: b}");
    assert_eq!(
        winners(&[(Origin::Admin, "t.yml", twice)]),
        ["t.yml active: ", "t.yml unusable: admin t.yml has the same id", "fires on a"]
    );
}

#[test]
fn rules_are_switched_on_and_off() {
    let with = |head: &str, switches: Option<&HashMap<String, bool>>| {
        let source = Source {
            origin: Origin::Admin,
            file: "t.yml".to_owned(),
            content: Ok(rule(&format!("id: X\nlevel: low\n{head}"), "{User: a}").into_bytes()),
        };
        let Compiled { entries, mut ruleset } = compile(&[source], switches, &mut Tried::default());
        let info = &entries[0].info;
        let event = Sample::of(&serde_json::json!({ "User": "a" }));
        let has_fired = !ruleset.judge(&event, 0).is_empty();
        assert_eq!(has_fired, info.state == RuleState::Active);
        assert_eq!(has_fired, info.is_enabled);
        (info.state.name(), info.reason.clone().unwrap_or_default())
    };
    let switched = |head: &str, is_on: Option<bool>| {
        with(head, Some(&is_on.map(|is_on| ("x".to_owned(), is_on)).into_iter().collect()))
    };
    let active = ("active", String::new());
    let disabled = |reason: &str| ("disabled", reason.to_owned());
    assert_eq!(switched("", None), active);
    assert_eq!(switched("", Some(true)), active);
    assert_eq!(switched("", Some(false)), disabled(""));
    assert_eq!(switched("status: experimental", None), active);
    assert_eq!(switched("status: deprecated", None), disabled("its status is deprecated"));
    assert_eq!(switched("status: unsupported", None), disabled("its status is unsupported"));
    assert_eq!(switched("status: deprecated", Some(true)), active);
    assert_eq!(with("status: deprecated", None), active);
}
