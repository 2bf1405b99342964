//! The sections of a process, in the order and the words of the viewer.

use common::alert::Alert;
use common::ecs::{Credentials, Event, FileContent, capabilities_in_words};
use common::filter::Field;
use common::time::duration;
use maud::{Markup, html};

use super::facts::{fact, section, shown, sought, weak};
use super::measure::size;
use super::process::View;
use super::{frame, hostile, link, mark};

/// Lines of a list; a process may have tens of thousands of empty arguments.
const MOST_LINES: usize = 300;

/// Beside the tree.
pub(super) fn first(view: &View<'_>) -> Markup {
    html! { (alerts(view)) (images(view)) }
}

pub(super) fn second(view: &View<'_>) -> Markup {
    let image = view.image;
    html! {
        (arguments(image))
        (environment(image))
        (identity(image))
        (place(image))
        (namespaces(image))
        (binary(view))
        (resources(image))
        (origin(image))
    }
}

fn arguments(image: &Event<'_>) -> Markup {
    let args = image.process.args.as_deref().unwrap_or_default();
    let count = image.process.args_count.unwrap_or(0);
    let content = html! {
        @if args.is_empty() { (weak("none were recorded")) }
        ol.lines start="0" {
            @for arg in args.iter().take(MOST_LINES) { li { (line(arg, Field::Arg)) } }
        }
        (more(args.len()))
    };
    section("arguments", &format!("Arguments ({count})"), true, &content)
}

fn line(text: &str, field: Field) -> Markup {
    if text.is_empty() {
        return html! { span.weak { "(empty)" } };
    }
    sought(text, Some(field), &html! { span.mono { (hostile::whole(text)) } })
}

fn more(count: usize) -> Markup {
    match count.checked_sub(MOST_LINES) {
        Some(left @ 1..) => weak(&format!("… {left} more; Copy JSON has all of them")),
        _ => html! {},
    }
}

fn alerts(view: &View<'_>) -> Markup {
    let content = html! {
        @if view.alerts.is_empty() { (weak("no rule fired on it")) }
        ul.plain { @for alert in view.alerts { li { (alert_line(alert)) } } }
    };
    section("alerts", &format!("Alerts ({})", view.alerts.len()), true, &content)
}

fn alert_line(alert: &Alert<'_>) -> Markup {
    html! {
        p.node {
            (mark::level(alert.rule.level))
            a href=(link::alert(alert.alert.id)) { (hostile::short(&alert.rule.name)) }
            (mark::status(alert.alert.status))
        }
    }
}

/// The images that the process ran one after another, and what changed between them.
fn images(view: &View<'_>) -> Markup {
    let images = view.images;
    let content = html! {
        ul.plain {
            @for (at, image) in images.iter().enumerate().take(MOST_LINES) {
                li { (image_line(view, image, at.checked_sub(1).map(|before| &images[before]))) }
            }
        }
        (more(images.len()))
    };
    section("images", &format!("Images ({})", images.len()), true, &content)
}

fn image_line(view: &View<'_>, image: &Event<'_>, before: Option<&Event<'_>>) -> Markup {
    let is_shown = image.recorder.ordinal == view.image.recorder.ordinal;
    let ordinal = image.recorder.ordinal.to_string();
    let path = link::process(&image.process.entity_id);
    let name = image.process.executable.as_deref().unwrap_or("(not executed)");
    html! {
        p.node.here[is_shown] {
            span.num.weak { (view.chrome.clock.short(&image.timestamp)) }
            a.mono href=(link::with(&path, &[("ordinal", &ordinal)]))
                aria-current=[is_shown.then_some("true")] { (hostile::short(name)) }
            @if let Some(change) = before.and_then(|before| user_change(before, image)) {
                (mark::warning(&change))
            }
        }
    }
}

fn user_change(before: &Event<'_>, after: &Event<'_>) -> Option<String> {
    let ids = |event: &Event<'_>| {
        let c: &Credentials<'_> = event.recorder.credentials.as_ref()?;
        Some([("uid", c.uid), ("euid", c.euid), ("gid", c.gid), ("egid", c.egid)])
    };
    let changed: Vec<String> = ids(before)?
        .into_iter()
        .zip(ids(after)?)
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, before), (_, after))| format!("{name} {before} → {after}"))
        .collect();
    (!changed.is_empty()).then(|| changed.join(", "))
}

