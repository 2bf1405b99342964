//! The sections of the details, in their order.

use common::alert::Alert;
use common::ecs::{Event, FileContent, capabilities_in_words};
use common::filter::{Field, signal_name};
use common::record::State;
use common::time;
use eframe::egui::{self, RichText, Ui};

use super::widgets::{mono_line, section, value};
use crate::state::row::state_named;
use crate::theme::{self, Tokens, level_mark, state_mark};
use crate::views::{Action, Context, Subject};
use crate::widgets::text;

/// Lines of a list; a process may have tens of thousands of empty arguments.
const MOST_LINES: usize = 300;

/// What it is, and how it stands. Not a section: it does not fold.
pub(super) fn heading(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    let tokens = Tokens::of(ui.ctx());
    let process = &image.process;
    let name = process.executable.as_deref().or(process.name.as_deref()).unwrap_or("(unknown)");
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(text::line(name)).font(theme::mono()).strong());
        ui.colored_label(tokens.weak, format!("pid {}", process.pid));
    });
    let state = state_named(&image.recorder.state);
    let mut parts = vec![format!("{} {}", state_mark(state), state.name())];
    if let (Some(code), true) = (process.exit_code, state != State::Running) {
        parts.push(format!("exit {code}"));
    }
    if let Some(signal) = process.exit_signal {
        let name = signal_name(signal).map_or_else(|| signal.to_string(), |n| format!("SIG{n}"));
        parts.push(name);
    }
    if let Some(resources) = &image.recorder.resources {
        parts.push(time::duration(resources.run_time_ns));
        if resources.core_dump {
            parts.push("core dump".to_owned());
        }
    }
    ui.horizontal_wrapped(|ui| {
        ui.colored_label(tokens.state(state), parts.join(" · "));
        if let Some(start) = time::parse_rfc3339(&process.start) {
            let shown = format!("began {}", cx.clock.time_and_date(start));
            ui.colored_label(tokens.weak, shown).on_hover_text(cx.clock.ago(start));
        }
    });
    ui.separator();
}

pub(super) fn arguments(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    let args = image.process.args.as_deref().unwrap_or_default();
    let count = image.process.args_count.unwrap_or(0);
    section(ui, cx, "arguments", &format!("Arguments ({count})"), |ui, cx| {
        numbered(ui, cx, args, Some(Field::Arg));
        if args.is_empty() {
            weak(ui, "none were recorded");
        }
    });
}

fn numbered<S: AsRef<str>>(ui: &mut Ui, cx: &mut Context<'_>, lines: &[S], field: Option<Field>) {
    for (number, line) in lines.iter().enumerate().take(MOST_LINES) {
        ui.horizontal_top(|ui| {
            let tokens = Tokens::of(ui.ctx());
            let label = RichText::new(format!("{number:>3}")).font(theme::mono());
            ui.label(label.color(tokens.weak));
            let line = line.as_ref();
            if line.is_empty() {
                ui.colored_label(tokens.weak, "(empty)");
            } else {
                mono_line(ui, cx, line, field);
            }
        });
    }
    more(ui, lines.len());
}

fn more(ui: &mut Ui, count: usize) {
    if let Some(left @ 1..) = count.checked_sub(MOST_LINES) {
        weak(ui, &format!("… {left} more; Copy as JSON has all of them"));
    }
}

fn weak(ui: &mut Ui, text: &str) {
    let tokens = Tokens::of(ui.ctx());
    ui.colored_label(tokens.weak, text);
}

