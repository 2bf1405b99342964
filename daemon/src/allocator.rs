//! How the allocator of the C library keeps memory that is free. Left alone, glibc has a pool for each
//! thread, and keeps blocks that were large once: 8 MiB of a recorder at 800 execs a second.

#![allow(unsafe_code, reason = "the allocator is set by a C function")]

#[cfg(target_env = "gnu")]
pub(crate) fn settle() {
    use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, mallopt};

    /// Which is glibc's own, but then it is not raised as large blocks are freed.
    const LARGE_BYTES: i32 = 128 << 10;
    for (option, value) in
        [(M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGE_BYTES), (M_TRIM_THRESHOLD, LARGE_BYTES)]
    {
        // SAFETY: it sets a number. One that it refuses stays as it was.
        unsafe { mallopt(option, value) };
    }
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn settle() {}
