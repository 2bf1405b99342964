//! Where the value of each field is found.

use common::filter::Field;

/// How a dictionary value is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    BaseName,
    Strings,
    /// Strings, each stored on its own.
    Variables,
    CommandLine,
}

/// What the row of an executable tells, alone or with that of its content.
pub(super) enum OfExecutable {
    Path(Form),
    Number(&'static str),
    /// NULL where not known, as is the next.
    ContentNumber(&'static str),
    ContentText(&'static str),
    Unread,
    PackageState,
}

/// Where the value of a field is found.
pub(super) enum Home {
    /// An expression on the row, NULL where the value is not known.
    Number(String),
    /// A column that refers to `text`.
    Text(&'static str),
    Executable(OfExecutable),
    Name,
    Args(Form),
    Env,
    ScriptText(&'static str),
    /// A number of the context, NULL where not known.
    ContextNumber(&'static str),
    ContextBits(&'static str),
    ContextText(&'static str),
    ParentPid,
    ParentExe(Form),
    ParentArgs,
    Process,
    ParentProcess,
    State,
    Source,
    Truncated,
}

pub(super) fn home(field: Field) -> Home {
    let number = |sql: &str| Home::Number(sql.to_owned());
    let exe = Home::Executable;
    match field {
        Field::Time => number("p.time_ns"),
        Field::Start => number("(p.time_ns - p.age_ns)"),
        Field::End => number("(p.time_ns - p.age_ns + p.run_ns)"),
        Field::Pid => number("p.pid"),
        Field::Id => Home::Process,
        Field::Name => Home::Name,
        Field::Exe => exe(OfExecutable::Path(Form::Text)),
        Field::Cmd => Home::Args(Form::CommandLine),
        Field::Arg => Home::Args(Form::Strings),
        Field::Argc => number("iif(p.args IS NULL, NULL, p.args_count)"),
        Field::Env => Home::Env,
        Field::Cwd => Home::Text("cwd"),
        Field::Script => Home::Text("script"),
        Field::Comm => Home::Text("comm"),
        Field::Tty => Home::Text("tty"),
        Field::State => Home::State,
        Field::Source => Home::Source,
        Field::Ordinal => number("p.ordinal"),
        Field::Pgid => number("nullif(p.process_group, 0)"),
        Field::Sid => number("nullif(p.session, 0)"),
        Field::Nspid => number(
            "iif(p.context IN (SELECT id FROM context WHERE is_unknown), NULL, \
             nullif(ifnull(p.namespace_pid, p.pid), 0))",
        ),
        Field::ExitCode => number("p.exit_code"),
        Field::Signal => number("p.signal"),
        Field::CoreDump => number("iif(p.run_ns IS NULL, NULL, ifnull(p.core_dump, 0))"),
        Field::Duration => number("p.run_ns"),
        Field::Cpu => number("p.cpu_ns"),
        Field::Rss => number("p.max_rss_bytes"),
        Field::IoRead => number("p.read_bytes"),
        Field::IoWrite => number("p.write_bytes"),
        Field::Ppid => Home::ParentPid,
        Field::ParentId => Home::ParentProcess,
        Field::Parent => Home::ParentExe(Form::Text),
        Field::ParentName => Home::ParentExe(Form::BaseName),
        Field::ParentCmd => Home::ParentArgs,
        Field::Size => exe(OfExecutable::Number("e.size_bytes")),
        Field::Mode => exe(OfExecutable::Number("(e.mode & 4095)")),
        Field::Inode => exe(OfExecutable::Number("e.inode")),
        Field::Device => exe(OfExecutable::Number("(e.device_major << 32 | e.device_minor)")),
        Field::Deleted => exe(OfExecutable::Number("e.is_deleted")),
        Field::Memfd => exe(OfExecutable::Number("e.is_memfd")),
        Field::UpperLayer => exe(OfExecutable::Number("e.is_upper")),
        Field::Sha256 => exe(OfExecutable::ContentText("lower(hex(b.sha256))")),
        Field::Sha1 => exe(OfExecutable::ContentText("lower(hex(b.sha1))")),
        Field::Md5 => exe(OfExecutable::ContentText("lower(hex(b.md5))")),
        Field::ScriptSha256 => Home::ScriptText("lower(hex(b.sha256))"),
        Field::Unread => exe(OfExecutable::Unread),
        Field::Package => exe(OfExecutable::ContentText("e.package")),
        Field::PackageState => exe(OfExecutable::PackageState),
        Field::FileCapabilities => exe(OfExecutable::ContentText("e.capabilities")),
        Field::ElfMachine => exe(OfExecutable::ContentText("b.elf_machine")),
        Field::ElfClass => exe(OfExecutable::ContentNumber("b.elf_class")),
        Field::ElfType => exe(OfExecutable::ContentText("b.elf_type")),
        Field::ElfStatic => exe(OfExecutable::ContentNumber("b.elf_static")),
        Field::ElfInterpreter => exe(OfExecutable::ContentText("b.elf_interpreter")),
        Field::ElfStripped => exe(OfExecutable::ContentNumber("b.elf_stripped")),
        Field::ElfBuildId => exe(OfExecutable::ContentText("b.elf_build_id")),
        Field::ElfPacked => exe(OfExecutable::ContentNumber("b.elf_packed")),
        Field::Truncated => Home::Truncated,
        Field::User => Home::ContextText("c.user_name"),
        Field::Euser => Home::ContextText("c.effective_name"),
        Field::Group => Home::ContextText("c.group_name"),
        Field::Login => Home::ContextText("c.login_name"),
        Field::Container => Home::ContextText("c.container"),
        Field::Runtime => Home::ContextText("c.runtime"),
        Field::Unit => Home::ContextText("c.unit"),
        Field::Slice => Home::ContextText("c.slice"),
        Field::Cgroup => Home::ContextText("c.cgroup"),
        Field::Uid => Home::ContextNumber("c.uid"),
        Field::Euid => Home::ContextNumber("c.euid"),
        Field::Gid => Home::ContextNumber("c.gid"),
        Field::Egid => Home::ContextNumber("c.egid"),
        Field::Auid => Home::ContextNumber("c.login_uid"),
        Field::AuditSession => Home::ContextNumber("c.audit_session"),
        Field::Capability => Home::ContextBits("c.cap_effective"),
        Field::MountNs => Home::ContextNumber("nullif(c.mount_ns, 0)"),
        Field::PidNs => Home::ContextNumber("nullif(c.pid_ns, 0)"),
        Field::NetNs => Home::ContextNumber("nullif(c.network_ns, 0)"),
        Field::UserNs => Home::ContextNumber("nullif(c.user_ns, 0)"),
        Field::UtsNs => Home::ContextNumber("nullif(c.uts_ns, 0)"),
        Field::IpcNs => Home::ContextNumber("nullif(c.ipc_ns, 0)"),
        Field::CgroupNs => Home::ContextNumber("nullif(c.cgroup_ns, 0)"),
    }
}

pub(super) fn parent_pid() -> String {
    "ifnull((SELECT q.pid FROM process q WHERE q.id = p.parent), p.parent_pid)".to_owned()
}

pub(super) fn truncated() -> String {
    "(p.args_state IN (1, 2) OR p.env_state IN (1, 2) OR p.cwd_state IN (3, 4) OR p.executable IN \
     (SELECT id FROM executable WHERE path_state IN (3, 4)))"
        .to_owned()
}
