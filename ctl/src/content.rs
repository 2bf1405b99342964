//! The content of an executed file in words: whose it is, what it is, and whether a copy was kept.

use common::binary::{Elf, Hashes, Package, PackageState, Storage};
use common::ecs::{Event, FileContent};

use crate::page::Page;
use crate::screen::Tone;

pub(crate) const MEMFD: &str = "exists in memory only (memfd)";
pub(crate) const DELETED: &str = "had no name any more (deleted)";

/// What is known of the executable of an image.
pub(crate) fn executable(page: &mut Page<'_>, image: &Event<'_>) {
    if let Some(hashes) = &image.process.hash {
        self::hashes(page, hashes);
    }
    let Some(content) = &image.recorder.content else { return };
    copy(page, "", content);
    if let Some(elf) = &content.elf {
        page.toned_field("elf", elf_tone(elf), &elf_line(elf));
    }
    if content.storage.is_some() {
        package(page, "package", content.package.as_deref());
    }
    if let Some(names) = content.capabilities.as_deref() {
        capabilities(page, names);
    }
}

/// What is known of the script that an image interprets.
pub(crate) fn script(page: &mut Page<'_>, image: &Event<'_>) {
    let Some(content) = &image.recorder.script_content else { return };
    if let Some(hashes) = &content.hash {
        page.field("script sha256", &hashes.sha256);
    }
    copy(page, "script ", content);
    if content.storage.is_some() {
        package(page, "script package", content.package.as_deref());
    }
}

pub(crate) fn hashes(page: &mut Page<'_>, hashes: &Hashes) {
    page.field("sha256", &hashes.sha256);
    page.field("sha1", &hashes.sha1);
    page.field("md5", &hashes.md5);
}

/// Whether it was kept, or why it is not even known.
fn copy(page: &mut Page<'_>, of: &str, content: &FileContent<'_>) {
    if let Some(storage) = content.storage {
        page.toned_field(&format!("{of}copy"), storage_tone(storage), storage.sentence());
    }
    if let Some(unread) = content.unread {
        let value = format!("not known: {}", unread.sentence());
        page.toned_field(&format!("{of}content"), Tone::Failed, &value);
    }
}

pub(crate) fn package(page: &mut Page<'_>, name: &str, package: Option<&Package>) {
    match package {
        Some(package) => page.toned_field(name, package_tone(package), &package_text(package)),
        None => page.field(name, "(none)"),
    }
}

/// Other than those of the process: what the file gives to who executes it.
pub(crate) fn capabilities(page: &mut Page<'_>, names: &str) {
    page.toned_field("file capabilities", Tone::Killed, names);
}

/// `● kept`, `✗ damaged`: a shape, a word and a colour.
pub(crate) fn storage_text(storage: Storage) -> (String, Tone) {
    let shape = match storage {
        Storage::Kept => "●",
        Storage::Evicted | Storage::NotKept => "○",
        Storage::NoRoom | Storage::NoSpace => "◌",
        Storage::Failed | Storage::Damaged => "✗",
    };
    (format!("{shape} {}", storage.name()), storage_tone(storage))
}

pub(crate) fn storage_tone(storage: Storage) -> Tone {
    match storage {
        Storage::Kept => Tone::Running,
        Storage::Evicted | Storage::NotKept => Tone::Dim,
        Storage::NoRoom | Storage::NoSpace => Tone::Killed,
        Storage::Failed | Storage::Damaged => Tone::Failed,
    }
}

/// `coreutils 9.1-1 (dpkg), verified`
fn package_text(package: &Package) -> String {
    let Package { name, version, manager, state } = package;
    let version = version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let meaning = match state {
        PackageState::Verified => "",
        PackageState::Modified => ": not as the package brought it",
        PackageState::Unverified => ": the package does not say how it should be",
    };
    format!("{name}{version} ({manager}), {}{meaning}", state.name())
}

pub(crate) fn package_tone(package: &Package) -> Tone {
    match package.state {
        PackageState::Modified => Tone::Killed,
        PackageState::Verified | PackageState::Unverified => Tone::Plain,
    }
}

