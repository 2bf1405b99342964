//! All that is known of one content.

use common::binary::{Binary, BinaryFile, Elf};
use common::filter::Field;
use common::time::parse_rfc3339;
use eframe::egui::{self, Label, RichText, Ui};

use crate::commands::Command;
use crate::connection::binaries::{Answer as Found, Verified};
use crate::connection::{Trouble, TroubleKind};
use crate::panel::widgets::{section, value};
use crate::state::narrow::Condition;
use crate::theme::{self, Tokens};
use crate::views::parts::{counted, weak};
use crate::views::{Action, Context, ViewId};
use crate::widgets::text;

pub(super) const SHOW_RUNS: &str = "Show the processes that ran this";
/// Of a content that lies in many places.
const MOST_FILES: usize = 100;

/// The processes that ran a content, among all others of the range.
pub(super) fn runs(sha256: &str) -> [Action; 2] {
    let filter = Condition::equal(Field::Sha256, sha256).include;
    [Action::SetFilter(filter), Action::Run(Command::Show(ViewId::Timeline))]
}

pub(super) fn show_runs(cx: &mut Context<'_>, sha256: &str) {
    for action in runs(sha256) {
        cx.act(action);
    }
}

/// What was done, in words.
pub(super) fn remark(answer: &Found) -> Option<String> {
    Some(match answer {
        Found::Pinned { is_pinned: true, count } => {
            format!("{} pinned", counted((*count).into(), "content"))
        }
        Found::Pinned { is_pinned: false, count } => {
            format!("{} not pinned any more", counted((*count).into(), "content"))
        }
        Found::Saved { path } => {
            format!("saved to {}; it may be dangerous, and is not executable", path.display())
        }
        Found::Verified(verified) if verified.damaged.is_empty() => {
            let copies = verified.checked;
            format!("all {} copies are what they should be", text::number(copies))
        }
        _ => return None,
    })
}

/// What verifying found.
pub(super) fn damage(verified: &Verified) -> Option<Trouble> {
    let (sha256, reason) = verified.damaged.first()?;
    let count = verified.damaged.len() as u64;
    let what = match count {
        1 => format!("the copy of {sha256} is damaged: {reason}"),
        count => format!("{count} copies are damaged, such as {sha256}: {reason}"),
    };
    let hint = "damaged copies are not handed out any more; look at the disk";
    Some(Trouble::new(TroubleKind::Failed, what).hint(hint))
}

pub(super) fn show(ui: &mut Ui, cx: &mut Context<'_>, binary: &Binary) {
    heading(ui, cx, binary);
    egui::ScrollArea::vertical().id_salt("binary").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        section(ui, cx, "binary hashes", "Hashes", |ui, cx| {
            value(ui, cx, "SHA-256", Some(&binary.hash.sha256), Some(Field::Sha256));
            value(ui, cx, "SHA-1", Some(&binary.hash.sha1), Some(Field::Sha1));
            value(ui, cx, "MD5", Some(&binary.hash.md5), Some(Field::Md5));
        });
        section(ui, cx, "binary runs", "Runs", |ui, cx| runs_of(ui, cx, binary));
        section(ui, cx, "binary copy", "Copy", |ui, cx| {
            ui.add(Label::new(binary.storage.sentence()).wrap());
            let stored = (binary.stored_bytes > 0).then(|| text::size(binary.stored_bytes));
            value(ui, cx, "takes", stored.as_deref(), None);
            let pinned = if binary.pinned { "yes: it is never removed to make room" } else { "no" };
            value(ui, cx, "pinned", Some(pinned), None);
            let alerts = (binary.alerts > 0)
                .then(|| format!("{}, for which it is kept, too", counted(binary.alerts, "alert")));
            value(ui, cx, "alerts", alerts.as_deref(), None);
        });
        let files = binary.files.len();
        section(ui, cx, "binary files", &format!("Files ({files})"), |ui, cx| {
            for file in binary.files.iter().take(MOST_FILES) {
                file_of(ui, cx, file);
            }
            if let Some(left @ 1..) = files.checked_sub(MOST_FILES) {
                weak(ui, format!("… {left} more"));
            }
        });
        section(ui, cx, "binary elf", "What the file says of itself", |ui, cx| match &binary.elf {
            Some(elf) => elf_of(ui, cx, elf),
            None => {
                weak(ui, "not an ELF file: a script, or something else that has an interpreter");
            }
        });
    });
}

