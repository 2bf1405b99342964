//! Why loading fails, told apart by what can be done about it.

use std::error::Error;
use std::fmt;
use std::io;

use aya::programs::ProgramError;
use aya::{BtfError, EbpfError};
use nix::errno::Errno;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "not permitted to load eBPF: needs root or CAP_BPF and CAP_PERFMON, outside of a \
         restricted container, and a kernel that is not locked down to confidentiality"
    )]
    NotPermitted(#[source] BoxedError),
    #[error(
        "Linux {found} is too old: the oldest kernel that can work is 5.8, the oldest tested is \
         5.10"
    )]
    KernelTooOld { found: KernelVersion },
    #[error(
        "no type information of the running kernel in /sys/kernel/btf/vmlinux: needs a kernel \
         built with CONFIG_DEBUG_INFO_BTF, and sysfs mounted"
    )]
    NoBtf(#[source] BoxedError),
    #[error(
        "not enough memory that may be locked: before Linux 5.11 eBPF counts against \
         RLIMIT_MEMLOCK, so raise it (LimitMEMLOCK=infinity in the unit) or grant \
         CAP_SYS_RESOURCE"
    )]
    MemoryLimit(#[source] BoxedError),
    #[error(
        "the kernel's verifier rejected program {program} ({cause}): please report this: {log_tail}"
    )]
    Rejected { program: &'static str, cause: String, log_tail: String },
    #[error(
        "ring size must be a power of two and at least {page_size_bytes} bytes, not {size_bytes}"
    )]
    BadRingSize { size_bytes: u32, page_size_bytes: usize },
    #[error("the built-in object lacks {0}: the build is broken")]
    Incomplete(&'static str),
    #[error("cannot load eBPF")]
    Other(#[source] BoxedError),
}

type BoxedError = Box<dyn Error + Send + Sync>;

/// Lines of the verifier's log that are kept: the reason is at its end.
const LOG_TAIL_LINES: usize = 20;

impl LoadError {
    pub(super) fn no_btf(error: &BtfError) -> Self {
        Self::NoBtf(error.to_string().into())
    }

    pub(super) fn from_object(error: EbpfError, kernel: KernelVersion) -> Self {
        match errno(&error) {
            // Before 5.11 exceeding the limit is EPERM too; the capability came in 5.8.
            Some(Errno::EPERM) if kernel.counts_locked_memory() && is_map(&error) => {
                Self::MemoryLimit(Box::new(error))
            }
            Some(Errno::EPERM | Errno::EACCES) => Self::NotPermitted(Box::new(error)),
            Some(Errno::ENOMEM) if kernel.counts_locked_memory() => {
                Self::MemoryLimit(Box::new(error))
            }
            _ => Self::Other(Box::new(error)),
        }
    }

    pub(super) fn from_program(
        program: &'static str,
        error: ProgramError,
        kernel: KernelVersion,
    ) -> Self {
        let ProgramError::LoadError { io_error, verifier_log } = &error else {
            return Self::attach(program, error);
        };
        let log = verifier_log.to_string();
        let is_verified = !log.trim().is_empty();
        match io_error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EPERM) if !is_verified => Self::NotPermitted(Box::new(error)),
            Some(Errno::ENOMEM) if kernel.counts_locked_memory() => {
                Self::MemoryLimit(Box::new(error))
            }
            _ if is_verified => {
                Self::Rejected { program, cause: io_error.to_string(), log_tail: tail(&log) }
            }
            _ => Self::Other(Box::new(error)),
        }
    }

    pub(super) fn attach(target: &'static str, error: impl Error + Send + Sync + 'static) -> Self {
        match errno(&error) {
            Some(Errno::EPERM | Errno::EACCES) => Self::NotPermitted(Box::new(error)),
            _ => Self::Other(format!("cannot attach to {target}: {}", chain(&error)).into()),
        }
    }
}

fn is_map(error: &EbpfError) -> bool {
    matches!(error, EbpfError::MapError(_))
}

/// The error number that the system call failed with, from anywhere down the chain.
fn errno(error: &(dyn Error + 'static)) -> Option<Errno> {
    causes(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .find_map(io::Error::raw_os_error)
        .map(Errno::from_raw)
}

/// An error and its causes on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

/// Version of a kernel, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    pub major: u32,
    pub minor: u32,
}

impl KernelVersion {
    /// The ring buffer and boot clock helpers.
    const OLDEST: Self = Self { major: 5, minor: 8 };

    /// The running kernel's, if it is new enough.
    pub(super) fn running() -> Result<Self, LoadError> {
        let names = nix::sys::utsname::uname().map_err(|error| LoadError::Other(error.into()))?;
        let release = names.release().to_string_lossy();
        let found = Self::parse(&release).ok_or_else(|| {
            LoadError::Other(format!("cannot understand the kernel's version {release}").into())
        })?;
        if found < Self::OLDEST { Err(LoadError::KernelTooOld { found }) } else { Ok(found) }
    }

    fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }

    fn counts_locked_memory(self) -> bool {
        self < Self { major: 5, minor: 11 }
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_and_compare() {
        let parse = |text| KernelVersion::parse(text).unwrap();
        assert_eq!(parse("5.10.0-32-cloud-amd64"), KernelVersion { major: 5, minor: 10 });
        assert_eq!(parse("7.2.13+deb14"), KernelVersion { major: 7, minor: 2 });
        assert_eq!(parse("6.12-rc1"), KernelVersion { major: 6, minor: 12 });
        assert!(parse("5.4.0") < KernelVersion::OLDEST);
        assert!(parse("5.10.0").counts_locked_memory());
        assert!(!parse("5.11.0").counts_locked_memory());
        assert_eq!(KernelVersion::parse("unknown"), None);
    }

    #[test]
    fn errno_is_found_down_the_chain() {
        let io = io::Error::from_raw_os_error(1);
        let error = aya::sys::SyscallError { call: "bpf_prog_load", io_error: io };
        let error = EbpfError::ProgramError(ProgramError::SyscallError(error));
        assert_eq!(errno(&error), Some(Errno::EPERM));
        let found = LoadError::from_object(error, KernelVersion { major: 6, minor: 1 });
        assert!(matches!(found, LoadError::NotPermitted(_)));
    }

    #[test]
    fn log_keeps_its_end() {
        let log: Vec<_> = (0..50).map(|line| line.to_string()).collect();
        assert!(tail(&log.join("\n")).starts_with("30\n"));
        assert_eq!(tail("one"), "one");
    }
}
