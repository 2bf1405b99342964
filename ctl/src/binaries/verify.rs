//! `bpfctl binaries verify`: whether the copies are what they should be.

use std::io::{self, Write};

use common::binary::VerifyLine;

use crate::command::{Context, Interrupt};
use crate::error::{self, CommandError, Kind};
use crate::progress::Progress;
use crate::screen::{Screen, Tone};
use crate::stream::{self, Lines};
use crate::table::{Cell, Column, render};
use crate::text;

/// A copy that is not what it should be, and why.
struct Damaged {
    sha256: String,
    reason: String,
}

struct Done {
    checked: u64,
    damaged: u64,
    error: Option<String>,
}

pub(crate) async fn run(context: &mut Context) -> Result<(), CommandError> {
    let mut interrupt = Interrupt::new()?;
    let mut damaged = Vec::new();
    let done = tokio::select! {
        biased;
        // The recorder stops when the pipe is closed.
        () = interrupt.wait() => Err(CommandError::new(Kind::Interrupted, "interrupted")
            .hint("not every copy was read")),
        done = read(context, &mut damaged) => done,
    };
    // What came before an error is shown, too.
    if !context.json {
        context.out.write_all(table(&damaged, &context.screen).as_bytes())?;
    }
    context.out.flush()?;
    let done = done?;
    if let Some(text) = &done.error {
        return Err(stream::gave_up(text));
    }
    if !context.json {
        tell(context, &done)?;
    }
    outcome(&done)
}

async fn read(context: &mut Context, damaged: &mut Vec<Damaged>) -> Result<Done, CommandError> {
    let mut lines = Lines::new(context.binaries().await?.verify().await?)?;
    let mut progress = Progress::on_terminal();
    loop {
        let line = lines.next().await?;
        match serde_json::from_slice(line).map_err(|error| error::not_understood(&error))? {
            VerifyLine::Progress { checked, total, bytes, total_bytes } => progress.show(|| {
                let of = text::counted(total, "copy");
                let (bytes, total_bytes) = (text::size(bytes), text::size(total_bytes));
                format!("checked {} of {of}, {bytes} of {total_bytes}", text::number(checked))
            }),
            VerifyLine::Damaged { sha256, reason } => match context.json {
                true => put(context, line)?,
                false => damaged.push(Damaged { sha256, reason }),
            },
            VerifyLine::Done { checked, damaged, error } => {
                if context.json {
                    put(context, line)?;
                }
                return Ok(Done { checked, damaged, error });
            }
        }
    }
}

fn put(context: &mut Context, line: &[u8]) -> Result<(), CommandError> {
    context.out.write_all(line)?;
    context.out.write_all(b"\n")?;
    Ok(())
}

fn table(damaged: &[Damaged], screen: &Screen) -> String {
    const COLUMNS: [Column; 2] = [Column::left("DAMAGED", 64, 64), Column::left("REASON", 0, 0)];
    if damaged.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = damaged
        .iter()
        .map(|copy| vec![Cell::toned(&*copy.sha256, Tone::Failed), Cell::new(&*copy.reason)])
        .collect();
    render(&COLUMNS, &rows, screen)
}

fn tell(context: &mut Context, done: &Done) -> Result<(), CommandError> {
    if done.checked == 0 {
        // A remark that cannot be made is not worth a failure.
        let _ = writeln!(io::stderr(), "there is no copy to check");
        return Ok(());
    }
    let checked = text::counted(done.checked, "copy");
    match done.damaged {
        0 => writeln!(context.out, "{checked} checked, none is damaged")?,
        damaged => writeln!(context.out, "\n{checked} checked, {} damaged", text::number(damaged))?,
    }
    context.out.flush()?;
    Ok(())
}

fn outcome(done: &Done) -> Result<(), CommandError> {
    let message = match done.damaged {
        0 => return Ok(()),
        1 => "a copy is damaged".to_owned(),
        count => format!("{} copies are damaged", text::number(count)),
    };
    Err(CommandError::failure(message).hint(
        "a damaged copy is not handed out; look for a fault of the disk, or for who was there",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_copies_are_listed_and_a_failure() {
        let copy = Damaged { sha256: "a".repeat(64), reason: "not\n\x1b[2Jzstd".to_owned() };
        assert_eq!(
            table(&[copy], &Screen::plain(Some(90))).lines().collect::<Vec<_>>(),
            [
                format!("DAMAGED{}REASON", " ".repeat(59)),
                format!("{}  not\\n\\x1b[2Jzstd", "a".repeat(64)),
            ]
        );
        assert_eq!(table(&[], &Screen::plain(None)), "");
        let outcome = |damaged| outcome(&Done { checked: 1204, damaged, error: None });
        assert_eq!(outcome(0), Ok(()));
        assert_eq!(outcome(1).unwrap_err().message, "a copy is damaged");
        let error = outcome(1200).unwrap_err();
        assert_eq!((error.kind, &*error.message), (Kind::Failure, "1,200 copies are damaged"));
    }
}
