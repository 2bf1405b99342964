//! Where a rule is tried on what is recorded: `hunt.js` asks and fills it.

use maud::{Markup, html};

/// `id` is the rule that is tried; without it the page says which.
pub(super) fn panel(title: &str, id: Option<&str>) -> Markup {
    html! {
        section.section.hunt.needs-js #hunt hidden[id.is_none()] data-id=[id] {
            h2 { (title) span.weak #hunt-what {} }
            form.inside {
                div.filter {
                    input name="filter" type="text" aria-label="Among the records that match"
                        placeholder="among all records, or a filter: time > 1d ago"
                        autocomplete="off" spellcheck="false" data-complete;
                    button { "Try" }
                    button type="button" value="cancel" hidden { "Cancel" }
                }
                p.progress hidden {
                    progress max="1" value="0" aria-label="Records looked at" {}
                    span {}
                }
                p.result role="status" {}
                table.list.hits hidden {
                    thead {
                        tr {
                            th.c-count.num scope="col" { "times" }
                            th.c-level scope="col" { "level" }
                            th.c-time.num scope="col" { "last" }
                            th.c-rule scope="col" { "rule" }
                            th.c-cmd scope="col" { "command line" }
                        }
                    }
                    tbody {}
                }
            }
        }
    }
}