/// From the oldest ancestor down to the process, with the time between parent and child.
pub(super) fn ancestry(
    ui: &mut Ui,
    cx: &mut Context<'_>,
    ancestors: &[Event<'_>],
    image: &Event<'_>,
) {
    section(ui, cx, "ancestry", &format!("Ancestry ({})", ancestors.len()), |ui, cx| {
        let mut parent_start = None;
        for (depth, event) in ancestors.iter().chain([image]).enumerate() {
            let start = time::parse_rfc3339(&event.process.start);
            ui.horizontal(|ui| {
                ui.add_space(depth.min(12) as f32 * 8.0);
                let name = event.process.name.as_deref().unwrap_or("(unknown)");
                let title = format!("{} {}", text::line(name), event.process.pid);
                if event.process.entity_id == image.process.entity_id {
                    ui.label(RichText::new(title).strong());
                } else if ui.link(title).clicked() {
                    cx.act(Action::Select(event.process.entity_id));
                }
                if let (Some(start), Some(before)) = (start, parent_start) {
                    let delay = u64::try_from(start - before).unwrap_or(0);
                    weak(ui, &format!("+{}", time::duration(delay)));
                }
            });
            parent_start = start;
        }
    });
}

pub(super) fn alerts(ui: &mut Ui, cx: &mut Context<'_>, alerts: &[Alert<'_>]) {
    section(ui, cx, "alerts", &format!("Alerts ({})", alerts.len()), |ui, cx| {
        if alerts.is_empty() {
            weak(ui, "no rule fired on it");
        }
        for alert in alerts {
            let tokens = Tokens::of(ui.ctx());
            ui.horizontal_wrapped(|ui| {
                let level = alert.rule.level;
                ui.colored_label(
                    tokens.level(level),
                    format!("{} {}", level_mark(level), level.name()),
                );
                let title = RichText::new(text::line(&alert.rule.name)).strong();
                if ui.link(title).on_hover_text("Why it fired, and what was said of it").clicked() {
                    cx.act(Action::LookAt(Subject::Alert(alert.alert.id)));
                }
                weak(ui, &alert.alert.status.name().replace('_', " "));
            });
            for field in alert.alert.fields.iter().take(20) {
                let shown = field.value.as_deref().unwrap_or("(absent)");
                value(ui, cx, &field.field, Some(shown), None);
            }
        }
    });
}

/// The images that the process ran one after another, and what changed between them.
pub(super) fn images(ui: &mut Ui, cx: &mut Context<'_>, images: &[Event<'_>], chosen: &mut usize) {
    section(ui, cx, "images", &format!("Images ({})", images.len()), |ui, cx| {
        for (at, image) in images.iter().enumerate().take(MOST_LINES) {
            let began = time::parse_rfc3339(&image.timestamp).unwrap_or(0);
            let name = image.process.executable.as_deref().unwrap_or("(not executed)");
            let mut title = format!("{}  {}", cx.clock.time(began), text::line(name));
            if let Some(change) =
                at.checked_sub(1).and_then(|before| user_change(&images[before], image))
            {
                title.push_str(&format!("  ⇄ {change}"));
            }
            let is_chosen = at == *chosen;
            let title = RichText::new(title).font(theme::mono());
            if ui.add(egui::Button::selectable(is_chosen, title).truncate()).clicked() {
                *chosen = at;
            }
        }
        more(ui, images.len());
    });
}

fn user_change(before: &Event<'_>, after: &Event<'_>) -> Option<String> {
    let (before, after) =
        (before.recorder.credentials.as_ref()?, after.recorder.credentials.as_ref()?);
    let changes = [
        ("uid", before.uid, after.uid),
        ("euid", before.euid, after.euid),
        ("gid", before.gid, after.gid),
        ("egid", before.egid, after.egid),
    ];
    let changed: Vec<String> = changes
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| format!("{name} {before} → {after}"))
        .collect();
    (!changed.is_empty()).then(|| changed.join(", "))
}

pub(super) fn environment(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    let Some(vars) = image.process.env_vars.as_deref() else {
        section(ui, cx, "environment", "Environment", |ui, _| weak(ui, "was not recorded"));
        return;
    };
    section(ui, cx, "environment", &format!("Environment ({})", vars.len()), |ui, cx| {
        for var in vars.iter().take(MOST_LINES) {
            mono_line(ui, cx, var, Some(Field::Env));
        }
        more(ui, vars.len());
    });
}

