//! The contents that ran.

use common::binary::{Binary, BinaryFile, PackageState};
use common::filter::Field;
use common::number::number;
use maud::{Markup, html};

use super::facts::sought;
use super::frame::{self, Chrome};
use super::measure::{counted, size};
use super::trouble::Trouble;
use super::{hostile, link, mark, scope};

const PATH: &str = "/binaries";

const COLUMNS: [(&str, &str); 10] = [
    ("c-file", "file"),
    ("c-path", "path"),
    ("c-runs num", "runs"),
    ("c-first num", "seen first"),
    ("c-last num", "run last"),
    ("c-size num", "size"),
    ("c-package", "package"),
    ("c-copy", "copy"),
    ("c-count num", "alerts"),
    ("c-hash", "SHA-256"),
];

/// As [`common::bus::BinarySelection`] names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BinaryOrder {
    #[default]
    Last,
    First,
    Rarest,
}

impl BinaryOrder {
    const ALL: [BinaryOrder; 3] = [BinaryOrder::Last, BinaryOrder::First, BinaryOrder::Rarest];

    pub(crate) fn name(self) -> &'static str {
        match self {
            BinaryOrder::Last => "last",
            BinaryOrder::First => "first",
            BinaryOrder::Rarest => "rarest",
        }
    }

    fn title(self) -> &'static str {
        match self {
            BinaryOrder::Last => "Run last",
            BinaryOrder::First => "Seen first",
            BinaryOrder::Rarest => "Rarest",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct BinaryQuery {
    pub(crate) filter: String,
    pub(crate) order: BinaryOrder,
    /// `unpackaged=1`.
    pub(crate) is_unpackaged: bool,
}

impl BinaryQuery {
    fn with(&self, order: BinaryOrder) -> String {
        let order = if order == BinaryOrder::default() { "" } else { order.name() };
        let unpackaged = if self.is_unpackaged { "1" } else { "" };
        let query = [("filter", &*self.filter), ("order", order), ("unpackaged", unpackaged)];
        link::with(PATH, &query)
    }
}

pub(crate) struct BinariesPage<'a> {
    pub(crate) query: &'a BinaryQuery,
    pub(crate) binaries: &'a [Binary],
    /// There are more than these.
    pub(crate) is_cut: bool,
    pub(crate) trouble: Option<&'a Trouble>,
}

pub(crate) fn binaries(chrome: &Chrome, page: &BinariesPage<'_>) -> Markup {
    let query = page.query;
    let content = html! {
        h1.unseen { "Binaries" }
        (choice(page))
        div.bar {
            p.figures {
                strong { (counted(page.binaries.len() as u64, "content")) }
                @if page.is_cut { span.weak { "more exist: narrow them by a filter" } }
            }
            span.segments role="group" aria-label="Order" {
                @for order in BinaryOrder::ALL {
                    a href=(query.with(order))
                        aria-current=[(order == query.order).then_some("true")] { (order.title()) }
                }
            }
        }
        @if page.trouble.is_none() {
            @if page.binaries.is_empty() { (empty(query)) }
            @else { div.rows-frame { (table(chrome, page.binaries)) } }
        }
    };
    frame::page(chrome, "Binaries", "page.js", &content)
}

fn choice(page: &BinariesPage<'_>) -> Markup {
    let query = page.query;
    html! {
        form.scope action=(PATH) method="get" {
            (scope::filter_box(&query.filter, "user = www-data", page.trouble))
            @if query.order != BinaryOrder::default() {
                input type="hidden" name="order" value=(query.order.name());
            }
            div.choices {
                label.check {
                    input type="checkbox" name="unpackaged" value="1" checked[query.is_unpackaged];
                    "only what no package owns"
                }
            }
            (scope::trouble_below(page.trouble))
        }
    }
}

fn table(chrome: &Chrome, binaries: &[Binary]) -> Markup {
    html! {
        table.list.binaries {
            thead {
                tr { @for (class, title) in COLUMNS { th scope="col" class=(class) { (title) } } }
            }
            tbody #rows { @for binary in binaries { (row(chrome, binary)) } }
        }
    }
}

fn row(chrome: &Chrome, binary: &Binary) -> Markup {
    let file = binary.files.first();
    let path = file.map_or("(no file)", |file| &*file.path);
    let address = link::binary(&binary.hash.sha256);
    let time = |text: &Option<String>| text.as_deref().map(|text| chrome.clock.short(text));
    let is_notable = binary.files.iter().any(|file| file.memfd || file.deleted);
    html! {
        tr data-open=(address) {
            td.c-file {
                span.line {
                    @if is_notable { (mark::mark("warn")) }
                    a.clip href=(address) { (hostile::short(hostile::base_name(path))) }
                }
            }
            td.c-path { (paths(path, binary.files.len())) }
            td.c-runs.num { (number(binary.runs)) }
            td.c-first.num { @if let Some(time) = time(&binary.first) { (time) } }
            td.c-last.num { @if let Some(time) = time(&binary.last) { (time) } }
            td.c-size.num { (size(binary.size_bytes)) }
            td.c-package { (package(file)) }
            td.c-copy { (mark::storage(binary.storage, binary.pinned)) }
            td.c-count.num { @if binary.alerts > 0 { (number(binary.alerts)) } }
            td.c-hash {
                (sought(&binary.hash.sha256, Some(Field::Sha256), &html! {
                    span.mono { (hostile::plain(beginning(&binary.hash.sha256))) }
                }))
            }
        }
    }
}

fn beginning(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn paths(path: &str, count: usize) -> Markup {
    let shown = html! {
        span.line {
            (hostile::line(path))
            @if count > 1 { span.cut title="Other files with this content" { "+" (count - 1) } }
        }
    };
    sought(path, Some(Field::Exe), &shown)
}

fn package(file: Option<&BinaryFile>) -> Markup {
    let Some(package) = file.and_then(|file| file.package.as_ref()) else {
        return html! { span.weak { "none" } };
    };
    let shown = html! {
        @if package.state == PackageState::Modified {
            span.clip { (mark::warning(&format!("{}, modified", package.name))) }
        } @else { span.clip { (hostile::short(&package.name)) } }
    };
    sought(&package.name, Some(Field::Package), &shown)
}

fn empty(query: &BinaryQuery) -> Markup {
    html! {
        div.empty {
            @if query.filter.is_empty() && !query.is_unpackaged {
                p { strong { "Nothing was executed yet." } }
            } @else {
                p { strong { "No content matches." } }
                p { a.button href=(PATH) { "Show all contents" } }
            }
        }
    }
}