fn environment(image: &Event<'_>) -> Markup {
    let Some(vars) = image.process.env_vars.as_deref() else {
        return section("environment", "Environment", false, &weak("was not recorded"));
    };
    let content = html! {
        ul.lines { @for var in vars.iter().take(MOST_LINES) { li { (line(var, Field::Env)) } } }
        (more(vars.len()))
    };
    section("environment", &format!("Environment ({})", vars.len()), false, &content)
}

fn identity(image: &Event<'_>) -> Markup {
    let user = image.user.as_ref();
    let effective = user.and_then(|user| user.effective.as_ref()?.name.as_deref());
    let group = image.group.as_ref().and_then(|group| group.name.as_deref());
    let content = html! {
        dl.facts {
            (fact("user", user.and_then(|user| user.name.as_deref()), Some(Field::User)))
            (fact("effective user", effective, Some(Field::Euser)))
            (fact("group", group, Some(Field::Group)))
            @if let Some(c) = &image.recorder.credentials { (credentials(c)) }
            @if let Some(thread) = &image.process.thread {
                (fact("capabilities", Some(&capabilities_in_words(&thread.capabilities.effective)), None))
            }
        }
    };
    section("identity", "Identity", true, &content)
}

fn credentials(c: &Credentials<'_>) -> Markup {
    let users = format!("{} / {} / {}", c.uid, c.euid, c.suid);
    let groups = format!("{} / {} / {}", c.gid, c.egid, c.sgid);
    let login = c.login_name.as_deref().map(str::to_owned);
    let login = login.or_else(|| c.login_uid.map(|uid| uid.to_string()));
    let session = c.audit_session.map(|session| session.to_string());
    html! {
        (fact("uid / eff. / saved", Some(&users), None))
        (fact("gid / eff. / saved", Some(&groups), None))
        (fact("logged in as", login.as_deref(), Some(Field::Login)))
        (fact("audit session", session.as_deref(), Some(Field::AuditSession)))
    }
}

fn place(image: &Event<'_>) -> Markup {
    let process = &image.process;
    let group = process.group_leader.as_ref().map(|leader| leader.pid.to_string());
    let session = process.session_leader.as_ref().map(|leader| leader.pid.to_string());
    let content = html! {
        dl.facts {
            (fact("working directory", process.working_directory.as_deref(), Some(Field::Cwd)))
            (fact("terminal", process.tty.as_ref().map(|tty| &*tty.name), Some(Field::Tty)))
            (fact("process group", group.as_deref(), Some(Field::Pgid)))
            (fact("session", session.as_deref(), Some(Field::Sid)))
            (fact("id", Some(&process.entity_id.to_string()), Some(Field::Id)))
            @if let Some(parent) = &process.parent {
                (fact("parent", parent.executable.as_deref(), Some(Field::Parent)))
                (fact("parent's command", parent.command_line.as_deref(), Some(Field::ParentCmd)))
            }
        }
    };
    section("place", "Directory, terminal, session", true, &content)
}

fn namespaces(image: &Event<'_>) -> Markup {
    let extra = &image.recorder;
    let content = html! {
        dl.facts {
            @if let Some(container) = &image.container {
                (fact("container", Some(&container.id), Some(Field::Container)))
                (fact("runtime", Some(&container.runtime), Some(Field::Runtime)))
            }
            (fact("unit", extra.unit.as_deref(), Some(Field::Unit)))
            (fact("slice", extra.slice.as_deref(), Some(Field::Slice)))
            (fact("control group", extra.cgroup.as_deref(), Some(Field::Cgroup)))
            @if let Some(n) = &extra.namespaces {
                @for (name, number, field) in [
                    ("mount", n.mount, Field::MountNs),
                    ("pid", n.pid, Field::PidNs),
                    ("network", n.network, Field::NetNs),
                    ("user", n.user, Field::UserNs),
                    ("host name", n.uts, Field::UtsNs),
                    ("IPC", n.ipc, Field::IpcNs),
                    ("control group ns", n.cgroup, Field::CgroupNs),
                    ("pid inside", n.process_pid, Field::Nspid),
                ] {
                    (fact(name, Some(&number.to_string()), Some(field)))
                }
            }
        }
    };
    section("namespaces", "Container, unit, namespaces", false, &content)
}

