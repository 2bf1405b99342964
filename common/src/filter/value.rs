//! The value that a field has in a record.

use super::field::Field;
use crate::binary::Elf;
use crate::id::ProcessId;
use crate::record::{
    Content, Context, Executable, FileContent, ObservedEnd, Parent, PathState, PathText, Record,
    Strings, StringsState,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not known.
    Missing,
    /// Numbers, times, durations, sizes, flags.
    Int(i64),
    /// A set of capabilities.
    Bits(u64),
    /// Not known when empty.
    Text(&'a [u8]),
    /// NUL-terminated strings, each a value of its own. Not known when there is no byte.
    Strings(&'a [u8]),
    /// NUL-terminated strings, one value when joined by spaces. Not known when there is no byte.
    CommandLine(&'a [u8]),
    Process(ProcessId),
}

impl Field {
    pub fn value(self, record: &Record) -> Value<'_> {
        let r = record;
        match self {
            Field::Time => Value::Int(r.time_ns),
            Field::Start => Value::Int(r.start_ns),
            Field::Pid => int(r.process.pid),
            Field::Id => Value::Process(r.process),
            Field::Name => Value::Text(process_name(&r.executable.path, &r.comm)),
            Field::Exe => path(&r.executable.path),
            Field::Cmd => captured(&r.args).map_or(Value::Missing, Value::CommandLine),
            Field::Arg => captured(&r.args).map_or(Value::Missing, Value::Strings),
            Field::Argc => captured(&r.args).map_or(Value::Missing, |_| int(r.args_count)),
            Field::Env => captured(&r.env).map_or(Value::Missing, Value::Strings),
            Field::Cwd => path(&r.working_directory),
            Field::Script => Value::Text(r.script.as_deref().unwrap_or_default()),
            Field::Comm => Value::Text(&r.comm),
            Field::State => Value::Text(r.state().name().as_bytes()),
            Field::Source => Value::Text(r.source.name().as_bytes()),
            Field::Ordinal => int(r.ordinal),
            Field::Tty => name(&r.tty),
            Field::Pgid => known(r.process_group),
            Field::Sid => known(r.session),
            Field::Truncated => flag(is_truncated(r)),
            Field::Nspid if r.context.is_unknown => Value::Missing,
            Field::Nspid => known(r.namespace_pid),
            _ => self
                .of_parent(r.parent.as_ref())
                .or_else(|| self.of_file(&r.executable))
                .or_else(|| self.of_content(r))
                .or_else(|| self.of_end(r))
                .unwrap_or_else(|| self.of_context(&r.context)),
        }
    }

    /// `None` where the field is not about the parent; likewise below.
    fn of_parent(self, parent: Option<&Parent>) -> Option<Value<'_>> {
        let value: fn(&Parent) -> Value<'_> = match self {
            Field::Ppid => |parent| int(parent.process.pid),
            Field::ParentId => |parent| Value::Process(parent.process),
            Field::Parent => |parent| Value::Text(&parent.executable),
            Field::ParentName => |parent| Value::Text(base_name(&parent.executable)),
            Field::ParentCmd => |parent| Value::CommandLine(&parent.args),
            _ => return None,
        };
        Some(parent.map_or(Value::Missing, value))
    }

    fn of_file(self, file: &Executable) -> Option<Value<'static>> {
        let value = match self {
            Field::Size => wide(file.size_bytes),
            Field::Mode => int(file.mode & 0o7777),
            Field::Inode => Value::Int(file.inode.cast_signed()),
            Field::Device => Value::Int(device_number(file.device_major, file.device_minor)),
            Field::Deleted => flag(file.is_deleted),
            Field::Memfd => flag(file.is_memfd),
            Field::UpperLayer => flag(file.is_upper_layer),
            _ => return None,
        };
        // No file has a mode of 0: nothing told of it.
        Some(if file.mode == 0 { Value::Missing } else { value })
    }

    fn of_content(self, record: &Record) -> Option<Value<'_>> {
        let value: fn(&FileContent) -> Value<'_> = match self {
            Field::Sha256 => |content| Value::Text(content.hashes.sha256.as_bytes()),
            Field::Sha1 => |content| Value::Text(content.hashes.sha1.as_bytes()),
            Field::Md5 => |content| Value::Text(content.hashes.md5.as_bytes()),
            Field::FileCapabilities => |content| name(&content.capabilities),
            Field::Package => |content| {
                content.package.as_ref().map_or(Value::Missing, |p| Value::Text(p.name.as_bytes()))
            },
            Field::PackageState => |content| match &content.package {
                Some(package) => Value::Text(package.state.name().as_bytes()),
                None => Value::Missing,
            },
            Field::ScriptSha256 => {
                let script = record.script_content.read();
                return Some(script.map_or(Value::Missing, |content| {
                    Value::Text(content.hashes.sha256.as_bytes())
                }));
            }
            Field::Unread => {
                return Some(match &record.content {
                    Content::Unread(reason) => Value::Text(reason.name().as_bytes()),
                    Content::Unknown | Content::Read(_) => Value::Missing,
                });
            }
            _ => return self.of_elf(record.content.read()?.elf.as_ref()?),
        };
        Some(record.content.read().map_or(Value::Missing, value))
    }

    fn of_elf(self, elf: &Elf) -> Option<Value<'_>> {
        Some(match self {
            Field::ElfMachine => name(&elf.machine),
            Field::ElfClass => elf.class.map_or(Value::Missing, int),
            Field::ElfType => name(&elf.kind),
            Field::ElfStatic => elf.is_static.map_or(Value::Missing, flag),
            Field::ElfInterpreter => name(&elf.interpreter),
            Field::ElfStripped => elf.is_stripped.map_or(Value::Missing, flag),
            Field::ElfBuildId => name(&elf.build_id),
            Field::ElfPacked => elf.is_packed.map_or(Value::Missing, flag),
            _ => return None,
        })
    }

    fn of_end(self, record: &Record) -> Option<Value<'static>> {
        let value: fn(&ObservedEnd) -> Value<'static> = match self {
            Field::End => |end| Value::Int(end.time_ns),
            Field::ExitCode => |end| end.exit_code.map_or(Value::Missing, int),
            Field::Signal => |end| end.signal.map_or(Value::Missing, int),
            Field::CoreDump => |end| flag(end.has_core_dump),
            Field::Cpu => |end| wide(end.cpu_ns),
            Field::Rss => |end| wide(end.max_rss_bytes),
            Field::IoRead => |end| end.io.map_or(Value::Missing, |io| wide(io.read_bytes)),
            Field::IoWrite => |end| end.io.map_or(Value::Missing, |io| wide(io.write_bytes)),
            Field::Duration => return Some(record.run_time_ns().map_or(Value::Missing, wide)),
            _ => return None,
        };
        let end = record.end.as_ref().and_then(|end| end.observed.as_ref());
        Some(end.map_or(Value::Missing, value))
    }

    fn of_context(self, context: &Context) -> Value<'_> {
        let c = context;
        if c.is_unknown {
            return Value::Missing;
        }
        match self {
            Field::User => name(&c.user_name),
            Field::Uid => int(c.uid),
            Field::Euser => name(&c.effective_user_name),
            Field::Euid => int(c.euid),
            Field::Group => name(&c.group_name),
            Field::Gid => int(c.gid),
            Field::Egid => int(c.egid),
            Field::Login => name(&c.login_name),
            Field::Auid => c.login_uid.map_or(Value::Missing, int),
            Field::AuditSession => c.audit_session.map_or(Value::Missing, int),
            Field::Capability => Value::Bits(c.cap_effective),
            Field::Container => {
                c.container.as_ref().map_or(Value::Missing, |c| Value::Text(c.id.as_bytes()))
            }
            Field::Runtime => {
                c.container.as_ref().map_or(Value::Missing, |c| Value::Text(c.runtime.as_bytes()))
            }
            Field::Unit => name(&c.unit),
            Field::Slice => name(&c.slice),
            Field::Cgroup => Value::Text(c.cgroup.as_bytes()),
            Field::MountNs => known(c.namespaces.mount),
            Field::PidNs => known(c.namespaces.pid),
            Field::NetNs => known(c.namespaces.network),
            Field::UserNs => known(c.namespaces.user),
            Field::UtsNs => known(c.namespaces.uts),
            Field::IpcNs => known(c.namespaces.ipc),
            Field::CgroupNs => known(c.namespaces.cgroup),
            _ => Value::Missing,
        }
    }
}

