//! From a kernel image to a record: names, paths, containers; nothing that decides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::id::{BootId, ProcessId};
use common::record::{
    Content, Context, End, Executable, Io, Namespaces, ObservedEnd, PathState, PathText, Record,
    Source, Strings, StringsState,
};
use ebpf::event::{Credentials, Exit, Faults, File, Image, Memory, Path, PathEnd, TaskId};

use super::clock::Clock;
use super::intern::Interner;
use crate::enrich::cgroup;
use crate::enrich::environment::Policy;
use crate::enrich::users::Users;

/// Names can change; a context is put together anew after this.
const KEEP_CONTEXT: Duration = Duration::from_secs(60);
const MOST_CONTEXTS: usize = 4096;

#[derive(Hash, PartialEq, Eq)]
struct ContextKey {
    credentials: Credentials,
    namespaces: ebpf::event::Namespaces,
    cgroup: Arc<[u8]>,
}

/// Makes records; keeps what they share.
pub(crate) struct Assembler {
    boot: BootId,
    policy: Policy,
    users: Users,
    contexts: HashMap<ContextKey, (Instant, Arc<Context>), foldhash::fast::RandomState>,
    executables: HashMap<Arc<Executable>, (), foldhash::fast::RandomState>,
    strings: Interner,
    scratch: Vec<u8>,
    absent_context: Arc<Context>,
    absent_executable: Arc<Executable>,
}

impl Assembler {
    pub(crate) fn new(boot: BootId, policy: Policy) -> Self {
        Self {
            boot,
            policy,
            users: Users::default(),
            contexts: HashMap::default(),
            executables: HashMap::default(),
            strings: Interner::default(),
            scratch: Vec::new(),
            absent_context: Arc::new(Context { is_unknown: true, ..Context::default() }),
            absent_executable: Arc::new(Executable::absent()),
        }
    }

    pub(crate) fn process_id(&self, task: TaskId) -> ProcessId {
        ProcessId { boot: self.boot, pid: task.pid, start_boottime_ns: task.start_boottime_ns }
    }

    /// The record of an image that begins at `boottime_ns`. Row, ordinal and parent are the
    /// caller's to fill.
    pub(crate) fn image(
        &mut self,
        image: &Image<'_>,
        source: Source,
        boottime_ns: u64,
        clock: Clock,
    ) -> Record {
        let time_ns = clock.wall(boottime_ns);
        let process = self.process_id(image.process);
        let age_ns = boottime_ns.saturating_sub(process.start_boottime_ns);
        Record {
            row: 0,
            process,
            ordinal: 0,
            source,
            time_ns,
            boottime_ns: process.start_boottime_ns + age_ns,
            start_ns: time_ns.saturating_sub(age_ns.cast_signed()),
            parent: None,
            namespace_pid: image.namespace_pid,
            process_group: image.process_group,
            session: image.session,
            tty: image.tty.map(|tty| tty_path(tty.name)),
            comm: self.strings.get(image.comm),
            executable: if image.is_kernel_thread {
                self.absent_executable.clone()
            } else {
                self.executable(&image.executable)
            },
            content: Content::Unknown,
            script: image
                .interpreter
                .filter(|_| !image.filename.is_empty())
                .map(|_| self.strings.get(image.filename)),
            script_content: Content::Unknown,
            working_directory: if image.is_kernel_thread {
                PathText::absent()
            } else {
                self.path(&image.working_directory, b"/")
            },
            args: if image.is_kernel_thread { Strings::absent() } else { self.args(&image.args) },
            args_count: image.argc,
            env: if image.is_kernel_thread { Strings::absent() } else { self.env(&image.env) },
            context: if image.faults.contains(Faults::CREDENTIALS) {
                // Zeros would read as root.
                self.absent_context.clone()
            } else {
                self.context(image)
            },
            end: None,
        }
    }

    /// A process of which only the end was seen.
    pub(crate) fn unknown(&self, task: TaskId, boottime_ns: u64, clock: Clock) -> Record {
        let process = self.process_id(task);
        let age_ns = boottime_ns.saturating_sub(process.start_boottime_ns);
        let time_ns = clock.wall(boottime_ns);
        Record {
            row: 0,
            process,
            ordinal: 0,
            source: Source::ExitOnly,
            time_ns,
            boottime_ns: process.start_boottime_ns + age_ns,
            start_ns: time_ns.saturating_sub(age_ns.cast_signed()),
            parent: None,
            namespace_pid: task.pid,
            process_group: 0,
            session: 0,
            tty: None,
            comm: Arc::from([]),
            executable: self.absent_executable.clone(),
            content: Content::Unknown,
            script: None,
            script_content: Content::Unknown,
            working_directory: PathText::absent(),
            args: Strings::absent(),
            args_count: 0,
            env: Strings::absent(),
            context: self.absent_context.clone(),
            end: None,
        }
    }

