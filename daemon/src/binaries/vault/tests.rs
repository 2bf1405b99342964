use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::unistd::Uid;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use zstd::stream::write::Encoder;

use super::keeping::{INCOMING, Stored};
use super::*;

fn vault() -> (TempDir, PathBuf, Vault) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("binaries");
    let vault = Vault::create(&path).unwrap();
    (parent, path, vault)
}

/// Of what compresses well.
fn text() -> Vec<u8> {
    b"The quick brown fox jumps over the lazy dog. ".repeat(9000)
}

fn keep(vault: &Vault, content: &[u8], is_compressed: bool) -> (String, u64) {
    let sha256 = hex(&Sha256::digest(content));
    let mut incoming = vault.incoming(is_compressed).unwrap();
    incoming.write_all(content).unwrap();
    let bytes = incoming.keep(&sha256).unwrap();
    (sha256, bytes)
}

fn copy_path(path: &Path, sha256: &str, suffix: &str) -> PathBuf {
    path.join(&sha256[..2]).join(format!("{sha256}{suffix}"))
}

fn read(vault: &Vault, sha256: &str) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    vault.open(sha256)?.read_to_end(&mut content)?;
    Ok(content)
}

fn check(vault: &Vault, sha256: &str) -> Result<(), CheckError> {
    vault.check(sha256, &mut |_| true)
}

fn file_names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn gives_back_what_was_kept() {
    for (is_compressed, suffix) in [(false, ""), (true, ".zst")] {
        for content in [text(), Vec::new(), b"#!/bin/sh\n".to_vec()] {
            let (_parent, path, vault) = vault();
            let (sha256, stored_bytes) = keep(&vault, &content, is_compressed);
            assert_eq!(read(&vault, &sha256).unwrap(), content);
            check(&vault, &sha256).unwrap();
            let copy = copy_path(&path, &sha256, suffix);
            assert_eq!(fs::metadata(&copy).unwrap().len(), stored_bytes);
            assert_eq!(vault.has(&sha256), Some(stored_bytes));
            assert_eq!(
                vault.contents().unwrap(),
                [Stored { sha256: sha256.clone(), stored_bytes }]
            );
            assert_eq!(mode(&copy), 0o400);
            for directory in [&path, &path.join(INCOMING), copy.parent().unwrap()] {
                assert_eq!(mode(directory), 0o700);
            }
            assert!(file_names(&path.join(INCOMING)).is_empty());

            vault.remove(&sha256).unwrap();
            vault.remove(&sha256).unwrap();
            assert_eq!(vault.has(&sha256), None);
            assert!(vault.contents().unwrap().is_empty());
            assert!(matches!(check(&vault, &sha256), Err(CheckError::Missing)));
            assert_eq!(read(&vault, &sha256).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}

#[test]
fn one_copy_of_a_content() {
    let (_parent, path, vault) = vault();
    let (sha256, first) = keep(&vault, &text(), true);
    let copy = copy_path(&path, &sha256, ".zst");
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&copy);
    assert_eq!(keep(&vault, &text(), true), (sha256.clone(), first));
    assert_eq!(keep(&vault, &text(), false), (sha256.clone(), first), "there is one already");
    assert_eq!(inode(&copy), before);
    assert_eq!(file_names(copy.parent().unwrap()).len(), 1);
    assert!(file_names(&path.join(INCOMING)).is_empty());

    // Two threads may have been faster than each other: both copies count, and both go.
    fs::write(copy_path(&path, &sha256, ""), text()).unwrap();
    assert_eq!(vault.has(&sha256), Some(first + text().len() as u64));
    assert_eq!(vault.contents().unwrap()[0].stored_bytes, first + text().len() as u64);
    check(&vault, &sha256).unwrap();
    vault.remove(&sha256).unwrap();
    assert!(file_names(copy.parent().unwrap()).is_empty());
}

#[test]
fn takes_from_many_threads() {
    let (_parent, path, vault) = vault();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let vault = &vault;
            scope.spawn(move || {
                for number in 0..8 {
                    keep(vault, &text()[number..], (number + thread) % 2 == 0);
                }
            });
        }
    });
    let contents = vault.contents().unwrap();
    assert_eq!(contents.len(), 8);
    for stored in contents {
        check(&vault, &stored.sha256).unwrap();
    }
    assert!(file_names(&path.join(INCOMING)).is_empty());
}