fn heading(ui: &mut Ui, cx: &mut Context<'_>, binary: &Binary) {
    let path = binary.files.first().map_or("(no file)", |file| file.path.as_str());
    let shown = RichText::new(text::line(path)).font(theme::mono()).strong();
    ui.add(Label::new(shown).wrap());
    weak(ui, format!("{} · {}", text::size(binary.size_bytes), counted(binary.runs, "run")));
    if ui.button(SHOW_RUNS).clicked() {
        show_runs(cx, &binary.hash.sha256);
    }
    ui.separator();
}

fn runs_of(ui: &mut Ui, cx: &mut Context<'_>, binary: &Binary) {
    value(ui, cx, "times", Some(&text::number(binary.runs)), None);
    for (name, time) in [("first", &binary.first), ("last", &binary.last)] {
        if let Some(ns) = time.as_deref().and_then(parse_rfc3339) {
            let shown = format!("{} ({})", cx.clock.time_and_date(ns), cx.clock.ago(ns));
            value(ui, cx, name, Some(&shown), None);
        }
    }
}

fn file_of(ui: &mut Ui, cx: &mut Context<'_>, file: &BinaryFile) {
    value(ui, cx, "path", Some(&file.path), Some(Field::Exe));
    let package = file.package.as_ref();
    let name = package.map(|package| match &package.version {
        Some(version) => format!("{} {version} ({})", package.name, package.manager),
        None => format!("{} ({})", package.name, package.manager),
    });
    value(ui, cx, "package", Some(name.as_deref().unwrap_or("none owns it")), None);
    let state = package.map(|package| package.state.name());
    value(ui, cx, "as packaged", state, Some(Field::PackageState));
    value(ui, cx, "gives", file.capabilities.as_deref(), Some(Field::FileCapabilities));
    value(ui, cx, "ran", Some(&counted(file.runs, "time")), None);
    let owner = format!("{}  {}:{}", file.mode, file.uid, file.gid);
    value(ui, cx, "mode, owner", Some(&owner), None);
    value(ui, cx, "device, inode", Some(&format!("{}, {}", file.device, file.inode)), None);
    value(ui, cx, "modified", Some(&file.mtime), None);
    let oddities = [
        (file.memfd, "in memory only"),
        (file.deleted, "deleted: it had no name any more when it ran"),
    ];
    let tokens = Tokens::of(ui.ctx());
    for (_, oddity) in oddities.into_iter().filter(|(is_so, _)| *is_so) {
        ui.colored_label(tokens.warning, format!("⚠ {oddity}"));
    }
    ui.add_space(6.0);
}

fn elf_of(ui: &mut Ui, cx: &mut Context<'_>, elf: &Elf) {
    let yes_no = |is: bool| if is { "yes" } else { "no" };
    let class = elf.class.map(|class| format!("{class} bit"));
    value(ui, cx, "class", class.as_deref(), None);
    value(ui, cx, "machine", elf.machine.as_deref(), None);
    value(ui, cx, "type", elf.kind.as_deref(), None);
    value(ui, cx, "static", elf.is_static.map(yes_no), None);
    value(ui, cx, "interpreter", elf.interpreter.as_deref(), None);
    value(ui, cx, "stripped", elf.is_stripped.map(yes_no), None);
    value(ui, cx, "build id", elf.build_id.as_deref(), None);
    let entropy = elf.entropy.map(|thousandths| {
        format!("{}.{:02} bits a byte", thousandths / 1000, thousandths % 1000 / 10)
    });
    value(ui, cx, "entropy", entropy.as_deref(), None);
    let tokens = Tokens::of(ui.ctx());
    if elf.is_packed == Some(true) {
        ui.colored_label(tokens.warning, "⚠ looks packed: compressed or encrypted");
    }
    if let Some(damage) = &elf.damage {
        ui.colored_label(tokens.warning, format!("⚠ {}", text::line(damage)));
    }
}
