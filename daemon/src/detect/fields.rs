//! The fields that rules can ask for, and an event as the engine sees it.
//!
//! One table: the names of the SigmaHQ taxonomy for `process_creation` on Linux, and the names of
//! our own documents (ECS) for what that has no name for. `man/bpf-recorder-rules.7` lists them; a
//! test compares the two.

use std::borrow::Cow;
use std::cell::OnceCell;

use common::binary::{Elf, Hashes};
use common::ecs::capability_names;
use common::escape;
use common::filter::process_name;
use common::record::{
    Content, Context, FileContent, Parent, PathState, Record, StringsState, join_strings,
};
use common::time::rfc3339;
use rsigma_eval::{Event, EventValue};

use super::interest::Interest;

/// A record of an exec, with what has to be put together kept for the next rule that asks.
pub(crate) struct View<'r> {
    record: &'r Record,
    /// Where it is known what rules could match in a list: lists without that are empty.
    interest: Option<&'r Interest>,
    command_line: OnceCell<Option<Cow<'r, str>>>,
    parent_command_line: OnceCell<Option<Cow<'r, str>>>,
}

impl<'r> View<'r> {
    pub(crate) fn new(record: &'r Record) -> Self {
        Self {
            record,
            interest: None,
            command_line: OnceCell::new(),
            parent_command_line: OnceCell::new(),
        }
    }

    pub(super) fn narrowed(record: &'r Record, interest: &'r Interest) -> Self {
        Self { interest: Some(interest), ..Self::new(record) }
    }

    fn command_line(&self) -> Option<EventValue<'_>> {
        let line = self.command_line.get_or_init(|| {
            let args = &self.record.args;
            let is_known = !matches!(args.state, StringsState::Absent | StringsState::Off);
            is_known.then(|| line(&args.bytes))
        });
        line.as_deref().map(borrowed)
    }

    fn parent_command_line(&self) -> Option<EventValue<'_>> {
        let line = self.parent_command_line.get_or_init(|| {
            let parent = self.record.parent.as_ref()?;
            (!parent.args.is_empty()).then(|| line(&parent.args))
        });
        line.as_deref().map(borrowed)
    }

    fn environment(&self) -> Option<EventValue<'_>> {
        let env = &self.record.env;
        if matches!(env.state, StringsState::Absent | StringsState::Off) {
            return None;
        }
        if self.interest.is_some_and(|interest| !interest.in_environment(&env.bytes)) {
            return Some(EventValue::Array(Vec::new()));
        }
        Some(list(env.iter().map(|variable| escape::text(variable).0)))
    }

    fn capabilities(&self, set: u64) -> EventValue<'_> {
        let set = self.interest.map_or(set, |interest| interest.in_capabilities(set));
        list(capability_names(set).into_iter())
    }

    fn context(&self) -> Option<&'r Context> {
        (!self.record.context.is_unknown).then_some(&*self.record.context)
    }

    fn parent(&self) -> Option<&'r Parent> {
        self.record.parent.as_ref()
    }

    fn parent_context(&self) -> Option<&'r Context> {
        self.parent()?.context.as_deref()
    }

    fn content(&self) -> Option<&'r FileContent> {
        self.record.content.read()
    }

    fn hashes(&self) -> Option<&'r Hashes> {
        self.content().map(|content| &content.hashes)
    }

    fn elf(&self) -> Option<&'r Elf> {
        self.content()?.elf.as_ref()
    }

    fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        SEARCHED.iter().filter_map(|name| match self.get_field(name) {
            Some(EventValue::Str(text)) => Some(text),
            _ => None,
        })
    }
}

/// The fields that keywords are looked for in.
pub(super) const SEARCHED: [&str; 6] =
    ["Image", "CommandLine", "CurrentDirectory", "User", "ParentImage", "ParentCommandLine"];

/// As people expect it, and as clients show it.
fn line(args: &[u8]) -> Cow<'static, str> {
    let line = join_strings(args);
    match String::from_utf8(line) {
        Ok(line) => Cow::Owned(line),
        Err(error) => Cow::Owned(escape::text(error.as_bytes()).0.into_owned()),
    }
}

fn borrowed(text: &str) -> EventValue<'_> {
    EventValue::Str(Cow::Borrowed(text))
}

fn borrowed_hash(digits: &str) -> Option<EventValue<'_>> {
    Some(borrowed(digits))
}

fn owned<'a>(text: String) -> EventValue<'a> {
    EventValue::Str(Cow::Owned(text))
}

