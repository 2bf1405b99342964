//! `bpfctl rules test`: what a rule would have fired on.

use std::io::Write;
use std::path::Path;

use common::bus;
use common::rule::{Found, HuntDone, HuntLine};

use super::{rule_error, source};
use crate::command::{Context, Interrupt};
use crate::error::{self, CommandError, Kind};
use crate::progress::Progress;
use crate::screen::{Screen, Tone};
use crate::stream::{self, Lines};
use crate::table::{Cell, Column, render};
use crate::text;

/// What is tried.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hunted {
    Stored(String),
    Text(Vec<u8>),
}

impl Hunted {
    /// A file is known by its name, or by being there.
    pub(crate) fn of(path: &Path) -> Result<Self, CommandError> {
        let fault = |reason| {
            CommandError::failure(format!("{} {reason}", path.display()))
                .hint("a stored rule is meant by its id; `bpfctl rules list` lists them")
        };
        if path == Path::new("-") {
            let text = source::read_stdin();
            return text
                .map(Self::Text)
                .map_err(|reason| CommandError::failure(format!("standard input {reason}")));
        }
        match path.to_str() {
            Some(id) if !is_file(path, id) => Ok(Self::Stored(id.to_owned())),
            _ => source::read_file(path).map(Self::Text).map_err(fault),
        }
    }
}

fn is_file(path: &Path, text: &str) -> bool {
    text.starts_with(['.', '/'])
        || path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml")
        || path.is_file()
}

pub(crate) async fn run(
    context: &mut Context,
    hunted: &Hunted,
    filter: &str,
) -> Result<(), CommandError> {
    let mut interrupt = Interrupt::new()?;
    let rules = context.rules().await?;
    let answer = match hunted {
        Hunted::Stored(id) => {
            rules.hunt(id, filter).await.map_err(|error| rule_error(id, error))?
        }
        Hunted::Text(text) => rules.hunt_text(text, filter).await.map_err(text_error)?,
    };
    let mut lines = Lines::new(answer)?;
    let mut found = Vec::new();
    let done = tokio::select! {
        biased;
        // The recorder stops when the pipe is closed.
        () = interrupt.wait() => Err(CommandError::new(Kind::Interrupted, "interrupted")),
        done = read(context, &mut lines, &mut found) => done,
    };
    // What came before an error is shown, too.
    if !context.json {
        context.out.write_all(table(&found, &context.screen).as_bytes())?;
    }
    context.out.flush()?;
    let done = done?;
    if let Some(text) = &done.error {
        return Err(stream::gave_up(text));
    }
    if !context.json {
        tell(context, &found, &done)?;
    }
    Ok(())
}

fn text_error(error: bus::Error) -> CommandError {
    match error {
        bus::Error::InvalidArgument(text) => {
            CommandError::failure(format!("the text cannot be used: {text}"))
                .hint("`bpfctl rules validate FILE` says more")
        }
        error => error.into(),
    }
}

async fn read(
    context: &mut Context,
    lines: &mut Lines,
    found: &mut Vec<Found>,
) -> Result<HuntDone, CommandError> {
    let mut progress = Progress::on_terminal();
    loop {
        let line = lines.next().await?;
        match serde_json::from_slice(line).map_err(|error| error::not_understood(&error))? {
            HuntLine::Progress { looked_at, total } => progress.show(|| {
                let of = text::counted(total, "record");
                format!("looked at {} of {of}", text::number(looked_at))
            }),
            HuntLine::Found(_) if context.json => put(context, line)?,
            HuntLine::Found(group) => found.push(*group),
            HuntLine::Done(done) => {
                if context.json {
                    put(context, line)?;
                }
                return Ok(done);
            }
        }
    }
}

fn put(context: &mut Context, line: &[u8]) -> Result<(), CommandError> {
    context.out.write_all(line)?;
    context.out.write_all(b"\n")?;
    Ok(())
}

