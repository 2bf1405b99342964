//! What the kernel does not say in words: names, containers, units; and what must not be kept.

pub(crate) mod cgroup;
pub(crate) mod environment;
pub(crate) mod users;