#[test]
fn what_is_not_kept_disappears() {
    let (_parent, path, vault) = vault();
    let mut incoming = vault.incoming(true).unwrap();
    incoming.write_all(&text()).unwrap();
    assert_eq!(file_names(&path.join(INCOMING)).len(), 1);
    drop(incoming);
    assert!(file_names(&path.join(INCOMING)).is_empty());
    assert!(vault.incoming(false).unwrap().keep("../../x").is_err());
    assert!(file_names(&path.join(INCOMING)).is_empty());
}

#[test]
fn leftovers_go_when_the_vault_is_opened_for_writing() {
    let (parent, path, vault) = vault();
    let incoming = path.join(INCOMING);
    let outside = parent.path().join("outside");
    fs::write(&outside, "outside").unwrap();
    fs::write(incoming.join("1-0"), "half").unwrap();
    fs::write(incoming.join(std::ffi::OsStr::from_bytes(b"\xff")), "half").unwrap();
    symlink(&outside, incoming.join("link")).unwrap();
    fs::create_dir(incoming.join("directory")).unwrap();
    drop(vault);

    Vault::existing(&path).unwrap();
    assert_eq!(file_names(&incoming).len(), 4);
    Vault::create(&path).unwrap();
    assert_eq!(file_names(&incoming), ["directory"]);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "outside");
}

#[test]
fn a_name_that_is_taken_is_passed_over() {
    let (_parent, path, vault) = vault();
    let taken = path.join(INCOMING).join(format!("{}-0", std::process::id()));
    fs::write(&taken, "other").unwrap();
    let (sha256, _) = keep(&vault, &text(), false);
    check(&vault, &sha256).unwrap();
    assert_eq!(fs::read_to_string(&taken).unwrap(), "other");
}

