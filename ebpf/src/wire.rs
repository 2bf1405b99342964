//! The wire format: what `bpf/wire.h` lays out, decoded.
//!
//! The bytes may be damaged or hostile: every access is checked, nothing here can panic, and there
//! is no unsafe code. The structs mirror the C ones and serve for their offsets only; a test
//! compares them with the BTF of the compiled object.

mod layout;
mod reader;

use std::mem::offset_of;

use crate::event::{
    Body, Credentials, Event, Exit, Faults, File, Fork, Image, Io, Memory, Namespaces, Path,
    PathEnd, TaskId, Tty,
};
use layout::{ExitRecord, ForkRecord, ImageRecord, RecordHeader};
use reader::{Fixed, Parts};

/// Most copies that there are of a program.
pub const LANES: usize = 5;

pub(crate) const VERSION: u16 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("record of {size_bytes} bytes is shorter than its kind needs")]
    Truncated { size_bytes: usize },
    #[error("record says {stated} bytes but has {actual}")]
    Length { stated: usize, actual: usize },
    #[error("record of wire version {0}, this program knows {VERSION}")]
    Version(u16),
    #[error("record of unknown kind {0}")]
    Kind(u16),
    #[error("{0} is not a terminated string")]
    Unterminated(&'static str),
    #[error("{0} ends in an unknown way")]
    PathEnd(&'static str),
}

/// Decodes one record of the ring, without copying its strings.
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, DecodeError> {
    let fixed = Fixed(bytes);
    let stated = fixed.u32(offset_of!(RecordHeader, size_bytes))? as usize;
    if stated != bytes.len() {
        return Err(DecodeError::Length { stated, actual: bytes.len() });
    }
    let version = fixed.u16(offset_of!(RecordHeader, version))?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let body = match fixed.u16(offset_of!(RecordHeader, kind))? {
        layout::RECORD_FORK => Body::Fork(fork(fixed)?),
        layout::RECORD_EXIT => Body::Exit(exit(fixed)?),
        layout::RECORD_EXEC => Body::Exec(Box::new(image(fixed)?)),
        layout::RECORD_RUNNING => Body::Running(Box::new(running(fixed)?)),
        kind => return Err(DecodeError::Kind(kind)),
    };
    Ok(Event {
        cpu: fixed.u16(offset_of!(RecordHeader, cpu))?.into(),
        lane: fixed.u16(offset_of!(RecordHeader, lane))?.into(),
        sequence: fixed.u64(offset_of!(RecordHeader, sequence))?,
        boottime_ns: fixed.u64(offset_of!(RecordHeader, boottime_ns))?,
        body,
    })
}

/// The records in what has been read from a task iterator so far. What follows the last whole
/// record is left in [`Records::remainder`].
pub fn records(stream: &[u8]) -> Records<'_> {
    Records { rest: stream }
}

pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// What has not been decoded. Once the iterator is at its end: the beginning of a record, the
    /// rest of which is still to be read.
    pub fn remainder(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Event<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let size_bytes = Fixed(self.rest).u32(offset_of!(RecordHeader, size_bytes)).ok()? as usize;
        if size_bytes < size_of::<RecordHeader>() {
            // A length that does not even pass itself: there is no next record to be found.
            let actual = self.rest.len();
            self.rest = &[];
            return Some(Err(DecodeError::Length { stated: size_bytes, actual }));
        }
        let (record, rest) = self.rest.split_at_checked(size_bytes)?;
        self.rest = rest;
        Some(decode(record))
    }
}

fn task_id(fixed: Fixed<'_>, offset: usize) -> Result<TaskId, DecodeError> {
    Ok(TaskId {
        pid: fixed.u32(offset + offset_of!(layout::ProcessId, pid))?,
        start_boottime_ns: fixed.u64(offset + offset_of!(layout::ProcessId, start_boottime_ns))?,
    })
}

fn fork(fixed: Fixed<'_>) -> Result<Fork, DecodeError> {
    Ok(Fork {
        parent: task_id(fixed, offset_of!(ForkRecord, parent))?,
        child: task_id(fixed, offset_of!(ForkRecord, child))?,
        namespace_pid: fixed.u32(offset_of!(ForkRecord, child.namespace_pid))?,
    })
}