fn bytes(bytes: &[u8]) -> Option<EventValue<'_>> {
    (!bytes.is_empty()).then(|| EventValue::Str(escape::text(bytes).0))
}

fn number<'a>(number: impl Into<i64>) -> EventValue<'a> {
    EventValue::Int(number.into())
}

fn large<'a>(number: u64) -> EventValue<'a> {
    EventValue::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// As the audit system writes it.
fn unset_or<'a>(id: Option<u32>) -> EventValue<'a> {
    number(id.unwrap_or(u32::MAX))
}

/// A user's name, or the number where it has none.
fn user_name<'a>(name: Option<&'a str>, id: u32) -> EventValue<'a> {
    name.map_or_else(|| owned(id.to_string()), borrowed)
}

fn list<'a>(items: impl Iterator<Item = Cow<'a, str>>) -> EventValue<'a> {
    EventValue::Array(items.map(EventValue::Str).collect())
}

/// The form of Sysmon: `2026-11-24 14:03:27.512`, in UTC.
fn utc_time<'a>(record: &Record) -> EventValue<'a> {
    let text = rfc3339(record.time_ns);
    owned(text.get(..23).unwrap_or(&text).replace('T', " "))
}

/// What a rule can ask for.
pub(crate) struct RuleField {
    pub(crate) name: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the manual is compared with it"))]
    pub(crate) meaning: &'static str,
}

/// Declares the table and the look-up, so that they cannot differ. The most asked ones come first.
macro_rules! fields {
    ($view:ident, $($name:literal $meaning:literal => $value:expr,)*) => {
        pub(crate) const RULE_FIELDS: &[RuleField] =
            &[$(RuleField { name: $name, meaning: $meaning },)*];

        fn get<'v>($view: &'v View<'_>, name: &str) -> Option<EventValue<'v>> {
            match name {
                $($name => $value,)*
                _ => None,
            }
        }
    };
}

