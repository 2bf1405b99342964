//! `bpfctl binaries show`

use std::io::Write;

use common::binary::{Binary, BinaryFile, Elf};

use super::{binary_error, parse, short, unlisted_runs};
use crate::args::ContentHash;
use crate::command::Context;
use crate::content;
use crate::error::CommandError;
use crate::page::Page;
use crate::screen::{Screen, Tone};
use crate::text;

pub(crate) async fn run(context: &mut Context, hash: &ContentHash) -> Result<(), CommandError> {
    let answer = context.binaries().await?.get(hash.as_str()).await;
    let answer = answer.map_err(|error| binary_error(hash, error))?;
    if context.json {
        writeln!(context.out, "{}", answer.trim_end())?;
    } else {
        let page = page(&parse(answer.as_bytes())?, &context.screen);
        context.out.write_all(page.as_bytes())?;
    }
    context.out.flush()?;
    Ok(())
}

fn page(binary: &Binary, screen: &Screen) -> String {
    let mut page = Page::new(screen);
    let (storage, tone) = content::storage_text(binary.storage);
    let path = binary.files.first().map_or("(none)", |file| &file.path);
    let sha256 = short(&binary.hash.sha256);
    page.line(&[
        (tone, &storage),
        (Tone::Plain, "  "),
        (Tone::Strong, path),
        (Tone::Plain, "  "),
        (Tone::Dim, sha256),
    ]);
    overview(&mut page, binary, screen);
    if let Some(facts) = &binary.elf {
        elf(&mut page, facts);
    }
    for (at, one) in binary.files.iter().enumerate() {
        page.section(&match binary.files.len() {
            1 => "── file".to_owned(),
            count => format!("── file {} of {}", at + 1, text::number(count as u64)),
        });
        file(&mut page, one, screen);
    }
    let unlisted = unlisted_runs(binary);
    if unlisted > 0 {
        page.section(&format!("── more files, with {}", text::counted(unlisted, "run")));
    }
    page.into_text()
}

fn overview(page: &mut Page<'_>, binary: &Binary, screen: &Screen) {
    content::hashes(page, &binary.hash);
    page.field("size", &size(binary.size_bytes));
    page.toned_field("copy", content::storage_tone(binary.storage), binary.storage.sentence());
    if binary.stored_bytes > 0 {
        page.field("on disk", &size(binary.stored_bytes));
    }
    if binary.pinned {
        page.field("pinned", "yes: not removed to make room");
    }
    page.field("alerts", &text::number(binary.alerts));
    runs(page, binary.runs, binary.first.as_deref(), binary.last.as_deref(), screen);
}

/// `1.4 MiB (1,500,000 bytes)`
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => text::size(bytes),
        _ => format!("{} ({} bytes)", text::size(bytes), text::number(bytes)),
    }
}

fn runs(page: &mut Page<'_>, count: u64, first: Option<&str>, last: Option<&str>, screen: &Screen) {
    page.field("runs", &text::number(count));
    let time = |time: &str| text::date_time_of(time, &screen.zone);
    page.optional("first run", first.map(time).as_deref());
    page.optional("last run", last.map(time).as_deref());
}

fn elf(page: &mut Page<'_>, elf: &Elf) {
    page.section("elf");
    page.field("kind", &content::elf_line(&Elf { is_packed: None, damage: None, ..elf.clone() }));
    page.optional("interpreter", elf.interpreter.as_deref());
    page.optional("build id", elf.build_id.as_deref());
    page.optional("entropy", elf.entropy.map(entropy).as_deref());
    if elf.is_packed == Some(true) {
        page.attention("looks packed: its code is compressed or encrypted");
    }
    if let Some(damage) = &elf.damage {
        page.attention(&format!("damaged: {damage}"));
    }
}

/// `7.912 bits a byte`
fn entropy(thousandths: u16) -> String {
    format!("{}.{:03} bits a byte", thousandths / 1000, thousandths % 1000)
}

fn file(page: &mut Page<'_>, file: &BinaryFile, screen: &Screen) {
    page.field("path", &file.path);
    let (has_setuid, has_setgid) = set_id(&file.mode);
    let tone = if has_setuid || has_setgid { Tone::Killed } else { Tone::Plain };
    let owner = format!("mode {}, owner {}:{}", file.mode, file.uid, file.gid);
    page.toned_field("file", tone, &owner);
    page.field("inode", &format!("{} on device {}", file.inode, file.device));
    page.field("modified", &text::date_time_of(&file.mtime, &screen.zone));
    page.field("changed", &text::date_time_of(&file.ctime, &screen.zone));
    runs(page, file.runs, file.first.as_deref(), file.last.as_deref(), screen);
    content::package(page, "package", file.package.as_ref());
    if let Some(names) = &file.capabilities {
        content::capabilities(page, names);
    }
    for (is_so, what) in [
        (has_setuid, "runs as its owner, whoever starts it (setuid)"),
        (has_setgid, "runs in its group, whoever starts it (setgid)"),
        (file.memfd, content::MEMFD),
        (file.deleted, content::DELETED),
    ] {
        if is_so {
            page.attention(what);
        }
    }
}