pub(super) fn identity(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    section(ui, cx, "identity", "Identity", |ui, cx| {
        if let Some(user) = &image.user {
            value(ui, cx, "user", user.name.as_deref(), Some(Field::User));
            let effective = user.effective.as_ref().and_then(|user| user.name.as_deref());
            value(ui, cx, "effective user", effective, Some(Field::Euser));
        }
        let group = image.group.as_ref().and_then(|group| group.name.as_deref());
        value(ui, cx, "group", group, Some(Field::Group));
        if let Some(c) = &image.recorder.credentials {
            let users = format!("{} / {} / {}", c.uid, c.euid, c.suid);
            value(ui, cx, "uid / eff. / saved", Some(&users), None);
            let groups = format!("{} / {} / {}", c.gid, c.egid, c.sgid);
            value(ui, cx, "gid / eff. / saved", Some(&groups), None);
            value(ui, cx, "logged in as", c.login_name.as_deref(), Some(Field::Login));
            let session = c.audit_session.map(|session| session.to_string());
            value(ui, cx, "audit session", session.as_deref(), Some(Field::AuditSession));
        }
        if let Some(thread) = &image.process.thread {
            let shown = capabilities_in_words(&thread.capabilities.effective);
            value(ui, cx, "capabilities", Some(&shown), None);
        }
    });
}

pub(super) fn place(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    section(ui, cx, "place", "Directory, terminal, session", |ui, cx| {
        let process = &image.process;
        value(ui, cx, "working directory", process.working_directory.as_deref(), Some(Field::Cwd));
        value(ui, cx, "terminal", process.tty.as_ref().map(|tty| &*tty.name), Some(Field::Tty));
        let group = process.group_leader.as_ref().map(|leader| leader.pid.to_string());
        value(ui, cx, "process group", group.as_deref(), Some(Field::Pgid));
        let session = process.session_leader.as_ref().map(|leader| leader.pid.to_string());
        value(ui, cx, "session", session.as_deref(), Some(Field::Sid));
        value(ui, cx, "id", Some(&process.entity_id.to_string()), Some(Field::Id));
        if let Some(parent) = &process.parent {
            value(ui, cx, "parent", parent.executable.as_deref(), Some(Field::Parent));
            value(
                ui,
                cx,
                "parent's command",
                parent.command_line.as_deref(),
                Some(Field::ParentCmd),
            );
        }
    });
}

pub(super) fn namespaces(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    section(ui, cx, "namespaces", "Container, unit, namespaces", |ui, cx| {
        if let Some(container) = &image.container {
            value(ui, cx, "container", Some(&container.id), Some(Field::Container));
            value(ui, cx, "runtime", Some(&container.runtime), Some(Field::Runtime));
        }
        value(ui, cx, "unit", image.recorder.unit.as_deref(), Some(Field::Unit));
        value(ui, cx, "slice", image.recorder.slice.as_deref(), Some(Field::Slice));
        value(ui, cx, "control group", image.recorder.cgroup.as_deref(), Some(Field::Cgroup));
        if let Some(n) = &image.recorder.namespaces {
            let all = [
                ("mount", n.mount, Field::MountNs),
                ("pid", n.pid, Field::PidNs),
                ("network", n.network, Field::NetNs),
                ("user", n.user, Field::UserNs),
                ("host name", n.uts, Field::UtsNs),
                ("IPC", n.ipc, Field::IpcNs),
                ("control group ns", n.cgroup, Field::CgroupNs),
                ("pid inside", n.process_pid, Field::Nspid),
            ];
            for (name, number, field) in all {
                value(ui, cx, name, Some(&number.to_string()), Some(field));
            }
        }
    });
}