fields! { view,
    "Image" "path of the executable" => bytes(&view.record.executable.path.bytes),
    "CommandLine" "arguments joined by spaces" => view.command_line(),
    "ParentImage" "path of the executable of the process that forked, as it was then"
        => bytes(&view.parent()?.executable),
    "ParentCommandLine" "arguments of the process that forked, as they were then"
        => view.parent_command_line(),
    "User" "name of the user, or the number where it has none"
        => view.context().map(|c| user_name(c.user_name.as_deref(), c.uid)),
    "CurrentDirectory" "working directory" => match view.record.working_directory.state {
        PathState::Fault | PathState::Absent => None,
        _ => bytes(&view.record.working_directory.bytes),
    },
    "LogonId" "number of the user, as Sysmon for Linux fills it"
        => view.context().map(|c| number(c.uid)),
    "TerminalSessionId" "login session of the audit system; 4294967295 where there is none"
        => view.context().map(|c| unset_or(c.audit_session)),
    "ProcessId" "process number in the initial pid namespace"
        => Some(number(view.record.process.pid)),
    "ProcessGuid" "identity of the process, as in process.entity_id"
        => Some(owned(view.record.process.to_string())),
    "ParentProcessId" "process number of the parent"
        => Some(number(view.parent()?.process.pid)),
    "ParentProcessGuid" "identity of the parent"
        => Some(owned(view.parent()?.process.to_string())),
    "ParentUser" "name of the parent's user, or the number where it has none"
        => view.parent_context().map(|c| user_name(c.user_name.as_deref(), c.uid)),
    "md5" "MD5 of the executable" => borrowed_hash(&view.hashes()?.md5),
    "sha1" "SHA-1 of the executable" => borrowed_hash(&view.hashes()?.sha1),
    "sha256" "SHA-256 of the executable" => borrowed_hash(&view.hashes()?.sha256),
    "Hashes" "the hashes as Sysmon writes them: SHA1=...,MD5=...,SHA256=..."
        => view.hashes().map(|h| {
            owned(format!("SHA1={},MD5={},SHA256={}", h.sha1, h.md5, h.sha256))
        }),
    "UtcTime" "when the image began to run, in UTC, such as 2026-11-24 14:03:27.512"
        => Some(utc_time(view.record)),
    "process.name" "last part of the path of the executable"
        => bytes(process_name(&view.record.executable.path, &view.record.comm)),
    "process.executable" "as Image" => bytes(&view.record.executable.path.bytes),
    "process.command_line" "as CommandLine" => view.command_line(),
    "process.args" "the arguments, any one of them" => match view.record.args.state {
        StringsState::Absent | StringsState::Off => None,
        _ => Some(list(view.record.args.iter().map(|arg| escape::text(arg).0))),
    },
    "process.args_count" "how many arguments there are"
        => (view.record.args.state != StringsState::Absent)
            .then(|| number(view.record.args_count)),
    "process.env_vars" "the environment variables as NAME=value, any one of them"
        => view.environment(),
    "process.working_directory" "as CurrentDirectory" => match view.record.working_directory.state {
        PathState::Fault | PathState::Absent => None,
        _ => bytes(&view.record.working_directory.bytes),
    },
    "process.pid" "as ProcessId" => Some(number(view.record.process.pid)),
    "process.entity_id" "as ProcessGuid" => Some(owned(view.record.process.to_string())),
    "process.parent.executable" "as ParentImage" => bytes(&view.parent()?.executable),
    "process.parent.command_line" "as ParentCommandLine" => view.parent_command_line(),
    "process.parent.pid" "as ParentProcessId" => Some(number(view.parent()?.process.pid)),
    "process.parent.entity_id" "as ParentProcessGuid"
        => Some(owned(view.parent()?.process.to_string())),
    "process.tty.name" "terminal, below /dev" => view.record.tty.as_deref().map(borrowed),
    "process.group_leader.pid" "process group" => Some(number(view.record.process_group)),
    "process.session_leader.pid" "session" => Some(number(view.record.session)),
    "process.thread.capabilities.effective" "the effective capabilities, such as CAP_SYS_ADMIN"
        => view.context().map(|c| view.capabilities(c.cap_effective)),
    "process.thread.capabilities.permitted" "the permitted capabilities"
        => view.context().map(|c| view.capabilities(c.cap_permitted)),
    "user.id" "number of the user" => view.context().map(|c| number(c.uid)),
    "user.name" "name of the user" => view.context()?.user_name.as_deref().map(borrowed),
    "user.effective.id" "number of the effective user" => view.context().map(|c| number(c.euid)),
    "user.effective.name" "name of the effective user"
        => view.context()?.effective_user_name.as_deref().map(borrowed),
    "group.id" "number of the group" => view.context().map(|c| number(c.gid)),
    "group.name" "name of the group" => view.context()?.group_name.as_deref().map(borrowed),
    "container.id" "id of the container; absent outside of one"
        => Some(borrowed(&view.context()?.container.as_ref()?.id)),
    "container.runtime" "container runtime; absent outside of one"
        => Some(borrowed(&view.context()?.container.as_ref()?.runtime)),
    "recorder.ordinal" "which exec of the process this is, 1 for the first"
        => Some(number(view.record.ordinal)),
    "recorder.comm" "the kernel's short name of the process" => bytes(&view.record.comm),
    "recorder.script" "script that the executable interprets, as named to exec"
        => bytes(view.record.script.as_deref()?),
    "recorder.cgroup" "path of the control group" => Some(borrowed(&view.context()?.cgroup)),
    "recorder.unit" "innermost systemd unit" => view.context()?.unit.as_deref().map(borrowed),
    "recorder.slice" "systemd slice" => view.context()?.slice.as_deref().map(borrowed),
    "recorder.file.mode" "permission bits of the executable in octal, such as 4755"
        => (view.record.executable.mode != 0)
            .then(|| owned(format!("{:04o}", view.record.executable.mode & 0o7777))),
    "recorder.file.uid" "owner of the executable"
        => (view.record.executable.mode != 0).then(|| number(view.record.executable.uid)),
    "recorder.file.gid" "group of the executable"
        => (view.record.executable.mode != 0).then(|| number(view.record.executable.gid)),
    "recorder.file.size_bytes" "size of the executable"
        => (view.record.executable.mode != 0).then(|| large(view.record.executable.size_bytes)),
    "process.hash.md5" "as md5" => borrowed_hash(&view.hashes()?.md5),
    "process.hash.sha1" "as sha1" => borrowed_hash(&view.hashes()?.sha1),
    "process.hash.sha256" "as sha256" => borrowed_hash(&view.hashes()?.sha256),
    "recorder.content.unread" "why the content of the executable is not known"
        => match &view.record.content {
            Content::Unread(reason) => Some(borrowed(reason.name())),
            Content::Unknown | Content::Read(_) => None,
        },
    "recorder.content.package.name" "package that brought the executable; absent where none did"
        => Some(borrowed(&view.content()?.package.as_ref()?.name)),
    "recorder.content.package.state" "verified, modified or unverified"
        => Some(borrowed(view.content()?.package.as_ref()?.state.name())),
    "recorder.content.capabilities" "capabilities that the executable gives, as getcap prints them"
        => Some(borrowed(view.content()?.capabilities.as_deref()?)),
    "recorder.content.elf.machine" "processor the executable is made for"
        => Some(borrowed(view.elf()?.machine.as_deref()?)),
    "recorder.content.elf.static" "true where the executable needs no dynamic linker"
        => Some(EventValue::Bool(view.elf()?.is_static?)),
    "recorder.content.elf.stripped" "true where the executable has no symbol table"
        => Some(EventValue::Bool(view.elf()?.is_stripped?)),
    "recorder.content.elf.packed" "true where the executable looks compressed or encrypted"
        => Some(EventValue::Bool(view.elf()?.is_packed?)),
    "recorder.content.elf.build_id" "GNU build id of the executable"
        => Some(borrowed(view.elf()?.build_id.as_deref()?)),
    "recorder.file.memfd" "true where the executable exists in memory only"
        => Some(EventValue::Bool(view.record.executable.is_memfd)),
    "recorder.file.deleted" "true where the executable had no name any more"
        => Some(EventValue::Bool(view.record.executable.is_deleted)),
    "recorder.file.upper_layer" "true where the executable was written after the container started"
        => Some(EventValue::Bool(view.record.executable.is_upper_layer)),
    "recorder.credentials.suid" "saved number of the user"
        => view.context().map(|c| number(c.suid)),
    "recorder.credentials.login_uid" "number of the user who logged in; absent where nobody did"
        => view.context()?.login_uid.map(number),
    "recorder.credentials.login_name" "name of the user who logged in"
        => view.context()?.login_name.as_deref().map(borrowed),
    "recorder.namespaces.mount" "mount namespace"
        => view.context().map(|c| number(c.namespaces.mount)),
    "recorder.namespaces.pid" "pid namespace" => view.context().map(|c| number(c.namespaces.pid)),
    "recorder.namespaces.network" "network namespace"
        => view.context().map(|c| number(c.namespaces.network)),
    "recorder.namespaces.user" "user namespace"
        => view.context().map(|c| number(c.namespaces.user)),
}