fn exit(fixed: Fixed<'_>) -> Result<Exit, DecodeError> {
    let flags = fixed.u32(offset_of!(RecordHeader, flags))?;
    let io = Io {
        read_bytes: fixed.u64(offset_of!(ExitRecord, read_bytes))?,
        write_bytes: fixed.u64(offset_of!(ExitRecord, write_bytes))?,
    };
    Ok(Exit {
        process: task_id(fixed, offset_of!(ExitRecord, process))?,
        wait_status: fixed.u32(offset_of!(ExitRecord, wait_status))?,
        user_ns: fixed.u64(offset_of!(ExitRecord, user_ns))?,
        system_ns: fixed.u64(offset_of!(ExitRecord, system_ns))?,
        cpu_ns: fixed.u64(offset_of!(ExitRecord, cpu_ns))?,
        max_rss_bytes: fixed.u64(offset_of!(ExitRecord, max_rss_bytes))?,
        io: (flags & layout::FLAG_IO != 0).then_some(io),
    })
}

/// The kernel does not keep the number of arguments of a process that runs: count them.
fn running(fixed: Fixed<'_>) -> Result<Image<'_>, DecodeError> {
    let mut image = image(fixed)?;
    let ends = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == 0).count();
    let argc = ends(image.args.head) + ends(image.args.tail);
    image.argc = u32::try_from(argc).unwrap_or(u32::MAX);
    Ok(image)
}

