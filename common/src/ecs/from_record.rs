//! From a record to its document.

use std::borrow::Cow;

use super::{
    Capabilities, Container, Credentials, Event, EventInfo, Extra, File, FileContent, Group,
    Leader, Namespaces, ParentProcess, Process, Resources, Text, Thread, Tty, User,
    capability_names,
};
use crate::escape;
use crate::record::{
    Content, End, ObservedEnd, Parent, ParentSource, PathState, PathText, Record, Source, Strings,
    StringsState, split_strings,
};
use crate::time::rfc3339;

impl<'a> Event<'a> {
    /// The record as it began.
    pub fn began(record: &'a Record) -> Self {
        let action = match record.source {
            Source::Exec => "exec",
            Source::Fork => "fork",
            Source::Iterator | Source::Proc => "running",
            Source::ExitOnly => "end",
        };
        Self::new(record, action, record.time_ns)
    }

    /// The record at the end of its process.
    pub fn ended(record: &'a Record) -> Self {
        let time = record.end.as_ref().and_then(|end| end.observed.as_ref());
        Self::new(record, "end", time.map_or(record.time_ns, |end| end.time_ns))
    }

    fn new(record: &'a Record, action: &'static str, time_ns: i64) -> Self {
        let mut notes = Notes::default();
        let types = match action {
            "end" => vec!["end".into()],
            "running" => vec!["info".into()],
            _ => vec!["start".into()],
        };
        let process = process(record, &mut notes);
        let context = (!record.context.is_unknown).then_some(&*record.context);
        let recorder = extra(record, &mut notes);
        Self {
            timestamp: rfc3339(time_ns),
            event: EventInfo {
                action: action.into(),
                kind: "event".into(),
                category: vec!["process".into()],
                types,
                sequence: record.row,
                severity: None,
            },
            process,
            user: context.map(|c| User {
                id: c.uid.to_string(),
                name: c.user_name.as_deref().map(Cow::Borrowed),
                effective: (c.euid != c.uid).then(|| {
                    Box::new(User {
                        id: c.euid.to_string(),
                        name: c.effective_user_name.as_deref().map(Cow::Borrowed),
                        effective: None,
                    })
                }),
            }),
            group: context.map(|c| Group {
                id: c.gid.to_string(),
                name: c.group_name.as_deref().map(Cow::Borrowed),
            }),
            container: context.and_then(|c| c.container.as_ref()).map(|c| Container {
                id: Cow::Borrowed(&*c.id),
                runtime: Cow::Borrowed(&*c.runtime),
            }),
            recorder: Extra { notes: notes.lines, ..recorder },
        }
    }
}

/// Collects what is not the whole truth.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
}

impl Notes {
    fn add(&mut self, field: &str, what: &str) {
        self.lines.push(format!("{field}: {what}"));
    }

    fn text<'a>(&mut self, field: &str, bytes: &'a [u8]) -> Text<'a> {
        let (text, is_escaped) = escape::text(bytes);
        if is_escaped {
            self.add(field, "not UTF-8, other bytes as \\xNN");
        }
        text
    }

    fn path<'a>(&mut self, field: &str, path: &'a PathText) -> Option<Text<'a>> {
        match path.state {
            PathState::Complete => {}
            PathState::Absent => return None,
            state => self.add(field, state.name()),
        }
        (!path.bytes.is_empty()).then(|| self.text(field, &path.bytes))
    }

    fn strings<'a>(&mut self, field: &str, strings: &'a Strings) -> Option<Vec<Text<'a>>> {
        match strings.state {
            StringsState::Complete => {}
            StringsState::Absent => return None,
            StringsState::Off => {
                self.add(field, "capture is off");
                return None;
            }
            StringsState::Fault => {
                self.add(field, "could not be read to the end");
            }
            StringsState::Cut { head_bytes } => {
                self.add(
                    field,
                    &format!(
                        "cut: {head_bytes} bytes of head and the tail of {} bytes",
                        strings.total_bytes
                    ),
                );
                let (head, tail) = strings
                    .bytes
                    .split_at_checked(head_bytes as usize)
                    .unwrap_or((&strings.bytes, &[]));
                let mut list = self.list(field, head);
                list.extend(self.list(field, tail));
                return Some(list);
            }
        }
        Some(self.list(field, &strings.bytes))
    }

    fn list<'a>(&mut self, field: &str, bytes: &'a [u8]) -> Vec<Text<'a>> {
        let mut is_any_escaped = false;
        let list = split_strings(bytes)
            .map(|item| {
                let (text, is_escaped) = escape::text(item);
                is_any_escaped |= is_escaped;
                text
            })
            .collect();
        if is_any_escaped {
            self.add(field, "not UTF-8, other bytes as \\xNN");
        }
        list
    }
}

