//! The manual pages of the program and of each of its commands are made from the same
//! description as the help, and equal those that are kept in `man/bpfctl`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../man/bpfctl");

/// Pages by the names of their files.
type Pages = BTreeMap<String, String>;

/// What writes a part of a page.
type Section = fn(&Man, &mut dyn Write) -> io::Result<()>;

#[test]
fn the_manual_pages_equal_the_description() {
    let pages = pages();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        replace(&pages);
    }
    let kept = kept();
    let names = |pages: &Pages| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&pages), "run the tests with UPDATE_SNAPSHOTS=1");
    for (name, page) in &pages {
        assert!(
            kept[name] == *page,
            "man/bpfctl/{name} is old; run the tests with UPDATE_SNAPSHOTS=1\n{page}"
        );
    }
}

fn kept() -> Pages {
    let entries = std::fs::read_dir(DIRECTORY).expect("the pages are there");
    entries
        .map(|entry| {
            let path = entry.expect("the directory can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
            (name.to_owned(), std::fs::read_to_string(&path).expect("a page can be read"))
        })
        .collect()
}

fn replace(pages: &Pages) {
    // All of it: a command may be gone.
    if Path::new(DIRECTORY).exists() {
        std::fs::remove_dir_all(DIRECTORY).expect("the old pages can be removed");
    }
    std::fs::create_dir(DIRECTORY).expect("the directory can be made");
    for (name, page) in pages {
        std::fs::write(Path::new(DIRECTORY).join(name), page).expect("a page can be written");
    }
}

fn pages() -> Pages {
    let mut command = ctl::args::Cli::command();
    command.build();
    let mut pages = Pages::new();
    add(&mut pages, &command, None);
    pages
}

fn add(pages: &mut Pages, command: &clap::Command, parent: Option<&str>) {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    pages.insert(format!("{name}.1"), page(command, parent));
    for sub in command.get_subcommands() {
        add(pages, sub, Some(&name));
    }
}

fn page(command: &clap::Command, parent: Option<&str>) -> String {
    // Options that every command has are explained once.
    let mut command =
        command.clone().subcommand_value_name("COMMAND").subcommand_help_heading("COMMANDS");
    if parent.is_some() {
        command = command.mut_args(|arg| {
            let everywhere = arg.is_global_set() || arg.get_id() == "help";
            arg.hide(everywhere)
        });
    }
    let man = Man::new(command.clone())
        .source(format!("BPF Recorder {}", env!("CARGO_PKG_VERSION")))
        .manual("User commands");

    let mut sections: Vec<Section> = vec![
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
    ];
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        sections.push(Man::render_options_section);
    }
    if command.has_subcommands() {
        sections.push(Man::render_subcommands_section);
    }
    let mut page = Vec::new();
    for section in sections {
        section(&man, &mut page).expect("memory can be written");
    }
    let mut page = String::from_utf8(page).expect("a page is UTF-8");
    page.push_str(&rest(&command, parent));
    page
}

/// What stands below the options in the help, and the way to the other pages.
fn rest(command: &clap::Command, parent: Option<&str>) -> String {
    let mut roff = Roff::new();
    if let Some(text) = command.get_after_long_help() {
        let text = text.to_string();
        for paragraph in text.split("\n\n") {
            let Some((heading, body)) = paragraph.split_once(":\n") else {
                roff.control("SH", ["NOTES"]);
                roff.text([roman(paragraph)]);
                continue;
            };
            roff.control("SH", [heading.to_uppercase().as_str()]);
            roff.control("nf", []);
            for line in body.lines() {
                roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
            roff.control("fi", []);
        }
    }
    if parent.is_none() {
        roff.control("SH", ["ENVIRONMENT"]);
        roff.control("TP", []);
        roff.text([bold("BPFCTL_ADDRESS")]);
        roff.text([roman("What --address is when the option is not given.")]);
        roff.control("TP", []);
        roff.text([bold("NO_COLOR")]);
        roff.text([roman("If it is set, no colours are used unless --color asks for them.")]);
    }
    roff.control("SH", ["SEE ALSO"]);
    let mut others: Vec<(&str, &str)> = Vec::new();
    others.extend(parent.filter(|parent| *parent != "bpfctl").map(|parent| (parent, "1")));
    others.extend(parent.map(|_| ("bpfctl", "1")));
    others.extend([("bpf-recorder-filter", "7"), ("bpf-recorder-rules", "7")]);
    others.extend([("bpf-recorderd", "8")]);
    let mut line = Vec::new();
    for (index, (name, section)) in others.into_iter().enumerate() {
        line.push(roman(if index == 0 { "" } else { ", " }));
        line.push(bold(name));
        line.push(roman(format!("({section})")));
    }
    roff.text(line);
    roff.to_roff()
}