fn table(found: &[Found], screen: &Screen) -> String {
    const COLUMNS: [Column; 6] = [
        Column::right("COUNT", 5, 16),
        Column::left("LEVEL", 8, 13),
        Column::left("RULE", 4, 40),
        Column::left("FIRST", 23, 23),
        Column::left("LAST", 23, 23),
        Column::left("COMMAND", 0, 0),
    ];
    if found.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = found
        .iter()
        .map(|group| {
            let time = |time: &str| Cell::toned(text::date_time_of(time, &screen.zone), Tone::Dim);
            let command = match &*group.command_line {
                "" => &group.executable,
                line => line,
            };
            vec![
                Cell::new(text::number(group.count)),
                Cell::toned(group.level.name(), Tone::Level(group.level)),
                Cell::new(&*group.rule_title),
                time(&group.first),
                time(&group.last),
                Cell::new(command),
            ]
        })
        .collect();
    render(&COLUMNS, &rows, screen)
}

fn tell(context: &mut Context, found: &[Found], done: &HuntDone) -> Result<(), CommandError> {
    if done.matched > 0 {
        writeln!(context.out, "\n{}", summary(found, done))?;
        context.out.flush()?;
        return Ok(());
    }
    let remark = match done.looked_at {
        0 => "no record matches the filter\nhint: leave a condition out, or begin earlier with \
              --since"
            .to_owned(),
        count => {
            format!(
                "it would never have fired: of {} looked at none fits",
                text::counted(count, "record")
            )
        }
    };
    // A remark that cannot be made is not worth a failure.
    let _ = writeln!(std::io::stderr(), "{remark}");
    Ok(())
}

/// `would have fired 12 times, on 3 command lines; 12,481 records were looked at`
fn summary(found: &[Found], done: &HuntDone) -> String {
    let listed = found.len() as u64;
    let lines = text::counted(listed + done.unlisted, "command line");
    let unlisted = match done.unlisted {
        0 => String::new(),
        count => format!(" ({} not listed)", text::number(count)),
    };
    format!(
        "would have fired {}, on {lines}{unlisted}; {} looked at",
        text::counted(done.matched, "time"),
        text::counted(done.looked_at, "record"),
    )
}

#[cfg(test)]
mod tests {
    use common::rule::Level;

    use super::*;

    fn found(count: u64, command_line: &str) -> Found {
        Found {
            rule_id: "53b8a9a2".to_owned(),
            rule_title: "SSH\x1b[2J key".to_owned(),
            level: Level::Medium,
            command_line: command_line.to_owned(),
            executable: "/bin/sh".to_owned(),
            count,
            first: "2026-11-24T08:50:06Z".to_owned(),
            last: "2026-11-24T14:03:27.512Z".to_owned(),
            example: "3f2a9c81d0b4-4711-1a2b".to_owned(),
            selections: vec!["selection".to_owned()],
        }
    }

    #[test]
    fn command_lines_are_counted_and_harmless() {
        let found = [found(1200, "sh -c\n\u{202e}x"), found(1, "")];
        assert_eq!(
            table(&found, &Screen::plain(None)).lines().collect::<Vec<_>>(),
            [
                "COUNT  LEVEL     RULE            FIRST                    LAST                     COMMAND",
                "1,200  medium    SSH\\x1b[2J key  2026-11-24 08:50:06.000  2026-11-24 14:03:27.512  sh -c\\n\\u{202e}x",
                "    1  medium    SSH\\x1b[2J key  2026-11-24 08:50:06.000  2026-11-24 14:03:27.512  /bin/sh",
            ]
        );
        let mut done = HuntDone { looked_at: 12_481, matched: 1201, ..HuntDone::default() };
        let line = "would have fired 1,201 times, on 2 command lines; 12,481 records looked at";
        assert_eq!(summary(&found, &done), line);
        done.unlisted = 40;
        assert!(summary(&found, &done).contains("on 42 command lines (40 not listed);"));
        assert_eq!(table(&[], &Screen::plain(None)), "");
    }

    #[test]
    fn files_are_told_from_ids() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rule");
        std::fs::write(&file, "title: x").unwrap();
        assert_eq!(Hunted::of(&file).unwrap(), Hunted::Text(b"title: x".to_vec()));
        for id in ["53b8a9a2", "A title with / in it"] {
            assert_eq!(Hunted::of(Path::new(id)).unwrap(), Hunted::Stored(id.to_owned()));
        }
        for absent in ["absent.yml", "./absent", "/absent"] {
            let error = Hunted::of(Path::new(absent)).unwrap_err();
            assert!(error.message.contains("cannot be read: No such file"), "{error:?}");
            assert!(!error.hints.is_empty());
        }
        assert!(Hunted::of(directory.path()).is_err());
    }
}