/// Of a mode in octal: whether it has these bits.
fn set_id(mode: &str) -> (bool, bool) {
    let bits = u32::from_str_radix(mode, 8).unwrap_or(0);
    (bits & 0o4000 != 0, bits & 0o2000 != 0)
}

#[cfg(test)]
mod tests {
    use common::binary::{PackageState, Storage};

    use super::*;
    use crate::binaries::tests::{self, binary};
    use crate::content::tests::owner;

    #[test]
    fn a_content_is_shown_with_its_file() {
        let mut curl = binary('a', "/usr/bin/curl");
        curl.files[0].package = Some(owner("curl", PackageState::Verified));
        let facts = curl.elf.as_mut().unwrap();
        facts.interpreter = Some("/lib64/ld-linux-x86-64.so.2".to_owned());
        facts.build_id = Some("7f1a".to_owned());
        facts.entropy = Some(6042);
        facts.is_packed = Some(false);
        let digits = |count| "a".repeat(count);
        let expected = format!(
            "\
● kept  /usr/bin/curl  aaaaaaaaaaaa
  sha256            {}
  sha1              {}
  md5               {}
  size              1.4 MiB (1,500,000 bytes)
  copy              kept
  on disk           512 KiB (524,288 bytes)
  alerts            0
  runs              12,481
  first run         2026-11-20 08:50:06.123
  last run          2026-11-24 14:03:27.512

elf
  kind              64-bit x86_64 pie, dynamic, stripped
  interpreter       /lib64/ld-linux-x86-64.so.2
  build id          7f1a
  entropy           6.042 bits a byte

── file
  path              /usr/bin/curl
  file              mode 0755, owner 0:0
  inode             9 on device 8:1
  modified          2026-11-01 00:00:00.000
  changed           2026-11-01 00:00:00.000
  runs              12,481
  first run         2026-11-20 08:50:06.123
  last run          2026-11-24 14:03:27.512
  package           curl 9.1-1 (dpkg), verified
",
            digits(64),
            digits(40),
            digits(32)
        );
        assert_eq!(page(&curl, &Screen::plain(None)), expected);
    }

    fn odd() -> Binary {
        let mut odd = binary('b', "/tmp/a\nb\x1b[2J\u{202e}");
        odd.storage = Storage::Evicted;
        odd.stored_bytes = 0;
        odd.size_bytes = 100;
        odd.pinned = true;
        odd.alerts = 1200;
        let facts = odd.elf.as_mut().unwrap();
        facts.is_packed = Some(true);
        facts.damage = Some("no\nsections".to_owned());
        let file = &mut odd.files[0];
        file.mode = "6755".to_owned();
        file.memfd = true;
        file.deleted = true;
        file.package = Some(owner("sudo", PackageState::Modified));
        file.capabilities = Some("cap_sys_admin=ep".to_owned());
        file.runs = 1;
        odd.files.push(tests::file("/tmp/c"));
        odd.files[1].runs = 2;
        odd
    }

    #[test]
    fn what_is_odd_stands_out() {
        let page = page(&odd(), &Screen::colored());
        for part in [
            "looks packed: its code is compressed or encrypted",
            "damaged: no\\nsections",
            "mode 6755, owner 0:0",
            "sudo 9.1-1 (dpkg), modified: not as the package brought it",
            "cap_sys_admin=ep",
            "runs as its owner, whoever starts it (setuid)",
            "runs in its group, whoever starts it (setgid)",
            content::MEMFD,
            content::DELETED,
        ] {
            assert!(page.contains(&format!("\x1b[1m\x1b[35m{part}\x1b[0m")), "{part}\n{page:?}");
        }
        assert_eq!(page.matches("\x1b[35m").count(), 9, "{page:?}");
    }

    #[test]
    fn several_files_are_numbered_and_harmless() {
        let page = page(&odd(), &Screen::plain(None));
        for part in [
            "○ evicted  /tmp/a\\nb\\x1b[2J\\u{202e}  bbbbbbbbbbbb\n",
            "  size              100 B\n  copy              not kept any more: removed to make",
            " others\n  pinned            yes: not removed to make room\n  alerts            1,200\n",
            "\n── file 1 of 2\n  path              /tmp/a\\nb\\x1b[2J\\u{202e}\n",
            "\n── file 2 of 2\n  path              /tmp/c\n",
            "  package           (none)\n\n── more files, with 12,478 runs\n",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains(['\x1b', '\u{202e}']), "{page:?}");
    }

    #[test]
    fn modes_are_read_as_chmod_does() {
        for (mode, expected) in [
            ("0755", (false, false)),
            ("4755", (true, false)),
            ("2755", (false, true)),
            ("106755", (true, true)),
            ("1777", (false, false)),
            ("x", (false, false)),
            ("", (false, false)),
        ] {
            assert_eq!(set_id(mode), expected, "{mode}");
        }
    }
}