fn image(fixed: Fixed<'_>) -> Result<Image<'_>, DecodeError> {
    let flags = fixed.u32(offset_of!(RecordHeader, flags))?;
    let faults = Faults(fixed.u32(offset_of!(ImageRecord, faults))?);
    let has = |flag| flags & flag != 0;

    let mut parts = Parts::after(fixed, size_of::<ImageRecord>())?;
    let tty_name = parts.string("tty", offset_of!(ImageRecord, parts.tty))?;
    let filename = parts.string("filename", offset_of!(ImageRecord, parts.filename))?;
    let interpreter = parts.string("interpreter", offset_of!(ImageRecord, parts.interpreter))?;
    let executable = Path {
        components: parts.strings("executable", offset_of!(ImageRecord, parts.executable))?,
        end: path_end(fixed, "executable", offset_of!(ImageRecord, executable_end))?,
    };
    let working_directory = Path {
        components: parts.strings("working directory", offset_of!(ImageRecord, parts.cwd))?,
        end: path_end(fixed, "working directory", offset_of!(ImageRecord, cwd_end))?,
    };
    let cgroup = Path {
        components: parts.strings("cgroup", offset_of!(ImageRecord, parts.cgroup))?,
        end: path_end(fixed, "cgroup", offset_of!(ImageRecord, cgroup_end))?,
    };
    let args = Memory {
        head: parts.bytes(offset_of!(ImageRecord, parts.args_head))?,
        tail: parts.bytes(offset_of!(ImageRecord, parts.args_tail))?,
        total_bytes: fixed.u64(offset_of!(ImageRecord, args_total_bytes))?,
        is_fault: faults.contains(Faults::ARGS),
        is_off: false,
    };
    let env = Memory {
        head: parts.bytes(offset_of!(ImageRecord, parts.env_head))?,
        tail: parts.bytes(offset_of!(ImageRecord, parts.env_tail))?,
        total_bytes: fixed.u64(offset_of!(ImageRecord, env_total_bytes))?,
        is_fault: faults.contains(Faults::ENV),
        is_off: has(layout::FLAG_ENV_OFF),
    };
    parts.end()?;

    Ok(Image {
        process: task_id(fixed, offset_of!(ImageRecord, process))?,
        parent: task_id(fixed, offset_of!(ImageRecord, parent))?,
        namespace_pid: fixed.u32(offset_of!(ImageRecord, process.namespace_pid))?,
        process_group: fixed.u32(offset_of!(ImageRecord, process_group))?,
        session: fixed.u32(offset_of!(ImageRecord, session))?,
        exec_thread: fixed.u32(offset_of!(ImageRecord, exec_thread))?,
        comm: fixed.padded(offset_of!(ImageRecord, comm), layout::COMM_BYTES)?,
        tty: has(layout::FLAG_TTY).then_some(Tty {
            name: tty_name,
            major: fixed.u32(offset_of!(ImageRecord, tty_major))?,
            minor: fixed.u32(offset_of!(ImageRecord, tty_minor))?,
        }),
        credentials: credentials(fixed)?,
        namespaces: namespaces(fixed)?,
        executable: file(fixed, executable, flags)?,
        filename,
        // binfmt_misc can give the same name in another string.
        interpreter: (has(layout::FLAG_INTERPRETER) && interpreter != filename)
            .then_some(interpreter),
        working_directory,
        cgroup,
        args,
        argc: fixed.u32(offset_of!(ImageRecord, argc))?,
        env,
        is_kernel_thread: has(layout::FLAG_KERNEL_THREAD),
        faults,
    })
}

fn path_end(fixed: Fixed<'_>, name: &'static str, offset: usize) -> Result<PathEnd, DecodeError> {
    Ok(match fixed.u8(offset)? {
        layout::PATH_FAULT => PathEnd::Fault,
        layout::PATH_ROOT => PathEnd::Root,
        layout::PATH_DETACHED => PathEnd::Detached,
        layout::PATH_PSEUDO => PathEnd::Pseudo,
        layout::PATH_CUT => PathEnd::Cut,
        _ => return Err(DecodeError::PathEnd(name)),
    })
}

fn credentials(fixed: Fixed<'_>) -> Result<Credentials, DecodeError> {
    let known = |id: u32| (id != layout::UNSET).then_some(id);
    Ok(Credentials {
        uid: fixed.u32(offset_of!(ImageRecord, credentials.uid))?,
        gid: fixed.u32(offset_of!(ImageRecord, credentials.gid))?,
        euid: fixed.u32(offset_of!(ImageRecord, credentials.euid))?,
        egid: fixed.u32(offset_of!(ImageRecord, credentials.egid))?,
        suid: fixed.u32(offset_of!(ImageRecord, credentials.suid))?,
        sgid: fixed.u32(offset_of!(ImageRecord, credentials.sgid))?,
        login_uid: known(fixed.u32(offset_of!(ImageRecord, credentials.login_uid))?),
        audit_session: known(fixed.u32(offset_of!(ImageRecord, credentials.audit_session))?),
        cap_effective: fixed.u64(offset_of!(ImageRecord, credentials.cap_effective))?,
        cap_permitted: fixed.u64(offset_of!(ImageRecord, credentials.cap_permitted))?,
    })
}

fn namespaces(fixed: Fixed<'_>) -> Result<Namespaces, DecodeError> {
    Ok(Namespaces {
        mount: fixed.u32(offset_of!(ImageRecord, namespaces.mount))?,
        pid: fixed.u32(offset_of!(ImageRecord, namespaces.pid))?,
        network: fixed.u32(offset_of!(ImageRecord, namespaces.network))?,
        user: fixed.u32(offset_of!(ImageRecord, namespaces.user))?,
        uts: fixed.u32(offset_of!(ImageRecord, namespaces.uts))?,
        ipc: fixed.u32(offset_of!(ImageRecord, namespaces.ipc))?,
        cgroup: fixed.u32(offset_of!(ImageRecord, namespaces.cgroup))?,
    })
}

fn file<'a>(fixed: Fixed<'a>, path: Path<'a>, flags: u32) -> Result<File<'a>, DecodeError> {
    Ok(File {
        path,
        device_major: fixed.u32(offset_of!(ImageRecord, file.device_major))?,
        device_minor: fixed.u32(offset_of!(ImageRecord, file.device_minor))?,
        inode: fixed.u64(offset_of!(ImageRecord, file.inode))?,
        size_bytes: fixed.u64(offset_of!(ImageRecord, file.size_bytes))?,
        mtime_ns: fixed.i64(offset_of!(ImageRecord, file.mtime_ns))?,
        ctime_ns: fixed.i64(offset_of!(ImageRecord, file.ctime_ns))?,
        mode: fixed.u32(offset_of!(ImageRecord, file.mode))?,
        uid: fixed.u32(offset_of!(ImageRecord, file.uid))?,
        gid: fixed.u32(offset_of!(ImageRecord, file.gid))?,
        is_memfd: flags & layout::FLAG_MEMFD != 0,
        is_deleted: flags & layout::FLAG_DELETED != 0,
        is_upper_layer: flags & layout::FLAG_UPPER_LAYER != 0,
    })
}

#[cfg(test)]
mod tests;
