//! Where a text of rules is pasted or read from a file, checked and uploaded: `upload.js` does it.

use common::rule::EXAMPLE;
use maud::{Markup, html};

use super::frame;

pub(super) fn form(may: bool) -> Markup {
    let denied = frame::denied(may, "upload rules");
    html! {
        details.section.needs-js #add {
            summary { h2 { "Add a rule" } }
            form.inside #upload data-example=(EXAMPLE) {
                p.weak {
                    "Paste a rule in the Sigma format, or take one from a file. "
                    "Nothing is in force before it is uploaded."
                }
                div.fields {
                    label { "name " input name="name" value="my-rule.yml" size="24" required; }
                    label { "from files " input name="files" type="file" multiple
                        accept=".yml,.yaml,text/plain"; }
                    button type="button" value="example" { "Begin with an example" }
                }
                textarea name="text" rows="14" spellcheck="false" aria-label="Text of the rule"
                    placeholder="Paste the text of a rule here" {}
                p.actions {
                    button type="button" value="validate" { "Check" }
                    button type="button" value="hunt" { "Try on history" }
                    button type="button" value="upload" disabled[denied.is_some()] title=[denied] {
                        "Upload"
                    }
                }
                div.report role="status" {}
            }
        }
    }
}