#[test]
fn refuses_a_directory_that_proves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name);
    let refused = |name: &str| Vault::create(&at(name)).unwrap_err();

    fs::create_dir(at("real")).unwrap();
    symlink(at("real"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::write(at("file"), "").unwrap();
    for name in ["link", "link/", "dangling", "file"] {
        assert!(matches!(refused(name), VaultError::NotDirectory { .. }), "{name}");
        let existing = Vault::existing(&at(name)).unwrap_err();
        assert!(matches!(existing, VaultError::NotDirectory { .. }), "{name}");
    }
    assert!(!at("nowhere").exists());
    assert!(file_names(&at("real")).is_empty());

    for mode in [0o770, 0o702, 0o1777] {
        set_mode(&at("real"), mode);
        let error = refused("real");
        assert!(matches!(error, VaultError::OthersWrite { mode: found, .. } if found == mode));
        assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
    }
    set_mode(&at("real"), 0o755);
    symlink(parent.path(), at("real").join(INCOMING)).unwrap();
    let error = refused("real");
    assert!(matches!(&error, VaultError::NotDirectory { path } if path.ends_with(INCOMING)));

    let error = refused("not/there");
    assert!(matches!(error, VaultError::Access { .. }), "{error}");
    let error = Vault::existing(&at("not-there")).unwrap_err();
    assert!(matches!(error, VaultError::Missing { .. }), "{error}");
}

/// Only root can give a directory away.
#[test]
fn refuses_a_directory_of_another_user() {
    let (_parent, path, vault) = vault();
    let (sha256, _) = keep(&vault, &text(), true);
    if !Uid::effective().is_root() {
        return;
    }
    std::os::unix::fs::chown(&path, Some(1234), None).unwrap();
    let error = Vault::create(&path).unwrap_err();
    assert!(matches!(error, VaultError::OtherOwner { owner: 1234, user: 0, .. }), "{error}");
    check(&Vault::existing(&path).unwrap(), &sha256).unwrap();
}

#[test]
fn what_is_only_read_does_not_change() {
    let (_parent, path, vault) = vault();
    let (sha256, _) = keep(&vault, &text(), true);
    let reader = Vault::existing(&path).unwrap();
    assert_eq!(reader.contents().unwrap(), vault.contents().unwrap());
    assert_eq!(read(&reader, &sha256).unwrap(), text());
    assert!(reader.incoming(true).is_err());
    assert!(reader.remove(&sha256).is_err());
    check(&reader, &sha256).unwrap();
}

#[test]
fn nothing_but_a_hash_becomes_part_of_a_path() {
    let (_parent, _, vault) = vault();
    let digits = "0".repeat(64);
    let names = [
        String::new(),
        "0".repeat(63),
        "0".repeat(65),
        "A".repeat(64),
        format!("../{}", &digits[3..]),
        format!("{}/", &digits[1..]),
        format!("{}\0", &digits[1..]),
        format!("ä{}", &digits[2..]),
    ];
    for name in names {
        let invalid = io::ErrorKind::InvalidInput;
        assert_eq!(vault.open(&name).err().map(|error| error.kind()), Some(invalid), "{name:?}");
        assert_eq!(vault.remove(&name).unwrap_err().kind(), invalid, "{name:?}");
        let kept = vault.incoming(false).unwrap().keep(&name);
        assert_eq!(kept.unwrap_err().kind(), invalid, "{name:?}");
        assert_eq!(vault.has(&name), None);
        let checked = check(&vault, &name).unwrap_err();
        assert!(matches!(checked, CheckError::Io(error) if error.kind() == invalid), "{name:?}");
    }
}

#[test]
fn what_is_foreign_is_left_out() {
    let (_parent, path, vault) = vault();
    let (sha256, stored_bytes) = keep(&vault, &text(), true);
    let folder = path.join(&sha256[..2]);
    fs::write(path.join("README"), "").unwrap();
    fs::write(path.join("ff"), "").unwrap();
    symlink(&folder, path.join("zz")).unwrap();
    fs::create_dir(path.join("lost+found")).unwrap();
    fs::write(path.join("lost+found").join(&sha256), "not here").unwrap();
    fs::write(folder.join(format!("{sha256}.zst.bak")), "").unwrap();
    fs::write(folder.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    symlink("/etc/passwd", folder.join(format!("{}{}", &sha256[..2], "0".repeat(62)))).unwrap();
    fs::create_dir(folder.join(format!("{}{}", &sha256[..2], "1".repeat(62)))).unwrap();
    for _ in 0..2 {
        assert_eq!(vault.contents().unwrap(), [Stored { sha256: sha256.clone(), stored_bytes }]);
    }
}

/// One way to damage the copy at a path.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 9] = [
    ("one bit", |copy| {
        let mut bytes = fs::read(copy).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(copy, bytes).unwrap();
    }),
    ("cut short", |copy| {
        let file = File::options().write(true).open(copy).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    }),
    ("longer", |copy| {
        File::options().append(true).open(copy).unwrap().write_all(b"x").unwrap();
    }),
    ("empty", |copy| fs::write(copy, "").unwrap()),
    ("zeroed", |copy| {
        let length = usize::try_from(fs::metadata(copy).unwrap().len()).unwrap();
        fs::write(copy, vec![0; length]).unwrap();
    }),
    ("a link to the very content", |copy| {
        let moved = copy.with_extension("moved");
        fs::rename(copy, &moved).unwrap();
        symlink(&moved, copy).unwrap();
    }),
    ("a directory", |copy| {
        fs::remove_file(copy).unwrap();
        fs::create_dir(copy).unwrap();
    }),
    ("a pipe", |copy| {
        fs::remove_file(copy).unwrap();
        nix::unistd::mkfifo(copy, Mode::S_IRUSR).unwrap();
    }),
    ("a link in place of its folder", |copy| {
        let folder = copy.parent().unwrap();
        let moved = folder.with_extension("moved");
        fs::rename(folder, &moved).unwrap();
        symlink(&moved, folder).unwrap();
    }),
];

#[test]
fn checking_finds_damage() {
    for (is_compressed, suffix) in [(false, ""), (true, ".zst")] {
        for (what, damage) in DAMAGES {
            let (_parent, path, vault) = vault();
            let (sha256, _) = keep(&vault, &text(), is_compressed);
            let copy = copy_path(&path, &sha256, suffix);
            set_mode(&copy, 0o600);
            damage(&copy);
            let found = check(&vault, &sha256);
            assert!(
                matches!(&found, Err(CheckError::Damaged(reason)) if !reason.is_empty()),
                "{what}: {found:?}"
            );
        }
    }
}

#[test]
fn a_damaged_copy_can_be_replaced() {
    let (parent, path, vault) = vault();
    let (sha256, _) = keep(&vault, &text(), false);
    let copy = copy_path(&path, &sha256, "");
    let outside = parent.path().join("outside");
    fs::write(&outside, "outside").unwrap();
    fs::remove_file(&copy).unwrap();
    symlink(&outside, &copy).unwrap();
    assert_eq!(vault.has(&sha256), None);
    assert!(vault.open(&sha256).is_err());

    keep(&vault, &text(), false);
    check(&vault, &sha256).unwrap();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "outside");

    fs::remove_file(&copy).unwrap();
    symlink(&outside, &copy).unwrap();
    vault.remove(&sha256).unwrap();
    assert!(matches!(check(&vault, &sha256), Err(CheckError::Missing)));
    assert_eq!(fs::read_to_string(&outside).unwrap(), "outside");
}

