//! The table of fields: the one description that drives parsing, completion, help and the manual.

use super::operator::Operator;

/// What a field holds, and so which operators and values it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    /// Compared for equality only; up to 64 bits, in the column as the same bits signed.
    Inode,
    /// `major:minor`; in the column as `major << 32 | minor`.
    Device,
    /// Permission bits in octal.
    Mode,
    /// A number with a name.
    Signal,
    /// Nanoseconds since 1970.
    Time,
    /// Nanoseconds.
    Duration,
    /// Bytes.
    Size,
    /// 0 or 1.
    Flag,
    /// A set of capabilities: one bit each.
    Capability,
    Text,
    /// Text out of a closed set.
    Choice(&'static [&'static str]),
    /// A name; a value of digits alone means the field with the number.
    Account(Field),
    /// The id of a container: twelve or more hexadecimal digits match as a prefix.
    Container,
    /// The identity of a process.
    Process,
    /// Several texts: a test holds when it holds for any.
    Strings,
    /// Arguments, tested joined by spaces.
    CommandLine,
}

impl Kind {
    pub fn operators(self) -> &'static [Operator] {
        use Operator as O;
        match self {
            Kind::Number | Kind::Duration | Kind::Size => &[
                O::Equal,
                O::NotEqual,
                O::Less,
                O::LessOrEqual,
                O::Greater,
                O::GreaterOrEqual,
                O::In,
                O::NotIn,
                O::Exists,
            ],
            Kind::Time => &[
                O::Less,
                O::LessOrEqual,
                O::Greater,
                O::GreaterOrEqual,
                O::Equal,
                O::NotEqual,
                O::Exists,
            ],
            Kind::Inode
            | Kind::Device
            | Kind::Mode
            | Kind::Signal
            | Kind::Choice(_)
            | Kind::Process => &[O::Equal, O::NotEqual, O::In, O::NotIn, O::Exists],
            Kind::Flag => &[O::Equal, O::NotEqual, O::Exists],
            Kind::Capability
            | Kind::Text
            | Kind::Account(_)
            | Kind::Container
            | Kind::Strings
            | Kind::CommandLine => &[
                O::Equal,
                O::NotEqual,
                O::Contains,
                O::NotContains,
                O::Matches,
                O::NotMatches,
                O::In,
                O::NotIn,
                O::Exists,
            ],
        }
    }

    /// What a value looks like, for people.
    pub fn expects(self) -> &'static str {
        match self {
            Kind::Number => "a number, such as 0 or 1000",
            Kind::Inode => "an inode number, such as 1835021",
            Kind::Device => "a device as major:minor, such as 8:1",
            Kind::Mode => "permission bits in octal, such as 4755",
            Kind::Signal => "a signal, such as KILL, SIGSEGV or 9",
            Kind::Time => {
                "a time, such as 2h ago, yesterday, 2026-11-24 14:00 or 2026-11-24T14:00:00+01:00"
            }
            Kind::Duration => "a duration with its unit, such as 10ms, 2s or 1.5h",
            Kind::Size => "a size, such as 4096, 10M or 2GiB",
            Kind::Flag => "true or false",
            Kind::Capability => "a capability, such as SYS_ADMIN",
            Kind::Choice(_) => "one of its names",
            Kind::Account(_) => "a name or a number",
            Kind::Process => "a process id as shown, such as 3f2a9c81d0b4-4711-1a2b3c4d5e",
            Kind::Text | Kind::Container | Kind::Strings | Kind::CommandLine => "a text",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    pub field: Field,
    pub name: &'static str,
    /// The path in the machine form; accepted as a name. `None` where that has no such field.
    pub ecs: Option<&'static str>,
    /// Further names that are accepted.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    pub doc: &'static str,
    /// A filter that uses it.
    pub example: &'static str,
}

macro_rules! fields {
    ($($field:ident $name:literal $ecs:expr, [$($alias:literal),*] $kind:expr, $doc:literal, $example:literal;)*) => {
        /// What a term of a filter looks at.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field { $($field),* }

        impl Field {
            pub const ALL: &[Field] = &[$(Field::$field),*];
        }

        /// All fields, in the order in which people want to read about them.
        pub static FIELDS: &[FieldInfo] = &[$(FieldInfo {
            field: Field::$field,
            name: $name,
            ecs: $ecs,
            aliases: &[$($alias),*],
            kind: $kind,
            doc: $doc,
            example: $example,
        }),*];
    };
}

/// The names of `record::State`.
const STATES: &[&str] = &["running", "ended", "failed", "killed", "unobserved"];

/// The names of `record::Source`.
const SOURCES: &[&str] = &["exec", "fork", "iterator", "proc", "exit-only"];

