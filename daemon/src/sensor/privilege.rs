//! Giving privileges away.

use std::path::Path;

use anyhow::Context as _;
use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _,
};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Uid, setgroups, setresgid, setresuid};

use super::user::RecorderUser;

/// What the sensor still needs once the programs are attached: figures and iterators of its own
/// programs, the files of other processes, and to start recorders as another user.
const SENSOR: [Capability; 8] = [
    Capability::CAP_BPF,
    Capability::CAP_PERFMON,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_KILL,
];

/// Whether this process may load programs at all: said before anything is touched.
pub(crate) fn check_own() -> anyhow::Result<()> {
    let may = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    if may(Capability::CAP_SYS_ADMIN) || may(Capability::CAP_BPF) {
        return Ok(());
    }
    anyhow::bail!("recording needs root: start it with sudo (bpf-recorderd open does not)")
}

pub(crate) fn limit_sensor() -> anyhow::Result<()> {
    let held = caps::read(None, CapSet::Permitted).context("read capabilities")?;
    let kept: CapsHashSet = SENSOR.into_iter().filter(|cap| held.contains(cap)).collect();
    for capability in caps::all().difference(&kept) {
        // Fails for those that this kernel does not know, and without CAP_SETPCAP; the permitted
        // set is what counts.
        let _ = caps::drop(None, CapSet::Bounding, *capability);
    }
    caps::set(None, CapSet::Effective, &kept).context("limit the effective capabilities")?;
    caps::set(None, CapSet::Permitted, &kept).context("limit the permitted capabilities")?;
    prctl::set_no_new_privs().context("forbid new privileges")?;
    Ok(())
}

/// What opening the files of other processes takes.
const BROKER: [Capability; 2] = [Capability::CAP_DAC_READ_SEARCH, Capability::CAP_SYS_PTRACE];

/// Turns this process into one that can read every file and change none but those of the recorder's
/// user.
pub(crate) fn become_broker(user: &RecorderUser) -> anyhow::Result<()> {
    let held = caps::read(None, CapSet::Permitted).context("read capabilities")?;
    let kept: CapsHashSet = BROKER.into_iter().filter(|cap| held.contains(cap)).collect();
    if held.contains(&Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding).context("clear the bounding set")?;
    }
    prctl::set_keepcaps(true).context("keep capabilities")?;
    change_user(user, &held)?;
    caps::clear(None, CapSet::Inheritable).context("clear the inheritable capabilities")?;
    umask(Mode::from_bits_truncate(0o077));
    caps::set(None, CapSet::Effective, &CapsHashSet::new()).context("clear the effective set")?;
    caps::set(None, CapSet::Permitted, &kept).context("limit the permitted capabilities")?;
    caps::set(None, CapSet::Effective, &kept).context("limit the effective capabilities")?;
    prctl::set_no_new_privs().context("forbid new privileges")?;
    prctl::set_dumpable(false).context("forbid core dumps and tracing")?;
    // Its end is the recorder's, or the sensor's.
    prctl::set_pdeathsig(Signal::SIGKILL).context("end with the sensor")
}

fn change_user(user: &RecorderUser, held: &CapsHashSet) -> anyhow::Result<()> {
    if held.contains(&Capability::CAP_SETUID) && user.uid != Uid::current() {
        setgroups(&[user.gid]).context("leave the groups")?;
        setresgid(user.gid, user.gid, user.gid).context("change the group")?;
        setresuid(user.uid, user.uid, user.uid).context("change the user")?;
    }
    Ok(())
}

/// Turns this process into one that can do nothing but write into the data directory.
pub(crate) fn become_recorder(user: &RecorderUser, data_dir: &Path) -> anyhow::Result<()> {
    let held = caps::read(None, CapSet::Permitted).context("read capabilities")?;
    if held.contains(&Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding).context("clear the bounding set")?;
    }
    change_user(user, &held)?;
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).with_context(|| format!("clear the {set:?} capabilities"))?;
    }
    // Command lines and environments are nobody else's business.
    umask(Mode::from_bits_truncate(0o077));
    prctl::set_no_new_privs().context("forbid new privileges")?;
    prctl::set_dumpable(false).context("forbid core dumps and tracing")?;
    confine_writing(data_dir)
}

/// Landlock (5.13+): files can be changed below the data directory only. Best effort on older
/// kernels, where the user's rights are the limit.
fn confine_writing(data_dir: &Path) -> anyhow::Result<()> {
    let writing = AccessFs::from_write(ABI::V3);
    let data = PathFd::new(data_dir).with_context(|| {
        format!(
            "the recorder's user cannot reach {}: give it rights on the directories above, or \
             choose another --data-dir or --user",
            data_dir.display()
        )
    })?;
    Ruleset::default()
        .handle_access(writing)
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rule(PathBeneath::new(data, writing)))
        .and_then(RulesetCreated::restrict_self)
        .context("confine writing to the data directory")?;
    Ok(())
}