fn process<'a>(record: &'a Record, notes: &mut Notes) -> Process<'a> {
    let end = record.end.as_ref().and_then(|end| end.observed.as_ref());
    let executable = notes.path("process.executable", &record.executable.path);
    let args = notes.strings("process.args", &record.args);
    let name = match executable.as_deref().and_then(|path| path.rsplit('/').next()) {
        Some(name) if !name.is_empty() => Some(Cow::Owned(name.to_owned())),
        _ => (!record.comm.is_empty()).then(|| escape::text(&record.comm).0),
    };
    Process {
        pid: record.process.pid,
        entity_id: record.process,
        name,
        executable,
        hash: record.content.read().map(|content| Cow::Borrowed(&content.hashes)),
        command_line: args.as_ref().map(|args| Cow::Owned(args.join(" "))),
        args_count: args.is_some().then_some(record.args_count),
        args,
        env_vars: notes.strings("process.env_vars", &record.env),
        working_directory: notes.path("process.working_directory", &record.working_directory),
        start: rfc3339(record.start_ns),
        end: end.map(|end| rfc3339(end.time_ns)),
        exit_code: end.and_then(|end| end.exit_code),
        exit_signal: end.and_then(|end| end.signal),
        tty: record.tty.as_deref().map(|name| Tty { name: Cow::Borrowed(name) }),
        parent: record.parent.as_ref().map(|parent| parent_process(parent, notes)),
        group_leader: (record.process_group != 0).then_some(Leader { pid: record.process_group }),
        session_leader: (record.session != 0).then_some(Leader { pid: record.session }),
        thread: (!record.context.is_unknown).then(|| Thread {
            capabilities: Capabilities {
                effective: capability_names(record.context.cap_effective),
                permitted: capability_names(record.context.cap_permitted),
            },
        }),
    }
}

fn parent_process<'a>(parent: &'a Parent, notes: &mut Notes) -> ParentProcess<'a> {
    let has_executable = !parent.executable.is_empty();
    let line = (!parent.args.is_empty()).then(|| {
        let line = notes.list("process.parent.command_line", &parent.args).join(" ");
        Cow::Owned(line)
    });
    ParentProcess {
        pid: parent.process.pid,
        entity_id: parent.process,
        executable: has_executable
            .then(|| notes.text("process.parent.executable", &parent.executable)),
        command_line: line,
    }
}