/// The names of `binary::Unread`.
const UNREAD: &[&str] = &[
    "gone",
    "changed",
    "not-permitted",
    "not-regular",
    "too-large",
    "busy",
    "failed",
    "ambiguous",
];

/// The names of `binary::PackageState`.
const PACKAGE_STATES: &[&str] = &["verified", "modified", "unverified"];

fields! {
    Time "time" Some("@timestamp"), ["timestamp"] Kind::Time,
        "when the image began to run", "time > 2h ago";
    Pid "pid" Some("process.pid"), [] Kind::Number,
        "process number in the initial pid namespace", "pid = 4711";
    Id "id" Some("process.entity_id"), ["entity_id"] Kind::Process,
        "identity of the process, the same after pid reuse", "id = 3f2a9c81d0b4-4711-1a2b3c4d5e";
    Name "name" Some("process.name"), [] Kind::Text,
        "last part of the executable's path, or comm where there is none", "name = bash";
    Exe "exe" Some("process.executable"), ["executable", "path"] Kind::Text,
        "path of the executable", "exe = /usr/bin/curl";
    Cmd "cmd" Some("process.command_line"), ["command", "cmdline", "command_line"] Kind::CommandLine,
        "arguments joined by spaces", "cmd ~ \"curl http\"";
    Arg "arg" Some("process.args"), ["args"] Kind::Strings,
        "any one argument", "arg = --privileged";
    Argc "argc" Some("process.args_count"), ["args_count"] Kind::Number,
        "how many arguments there are", "argc > 1000";
    Env "env" Some("process.env_vars"), ["environment"] Kind::Strings,
        "any one environment variable, as NAME=value", "env ~ LD_PRELOAD=";
    Cwd "cwd" Some("process.working_directory"), ["directory", "working_directory"] Kind::Text,
        "working directory", "cwd =~ ^/tmp";
    Script "script" Some("recorder.script"), [] Kind::Text,
        "script that the executable interprets, as named to exec", "script ~ .sh";
    Comm "comm" Some("recorder.comm"), [] Kind::Text,
        "the kernel's short name of the process", "comm = kworker/0:1";
    State "state" Some("recorder.state"), [] Kind::Choice(STATES),
        "where the process stands", "state in (failed, killed)";
    ExitCode "exit_code" Some("process.exit_code"), ["exit", "status"] Kind::Number,
        "exit code, unless a signal ended the process", "exit_code != 0";
    Signal "signal" Some("process.exit_signal"), ["exit_signal"] Kind::Signal,
        "signal that ended the process", "signal = SEGV";
    CoreDump "core_dump" Some("recorder.resources.core_dump"), [] Kind::Flag,
        "the process left a core dump", "core_dump";
    Duration "duration" Some("recorder.resources.run_time_ns"), ["run_time"] Kind::Duration,
        "time from the start of the process to its end", "duration > 1.5h";
    Cpu "cpu" Some("recorder.resources.cpu_ns"), ["cpu_time"] Kind::Duration,
        "processor time used, known at the end", "cpu > 10s";
    Rss "rss" Some("recorder.resources.max_rss_bytes"), ["memory", "max_rss"] Kind::Size,
        "largest resident memory, known at the end", "rss > 2GiB";
    IoRead "io_read" Some("recorder.resources.read_bytes"), ["read_bytes"] Kind::Size,
        "bytes read from storage, known at the end", "io_read > 100M";
    IoWrite "io_write" Some("recorder.resources.write_bytes"), ["write_bytes"] Kind::Size,
        "bytes written to storage, known at the end", "io_write > 100M";
    Start "start" Some("process.start"), [] Kind::Time,
        "when the process began", "start < yesterday";
    End "end" Some("process.end"), [] Kind::Time,
        "when the process was seen to end", "end > 10m ago";
    User "user" Some("user.name"), ["user_name"] Kind::Account(Field::Uid),
        "user's name; a number means uid", "user = root";
    Uid "uid" Some("user.id"), ["user_id"] Kind::Number,
        "user's number", "uid >= 1000";
    Euser "euser" Some("user.effective.name"), ["effective_user"] Kind::Account(Field::Euid),
        "effective user's name; a number means euid", "euser = root and user != root";
    Euid "euid" Some("recorder.credentials.euid"), ["user.effective.id"] Kind::Number,
        "effective user's number", "euid = 0";
    Group "group" Some("group.name"), [] Kind::Account(Field::Gid),
        "group's name; a number means gid", "group = docker";
    Gid "gid" Some("group.id"), [] Kind::Number,
        "group's number", "gid = 100";
    Egid "egid" Some("recorder.credentials.egid"), [] Kind::Number,
        "effective group's number", "egid = 0";
    Login "login" Some("recorder.credentials.login_name"), ["login_name"] Kind::Account(Field::Auid),
        "name of the user who logged in, kept across su and sudo; a number means auid", "login = alice and uid = 0";
    Auid "auid" Some("recorder.credentials.login_uid"), ["login_uid", "loginuid"] Kind::Number,
        "number of the user who logged in", "auid = 1000";
    AuditSession "audit_session" Some("recorder.credentials.audit_session"), [] Kind::Number,
        "login session of the audit system", "audit_session = 3";
    Capability "capability" Some("process.thread.capabilities.effective"), ["cap", "capabilities"] Kind::Capability,
        "any one effective capability", "cap = SYS_ADMIN";
    Container "container" Some("container.id"), ["container_id"] Kind::Container,
        "id of the container; the short form is enough", "container = 4f5a6b7c8d9e";
    Runtime "runtime" Some("container.runtime"), [] Kind::Text,
        "container runtime", "runtime = docker";
    Unit "unit" Some("recorder.unit"), [] Kind::Text,
        "innermost systemd unit", "unit = nginx.service";
    Slice "slice" Some("recorder.slice"), [] Kind::Text,
        "systemd slice", "slice = user-1000.slice";
    Cgroup "cgroup" Some("recorder.cgroup"), [] Kind::Text,
        "path of the control group", "cgroup ~ kubepods";
    Tty "tty" Some("process.tty.name"), ["terminal"] Kind::Text,
        "terminal, below /dev", "tty = pts/0";
    Ppid "ppid" Some("process.parent.pid"), ["parent_pid"] Kind::Number,
        "parent's process number", "ppid = 1";
    ParentId "parent_id" Some("process.parent.entity_id"), [] Kind::Process,
        "parent's identity", "parent_id = 3f2a9c81d0b4-4711-1a2b3c4d5e";
    Parent "parent" Some("process.parent.executable"), ["parent_exe"] Kind::Text,
        "path of the parent's executable", "parent = /usr/sbin/sshd";
    ParentName "parent_name" None, ["process.parent.name"] Kind::Text,
        "last part of the parent's path", "parent_name in (nginx, apache2)";
    ParentCmd "parent_cmd" Some("process.parent.command_line"), ["parent_command_line"] Kind::CommandLine,
        "parent's arguments joined by spaces", "parent_cmd ~ sshd";
    Pgid "pgid" Some("process.group_leader.pid"), ["process_group"] Kind::Number,
        "process group", "pgid = 4711";
    Sid "sid" Some("process.session_leader.pid"), [] Kind::Number,
        "session", "sid = 4711";
    Nspid "nspid" Some("recorder.namespaces.process_pid"), [] Kind::Number,
        "process number inside its own pid namespace", "nspid = 1 and container exists";
    Ordinal "ordinal" Some("recorder.ordinal"), ["nth"] Kind::Number,
        "which exec of the process this is, 0 for the image it began with", "ordinal > 1";
    Source "source" Some("recorder.source"), [] Kind::Choice(SOURCES),
        "what told the recorder of this image", "source = exec";
    Size "size" Some("recorder.file.size_bytes"), ["file_size"] Kind::Size,
        "size of the executable", "size < 10K";
    Mode "mode" Some("recorder.file.mode"), ["permissions"] Kind::Mode,
        "permission bits of the executable", "mode in (4755, 4555)";
    Inode "inode" Some("recorder.file.inode"), [] Kind::Inode,
        "inode of the executable", "inode = 1835021";
    Device "device" Some("recorder.file.device"), ["dev"] Kind::Device,
        "device of the executable", "device = 8:1";
    Deleted "deleted" Some("recorder.file.deleted"), [] Kind::Flag,
        "the executable had no name any more", "deleted";
    Memfd "memfd" Some("recorder.file.memfd"), [] Kind::Flag,
        "the executable existed in memory only", "memfd";
    UpperLayer "upper_layer" Some("recorder.file.upper_layer"), [] Kind::Flag,
        "the executable was written after the container started", "upper_layer and container exists";
    Sha256 "sha256" Some("process.hash.sha256"), [] Kind::Text,
        "SHA-256 of the executable, in lower case", "sha256 ~ 9f86d081884c7d65";
    Sha1 "sha1" Some("process.hash.sha1"), [] Kind::Text,
        "SHA-1 of the executable", "sha1 = a94a8fe5ccb19ba61c4c0873d391e987982fbbd3";
    Md5 "md5" Some("process.hash.md5"), [] Kind::Text,
        "MD5 of the executable", "md5 = 098f6bcd4621d373cade4e832627b4f6";
    ScriptSha256 "script_sha256" Some("recorder.script_content.hash.sha256"), [] Kind::Text,
        "SHA-256 of the script", "script_sha256 ~ 9f86d081884c7d65";
    Unread "unread" Some("recorder.content.unread"), [] Kind::Choice(UNREAD),
        "why the content of the executable is not known", "unread in (gone, changed)";
    Package "package" Some("recorder.content.package.name"), [] Kind::Text,
        "package that brought the executable", "sha256 exists and not package exists";
    PackageState "package_state" Some("recorder.content.package.state"), [] Kind::Choice(PACKAGE_STATES),
        "whether the executable is as its package brought it", "package_state = modified";
    FileCapabilities "file_capabilities" Some("recorder.content.capabilities"), ["file_caps"] Kind::Text,
        "capabilities that the executable gives, as getcap prints them", "file_caps ~ cap_sys_admin";
    ElfMachine "elf.machine" Some("recorder.content.elf.machine"), [] Kind::Text,
        "processor the executable is made for", "elf.machine != x86_64";
    ElfClass "elf.class" Some("recorder.content.elf.class"), [] Kind::Number,
        "32 or 64 bits", "elf.class = 32";
    ElfType "elf.type" Some("recorder.content.elf.type"), [] Kind::Text,
        "executable, pie, shared-object and so on", "elf.type = executable";
    ElfStatic "elf.static" Some("recorder.content.elf.static"), [] Kind::Flag,
        "the executable needs no dynamic linker", "elf.static and exe =~ ^/tmp/";
    ElfInterpreter "elf.interpreter" Some("recorder.content.elf.interpreter"), [] Kind::Text,
        "dynamic linker that the executable asks for", "elf.interpreter ~ musl";
    ElfStripped "elf.stripped" Some("recorder.content.elf.stripped"), [] Kind::Flag,
        "the executable has no symbol table", "elf.static and elf.stripped";
    ElfBuildId "elf.build_id" Some("recorder.content.elf.build_id"), ["build_id"] Kind::Text,
        "GNU build id of the executable", "build_id ~ 7f1a8d2c";
    ElfPacked "elf.packed" Some("recorder.content.elf.packed"), ["packed"] Kind::Flag,
        "the code of the executable looks compressed or encrypted", "packed";
    Truncated "truncated" None, [] Kind::Flag,
        "arguments, environment or a path are cut or could not be read", "truncated";
    MountNs "mount_ns" Some("recorder.namespaces.mount"), ["mnt_ns"] Kind::Number,
        "mount namespace", "mount_ns != 4026531841";
    PidNs "pid_ns" Some("recorder.namespaces.pid"), [] Kind::Number,
        "pid namespace", "pid_ns != 4026531836";
    NetNs "net_ns" Some("recorder.namespaces.network"), ["network_ns"] Kind::Number,
        "network namespace", "net_ns = 4026531840";
    UserNs "user_ns" Some("recorder.namespaces.user"), [] Kind::Number,
        "user namespace", "user_ns != 4026531837";
    UtsNs "uts_ns" Some("recorder.namespaces.uts"), [] Kind::Number,
        "host name namespace", "uts_ns != 4026531838";
    IpcNs "ipc_ns" Some("recorder.namespaces.ipc"), [] Kind::Number,
        "IPC namespace", "ipc_ns != 4026531839";
    CgroupNs "cgroup_ns" Some("recorder.namespaces.cgroup"), [] Kind::Number,
        "control group namespace", "cgroup_ns != 4026531835";
}

impl Field {
    pub fn info(self) -> &'static FieldInfo {
        &FIELDS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.info().name
    }

    pub fn kind(self) -> Kind {
        self.info().kind
    }

    /// Finds a field by name, alias or ECS path; case does not matter, nor does `-` for `_`.
    pub fn parse(name: &str) -> Option<Field> {
        let is_same = |known: &str| {
            known.len() == name.len()
                && known
                    .bytes()
                    .zip(name.bytes())
                    .all(|(a, b)| a.eq_ignore_ascii_case(&b) || (a == b'_' && b == b'-'))
        };
        let found = FIELDS.iter().find(|info| info.names().any(is_same))?;
        Some(found.field)
    }

    /// The field that was probably meant.
    pub fn nearest(name: &str) -> Option<Field> {
        let known = FIELDS.iter().flat_map(FieldInfo::names);
        crate::nearest::nearest(name, known).and_then(Field::parse)
    }

    /// Several values at once; there is no single one to count or to copy.
    pub fn is_list(self) -> bool {
        matches!(self.kind(), Kind::Strings | Kind::Capability)
    }
}

impl FieldInfo {
    /// Every name that is accepted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.aliases.iter().copied()).chain(self.ecs)
    }
}
