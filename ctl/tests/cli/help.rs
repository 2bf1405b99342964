//! The help of every command equals its snapshot.

use clap::CommandFactory;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help.txt");

fn help() -> String {
    let mut command = ctl::args::Cli::command().term_width(100);
    command.build();
    let mut text = section("bpfctl", &mut command);
    for sub in command.get_subcommands_mut() {
        let name = format!("bpfctl {}", sub.get_name());
        text.push_str(&section(&name, &mut sub.clone().term_width(100)));
    }
    text
}

fn section(name: &str, command: &mut clap::Command) -> String {
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    format!("$ {name} --help\n{}\n\n", lines.join("\n").trim_end())
}

#[test]
fn the_help_equals_its_snapshot() {
    let help = help();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(SNAPSHOT, &help).expect("the snapshot can be written");
    }
    let snapshot = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    assert!(
        help == snapshot,
        "tests/help.txt is old; run the tests with UPDATE_SNAPSHOTS=1\n{help}"
    );
}
