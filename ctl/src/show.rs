//! `bpfctl show`: all that is known of one process.

use std::io::Write;

use common::bus::Candidate;
use common::ecs::{Event, ParentProcess, capabilities_in_words};
use serde_json::value::RawValue;

use crate::args::ProcessRef;
use crate::command::Context;
use crate::content;
use crate::error::{self, CommandError};
use crate::page::Page;
use crate::screen::{Screen, Tone};
use crate::status;
use crate::table::{Cell, Column, render};
use crate::text;

pub(crate) async fn run(context: &mut Context, process: ProcessRef) -> Result<(), CommandError> {
    let answer = context.processes().await?.get(&process.to_string()).await;
    let answer = answer.map_err(|error| context.process_error(process, error))?;
    if context.json {
        let records: Vec<&RawValue> =
            serde_json::from_str(&answer).map_err(|error| error::not_understood(&error))?;
        for record in records {
            writeln!(context.out, "{}", record.get())?;
        }
    } else {
        let images: Vec<Event<'_>> =
            serde_json::from_str(&answer).map_err(|error| error::not_understood(&error))?;
        context.out.write_all(page(&images, &context.screen).as_bytes())?;
    }
    context.out.flush()?;
    Ok(())
}

/// The error for a pid that several processes had, with those to choose from.
pub(crate) fn ambiguous(process: ProcessRef, json: &str, screen: &Screen) -> CommandError {
    const COLUMNS: [Column; 4] = [
        Column::left("ID", 20, 40),
        Column::left("START", 23, 23),
        Column::left("STATE", 7, 12),
        Column::left("COMMAND", 0, 0),
    ];
    let candidates: Vec<Candidate> = match serde_json::from_str(json) {
        Ok(candidates) => candidates,
        Err(error) => return error::not_understood(&error),
    };
    let rows: Vec<_> = candidates
        .iter()
        .map(|candidate| {
            let command = match &*candidate.command_line {
                "" => &candidate.executable,
                line => line,
            };
            vec![
                Cell::new(candidate.entity_id.to_string()),
                Cell::new(text::date_time_of(&candidate.start, &screen.zone)),
                Cell::new(&*candidate.state),
                Cell::new(command),
            ]
        })
        .collect();
    let plain = Screen { palette: crate::Palette::plain(), ..screen.clone() };
    CommandError::usage(format!("{} processes had the pid {process}", candidates.len()))
        .detail(render(&COLUMNS, &rows, &plain))
        .hint("choose one by its id")
}