    fn args(&mut self, args: &Memory<'_>) -> Strings {
        let (bytes, state) = match captured(args) {
            Captured::Whole(bytes, state) => (self.strings.get(bytes), state),
            Captured::Ends(head, tail) => {
                self.scratch.clear();
                self.scratch.extend_from_slice(head);
                self.scratch.extend_from_slice(tail);
                (self.strings.get(&self.scratch), cut_at(head.len()))
            }
        };
        Strings { bytes, state, total_bytes: args.total_bytes }
    }

    fn env(&mut self, env: &Memory<'_>) -> Strings {
        self.scratch.clear();
        let state = match captured(env) {
            Captured::Whole(bytes, state) => {
                self.policy.keep(bytes, false, &mut self.scratch);
                state
            }
            Captured::Ends(head, tail) => {
                self.policy.keep(head, false, &mut self.scratch);
                let state = cut_at(self.scratch.len());
                self.policy.keep(tail, true, &mut self.scratch);
                state
            }
        };
        let bytes = self.strings.get(&self.scratch);
        // What the policy leaves out is not missing.
        let total_bytes = match state {
            StringsState::Complete => bytes.len() as u64,
            _ => env.total_bytes,
        };
        Strings { bytes, state, total_bytes }
    }

    fn executable(&mut self, file: &File<'_>) -> Arc<Executable> {
        let executable = Executable {
            path: self.path(&file.path, b"/"),
            device_major: file.device_major,
            device_minor: file.device_minor,
            inode: file.inode,
            size_bytes: file.size_bytes,
            mtime_ns: file.mtime_ns,
            ctime_ns: file.ctime_ns,
            mode: file.mode,
            uid: file.uid,
            gid: file.gid,
            is_memfd: file.is_memfd,
            is_deleted: file.is_deleted,
            is_upper_layer: file.is_upper_layer,
        };
        if let Some((known, ())) = self.executables.get_key_value(&executable) {
            return known.clone();
        }
        if self.executables.len() >= MOST_CONTEXTS {
            self.executables.clear();
        }
        let executable = Arc::new(executable);
        self.executables.insert(executable.clone(), ());
        executable
    }

    fn path(&mut self, path: &Path<'_>, root: &[u8]) -> PathText {
        let state = path_state(path.end);
        self.scratch.clear();
        join_leaf_first(path.components, state, root, &mut self.scratch);
        PathText { bytes: self.strings.get(&self.scratch), state }
    }

    fn context(&mut self, image: &Image<'_>) -> Arc<Context> {
        self.scratch.clear();
        let cgroup = &image.cgroup;
        join_leaf_first(cgroup.components, path_state(cgroup.end), b"/", &mut self.scratch);
        let key = ContextKey {
            credentials: image.credentials,
            namespaces: image.namespaces,
            cgroup: self.strings.get(&self.scratch),
        };
        if let Some((made, context)) = self.contexts.get(&key)
            && made.elapsed() < KEEP_CONTEXT
        {
            return context.clone();
        }
        if self.contexts.len() >= MOST_CONTEXTS {
            self.contexts.clear();
        }
        let context = Arc::new(self.make_context(&key));
        self.contexts.insert(key, (Instant::now(), context.clone()));
        context
    }

    fn make_context(&mut self, key: &ContextKey) -> Context {
        let c = &key.credentials;
        let n = &key.namespaces;
        let cgroup = String::from_utf8_lossy(&key.cgroup).into_owned();
        let placement = cgroup::place(&cgroup);
        Context {
            uid: c.uid,
            gid: c.gid,
            euid: c.euid,
            egid: c.egid,
            suid: c.suid,
            sgid: c.sgid,
            user_name: self.users.user(c.uid),
            effective_user_name: self.users.user(c.euid),
            group_name: self.users.group(c.gid),
            login_uid: c.login_uid,
            login_name: c.login_uid.and_then(|uid| self.users.user(uid)),
            audit_session: c.audit_session,
            cap_effective: c.cap_effective,
            cap_permitted: c.cap_permitted,
            namespaces: Namespaces {
                mount: n.mount,
                pid: n.pid,
                network: n.network,
                user: n.user,
                uts: n.uts,
                ipc: n.ipc,
                cgroup: n.cgroup,
            },
            cgroup,
            container: placement.container,
            unit: placement.unit,
            slice: placement.slice,
            is_unknown: false,
        }
    }
}

