//! Attaching a loaded program, with a descriptor of the link to keep or to give away: aya has the
//! descriptor, but does not hand it out.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::libc;

/// `BPF_RAW_TRACEPOINT_OPEN` of `enum bpf_cmd` in `linux/bpf.h`.
const RAW_TRACEPOINT_OPEN: libc::c_int = 17;

/// The part of `union bpf_attr` that the command reads.
#[repr(C)]
struct Attributes {
    /// None: the program was loaded for its tracepoint.
    name: u64,
    program: u32,
    padding: u32,
}

/// Attaches a program to the tracepoint it was loaded for, until the last copy of the descriptor is
/// closed. Linux 5.5.
#[expect(unsafe_code, reason = "a system call without a wrapper")]
pub(super) fn attach(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let program = program.as_raw_fd().cast_unsigned();
    let attributes = Attributes { name: 0, program, padding: 0 };
    // SAFETY: the kernel reads no more than this many bytes, and writes none.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            RAW_TRACEPOINT_OPEN,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    let descriptor = i32::try_from(result).ok().filter(|descriptor| *descriptor >= 0);
    let descriptor = descriptor.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made it for us (with close-on-exec set).
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