/// `64-bit x86_64 pie, dynamic, stripped`
pub(crate) fn elf_line(elf: &Elf) -> String {
    let class = elf.class.map(|bits| format!("{bits}-bit"));
    let kind: Vec<_> = [class.as_deref(), elf.machine.as_deref(), elf.kind.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let either = |is_so: Option<bool>, yes, no| is_so.map(|is_so| if is_so { yes } else { no });
    let parts = [
        either(elf.is_static, "static", "dynamic"),
        either(elf.is_stripped, "stripped", "not stripped"),
        elf.is_packed.filter(|is_so| *is_so).map(|_| "looks packed"),
        elf.damage.as_ref().map(|_| "damaged"),
    ];
    let parts = parts.into_iter().flatten().map(str::to_owned);
    let kind = (!kind.is_empty()).then(|| kind.join(" "));
    kind.into_iter().chain(parts).collect::<Vec<_>>().join(", ")
}

pub(crate) fn elf_tone(elf: &Elf) -> Tone {
    let is_odd = elf.is_packed == Some(true) || elf.damage.is_some();
    if is_odd { Tone::Killed } else { Tone::Plain }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::borrow::Cow;

    use common::binary::Unread;

    use super::*;
    use crate::row::tests::event;
    use crate::screen::Screen;

    pub(crate) fn elf() -> Elf {
        Elf {
            class: Some(64),
            machine: Some("x86_64".to_owned()),
            kind: Some("pie".to_owned()),
            is_static: Some(false),
            is_stripped: Some(true),
            ..Elf::default()
        }
    }

    pub(crate) fn owner(name: &str, state: PackageState) -> Package {
        let version = Some("9.1-1".to_owned());
        Package { name: name.to_owned(), version, manager: "dpkg".to_owned(), state }
    }

    fn hashes() -> Hashes {
        Hashes { sha256: "9f86".to_owned(), sha1: "a94a".to_owned(), md5: "098f".to_owned() }
    }

    fn text(image: &Event<'_>, screen: &Screen) -> String {
        let mut page = Page::new(screen);
        executable(&mut page, image);
        script(&mut page, image);
        page.into_text()
    }

    #[test]
    fn a_content_is_told_with_its_owner_and_its_copy() {
        let mut image = event(4711, "sh x");
        image.process.hash = Some(Cow::Owned(hashes()));
        image.recorder.content = Some(Box::new(FileContent {
            storage: Some(Storage::Kept),
            elf: Some(Cow::Owned(elf())),
            package: Some(Cow::Owned(owner("dash\x1b[2J", PackageState::Verified))),
            ..FileContent::default()
        }));
        image.recorder.script_content = Some(Box::new(FileContent {
            hash: Some(Cow::Owned(hashes())),
            storage: Some(Storage::Evicted),
            ..FileContent::default()
        }));
        let expected = "  \
  sha256            9f86
  sha1              a94a
  md5               098f
  copy              kept
  elf               64-bit x86_64 pie, dynamic, stripped
  package           dash\\x1b[2J 9.1-1 (dpkg), verified
  script sha256     9f86
  script copy       not kept any more: removed to make room for others
  script package    (none)
";
        assert_eq!(text(&image, &Screen::plain(None)), expected);
    }

    #[test]
    fn a_content_that_is_not_known_says_why() {
        let mut image = event(4711, "x");
        assert_eq!(text(&image, &Screen::plain(None)), "");
        let unread = FileContent { unread: Some(Unread::Gone), ..FileContent::default() };
        image.recorder.content = Some(Box::new(unread.clone()));
        image.recorder.script_content = Some(Box::new(unread));
        let text = text(&image, &Screen::plain(None));
        let sentence = Unread::Gone.sentence();
        let expected = format!(
            "  content           not known: {sentence}\n  script content    not known: {sentence}\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_odd_stands_out() {
        let mut image = event(4711, "x");
        image.recorder.content = Some(Box::new(FileContent {
            storage: Some(Storage::Kept),
            elf: Some(Cow::Owned(Elf { is_packed: Some(true), ..elf() })),
            package: Some(Cow::Owned(owner("sudo", PackageState::Modified))),
            capabilities: Some("cap_net_raw=ep".into()),
            ..FileContent::default()
        }));
        let text = text(&image, &Screen::colored());
        for part in [
            "64-bit x86_64 pie, dynamic, stripped, looks packed",
            "sudo 9.1-1 (dpkg), modified: not as the package brought it",
            "cap_net_raw=ep",
        ] {
            assert!(text.contains(&format!("\x1b[1m\x1b[35m{part}\x1b[0m")), "{part}\n{text:?}");
        }
    }

    #[test]
    fn an_elf_line_says_what_is_known() {
        let check = |elf: Elf, expected: &str| assert_eq!(elf_line(&elf), expected);
        check(elf(), "64-bit x86_64 pie, dynamic, stripped");
        let machine = Some("243".to_owned());
        check(Elf { class: Some(32), machine, ..Elf::default() }, "32-bit 243");
        let damage = Some("ends early".to_owned());
        check(Elf { damage, ..Elf::default() }, "damaged");
        let (is_static, is_stripped) = (Some(true), Some(false));
        check(Elf { is_static, is_stripped, ..Elf::default() }, "static, not stripped");
    }

    #[test]
    fn every_state_of_a_copy_has_a_shape_and_a_word() {
        for storage in Storage::ALL {
            let (text, _) = storage_text(storage);
            let (shape, word) = text.split_once(' ').unwrap();
            assert_eq!((shape.chars().count(), word), (1, storage.name()));
        }
    }
}