/// The end of a process whose start on the wall clock is `start_ns`.
pub(crate) fn end(exit: &Exit, boottime_ns: u64, start_ns: i64) -> End {
    let run_ns = boottime_ns.saturating_sub(exit.process.start_boottime_ns);
    let signal = u8::try_from(exit.wait_status & 0x7f).ok().filter(|signal| *signal != 0);
    let code = u8::try_from(exit.wait_status >> 8 & 0xff).ok();
    End {
        observed: Some(ObservedEnd {
            time_ns: start_ns.saturating_add(run_ns.cast_signed()),
            boottime_ns: exit.process.start_boottime_ns + run_ns,
            exit_code: if signal.is_some() { None } else { code },
            signal,
            has_core_dump: exit.wait_status & 0x80 != 0,
            user_cpu_ns: exit.user_ns,
            system_cpu_ns: exit.system_ns,
            cpu_ns: exit.cpu_ns,
            max_rss_bytes: exit.max_rss_bytes,
            io: exit.io.map(|io| Io { read_bytes: io.read_bytes, write_bytes: io.write_bytes }),
        }),
    }
}

fn path_state(end: PathEnd) -> PathState {
    match end {
        PathEnd::Root => PathState::Complete,
        PathEnd::Detached => PathState::Detached,
        PathEnd::Pseudo => PathState::Pseudo,
        PathEnd::Cut => PathState::Cut,
        PathEnd::Fault => PathState::Fault,
    }
}

enum Captured<'a> {
    Whole(&'a [u8], StringsState),
    Ends(&'a [u8], &'a [u8]),
}

fn captured<'a>(memory: &Memory<'a>) -> Captured<'a> {
    if memory.is_off {
        Captured::Whole(&[], StringsState::Off)
    } else if memory.is_fault {
        Captured::Whole(memory.head, StringsState::Fault)
    } else if memory.tail.is_empty() {
        Captured::Whole(memory.head, StringsState::Complete)
    } else {
        Captured::Ends(memory.head, memory.tail)
    }
}

fn cut_at(head: usize) -> StringsState {
    StringsState::Cut { head_bytes: u32::try_from(head).unwrap_or(u32::MAX) }
}

/// `["leaf", "dir"]` becomes `/dir/leaf`; of a pseudo file its bare name.
fn join_leaf_first(components: &[u8], state: PathState, root: &[u8], out: &mut Vec<u8>) {
    let body = components.strip_suffix(&[0]).unwrap_or(components);
    if body.is_empty() {
        if state == PathState::Complete {
            out.extend_from_slice(root);
        }
        return;
    }
    if state == PathState::Pseudo {
        out.extend_from_slice(body);
        return;
    }
    for (index, component) in body.rsplit(|byte| *byte == 0).enumerate() {
        // The front of a cut path is missing: it must not look absolute.
        if index > 0 || !matches!(state, PathState::Cut | PathState::Fault) {
            out.push(b'/');
        }
        out.extend_from_slice(component);
    }
}

/// The kernel names a pseudo terminal `pts0`; people know it as `pts/0`.
fn tty_path(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    match name.strip_prefix("pts") {
        Some(number) if !number.is_empty() => format!("pts/{number}"),
        _ => name.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_from_the_leaf() {
        let check = |components: &[u8], state, expected: &str| {
            let mut out = Vec::new();
            join_leaf_first(components, state, b"/", &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(b"ls\0bin\0usr\0", PathState::Complete, "/usr/bin/ls");
        check(b"", PathState::Complete, "/");
        check(b"", PathState::Fault, "");
        check(b"memfd:x\0", PathState::Pseudo, "memfd:x");
        check(b"c\0b\0", PathState::Cut, "b/c");
        check(b"c\0b\0", PathState::Detached, "/b/c");
    }

    #[test]
    fn terminals_have_their_path() {
        assert_eq!(tty_path(b"pts0"), "pts/0");
        assert_eq!(tty_path(b"ttyS0"), "ttyS0");
        assert_eq!(tty_path(b"pts"), "pts");
    }
}