/// Whether a field of this name is ever filled.
pub(super) fn is_known(name: &str) -> bool {
    RULE_FIELDS.iter().any(|field| field.name == name)
}

/// Whether a field is of the content of the executable, which is known only once it was read.
pub(super) fn is_of_content(name: &str) -> bool {
    const SYSMON: [&str; 4] = ["md5", "sha1", "sha256", "Hashes"];
    SYSMON.contains(&name)
        || name.starts_with("process.hash.")
        || name.starts_with("recorder.content.")
}

/// Whether a field has several values, any of which may match.
pub(super) fn is_list(name: &str) -> bool {
    const LISTS: [&str; 4] = [
        "process.args",
        "process.env_vars",
        "process.thread.capabilities.effective",
        "process.thread.capabilities.permitted",
    ];
    LISTS.contains(&name)
}

/// The first name of a field that has several, if it is ever filled.
pub(super) fn same_as(name: &str) -> Option<&'static str> {
    let field = RULE_FIELDS.iter().find(|field| field.name == name)?;
    Some(match field.name {
        "process.executable" => "Image",
        "process.command_line" => "CommandLine",
        "process.parent.executable" => "ParentImage",
        "process.parent.command_line" => "ParentCommandLine",
        "process.working_directory" => "CurrentDirectory",
        name => name,
    })
}

/// A field that differs in letter case only.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let field = RULE_FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(field.name)
}

impl Event for View<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        get(self, path)
    }

    fn any_string_value(&self, is_it: &dyn Fn(&str) -> bool) -> bool {
        self.texts().any(|text| is_it(&text))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.texts().collect()
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.texts().for_each(|text| visit(&text));
    }

    /// What correlations refer to an event by.
    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "id": self.record.row.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_named_once_and_explained() {
        let mut names: Vec<&str> = RULE_FIELDS.iter().map(|field| field.name).collect();
        assert!(RULE_FIELDS.iter().all(|field| !field.meaning.is_empty()));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(nearest("commandline"), Some("CommandLine"));
    }
}
