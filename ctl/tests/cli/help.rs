//! The help of every command equals its snapshot.

use clap::CommandFactory;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help.txt");

fn help() -> String {
    let mut command = ctl::args::Cli::command();
    command.build();
    let mut text = String::new();
    add(&mut text, "bpfctl", &command);
    text
}

fn add(text: &mut String, name: &str, command: &clap::Command) {
    text.push_str(&section(name, &mut command.clone().term_width(100)));
    for sub in command.get_subcommands() {
        add(text, &format!("{name} {}", sub.get_name()), sub);
    }
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
