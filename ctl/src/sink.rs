//! Where the lines of a result go: out as they are, or into a table as they come.

use std::io::{self, Write};

use crate::command::{Context, Interrupt};
use crate::error::CommandError;
use crate::screen::Screen;
use crate::spool::Spool;
use crate::stream::{Kind, Stream, kind_of};

/// A table that takes lines one by one.
pub(crate) trait Rows {
    fn put(&mut self, out: &mut dyn Write, kind: &Kind, line: &[u8]) -> Result<(), CommandError>;

    /// Writes what still waits.
    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

pub(crate) enum Sink<R> {
    Json,
    Table(Box<R>),
}

impl<R: Rows> Sink<R> {
    pub(crate) fn new(context: &Context, table: fn(Screen) -> R) -> Self {
        match context.json {
            true => Sink::Json,
            false => Sink::Table(Box::new(table(context.screen.clone()))),
        }
    }

    pub(crate) fn put(
        &mut self,
        out: &mut dyn Write,
        kind: &Kind,
        line: &[u8],
    ) -> Result<(), CommandError> {
        match self {
            Sink::Json => {
                out.write_all(line)?;
                out.write_all(b"\n")?;
                Ok(())
            }
            Sink::Table(table) => table.put(out, kind, line),
        }
    }

    /// Everything that was kept, the newest last.
    pub(crate) fn put_reversed(
        &mut self,
        out: &mut dyn Write,
        mut spool: Spool,
    ) -> Result<(), CommandError> {
        let mut line = Vec::new();
        while spool.pop(&mut line)? {
            self.put(out, &kind_of(&line)?, &line)?;
        }
        Ok(())
    }

    pub(crate) fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Sink::Json => Ok(()),
            Sink::Table(table) => table.settle(out),
        }
    }
}

/// Keeps the lines of a result, which comes newest first.
pub(crate) async fn keep(stream: &mut Stream, spool: &mut Spool) -> Result<(), CommandError> {
    while stream.next().await?.is_some() {
        spool.push(stream.line()).map_err(|error| {
            CommandError::failure(format!("cannot keep the result to turn it round: {error}"))
                .hint("make room in the directory for temporary files, or use --reverse")
        })?;
    }
    Ok(())
}

/// Shows what a subscription brings, until Ctrl-C. `again` is what to do when it ends by itself.
pub(crate) async fn follow<R: Rows>(
    context: &mut Context,
    mut stream: Stream,
    mut sink: Sink<R>,
    mut interrupt: Interrupt,
    again: &str,
) -> Result<(), CommandError> {
    loop {
        let next = tokio::select! {
            biased;
            () = interrupt.wait() => break,
            next = stream.next() => next,
        };
        let ended = match next {
            Ok(Some(kind)) => {
                sink.put(&mut context.out, &kind, stream.line())?;
                None
            }
            Ok(None) => Some(CommandError::failure("the recorder ended the subscription")),
            Err(error) => Some(error),
        };
        // Once for all that came together, so that a burst is not slowed down by small writes.
        if stream.is_drained() || ended.is_some() {
            context.out.flush()?;
        }
        if let Some(error) = ended {
            return Err(error.hint(again));
        }
    }
    context.out.flush()?;
    Ok(())
}