fn page(images: &[Event<'_>], screen: &Screen) -> String {
    let mut page = Page::new(screen);
    let (Some(first), Some(last)) = (images.first(), images.last()) else {
        return String::new();
    };
    overview(&mut page, first, last, screen);
    let mut previous: Option<&Event<'_>> = None;
    for (at, image) in images.iter().enumerate() {
        let number = match images.len() {
            1 => "image".to_owned(),
            count => format!("image {} of {count}", at + 1),
        };
        let time = text::date_time_of(&image.timestamp, &screen.zone);
        page.section(&format!("── {number}: {}, {time}", origin(image)));
        image_after(&mut page, image, previous, screen);
        previous = Some(image);
    }
    page.into_text()
}

/// All that is known of one image that a process ran.
pub(crate) fn image(page: &mut Page<'_>, image: &Event<'_>, screen: &Screen) {
    image_after(page, image, None, screen);
}

fn image_after(
    page: &mut Page<'_>,
    image: &Event<'_>,
    previous: Option<&Event<'_>>,
    screen: &Screen,
) {
    executable(page, image);
    file(page, image, screen);
    content::executable(page, image);
    content::script(page, image);
    arguments(page, image);
    identity(page, image);
    namespaces(page, image);
    environment(page, image, previous);
    notes(page, image);
}

fn overview(page: &mut Page<'_>, first: &Event<'_>, last: &Event<'_>, screen: &Screen) {
    let process = &last.process;
    let (state, tone) = status::state(last);
    page.heading(tone, &format!("{state}  {}  pid {}", last.name(), process.pid));
    page.field("id", &process.entity_id.to_string());
    page.field("began", &text::date_time_of(&process.start, &screen.zone));
    if let Some(end) = &process.end {
        page.field("ended", &text::date_time_of(end, &screen.zone));
    }
    page.field("status", &status::sentence(last));
    if let Some(resources) = &last.recorder.resources {
        let time = common::time::duration;
        let (user, system) = (time(resources.user_cpu_ns), time(resources.system_cpu_ns));
        let cpu = format!("{} (user {user}, system {system})", time(resources.cpu_ns));
        page.field("cpu time", &cpu);
        page.field("peak memory", &text::size(resources.max_rss_bytes));
        page.optional("read", resources.read_bytes.map(text::size).as_deref());
        page.optional("written", resources.write_bytes.map(text::size).as_deref());
    }
    if let Some(parent) = &first.process.parent {
        page.field("parent", &parent_text(parent, first.recorder.parent_source.as_deref()));
        page.field("parent id", &parent.entity_id.to_string());
    }
    page.optional("terminal", process.tty.as_ref().map(|tty| &*tty.name));
    let leader = |leader: &Option<common::ecs::Leader>| leader.as_ref().map(|l| l.pid.to_string());
    page.optional("process group", leader(&process.group_leader).as_deref());
    page.optional("session", leader(&process.session_leader).as_deref());
    if let Some(container) = &last.container {
        page.field("container", &format!("{} {}", container.runtime, container.id));
    }
    page.optional("unit", last.recorder.unit.as_deref());
    page.optional("slice", last.recorder.slice.as_deref());
    page.optional("control group", last.recorder.cgroup.as_deref());
}

fn parent_text(parent: &ParentProcess<'_>, source: Option<&str>) -> String {
    let command = parent.command_line.as_deref().or(parent.executable.as_deref());
    let since = if source == Some("current") {
        " (the parent since; the one that forked may have ended)"
    } else {
        ""
    };
    format!("{} {}{since}", parent.pid, command.unwrap_or("(not known)"))
}

fn origin(image: &Event<'_>) -> &'static str {
    match &*image.recorder.source {
        "exec" => "executed",
        "fork" => "inherited at fork",
        "iterator" => "found running",
        "proc" => "found running in /proc",
        _ => "only its end was seen",
    }
}

fn executable(page: &mut Page<'_>, image: &Event<'_>) {
    page.field("executable", image.process.executable.as_deref().unwrap_or("(none)"));
    page.optional("script", image.recorder.script.as_deref());
    page.optional("name in kernel", image.recorder.comm.as_deref());
    page.optional("directory", image.process.working_directory.as_deref());
}

fn file(page: &mut Page<'_>, image: &Event<'_>, screen: &Screen) {
    let Some(file) = &image.recorder.file else { return };
    let size = text::size(file.size_bytes);
    page.field("file", &format!("{size}, mode {}, owner {}:{}", file.mode, file.uid, file.gid));
    page.field("inode", &format!("{} on device {}", file.inode, file.device));
    page.field("modified", &text::date_time_of(&file.mtime, &screen.zone));
    page.field("changed", &text::date_time_of(&file.ctime, &screen.zone));
    for (is_so, what) in [
        (file.memfd, content::MEMFD),
        (file.deleted, content::DELETED),
        (file.upper_layer, "written after the container started (upper layer)"),
    ] {
        if is_so {
            page.attention(what);
        }
    }
}

fn arguments(page: &mut Page<'_>, image: &Event<'_>) {
    let Some(args) = &image.process.args else {
        page.field("arguments", "(not known)");
        return;
    };
    let count = image.process.args_count.map_or(args.len() as u64, u64::from);
    page.section(&format!("arguments ({})", text::number(count)));
    for (at, arg) in args.iter().enumerate() {
        let arg = if arg.is_empty() { "\"\"" } else { arg };
        page.field(&at.to_string(), arg);
    }
}

fn identity(page: &mut Page<'_>, image: &Event<'_>) {
    let Some(ids) = &image.recorder.credentials else { return };
    page.section("identity");
    let name = |name: Option<&str>, id: u32| match name {
        Some(name) => format!("{name} ({id})"),
        None => id.to_string(),
    };
    let user = image.user.as_ref();
    let effective = user.and_then(|user| user.effective.as_ref());
    page.field("user", &name(user.and_then(|user| user.name.as_deref()), ids.uid));
    if ids.euid != ids.uid || ids.suid != ids.uid {
        let effective = effective.and_then(|user| user.name.as_deref());
        let value = format!("{}, saved {}", name(effective, ids.euid), ids.suid);
        page.toned_field("effective user", Tone::Killed, &value);
    }
    let group = image.group.as_ref().and_then(|group| group.name.as_deref());
    page.field("group", &name(group, ids.gid));
    if ids.egid != ids.gid || ids.sgid != ids.gid {
        let value = format!("{}, saved {}", ids.egid, ids.sgid);
        page.toned_field("effective group", Tone::Killed, &value);
    }
    if let Some(login) = ids.login_uid {
        page.field("login", &name(ids.login_name.as_deref(), login));
    }
    page.optional("audit session", ids.audit_session.map(|id| id.to_string()).as_deref());
    let Some(thread) = &image.process.thread else { return };
    let sets = &thread.capabilities;
    page.field("capabilities", &capabilities_in_words(&sets.effective));
    if sets.permitted != sets.effective {
        page.field("permitted", &capabilities_in_words(&sets.permitted));
    }
}

fn namespaces(page: &mut Page<'_>, image: &Event<'_>) {
    let Some(ids) = &image.recorder.namespaces else { return };
    page.section("namespaces");
    let first =
        format!("mount {}  pid {}  network {}  user {}", ids.mount, ids.pid, ids.network, ids.user);
    page.item(Tone::Plain, &first);
    page.item(Tone::Plain, &format!("uts {}  ipc {}  cgroup {}", ids.uts, ids.ipc, ids.cgroup));
    if ids.process_pid != image.process.pid {
        page.field("pid inside", &ids.process_pid.to_string());
    }
}

fn environment(page: &mut Page<'_>, image: &Event<'_>, previous: Option<&Event<'_>>) {
    let Some(vars) = &image.process.env_vars else { return };
    let title = format!("environment ({})", text::number(vars.len() as u64));
    if previous.is_some_and(|previous| previous.process.env_vars.as_ref() == Some(vars)) {
        page.section(&format!("{title}: as before"));
        return;
    }
    page.section(&title);
    for var in vars {
        page.item(Tone::Plain, var);
    }
}

fn notes(page: &mut Page<'_>, image: &Event<'_>) {
    if image.recorder.notes.is_empty() {
        return;
    }
    page.section("not the whole truth");
    for note in &image.recorder.notes {
        page.item(Tone::Failed, &format!("! {note}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::tests::{ended, event};

    #[test]
    fn a_process_is_shown_with_all_its_images() {
        let mut shell = event(4711, "sh -c x");
        shell.process.env_vars = Some(vec!["PATH=/bin".into()]);
        let mut curl = ended(event(4711, "curl"), 0, 1_400_000);
        curl.process.args = Some(vec!["curl".into(), "".into(), "a\nb".into()]);
        curl.process.args_count = Some(3);
        curl.process.env_vars = Some(vec!["PATH=/bin".into()]);
        curl.recorder.notes = vec!["process.args: cut".to_owned()];
        let page = page(&[shell, curl], &Screen::plain(None));
        let expected = "\
· ended  curl  pid 4711
  id                3f2a9c81d0b4-4711-1a2b
  began             2026-11-24 14:03:27.500
  ended             2026-11-24 14:03:28.000
  status            exit 0 after 1.4 ms
  cpu time          900 µs (user 500 µs, system 400 µs)
  peak memory       4.0 MiB
  parent            1 (not known)
  parent id         3f2a9c81d0b4-1-5

── image 1 of 2: executed, 2026-11-24 14:03:27.512
  executable        /usr/bin/sh

arguments (3)
  0                 sh
  1                 -c
  2                 x

environment (1)
  PATH=/bin

── image 2 of 2: executed, 2026-11-24 14:03:27.512
  executable        /usr/bin/curl

arguments (3)
  0                 curl
  1                 \"\"
  2                 a\\nb

environment (1): as before

not the whole truth
  ! process.args: cut
";
        assert_eq!(page, expected);
    }

    #[test]
    fn identity_file_and_namespaces_are_shown_where_known() {
        let mut event = event(4711, "x");
        event.recorder.credentials = serde_json::from_value(serde_json::json!({
            "uid": 33, "gid": 33, "euid": 0, "egid": 33, "suid": 0, "sgid": 33,
            "login_uid": 1000, "login_name": "alice", "audit_session": 3,
        }))
        .unwrap();
        event.recorder.namespaces = serde_json::from_value(serde_json::json!({
            "mount": 1, "pid": 2, "network": 3, "user": 4, "uts": 5, "ipc": 6, "cgroup": 7,
            "process_pid": 12,
        }))
        .unwrap();
        event.recorder.file = serde_json::from_value(serde_json::json!({
            "device": "0:1", "inode": 9, "size_bytes": 4096, "mtime": "2026-11-24T00:00:00Z",
            "ctime": "2026-11-24T00:00:00Z", "mode": "0755", "uid": 0, "gid": 0, "memfd": true,
        }))
        .unwrap();
        let page = page(&[event], &Screen::plain(None));
        for line in [
            "  file              4.0 KiB, mode 0755, owner 0:0\n",
            "  inode             9 on device 0:1\n",
            "  attention         exists in memory only (memfd)\n",
            "  effective user    0, saved 0\n",
            "  login             alice (1000)\n",
            "  mount 1  pid 2  network 3  user 4\n",
            "  pid inside        12\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
    }

    #[test]
    fn an_ambiguous_pid_offers_its_processes() {
        let json = r#"[{"entity_id":"3f2a9c81d0b4-9-1a","start":"2026-11-24T14:03:27.5Z",
            "executable":"/bin/a","command_line":"a \u001b[2J","state":"ended"}]"#;
        let error = ambiguous(ProcessRef::Pid(9), json, &Screen::plain(None));
        assert_eq!(error.kind, crate::error::Kind::Usage);
        let text = error.render(crate::Palette::plain());
        let row = "3f2a9c81d0b4-9-1a     2026-11-24 14:03:27.500  ended    a \\x1b[2J\n";
        assert!(text.contains(row), "{text}");
        assert!(text.ends_with("hint: choose one by its id\n"), "{text}");
    }
}