fn binary(view: &View<'_>) -> Markup {
    let image = view.image;
    let hash = image.process.hash.as_deref();
    let content = html! {
        dl.facts {
            (fact("path", image.process.executable.as_deref(), Some(Field::Exe)))
            (fact("script", image.recorder.script.as_deref(), Some(Field::Script)))
            @if let Some(hash) = hash {
                (fact("SHA-256", Some(&hash.sha256), Some(Field::Sha256)))
                (fact("SHA-1", Some(&hash.sha1), Some(Field::Sha1)))
                (fact("MD5", Some(&hash.md5), Some(Field::Md5)))
            }
            @if let Some(content) = image.recorder.content.as_deref() { (file_content(content)) }
            (file(image))
        }
        @if let Some(hash) = hash {
            p.actions {
                a.button href=(link::binary(&hash.sha256)) { "Everything known of this content" }
                (download(view.chrome.may, &hash.sha256, image.recorder.content.as_deref()))
            }
        }
    };
    section("binary", "Binary", true, &content)
}

fn download(may: frame::Rights, sha256: &str, content: Option<&FileContent<'_>>) -> Markup {
    let is_kept =
        content.and_then(|content| content.storage) == Some(common::binary::Storage::Kept);
    html! { @if is_kept { (super::binary::download(may, sha256)) } }
}

fn file_content(content: &FileContent<'_>) -> Markup {
    let package = content.package.as_deref();
    html! {
        @if let Some(storage) = content.storage {
            (shown("copy", &mark::storage(storage, false)))
        }
        (fact("not read", content.unread.map(common::binary::Unread::sentence), None))
        (fact("package", package.map(|package| &*package.name), Some(Field::Package)))
        (fact("of the package", package.map(|p| p.state.name()), Some(Field::PackageState)))
        (fact("gives", content.capabilities.as_deref(), Some(Field::FileCapabilities)))
    }
}

fn file(image: &Event<'_>) -> Markup {
    let Some(file) = &image.recorder.file else { return html! {} };
    let flags = [
        (file.deleted, "deleted: it had no name any more"),
        (file.memfd, "in memory only"),
        (file.upper_layer, "written after the container began"),
    ];
    html! {
        (fact("size", Some(&size(file.size_bytes)), None))
        (fact("mode", Some(&file.mode), Some(Field::Mode)))
        (fact("owner", Some(&format!("{}:{}", file.uid, file.gid)), None))
        (fact("device, inode", Some(&format!("{}, {}", file.device, file.inode)), None))
        (fact("modified", Some(&file.mtime), None))
        (fact("changed", Some(&file.ctime), None))
        @for (_, flag) in flags.into_iter().filter(|(is_set, _)| *is_set) {
            (shown("notable", &mark::warning(flag)))
        }
    }
}

fn resources(image: &Event<'_>) -> Markup {
    let Some(resources) = &image.recorder.resources else {
        return section("resources", "Resources", true, &weak("are told when it ends"));
    };
    let content = html! {
        dl.facts {
            (fact("ran for", Some(&duration(resources.run_time_ns)), None))
            (fact("processor", Some(&duration(resources.cpu_ns)), None))
            (fact("in user mode", Some(&duration(resources.user_cpu_ns)), None))
            (fact("in the kernel", Some(&duration(resources.system_cpu_ns)), None))
            (fact("memory at most", Some(&size(resources.max_rss_bytes)), None))
            (fact("read", resources.read_bytes.map(size).as_deref(), None))
            (fact("written", resources.write_bytes.map(size).as_deref(), None))
        }
    };
    section("resources", "Resources", true, &content)
}

/// Where each field came from, and which is not the whole truth.
fn origin(image: &Event<'_>) -> Markup {
    let source = match &*image.recorder.source {
        "exec" => "the kernel, when it was executed",
        "fork" => "the kernel, when it was forked",
        "iterator" => "the kernel's list of tasks, when the recorder began",
        "proc" => "/proc, when the recorder began",
        "exit-only" => "the kernel, when it ended",
        other => other,
    };
    let parent = image.recorder.parent_source.as_deref().map(|source| match source {
        "fork" => "who forked it",
        "current" => "who was its parent when it was found",
        other => other,
    });
    let content = html! {
        dl.facts {
            (fact("image", Some(source), None))
            (fact("parent", parent, None))
            (fact("position", Some(&image.event.sequence.to_string()), None))
        }
        @for note in &image.recorder.notes { p { (mark::warning(note)) } }
        @if image.recorder.notes.is_empty() { (weak("every field is complete")) }
    };
    section("origin", "Where this came from", true, &content)
}
