//! Arguments that are long, empty, or hostile.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::recorder::shared;
use crate::workload::{path, run};

#[test]
fn empty_arguments_are_kept() {
    let Some(recorder) = shared() else { return };
    let event = recorder.client.image(run(&["exit", "0", "", "x", "", ""]).pid);
    assert_eq!(event.process.args.unwrap(), [path(), "exit", "0", "", "x", "", ""]);
    assert_eq!(event.process.args_count, Some(7));
    assert!(event.recorder.notes.is_empty());
}

/// Of what is too long, head and tail are kept: padding must not hide the end.
#[test]
fn long_arguments_are_cut_in_the_middle() {
    let Some(recorder) = shared() else { return };
    let padding = "p".repeat(100 << 10);
    let many: Vec<String> = (0..12_000).map(|number| format!("number-{number}")).collect();
    for middle in [vec![padding], many] {
        let mut arguments = vec!["exit".to_owned(), "0".to_owned()];
        arguments.extend(middle);
        arguments.push("--the-end".to_owned());
        let total: usize =
            path().len() + 1 + arguments.iter().map(|argument| argument.len() + 1).sum::<usize>();
        let event = recorder.client.image(run(&arguments).pid);
        let args = event.process.args.unwrap();
        assert_eq!(args[..3], [path(), "exit", "0"]);
        assert_eq!(args.last().unwrap(), "--the-end");
        assert_eq!(event.process.args_count, Some(u32::try_from(arguments.len() + 1).unwrap()));
        let kept: usize = args.iter().map(|arg| arg.len() + 1).sum();
        assert!((16 << 10..=33 << 10).contains(&kept), "{kept}");
        let notes = event.recorder.notes;
        let is_told = |note: &String| {
            note.starts_with("process.args: cut") && note.ends_with(&format!(" {total} bytes"))
        };
        assert!(notes.iter().any(is_told), "{total} {notes:?}");
        let filter = format!("truncated and pid = {}", event.process.pid);
        assert!(
            recorder.client.events(&filter).contains(&recorder.client.image(event.process.pid))
        );
    }
}

#[test]
fn bytes_that_are_not_utf8_are_escaped_and_noted() {
    let Some(recorder) = shared() else { return };
    let hostile = OsStr::from_bytes(b"caf\xe9 \xff\xfe");
    let arguments = [OsStr::new("exit"), OsStr::new("0"), hostile, OsStr::new("caf\u{e9}")];
    let event = recorder.client.image(run(&arguments).pid);
    let args = event.process.args.unwrap();
    assert_eq!(args[3..], ["caf\\xe9 \\xff\\xfe", "caf\u{e9}"]);
    let notes = event.recorder.notes;
    assert!(notes.iter().any(|note| note.starts_with("process.args: not UTF-8")), "{notes:?}");
}

/// Exact for machines; for people on one line, and nothing that a terminal obeys.
#[test]
fn control_characters_do_not_reach_the_terminal() {
    let Some(recorder) = shared() else { return };
    let hostile = "a\x1b[31mred\nnext\r\x07\u{9b}2J\u{202e}gpj";
    let pid = run(&["exit", "0", hostile]).pid;
    let event = recorder.client.image(pid);
    assert_eq!(event.process.args.unwrap()[3], hostile);
    let id = event.process.entity_id.to_string();
    let filter = format!("id = {id}");
    for command in
        [&["events", &filter][..], &["show", &id], &["tree", &id], &["top", "cmd", &filter]]
    {
        let shown = recorder.client.print(command);
        let is_unsafe = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(is_unsafe), "{command:?}: {shown:?}");
        assert!(shown.contains("a\\x1b[31mred\\nnext\\r"), "{command:?}: {shown}");
    }
}
