use jiff::tz::TimeZone;

use super::*;

fn sample() -> Health {
    serde_json::from_str(include_str!("../../../gui/tests/data/health.json")).unwrap()
}

fn figures(health: &Health) -> Vec<Figure> {
    let now_ns = parse_rfc3339(&health.since).unwrap() + 3_600_000_000_000;
    let clock = Clock { now_ns, zone: TimeZone::UTC };
    groups(health, &clock).into_iter().flat_map(|group| group.figures).collect()
}

#[track_caller]
fn check(health: &Health, name: &str, value: &str, tone: Tone) -> Figure {
    let all = figures(health);
    let found = all.iter().find(|figure| figure.name == name && figure.value == value);
    let found = found.unwrap_or_else(|| panic!("no {name} {value}: {all:#?}"));
    assert_eq!(found.tone, tone, "{found:?}");
    found.clone()
}

fn with(change: impl FnOnce(&mut Health, &mut Capture)) -> Health {
    let mut health = sample();
    let mut capture = health.capture.take().unwrap_or_default();
    change(&mut health, &mut capture);
    health.capture = Some(capture);
    health
}

#[test]
fn losses_are_told_by_cause_with_what_to_do() {
    let health = with(|health, capture| {
        health.store.lost = 1200;
        health.store.gaps = 1;
        capture.dropped_ring_full.exec = 1200;
        capture.ring_size_bytes = 16 << 20;
    });
    let (tone, sentence) = verdict(&health);
    assert_eq!((tone, &*sentence), (Tone::Bad, "Recording. 1,200 records lost, in 1 gap"));
    check(&health, "ever", "1,200 records, in 1 gap", Tone::Bad);
    let figure = check(&health, "ring was full", "1,200 records", Tone::Bad);
    let advice = figure.advice.unwrap();
    assert!(advice.contains("ring-size") && advice.contains("16.0 MiB"), "{advice}");
}

#[test]
fn what_is_well_gives_no_advice() {
    let health = with(|health, capture| {
        (health.store.lost, health.store.gaps) = (0, 0);
        health.store.free_disk_bytes = 9 << 30;
        *capture = Capture { rules: 3, programs: capture.programs.clone(), ..Capture::default() };
    });
    assert_eq!(verdict(&health).0, Tone::Plain);
    let advised: Vec<Figure> =
        figures(&health).into_iter().filter(|figure| figure.advice.is_some()).collect();
    assert_eq!(advised, []);
}

#[test]
fn states_without_a_record_are_no_health() {
    for (state, tone) in [("starting", Tone::Warning), ("stopping", Tone::Bad), ("x", Tone::Bad)] {
        let health = Health { state: state.to_owned(), ..sample() };
        assert_eq!(verdict(&health).0, tone, "{state}");
    }
    let silent = Health { capture: None, state: "recording".to_owned(), ..sample() };
    assert_eq!(verdict(&silent).0, Tone::Bad);
}

#[test]
fn a_missing_probe_is_disabled() {
    let health = with(|_, capture| {
        capture.programs =
            vec![Program { name: "recorder_exec_0".to_owned(), ..Program::default() }];
    });
    check(&health, "exit", "disabled", Tone::Bad);
    check(&health, "recorder_exec_0", "attached", Tone::Plain);
    let whole = with(|_, capture| {
        let named = |name: &str| Program { name: name.to_owned(), ..Program::default() };
        capture.programs =
            ["recorder_fork_0", "recorder_exec_0", "recorder_exit_0"].map(named).into();
    });
    assert!(figures(&whole).iter().all(|figure| figure.value != "disabled"));
}

#[test]
fn queues_and_disks_warn_before_they_are_full() {
    let health = with(|health, capture| {
        health.store.free_disk_bytes = 300 << 20;
        (capture.ring_used_bytes, capture.ring_size_bytes) = (3 << 20, 4 << 20);
        capture.lag_ms = 9000;
    });
    check(&health, "free on the disk", "300.0 MiB", Tone::Bad);
    check(&health, "ring in use", "3.0 MiB of 4.0 MiB", Tone::Warning);
    check(&health, "delay to the disk", "9,000 ms", Tone::Warning);
}

#[test]
fn growth_is_told_where_it_can_be() {
    let day = 86_400_000_000_000;
    assert_eq!(bytes_a_day(100, 0, 2 * day), Some(50));
    assert_eq!(bytes_a_day(100, 0, day / 2), None);
    assert_eq!(bytes_a_day(100, day, 0), None);
}

#[test]
fn hostile_texts_are_escaped() {
    let health = with(|health, capture| {
        health.host = "a\x1b[2J".to_owned();
        capture.files.trouble = Some("no\nroom".to_owned());
    });
    let all = figures(&health);
    assert!(all.iter().all(|figure| !figure.value.contains(['\x1b', '\n'])));
}

#[test]
fn gaps_are_told_in_words() {
    let gap = |count, kind: &str, cause: &str| Gap {
        timestamp: String::new(),
        cpu: 1,
        kind: kind.to_owned(),
        count,
        cause: cause.to_owned(),
    };
    assert_eq!(missing(&gap(0, "any", "")), "unknown");
    assert_eq!(missing(&gap(7, "any", "")), "7");
    assert_eq!(missing(&gap(7000, "exec", "")), "7,000 exec");
    assert_eq!(cause(&gap(1, "", "ring-full")), "the ring was full");
    assert_eq!(cause(&gap(1, "", "new\n")), "new\\n");
}

#[test]
fn limits_that_cannot_be_met_are_told_with_the_reason() {
    let retention = Retention {
        age_ns: Some(30 * 86_400_000_000_000),
        size_bytes: Some(1 << 30),
        deleted_alerts_early: 2,
        unmet: Some("what runs must stay".to_owned()),
        ..Retention::default()
    };
    let mut health = with(|health, _| health.store.retention = Some(retention.clone()));
    let value = format!("{}, up to 1.0 GiB", duration(30 * 86_400_000_000_000));
    let advice = check(&health, "kept", &value, Tone::Warning).advice.unwrap();
    assert!(
        advice.contains("what runs must stay") && advice.contains("retention-size"),
        "{advice}"
    );
    check(&health, "alerts kept", "for ever", Tone::Plain);
    check(&health, "deleted before their time", "2 alerts", Tone::Warning);

    let until = "2026-08-02T10:00:00Z".to_owned();
    health.store.retention =
        Some(Retention { unmet: None, clock_doubted_until: Some(until.clone()), ..retention });
    check(&health, "kept", &value, Tone::Plain);
    let advice = check(&health, "clock", "was set ahead", Tone::Warning).advice.unwrap();
    assert!(advice.contains(&until), "{advice}");
}
