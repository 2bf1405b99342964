//! Whom the unprivileged half runs as.

use anyhow::{Context as _, bail};
use nix::unistd::{Gid, Uid, User};

use crate::settings::Settings;

#[derive(Debug, Clone)]
pub(crate) struct RecorderUser {
    pub(crate) name: String,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    /// Why this one, for the log.
    pub(crate) reason: &'static str,
}

/// The configured user; else `bpf-recorder`; else who called sudo; else `nobody`.
pub(crate) fn choose(settings: &Settings) -> anyhow::Result<RecorderUser> {
    if !Uid::effective().is_root() {
        // Nothing to change to: started with capabilities instead of root.
        let user = User::from_uid(Uid::effective()).context("look up the own user")?;
        let name = user.map_or_else(|| Uid::effective().to_string(), |user| user.name);
        return Ok(RecorderUser {
            name,
            uid: Uid::effective(),
            gid: Gid::effective(),
            reason: "not started as root",
        });
    }
    if let Some(wanted) = &settings.user {
        return match find(wanted)? {
            Some(user) if user.uid.is_root() => {
                bail!("user is {wanted:?}: the recorder must not run as root, give another user")
            }
            Some(user) => Ok(of(user, "by --user")),
            None => bail!("user {wanted:?} does not exist: create it, or give another --user"),
        };
    }
    if let Some(user) = find("bpf-recorder")? {
        return Ok(of(user, "the user made for it"));
    }
    if let Some(uid) = std::env::var("SUDO_UID").ok().filter(|uid| uid != "0")
        && let Some(user) = find(&uid)?
    {
        return Ok(of(user, "who called sudo"));
    }
    match find("nobody")? {
        Some(user) => Ok(of(user, "there is no user bpf-recorder; see --user")),
        None => bail!("neither bpf-recorder nor nobody exists: give --user"),
    }
}

fn find(name: &str) -> anyhow::Result<Option<User>> {
    let by_name = User::from_name(name).with_context(|| format!("look up user {name:?}"))?;
    if by_name.is_some() {
        return Ok(by_name);
    }
    match name.parse() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)).context("look up a user"),
        Err(_) => Ok(None),
    }
}

fn of(user: User, reason: &'static str) -> RecorderUser {
    RecorderUser { name: user.name, uid: user.uid, gid: user.gid, reason }
}
