//! Names with their values, and sections that fold.

use common::filter::Field;
use maud::{Markup, html};

use super::hostile;

/// A section. `name` is what `folds.js` remembers it by.
pub(super) fn section(name: &str, title: &str, is_open: bool, content: &Markup) -> Markup {
    html! {
        details.section data-fold=(name) open[is_open] {
            summary { h2 { (title) } }
            div.inside { (content) }
        }
    }
}

/// One name and its value; nothing where there is none. With a field, the value has a menu.
pub(super) fn fact(name: &str, value: Option<&str>, field: Option<Field>) -> Markup {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return html! {} };
    html! {
        div.fact {
            dt { (name) }
            dd { (sought(value, field, &hostile::whole(value))) }
        }
    }
}

/// A value that is markup already.
pub(super) fn shown(name: &str, value: &Markup) -> Markup {
    html! { div.fact { dt { (name) } dd { (value) } } }
}

/// What is shown of a value, with all that its menu needs.
pub(super) fn sought(value: &str, field: Option<Field>, shown: &Markup) -> Markup {
    let Some(field) = field else { return html! { (shown) } };
    let (beginning, is_cut) = hostile::sought(value);
    html! {
        span.sought data-field=(field.name()) data-value=(hostile::exact(beginning)) data-cut[is_cut] { (shown) }
    }
}

pub(super) fn weak(text: &str) -> Markup {
    html! { p.weak { (hostile::plain(text)) } }
}

/// A button that puts a text on the clipboard; only where scripts run.
pub(super) fn copy_button(label: &str, text: &str) -> Markup {
    html! { button.needs-js type="button" data-copy=(hostile::exact(text)) { (label) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_attributes() {
        let hostile = "\" onmouseover=\"alert(1)\" x=\"'<b>";
        let shown = fact("user", Some(hostile), Some(Field::User)).into_string();
        assert!(!shown.contains("\" onmouseover"), "{shown}");
        assert!(!shown.contains("<b>"), "{shown}");
    }
}
