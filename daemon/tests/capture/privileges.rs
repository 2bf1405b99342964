//! What each half of the daemon may do, and who may ask it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use common::ecs::capability_names;

use crate::client::capture;
use crate::programs::BPFCTL;
use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;

fn status(pid: u32, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{key}:\t")));
    line.unwrap_or_else(|| panic!("{key} is not in {status}")).to_owned()
}

fn capabilities(pid: u32, set: &str) -> Vec<std::borrow::Cow<'static, str>> {
    capability_names(u64::from_str_radix(&status(pid, set), 16).unwrap())
}

#[test]
fn the_recorder_has_no_privilege_and_the_sensor_few() {
    let scratch = Scratch::new();
    let Some(recorder) =
        Recorder::start(&scratch, &[&LOSSLESS[..], &["--user", "nobody"]].concat())
    else {
        return;
    };
    let health = recorder.client.health();
    let figures = capture(&health);
    assert_eq!(figures.recorder_user, "nobody");
    let pid = figures.recorder_pid;
    for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
        assert!(capabilities(pid, set).is_empty(), "{set}: {:?}", capabilities(pid, set));
    }
    assert_eq!(status(pid, "Uid"), ["65534"; 4].join("\t"));
    assert_eq!(status(pid, "Gid"), ["65534"; 4].join("\t"));
    assert_eq!(status(pid, "Groups").trim(), "65534");
    assert_eq!(status(pid, "NoNewPrivs"), "1");

    let sensor = capabilities(figures.sensor_pid, "CapEff");
    assert!(sensor.len() <= 8, "{sensor:?}");
    for refused in ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_NET_ADMIN", "CAP_SYS_MODULE"] {
        assert!(!sensor.iter().any(|capability| capability == refused), "{sensor:?}");
    }
    for file in fs::read_dir(scratch.data()).unwrap().map(Result::unwrap) {
        let meta = file.metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o077, 0, "{file:?} is open to others");
        assert_eq!(meta.uid(), 65534, "{file:?}");
    }
    assert_eq!(fs::metadata(scratch.data()).unwrap().mode() & 0o077, 0);
    recorder.stop();
}

#[test]
fn others_are_turned_away() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let program = scratch.copy(&BPFCTL, "bpfctl");
    let ask = |uid: u32| {
        let mut command = Command::new(&program);
        command.uid(uid).gid(uid).arg("--address").arg(scratch.bus()).arg("status");
        command.output().unwrap()
    };
    // Even if the socket itself were open to all.
    for mode in [0o600, 0o666] {
        fs::set_permissions(scratch.bus(), fs::Permissions::from_mode(mode)).unwrap();
        let refused = ask(12_345);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(3), "{text}");
        assert!(text.contains("as root"), "{text}");
    }
    let owner = fs::metadata(scratch.database()).unwrap().uid();
    assert!(ask(owner).status.success());
    recorder.stop();
}
