//! Messages of a process that keeps only the standard descriptors: lines that the journal reads.

use std::{fmt, io};

use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::fmt as text;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// On this thread, as long as the guard lives.
pub(crate) fn to_standard_error() -> DefaultGuard {
    let layer = text::layer().with_writer(io::stderr).fmt_fields(super::message_only());
    let layer = if super::is_in_journal() {
        layer.event_format(WithPriority).boxed()
    } else {
        layer
            .with_target(false)
            .with_ansi(false)
            .compact()
            .fmt_fields(super::message_only())
            .boxed()
    };
    let filter = super::filter(&super::level());
    tracing_subscriber::registry().with(filter).with(layer).set_default()
}

/// Each line begins with its priority.
struct WithPriority;

impl<S, N> FormatEvent<S, N> for WithPriority
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // The same as tracing-journald's.
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 5,
            Level::DEBUG => 6,
            Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