pub(super) fn binary(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    section(ui, cx, "binary", "Binary", |ui, cx| {
        value(ui, cx, "path", image.process.executable.as_deref(), Some(Field::Exe));
        value(ui, cx, "script", image.recorder.script.as_deref(), Some(Field::Script));
        if let Some(hash) = &image.process.hash {
            value(ui, cx, "SHA-256", Some(&hash.sha256), Some(Field::Sha256));
            if ui.link("Everything known of this content").clicked() {
                cx.act(Action::LookAt(Subject::Binary(hash.sha256.clone())));
            }
            value(ui, cx, "SHA-1", Some(&hash.sha1), Some(Field::Sha1));
            value(ui, cx, "MD5", Some(&hash.md5), Some(Field::Md5));
        }
        if let Some(content) = &image.recorder.content {
            file_content(ui, cx, content);
        }
        if let Some(file) = &image.recorder.file {
            value(ui, cx, "size", Some(&text::size(file.size_bytes)), None);
            value(ui, cx, "mode", Some(&file.mode), Some(Field::Mode));
            value(ui, cx, "owner", Some(&format!("{}:{}", file.uid, file.gid)), None);
            value(ui, cx, "device, inode", Some(&format!("{}, {}", file.device, file.inode)), None);
            value(ui, cx, "modified", Some(&file.mtime), None);
            value(ui, cx, "changed", Some(&file.ctime), None);
            let flags = [
                (file.deleted, "deleted: it had no name any more"),
                (file.memfd, "in memory only"),
                (file.upper_layer, "written after the container began"),
            ];
            for (_, flag) in flags.into_iter().filter(|(is_set, _)| *is_set) {
                value(ui, cx, "notable", Some(flag), None);
            }
        }
    });
}

fn file_content(ui: &mut Ui, cx: &mut Context<'_>, content: &FileContent<'_>) {
    let storage = content.storage.map(common::binary::Storage::name);
    value(ui, cx, "copy", storage, None);
    let unread = content.unread.map(common::binary::Unread::name);
    value(ui, cx, "not read", unread, Some(Field::Unread));
    if let Some(package) = &content.package {
        value(ui, cx, "package", Some(&package.name), Some(Field::Package));
        value(ui, cx, "of the package", Some(package.state.name()), Some(Field::PackageState));
    }
    value(ui, cx, "gives", content.capabilities.as_deref(), Some(Field::FileCapabilities));
}

pub(super) fn resources(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    let Some(resources) = &image.recorder.resources else { return };
    section(ui, cx, "resources", "Resources", |ui, cx| {
        value(ui, cx, "ran for", Some(&time::duration(resources.run_time_ns)), None);
        value(ui, cx, "processor", Some(&time::duration(resources.cpu_ns)), None);
        let memory = text::size(resources.max_rss_bytes);
        value(ui, cx, "memory at most", Some(&memory), None);
        value(ui, cx, "read", resources.read_bytes.map(text::size).as_deref(), None);
        value(ui, cx, "written", resources.write_bytes.map(text::size).as_deref(), None);
    });
}

/// Where each field came from, and which is not the whole truth.
pub(super) fn origin(ui: &mut Ui, cx: &mut Context<'_>, image: &Event<'_>) {
    section(ui, cx, "origin", "Where this came from", |ui, cx| {
        let source = match &*image.recorder.source {
            "exec" => "the kernel, when it was executed",
            "fork" => "the kernel, when it was forked",
            "iterator" => "the kernel's list of tasks, when the recorder began",
            "proc" => "/proc, when the recorder began",
            "exit-only" => "the kernel, when it ended",
            other => other,
        };
        value(ui, cx, "image", Some(source), Some(Field::Source));
        let parent = image.recorder.parent_source.as_deref().map(|source| match source {
            "fork" => "who forked it",
            "current" => "who was its parent when it was found",
            other => other,
        });
        value(ui, cx, "parent", parent, None);
        value(ui, cx, "position", Some(&image.event.sequence.to_string()), None);
        for note in &image.recorder.notes {
            ui.horizontal_wrapped(|ui| {
                let tokens = Tokens::of(ui.ctx());
                ui.colored_label(tokens.warning, "⚠");
                ui.add(egui::Label::new(text::line(note)).wrap());
            });
        }
        if image.recorder.notes.is_empty() {
            weak(ui, "every field is complete");
        }
    });
}
