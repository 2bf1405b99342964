//! Containers and systemd units from the path of a control group.
//!
//! Formats: container runtimes name their groups `docker-<id>.scope`, `cri-containerd-<id>.scope`,
//! `crio-<id>.scope`, `libpod-<id>.scope` (systemd driver) or `/docker/<id>`, `/kubepods/…/<id>`
//! (cgroupfs driver), with an id of 64 hexadecimal digits; systemd's machines are
//! `machine-<name>.scope` or `systemd-nspawn@<name>.service`, LXC's `lxc.payload.<name>` or
//! `/lxc/<name>`.

use common::record::Container;

/// What the path of a control group tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) container: Option<Container>,
    pub(crate) unit: Option<String>,
    pub(crate) slice: Option<String>,
}

pub(crate) fn place(path: &str) -> Placement {
    let mut placement = Placement::default();
    let mut previous = "";
    for component in path.split('/').filter(|component| !component.is_empty()) {
        if let Some(container) = container(component, previous) {
            // The innermost one: a container in a container is the nearer home.
            placement.container = Some(container);
        }
        if is_unit(component) {
            placement.unit = Some(unescape_unit(component));
        } else if component.ends_with(".slice") {
            placement.slice = Some(component.to_owned());
        }
        previous = component;
    }
    placement
}

fn container(component: &str, previous: &str) -> Option<Container> {
    let scope = component.strip_suffix(".scope").unwrap_or(component);
    for (prefix, runtime) in [
        ("docker-", "docker"),
        ("cri-containerd-", "containerd"),
        ("crio-", "cri-o"),
        ("libpod-", "podman"),
        ("nerdctl-", "containerd"),
    ] {
        if let Some(id) = scope.strip_prefix(prefix)
            && is_container_id(id)
        {
            return found(runtime, id);
        }
    }
    if let Some(name) = scope.strip_prefix("lxc.payload.") {
        return found("lxc", name);
    }
    if previous == "lxc" && !component.starts_with("lxc.") {
        return found("lxc", component);
    }
    if let Some(name) = component.strip_prefix("systemd-nspawn@") {
        return found("systemd-nspawn", name.strip_suffix(".service")?);
    }
    if previous == "machine.slice"
        && let Some(name) = scope.strip_prefix("machine-")
    {
        return found("systemd-nspawn", &name.replace("\\x2d", "-"));
    }
    is_container_id(component).then(|| {
        let runtime = match previous {
            "docker" => "docker",
            "libpod_parent" => "podman",
            _ => "unknown",
        };
        Container { runtime: runtime.to_owned(), id: component.to_owned() }
    })
}

fn found(runtime: &str, id: &str) -> Option<Container> {
    (!id.is_empty()).then(|| Container { runtime: runtime.to_owned(), id: id.to_owned() })
}

fn is_container_id(text: &str) -> bool {
    text.len() == 64
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

fn is_unit(component: &str) -> bool {
    [".service", ".scope", ".socket", ".mount", ".swap"]
        .iter()
        .any(|suffix| component.len() > suffix.len() && component.ends_with(suffix))
}

/// systemd prefixes names that would collide with kernel files with `_` (systemd.io, CGROUP_DELEGATION).
fn unescape_unit(component: &str) -> String {
    component.strip_prefix('_').unwrap_or(component).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8d6e1f0a9c3b4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6";

    #[test]
    fn containers_are_told_by_their_groups() {
        let check = |path: &str, runtime: &str, id: &str| {
            let expected = Container { runtime: runtime.into(), id: id.into() };
            assert_eq!(place(path).container, Some(expected), "{path}");
        };
        check(&format!("/system.slice/docker-{ID}.scope"), "docker", ID);
        check(&format!("/docker/{ID}"), "docker", ID);
        check(&format!("/docker/{ID}/init"), "docker", ID);
        check(
            &format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"),
            "containerd",
            ID,
        );
        check(&format!("/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope"), "cri-o", ID);
        check(&format!("/machine.slice/libpod-{ID}.scope/container"), "podman", ID);
        check(&format!("/user.slice/user-1000.slice/libpod-{ID}.scope"), "podman", ID);
        check(&format!("/kubepods/burstable/pod12/{ID}"), "unknown", ID);
        check("/lxc.payload.web/system.slice/nginx.service", "lxc", "web");
        check("/lxc/web", "lxc", "web");
        check("/machine.slice/machine-my\\x2dbox.scope", "systemd-nspawn", "my-box");
        check("/machine.slice/systemd-nspawn@box.service/payload", "systemd-nspawn", "box");
    }

    #[test]
    fn what_only_looks_like_a_container_is_none() {
        for path in [
            "/",
            "",
            "/system.slice/docker.service",
            "/system.slice/docker-short.scope",
            "/user.slice/user-1000.slice/session-3.scope",
            &format!("/x/{}", ID.to_uppercase()),
            &format!("/x/{}", &ID[1..]),
        ] {
            assert_eq!(place(path).container, None, "{path}");
        }
    }

    #[test]
    fn units_and_slices() {
        let check = |path: &str, unit: Option<&str>, slice: Option<&str>| {
            let placement = place(path);
            assert_eq!(placement.unit.as_deref(), unit, "{path}");
            assert_eq!(placement.slice.as_deref(), slice, "{path}");
        };
        check("/system.slice/nginx.service", Some("nginx.service"), Some("system.slice"));
        check(
            "/user.slice/user-1000.slice/session-3.scope",
            Some("session-3.scope"),
            Some("user-1000.slice"),
        );
        check(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope",
            Some("app-foo.scope"),
            Some("app.slice"),
        );
        check("/init.scope", Some("init.scope"), None);
        check("/.service", None, None);
    }
}
