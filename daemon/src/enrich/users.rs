//! Names of users and groups, looked up once in a while.
//!
//! The name service may ask the network, so an answer is kept for a minute, and the number of kept
//! answers is bounded: a user namespace can show any id.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Group, Uid, User};

const KEEP: Duration = Duration::from_secs(60);
const MOST: usize = 4096;

type Names = HashMap<u32, (Instant, Option<String>)>;

#[derive(Default)]
pub(crate) struct Users {
    users: Names,
    groups: Names,
}

impl Users {
    pub(crate) fn user(&mut self, uid: u32) -> Option<String> {
        look_up(&mut self.users, uid, |uid| {
            User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
        })
    }

    pub(crate) fn group(&mut self, gid: u32) -> Option<String> {
        look_up(&mut self.groups, gid, |gid| {
            Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name)
        })
    }
}

fn look_up(names: &mut Names, id: u32, ask: impl Fn(u32) -> Option<String>) -> Option<String> {
    if let Some((asked, name)) = names.get(&id)
        && asked.elapsed() < KEEP
    {
        return name.clone();
    }
    if names.len() >= MOST {
        names.clear();
    }
    let name = ask(id);
    names.insert(id, (Instant::now(), name.clone()));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_a_name_and_strangers_have_none() {
        let mut users = Users::default();
        assert_eq!(users.user(0).as_deref(), Some("root"));
        assert_eq!(users.group(0).as_deref(), Some("root"));
        assert_eq!(users.user(3_999_999_999), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut names = Names::new();
        for id in 0..20_000 {
            look_up(&mut names, id, |_| None);
        }
        assert!(names.len() <= MOST);
    }
}
