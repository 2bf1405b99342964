//! Memory shared with the kernel. The only module that maps memory, so that what is unsafe about
//! it is said once.

#![allow(unsafe_code, reason = "maps memory of the kernel's and hands out views of it")]

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A shared mapping of a descriptor, unmapped when dropped.
pub(crate) struct Mapping {
    start: NonNull<c_void>,
    size_bytes: NonZeroUsize,
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for Mapping {}
// SAFETY: shared references give atomics, or bytes whose stability the caller vouches for.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn read_only(fd: BorrowedFd<'_>, size: usize, offset: usize) -> io::Result<Self> {
        Self::new(fd, size, offset, ProtFlags::PROT_READ)
    }

    pub(crate) fn read_write(fd: BorrowedFd<'_>, size: usize, offset: usize) -> io::Result<Self> {
        Self::new(fd, size, offset, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)
    }

    fn new(fd: BorrowedFd<'_>, size: usize, offset: usize, access: ProtFlags) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let size_bytes = NonZeroUsize::new(size).ok_or_else(invalid)?;
        let offset = i64::try_from(offset).map_err(|_| invalid())?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe { mmap(None, size_bytes, access, MapFlags::MAP_SHARED, fd, offset) }?;
        Ok(Self { start, size_bytes })
    }

    /// Address of `size` bytes at `offset`.
    ///
    /// # Panics
    ///
    /// Outside the mapping, or not aligned to `size` if that is a number's.
    fn at(&self, offset: usize, size: usize) -> NonNull<u8> {
        let end = offset.checked_add(size).expect("offsets are small");
        assert!(end <= self.size_bytes.get(), "access outside the mapping");
        // SAFETY: `offset` is within the mapping, which is one object.
        unsafe { self.start.cast::<u8>().byte_add(offset) }
    }

    /// On a read-only mapping use relaxed loads only, as `std::sync::atomic` asks for.
    pub(crate) fn u64(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8), "not aligned");
        // SAFETY: in bounds, aligned (mappings begin at a page), and mapped as long as `self`.
        unsafe { self.at(offset, 8).cast().as_ref() }
    }

    /// See [`Mapping::u64`].
    pub(crate) fn u32(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4), "not aligned");
        // SAFETY: as in `u64`.
        unsafe { self.at(offset, 4).cast().as_ref() }
    }

    /// # Safety
    ///
    /// Nobody writes to these bytes as long as the slice lives.
    pub(crate) unsafe fn bytes(&self, offset: usize, size: usize) -> &[u8] {
        let start = self.at(offset, size);
        // SAFETY: in bounds and mapped as long as `self`; the caller vouches for the contents.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), size) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: views of the mapping borrow `self`, so there are none left.
        let result = unsafe { munmap(self.start, self.size_bytes.get()) };
        debug_assert!(result.is_ok(), "the mapping was ours");
    }
}

/// Size of a page of memory, which also is the granularity of the ring's layout.
pub(crate) fn page_size_bytes() -> usize {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok().flatten().and_then(|size| usize::try_from(size).ok()).unwrap_or(4096)
}
