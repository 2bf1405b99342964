//! What went wrong with a question, said in its place while the page stays usable.

use common::filter::FilterError;
use maud::{Markup, html};

use super::{hostile, mark};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// Of a filter: where the fault begins, 1 is the first character.
    pub(crate) column: Option<usize>,
    /// Of a filter: its text, and carets below the fault.
    pub(crate) pointed: Option<String>,
}

impl Trouble {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A filter that cannot be used.
    pub(crate) fn of_filter(text: &str, error: &FilterError) -> Self {
        let rendered = error.render(text);
        let pointed: Vec<&str> = rendered
            .lines()
            .skip(1)
            .take(2)
            .map(|line| line.strip_prefix("  ").unwrap_or(line))
            .collect();
        Self {
            message: error.message.clone(),
            hint: error.hint.clone(),
            column: Some(error.column),
            pointed: Some(pointed.join("\n")),
        }
    }
}

/// Its identifier is `trouble`: the field at fault is described by it.
pub(super) fn show(trouble: &Trouble) -> Markup {
    html! {
        div.trouble #trouble role="alert" data-column=[trouble.column] {
            @if let Some(pointed) = &trouble.pointed { pre { (pointed) } }
            p { (mark::mark("warn")) span { (hostile::plain(&trouble.message)) } }
            @if let Some(hint) = &trouble.hint { p.hint { (hint_text(hint)) } }
        }
    }
}

/// Commands in it stand between backquotes.
pub(super) fn hint_text(hint: &str) -> Markup {
    html! {
        @for (number, part) in hint.split('`').enumerate() {
            @if number % 2 == 0 { (hostile::plain(part)) }
            @else { code { (hostile::plain(part)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::filter::Filter;

    use super::*;

    #[test]
    fn the_fault_of_a_filter_is_pointed_at() {
        let text = "exe ~ /tmp and usr = <b>";
        let error = Filter::parse(text, 0).unwrap_err();
        let trouble = Trouble::of_filter(text, &error);
        assert_eq!(trouble.column, Some(16));
        let shown = show(&trouble).into_string();
        assert!(shown.contains("usr = &lt;b&gt;\n               ^^^"), "{shown}");
    }
}
