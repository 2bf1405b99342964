//! A record of which everything is known, and one of which nothing is.

use super::*;

pub(super) fn strings(list: &[&[u8]]) -> Strings {
    let bytes: Vec<u8> = list.iter().flat_map(|text| text.iter().copied().chain([0])).collect();
    let total_bytes = bytes.len() as u64;
    Strings { bytes: bytes.into(), state: StringsState::Complete, total_bytes }
}

pub(super) fn path(text: &str) -> PathText {
    PathText { bytes: Arc::from(text.as_bytes()), state: PathState::Complete }
}

pub(super) fn id(pid: u32) -> ProcessId {
    ProcessId { boot: BootId::from_bits(0x3f2a_9c81_d0b4), pid, start_boottime_ns: 0x1a2b }
}

fn content(digits: &str) -> FileContent {
    FileContent {
        hashes: Hashes {
            sha256: digits.repeat(32),
            sha1: digits.repeat(20),
            md5: digits.repeat(16),
        },
        elf: Some(Elf {
            class: Some(64),
            machine: Some("x86_64".into()),
            kind: Some("pie".into()),
            is_static: Some(false),
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".into()),
            is_stripped: Some(true),
            build_id: Some("7f1a".into()),
            entropy: Some(6012),
            is_packed: Some(false),
            damage: None,
        }),
        package: Some(Package {
            name: "curl".into(),
            version: Some("7.88.1-10".into()),
            manager: "dpkg".into(),
            state: PackageState::Modified,
        }),
        capabilities: Some("cap_net_raw=ep".into()),
        storage: Storage::Kept,
        is_uncertain: false,
    }
}

/// A record of which everything is known.
pub(super) fn full() -> Record {
    Record {
        row: 1,
        process: id(4711),
        ordinal: 1,
        source: Source::Exec,
        time_ns: now() - HOUR,
        boottime_ns: 0x1a2b,
        start_ns: now() - 2 * HOUR,
        parent: Some(Parent {
            process: id(42),
            executable: Arc::from(&b"/usr/sbin/sshd"[..]),
            args: strings(&[b"sshd:", b"alice"]).bytes,
            context: None,
            source: ParentSource::Fork,
        }),
        namespace_pid: 1,
        process_group: 4711,
        session: 4700,
        tty: Some("pts/0".into()),
        comm: Arc::from(&b"cURL"[..]),
        executable: Arc::new(Executable {
            path: path("/usr/bin/cURL"),
            device_major: 8,
            device_minor: 1,
            inode: u64::MAX - 1,
            size_bytes: 10 << 20,
            mtime_ns: 0,
            ctime_ns: 0,
            mode: 0o104_755,
            uid: 0,
            gid: 0,
            is_memfd: true,
            is_deleted: true,
            is_upper_layer: true,
        }),
        content: Content::Read(Arc::new(content("ab"))),
        script: Some(Arc::from(&b"./run.sh"[..])),
        script_content: Content::Read(Arc::new(content("cd"))),
        working_directory: PathText { state: PathState::Cut, ..path("/tmp/a b") },
        args: strings(&[b"cURL", b"-X", b"", b"http://x/\xff", b"a and b"]),
        args_count: 5,
        env: strings(&[b"PATH=/bin", b"LD_PRELOAD=/tmp/x.so"]),
        context: Arc::new(full_context()),
        end: Some(End {
            observed: Some(ObservedEnd {
                time_ns: now(),
                boottime_ns: 0x1a2b + 90_000_000_000,
                exit_code: Some(3),
                signal: None,
                has_core_dump: true,
                user_cpu_ns: 1,
                system_cpu_ns: 1,
                cpu_ns: 1_500_000_000,
                max_rss_bytes: 64 << 20,
                io: Some(Io { read_bytes: 4096, write_bytes: 0 }),
            }),
        }),
    }
}

fn full_context() -> Context {
    Context {
        uid: 1000,
        gid: 100,
        euid: 0,
        egid: 0,
        suid: 0,
        sgid: 0,
        user_name: Some("alice".into()),
        effective_user_name: Some("root".into()),
        group_name: Some("users".into()),
        login_uid: Some(1000),
        login_name: Some("alice".into()),
        audit_session: Some(3),
        cap_effective: 1 << 21,
        cap_permitted: 0,
        namespaces: Namespaces { mount: 1, pid: 2, network: 3, user: 4, uts: 5, ipc: 6, cgroup: 7 },
        cgroup: "/system.slice/docker-4f5a.scope".into(),
        container: Some(Container {
            runtime: "docker".into(),
            id: "4f5a6b7c8d9e4f5a6b7c8d9e4f5a6b7c8d9e4f5a6b7c8d9e4f5a6b7c8d9e0123".into(),
        }),
        unit: Some("docker.service".into()),
        slice: Some("system.slice".into()),
        is_unknown: false,
    }
}

/// A process of which nothing but its killing was seen.
pub(super) fn bare() -> Record {
    let full = full();
    Record {
        source: Source::ExitOnly,
        parent: None,
        namespace_pid: 0,
        process_group: 0,
        session: 0,
        tty: None,
        comm: Arc::from([]),
        executable: Arc::new(Executable::absent()),
        content: Content::Unread(Unread::Gone),
        script: None,
        script_content: Content::Unknown,
        working_directory: PathText::absent(),
        args: Strings::absent(),
        args_count: 0,
        env: Strings::absent(),
        context: Arc::new(Context { is_unknown: true, ..Context::default() }),
        end: full.end.map(|mut end| {
            if let Some(end) = &mut end.observed {
                (end.exit_code, end.signal, end.io) = (None, Some(9), None);
            }
            end
        }),
        ..full
    }
}
