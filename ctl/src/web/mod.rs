//! `bpfctl web`: the way into the web page, and who else is there.

mod browser;

use std::io::Write;

use common::web::{WebLink, WebRight, WebSession};

use crate::args::{Global, Web, WebCommand};
use crate::command::Context;
use crate::error::{self, CommandError};
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Column, render};
use crate::text;

pub(crate) async fn run(global: &Global, args: Web) -> Result<(), CommandError> {
    let mut context = Context::connected(global).await?;
    match args.command {
        None => link(&mut context, &args).await,
        Some(WebCommand::Sessions) => sessions(&mut context).await,
        Some(WebCommand::Revoke { session }) => revoke(&mut context, session).await,
    }
}

async fn link(context: &mut Context, args: &Web) -> Result<(), CommandError> {
    let rights: &[&str] = if args.read_only { &[WebRight::ReadEvents.name()] } else { &[] };
    let answer = context.web().await?.create_link(rights).await?;
    let link: WebLink =
        serde_json::from_str(&answer).map_err(|error| error::not_understood(&error))?;
    if args.open {
        return browser::open(&link.link).await;
    }
    if context.json {
        writeln!(context.out, "{answer}")?;
    } else {
        writeln!(context.out, "{}", link.link)?;
    }
    context.out.flush()?;
    if !context.json {
        let minutes = text::counted(link.valid_secs / 60, "minute");
        let _ = writeln!(
            std::io::stderr(),
            "Open it in a browser of this machine: it works once, within {minutes}."
        );
    }
    Ok(())
}

async fn sessions(context: &mut Context) -> Result<(), CommandError> {
    let answer = context.web().await?.sessions().await?;
    let sessions: Vec<WebSession> =
        serde_json::from_str(&answer).map_err(|error| error::not_understood(&error))?;
    if context.json {
        for session in &sessions {
            let line =
                serde_json::to_string(session).map_err(|error| error::not_understood(&error))?;
            writeln!(context.out, "{line}")?;
        }
    } else {
        context.out.write_all(table(&sessions, &context.screen).as_bytes())?;
    }
    context.out.flush()?;
    if sessions.is_empty() && !context.json {
        let _ = writeln!(std::io::stderr(), "no session is open");
    }
    Ok(())
}

fn table(sessions: &[WebSession], screen: &Screen) -> String {
    const COLUMNS: [Column; 6] = [
        Column::right("ID", 3, 10),
        Column::left("USER", 8, 32),
        Column::left("SINCE", 23, 23),
        Column::left("LAST USED", 23, 23),
        Column::left("ENDS", 23, 23),
        Column::left("MAY", 0, 0),
    ];
    if sessions.is_empty() {
        return String::new();
    }
    let time = |text: &str| Cell::toned(text::date_time_of(text, &screen.zone), Tone::Dim);
    let row = |session: &WebSession| {
        let rights: Vec<&str> = session.rights.iter().map(|right| right.name()).collect();
        vec![
            Cell::new(session.id.to_string()),
            Cell::new(&*session.user),
            time(&session.since),
            time(&session.last),
            time(&session.expires),
            Cell::new(rights.join(" ")),
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    render(&COLUMNS, &rows, screen)
}

async fn revoke(context: &mut Context, session: u32) -> Result<(), CommandError> {
    let count = context.web().await?.revoke(session).await?;
    if context.json {
        writeln!(context.out, "{}", serde_json::json!({"ended": count}))?;
    } else if count > 0 {
        writeln!(context.out, "{} ended", text::counted(count.into(), "session"))?;
    }
    context.out.flush()?;
    if count == 0 && session != 0 {
        return Err(CommandError::failure(format!("no such session: {session}"))
            .hint("`bpfctl web sessions` lists them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_lines_and_harmless() {
        let time = || "2026-11-26T12:00:00.123456789Z".to_owned();
        let session = WebSession {
            id: 3,
            user: "eve\x1b[31m".to_owned(),
            rights: vec![WebRight::ReadEvents, WebRight::ManageAlerts],
            since: time(),
            last: time(),
            expires: time(),
        };
        let shown = table(&[session], &Screen::plain(None));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].contains("  3  eve\\x1b[31m  2026-11-26 12:00:00.123"), "{shown}");
        assert!(lines[1].ends_with("read-events manage-alerts"), "{shown}");
        assert_eq!(table(&[], &Screen::plain(None)), "");
    }
}