#[test]
fn checking_tells_how_far_it_is_and_stops() {
    for is_compressed in [false, true] {
        let (_parent, _, vault) = vault();
        let (sha256, stored_bytes) = keep(&vault, &text(), is_compressed);
        let mut seen = Vec::new();
        vault
            .check(&sha256, &mut |bytes| {
                seen.push(bytes);
                true
            })
            .unwrap();
        assert!(seen.is_sorted() && seen.last() == Some(&stored_bytes), "{seen:?}");
        let mut calls = 0;
        let stopped = vault.check(&sha256, &mut |_| {
            calls += 1;
            false
        });
        assert!(matches!(stopped, Err(CheckError::Stopped)));
        assert_eq!(calls, 1);
    }
}

#[test]
fn a_copy_does_not_expand_without_end() {
    const MOST: u64 = 1 << 20;
    let compressed = |length: u64, window_log: u32| {
        let mut encoder = Encoder::new(tempfile::tempfile().unwrap(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        io::copy(&mut io::repeat(0).take(length), &mut encoder).unwrap();
        let mut file = encoder.finish().unwrap();
        io::Seek::rewind(&mut file).unwrap();
        file
    };
    let expand = |file| {
        let mut given = 0;
        let mut content = copy::content(file, Form::Compressed, MOST).unwrap();
        let mut chunk = [0; 1000];
        loop {
            match content.read(&mut chunk) {
                Ok(0) => return (given, Ok(())),
                Ok(read) => given += read as u64,
                Err(error) => return (given, Err(CheckError::from(error))),
            }
        }
    };
    assert!(matches!(expand(compressed(MOST, 20)), (MOST, Ok(()))));
    let (given, outcome) = expand(compressed(MOST + 1, 20));
    assert!(given <= MOST && matches!(outcome, Err(CheckError::Damaged(_))), "{outcome:?}");
    let (given, outcome) = expand(compressed(64 << 20, 20));
    assert!(given <= MOST && matches!(outcome, Err(CheckError::Damaged(_))), "{outcome:?}");

    // It would have to be held in memory.
    let (given, outcome) = expand(compressed(1 << 27, 27));
    let Err(CheckError::Damaged(reason)) = outcome else { panic!("{outcome:?}") };
    assert!(given == 0 && reason.contains("memory"), "{reason}");
}

#[test]
fn compressing_is_worth_while_when_it_saves_a_tenth() {
    assert!(is_worth_compressing(&text()));
    assert!(!is_worth_compressing(b""));
    assert!(!is_worth_compressing(b"#!/bin/sh\n"));
    let mut noise = Vec::new();
    File::open("/dev/urandom").unwrap().take(256 << 10).read_to_end(&mut noise).unwrap();
    assert!(!is_worth_compressing(&noise));
}

#[test]
fn knows_the_free_space() {
    let (_parent, _, vault) = vault();
    assert!(vault.free_bytes().unwrap() > 0);
}

#[test]
fn a_full_disk_is_told_as_such() {
    let full = VaultError::of(Path::new("/x"), Errno::ENOSPC);
    assert!(matches!(full, VaultError::Full { .. }));
    assert!(matches!(VaultError::of(Path::new("/x"), Errno::EACCES), VaultError::Access { .. }));
}
