//! All that is known of one content.

use common::binary::{Binary, BinaryFile, Elf};
use common::filter::Field;
use common::number::number;
use common::time::parse_rfc3339;
use maud::{Markup, html};

use super::facts::{fact, section, shown, weak};
use super::frame::{self, Chrome, Rights};
use super::measure::{counted, size};
use super::{copy, hostile, link, mark};

/// Of a content that lies in many places.
const MOST_FILES: usize = 100;

pub(crate) struct BinaryPage<'a> {
    pub(crate) binary: &'a Binary,
}

pub(crate) fn binary(chrome: &Chrome, page: &BinaryPage<'_>) -> Markup {
    let binary = page.binary;
    let path = binary.files.first().map_or("(no file)", |file| &*file.path);
    let content = html! {
        (heading(chrome, binary, path))
        div.columns {
            div { (hashes(binary)) (runs(chrome, binary)) (copy_of(binary)) (elf(binary)) }
            div { (files(binary)) }
        }
    };
    frame::page(chrome, hostile::base_name(path), "page.js", &content)
}

/// Handing out an executed file is a right of its own.
pub(super) fn download(may: Rights, sha256: &str) -> Markup {
    let address = format!("{}/content", link::below("/api/v1/binaries", sha256));
    match frame::denied(may.read_binaries, "take out copies of binaries") {
        None => html! {
            a.button href=(address) download title="It may be dangerous" { "Download the copy" }
        },
        Some(reason) => html! { button disabled title=(reason) { "Download the copy" } },
    }
}

fn heading(chrome: &Chrome, binary: &Binary, path: &str) -> Markup {
    let runs = copy::condition(Field::Sha256, &binary.hash.sha256);
    let is_kept = binary.storage == common::binary::Storage::Kept;
    html! {
        header.subject {
            h1 { span.mono { (hostile::short(path)) } }
            p.figures {
                span { (size(binary.size_bytes)) }
                span { (counted(binary.runs, "run")) }
                (mark::storage(binary.storage, binary.pinned))
                @if binary.alerts > 0 { span { (counted(binary.alerts, "alert")) } }
            }
            p.actions {
                a.button href=(link::processes(&runs)) { "Show the processes that ran this" }
                @if binary.alerts > 0 {
                    a.button href=(link::with("/alerts", &[("filter", &runs)])) { "Its alerts" }
                }
                @if is_kept { (download(chrome.may, &binary.hash.sha256)) }
            }
        }
    }
}

fn hashes(binary: &Binary) -> Markup {
    let content = html! {
        dl.facts {
            (fact("SHA-256", Some(&binary.hash.sha256), Some(Field::Sha256)))
            (fact("SHA-1", Some(&binary.hash.sha1), Some(Field::Sha1)))
            (fact("MD5", Some(&binary.hash.md5), Some(Field::Md5)))
        }
    };
    section("binary hashes", "Hashes", true, &content)
}

fn runs(chrome: &Chrome, binary: &Binary) -> Markup {
    let content = html! {
        dl.facts {
            (fact("times", Some(&number(binary.runs)), None))
            @for (name, time) in [("first", &binary.first), ("last", &binary.last)] {
                @if let Some(time) = time {
                    (shown(name, &html! {
                        (chrome.clock.whole(time))
                        @if let Some(ns) = parse_rfc3339(time) { " (" (chrome.clock.0.ago(ns)) ")" }
                    }))
                }
            }
        }
    };
    section("binary runs", "Runs", true, &content)
}

fn copy_of(binary: &Binary) -> Markup {
    let stored = (binary.stored_bytes > 0).then(|| size(binary.stored_bytes));
    let pinned = if binary.pinned { "yes: it is never removed to make room" } else { "no" };
    let alerts = (binary.alerts > 0)
        .then(|| format!("{}, for which it is kept, too", counted(binary.alerts, "alert")));
    let content = html! {
        p { (binary.storage.sentence()) }
        dl.facts {
            (fact("takes", stored.as_deref(), None))
            (fact("pinned", Some(pinned), None))
            (fact("alerts", alerts.as_deref(), None))
        }
    };
    section("binary copy", "Copy", true, &content)
}

fn files(binary: &Binary) -> Markup {
    let count = binary.files.len();
    let content = html! {
        @for file in binary.files.iter().take(MOST_FILES) { (file_of(file)) }
        @if let Some(left @ 1..) = count.checked_sub(MOST_FILES) {
            (weak(&format!("… {left} more")))
        }
    };
    section("binary files", &format!("Files ({count})"), true, &content)
}

fn file_of(file: &BinaryFile) -> Markup {
    let package = file.package.as_ref();
    let name = package.map(|package| match &package.version {
        Some(version) => format!("{} {version} ({})", package.name, package.manager),
        None => format!("{} ({})", package.name, package.manager),
    });
    let owner = format!("{}  {}:{}", file.mode, file.uid, file.gid);
    let oddities = [
        (file.memfd, "in memory only"),
        (file.deleted, "deleted: it had no name any more when it ran"),
    ];
    html! {
        dl.facts {
            (fact("path", Some(&file.path), Some(Field::Exe)))
            (fact("package", Some(name.as_deref().unwrap_or("none owns it")), None))
            (fact("as packaged", package.map(|p| p.state.name()), Some(Field::PackageState)))
            (fact("gives", file.capabilities.as_deref(), Some(Field::FileCapabilities)))
            (fact("ran", Some(&counted(file.runs, "time")), None))
            (fact("mode, owner", Some(&owner), None))
            (fact("device, inode", Some(&format!("{}, {}", file.device, file.inode)), None))
            (fact("modified", Some(&file.mtime), None))
            @for (_, oddity) in oddities.into_iter().filter(|(is_so, _)| *is_so) {
                (shown("notable", &mark::warning(oddity)))
            }
        }
    }
}

fn elf(binary: &Binary) -> Markup {
    let content = match &binary.elf {
        Some(elf) => elf_facts(elf),
        None => weak("not an ELF file: a script, or something else that has an interpreter"),
    };
    section("binary elf", "What the file says of itself", true, &content)
}

fn elf_facts(elf: &Elf) -> Markup {
    let yes_no = |is: bool| if is { "yes" } else { "no" };
    let class = elf.class.map(|class| format!("{class} bit"));
    let entropy = elf.entropy.map(|thousandths| {
        format!("{}.{:02} bits a byte", thousandths / 1000, thousandths % 1000 / 10)
    });
    html! {
        dl.facts {
            (fact("class", class.as_deref(), None))
            (fact("machine", elf.machine.as_deref(), None))
            (fact("type", elf.kind.as_deref(), None))
            (fact("static", elf.is_static.map(yes_no), None))
            (fact("interpreter", elf.interpreter.as_deref(), None))
            (fact("stripped", elf.is_stripped.map(yes_no), None))
            (fact("build id", elf.build_id.as_deref(), None))
            (fact("entropy", entropy.as_deref(), None))
        }
        @if elf.is_packed == Some(true) {
            p { (mark::warning("looks packed: compressed or encrypted")) }
        }
        @if let Some(damage) = &elf.damage { p { (mark::warning(damage)) } }
    }
}