fn int<'a>(value: impl Into<i64>) -> Value<'a> {
    Value::Int(value.into())
}

/// Where 0 means that it is not known.
fn known<'a>(value: u32) -> Value<'a> {
    if value == 0 { Value::Missing } else { int(value) }
}

fn wide<'a>(value: u64) -> Value<'a> {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn flag<'a>(is_set: bool) -> Value<'a> {
    Value::Int(i64::from(is_set))
}

#[expect(clippy::ref_option, reason = "called with fields as they are")]
fn name(name: &Option<String>) -> Value<'_> {
    name.as_deref().map_or(Value::Missing, |name| Value::Text(name.as_bytes()))
}

fn path(path: &PathText) -> Value<'_> {
    match path.state {
        PathState::Absent => Value::Missing,
        _ => Value::Text(&path.bytes),
    }
}

/// The strings, where something was read.
fn captured(strings: &Strings) -> Option<&[u8]> {
    match strings.state {
        StringsState::Off | StringsState::Absent => None,
        _ => Some(&strings.bytes),
    }
}

/// The value of `name`: the last part of the path, or comm where there is none.
pub fn process_name<'a>(executable: &'a PathText, comm: &'a [u8]) -> &'a [u8] {
    match executable.state {
        PathState::Absent => comm,
        _ => Some(base_name(&executable.bytes)).filter(|name| !name.is_empty()).unwrap_or(comm),
    }
}

/// What follows the last slash.
pub fn base_name(path: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..])
}

/// The value of `device`: `major << 32 | minor`.
pub fn device_number(major: u32, minor: u32) -> i64 {
    (u64::from(major) << 32 | u64::from(minor)).cast_signed()
}

/// The value of `truncated`.
pub fn is_truncated(record: &Record) -> bool {
    let is_cut_path = |path: &PathText| matches!(path.state, PathState::Cut | PathState::Fault);
    let is_cut =
        |strings: &Strings| matches!(strings.state, StringsState::Cut { .. } | StringsState::Fault);
    is_cut_path(&record.executable.path)
        || is_cut_path(&record.working_directory)
        || is_cut(&record.args)
        || is_cut(&record.env)
}
