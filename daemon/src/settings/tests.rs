use std::fs;

use super::*;

fn settled(file: &str, arguments: &Keys) -> Result<Settings, String> {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    fs::write(&config, file).unwrap();
    let settings = Settings::settle(arguments, Some(&config));
    settings.map_err(|error| error.to_string().replace(config.to_str().unwrap(), "FILE"))
}

#[test]
fn arguments_win_over_the_file() {
    let arguments = Keys { bus: Some("unix:path=/x".into()), ..Keys::default() };
    let file = "bus = 'session'\nring-size = 8192\nredact = ['pin', '']";
    let settings = settled(file, &arguments).unwrap();
    assert_eq!(settings.bus, Bus::Socket("/x".into()));
    assert_eq!(settings.ring_size_bytes, 8192);
    assert_eq!(settings.environment.redacted_words, ["PIN"]);
    assert_eq!(settings.data_dir, Path::new("/var/lib/bpf-recorder"));
    // And again, with the same.
    assert_eq!(settled(file, &arguments), Ok(settings));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let arguments = Keys { bus: Some("tcp".into()), log: Some("loud".into()), ..Keys::default() };
    let error = settled("bus = 'x'\nuser = ''\nlog = 'info'", &arguments).unwrap_err();
    let starts: Vec<&str> = error.lines().filter_map(|line| line.split(" is ").next()).collect();
    assert_eq!(
        starts,
        ["FILE:1:7: bus: \"x\"", "FILE:2:8: user: \"\"", "--bus: \"tcp\"", "--log: \"loud\""]
    );
}

#[test]
fn a_file_is_wrong_even_where_arguments_win() {
    let arguments = Keys { log: Some("info".into()), ..Keys::default() };
    assert!(settled("log = 'loud'", &arguments).is_err());
}

#[test]
fn some_keys_need_a_restart() {
    let none = Keys::default();
    let old = settled("", &none).unwrap();
    assert!(old.needs_restart(&old).is_empty());
    let new = settled(
        "log = 'debug'\nring-size = 8192\nuser = 'a'\nenvironment = false\nbus = 'session'\n\
         data-dir = '/x'",
        &none,
    );
    assert_eq!(old.needs_restart(&new.unwrap()), ["data-dir", "bus", "user", "ring-size"]);
}