fn extra<'a>(record: &'a Record, notes: &mut Notes) -> Extra<'a> {
    let context = (!record.context.is_unknown).then_some(&*record.context);
    let file = &record.executable;
    for (field, content) in
        [("process.hash", &record.content), ("recorder.script_content", &record.script_content)]
    {
        if content.read().is_some_and(|read| read.is_uncertain) {
            notes.add(field, "the times of the file do not prove that it held this when it ran");
        }
    }
    if matches!(record.end, Some(End { observed: None })) {
        notes.add("process.end", "ended while nobody watched");
    }
    Extra {
        ordinal: record.ordinal,
        source: record.source.name().into(),
        state: record.state().name().into(),
        comm: (!record.comm.is_empty()).then(|| notes.text("recorder.comm", &record.comm)),
        script: record.script.as_deref().map(|script| notes.text("recorder.script", script)),
        content: content(&record.content),
        script_content: content(&record.script_content).map(|mut content| {
            content.hash = record.script_content.read().map(|read| Cow::Borrowed(&read.hashes));
            content
        }),
        file: (file.mode != 0).then(|| File {
            device: format!("{}:{}", file.device_major, file.device_minor),
            inode: file.inode,
            size_bytes: file.size_bytes,
            mtime: rfc3339(file.mtime_ns),
            ctime: rfc3339(file.ctime_ns),
            mode: format!("{:04o}", file.mode & 0o7777),
            uid: file.uid,
            gid: file.gid,
            memfd: file.is_memfd,
            deleted: file.is_deleted,
            upper_layer: file.is_upper_layer,
        }),
        credentials: context.map(|c| Credentials {
            uid: c.uid,
            gid: c.gid,
            euid: c.euid,
            egid: c.egid,
            suid: c.suid,
            sgid: c.sgid,
            login_uid: c.login_uid,
            login_name: c.login_name.as_deref().map(Cow::Borrowed),
            audit_session: c.audit_session,
        }),
        namespaces: context.map(|c| Namespaces {
            mount: c.namespaces.mount,
            pid: c.namespaces.pid,
            network: c.namespaces.network,
            user: c.namespaces.user,
            uts: c.namespaces.uts,
            ipc: c.namespaces.ipc,
            cgroup: c.namespaces.cgroup,
            process_pid: record.namespace_pid,
        }),
        cgroup: context.map(|c| Cow::Borrowed(&*c.cgroup)),
        unit: context.and_then(|c| c.unit.as_deref()).map(Cow::Borrowed),
        slice: context.and_then(|c| c.slice.as_deref()).map(Cow::Borrowed),
        resources: record
            .end
            .as_ref()
            .and_then(|end| end.observed.as_ref())
            .map(|end| resources(record, end)),
        parent_source: record.parent.as_ref().map(|parent| match parent.source {
            ParentSource::Fork => "fork".into(),
            ParentSource::Current => "current".into(),
        }),
        notes: Vec::new(),
    }
}

impl Event<'static> {
    /// Adds what was found out of the executable after the event.
    pub fn set_content(&mut self, found: &Content) {
        self.process.hash = found.read().map(|read| Cow::Owned(read.hashes.clone()));
        self.recorder.content = content(found).map(|content| Box::new(content.into_owned()));
    }
}

impl FileContent<'_> {
    fn into_owned(self) -> FileContent<'static> {
        FileContent {
            hash: self.hash.map(|hash| Cow::Owned(hash.into_owned())),
            storage: self.storage,
            unread: self.unread,
            elf: self.elf.map(|elf| Cow::Owned(elf.into_owned())),
            package: self.package.map(|package| Cow::Owned(package.into_owned())),
            capabilities: self.capabilities.map(|text| Cow::Owned(text.into_owned())),
        }
    }
}

/// Without the hashes.
fn content(content: &Content) -> Option<Box<FileContent<'_>>> {
    let content = match content {
        Content::Unknown => return None,
        Content::Unread(reason) => FileContent { unread: Some(*reason), ..FileContent::default() },
        Content::Read(read) => FileContent {
            hash: None,
            storage: Some(read.storage),
            unread: None,
            elf: read.elf.as_ref().map(Cow::Borrowed),
            package: read.package.as_ref().map(Cow::Borrowed),
            capabilities: read.capabilities.as_deref().map(Cow::Borrowed),
        },
    };
    Some(Box::new(content))
}

fn resources(record: &Record, end: &ObservedEnd) -> Resources {
    Resources {
        run_time_ns: record.run_time_ns().unwrap_or(0),
        cpu_ns: end.cpu_ns,
        user_cpu_ns: end.user_cpu_ns,
        system_cpu_ns: end.system_cpu_ns,
        max_rss_bytes: end.max_rss_bytes,
        read_bytes: end.io.map(|io| io.read_bytes),
        write_bytes: end.io.map(|io| io.write_bytes),
        core_dump: end.has_core_dump,
    }
}
