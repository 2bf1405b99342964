//! The C structs of `bpf/wire.h`, field by field. Never instantiated: the decoder takes offsets
//! and sizes from them.

#![allow(dead_code, reason = "the fields stand for their offsets")]

pub(super) const RECORD_FORK: u16 = 1;
pub(super) const RECORD_EXEC: u16 = 2;
pub(super) const RECORD_EXIT: u16 = 3;
pub(super) const RECORD_RUNNING: u16 = 4;

pub(super) const FLAG_KERNEL_THREAD: u32 = 1 << 0;
pub(super) const FLAG_MEMFD: u32 = 1 << 1;
pub(super) const FLAG_DELETED: u32 = 1 << 2;
pub(super) const FLAG_UPPER_LAYER: u32 = 1 << 3;
pub(super) const FLAG_TTY: u32 = 1 << 4;
pub(super) const FLAG_INTERPRETER: u32 = 1 << 5;
pub(super) const FLAG_ENV_OFF: u32 = 1 << 6;
pub(super) const FLAG_IO: u32 = 1 << 7;

pub(super) const PATH_FAULT: u8 = 0;
pub(super) const PATH_ROOT: u8 = 1;
pub(super) const PATH_DETACHED: u8 = 2;
pub(super) const PATH_PSEUDO: u8 = 3;
pub(super) const PATH_CUT: u8 = 4;

/// An audit id that was never set.
pub(super) const UNSET: u32 = u32::MAX;
pub(super) const COMM_BYTES: usize = 16;

/// Declares the structs, and for the tests a table of their members.
macro_rules! mirror {
    ($($name:ident = $c_name:literal { $($field:ident: $type:ty,)* })*) => {
        $(
            #[repr(C)]
            pub(super) struct $name {
                $(pub(super) $field: $type,)*
            }
        )*

        #[cfg(test)]
        pub(super) fn table() -> Vec<(&'static str, usize, Vec<(&'static str, usize)>)> {
            vec![$((
                $c_name,
                size_of::<$name>(),
                vec![$((stringify!($field), std::mem::offset_of!($name, $field)),)*],
            ),)*]
        }
    };
}

mirror! {
    RecordHeader = "record_header" {
        size_bytes: u32,
        kind: u16,
        version: u16,
        cpu: u16,
        lane: u16,
        flags: u32,
        sequence: u64,
        boottime_ns: u64,
    }

    ProcessId = "process_id" {
        start_boottime_ns: u64,
        pid: u32,
        namespace_pid: u32,
    }

    ForkRecord = "fork_record" {
        header: RecordHeader,
        parent: ProcessId,
        child: ProcessId,
    }

    ExitRecord = "exit_record" {
        header: RecordHeader,
        process: ProcessId,
        user_ns: u64,
        system_ns: u64,
        cpu_ns: u64,
        max_rss_bytes: u64,
        read_bytes: u64,
        write_bytes: u64,
        wait_status: u32,
        reserved: u32,
    }

    Credentials = "credentials" {
        cap_effective: u64,
        cap_permitted: u64,
        uid: u32,
        gid: u32,
        euid: u32,
        egid: u32,
        suid: u32,
        sgid: u32,
        login_uid: u32,
        audit_session: u32,
    }

    Namespaces = "namespaces" {
        mount: u32,
        pid: u32,
        network: u32,
        user: u32,
        uts: u32,
        ipc: u32,
        cgroup: u32,
        reserved: u32,
    }

    FileIdentity = "file_identity" {
        inode: u64,
        size_bytes: u64,
        mtime_ns: i64,
        ctime_ns: i64,
        device_major: u32,
        device_minor: u32,
        mode: u32,
        uid: u32,
        gid: u32,
        reserved: u32,
    }

    PartLengths = "part_lengths" {
        tty: u32,
        filename: u32,
        interpreter: u32,
        executable: u32,
        cwd: u32,
        cgroup: u32,
        args_head: u32,
        args_tail: u32,
        env_head: u32,
        env_tail: u32,
    }

    ImageRecord = "image_record" {
        header: RecordHeader,
        process: ProcessId,
        parent: ProcessId,
        credentials: Credentials,
        namespaces: Namespaces,
        file: FileIdentity,
        args_total_bytes: u64,
        env_total_bytes: u64,
        parts: PartLengths,
        process_group: u32,
        session: u32,
        exec_thread: u32,
        tty_major: u32,
        tty_minor: u32,
        argc: u32,
        faults: u32,
        executable_end: u8,
        cwd_end: u8,
        cgroup_end: u8,
        reserved: u8,
        comm: [u8; COMM_BYTES],
    }
}
