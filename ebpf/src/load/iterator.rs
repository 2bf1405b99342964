//! The program that tells what runs already (Linux 5.18+). It shares nothing with the others but
//! the object they come in, so that it need not outlive its process.

use std::os::fd::OwnedFd;

use aya::programs::Iter;
use aya::{Btf, Ebpf};

use super::error::{KernelVersion, LoadError};
use super::{program, verified};

pub(super) const NAME: &str = "recorder_running";
/// Brought `bpf_copy_from_user_task`.
const SINCE: KernelVersion = KernelVersion { major: 5, minor: 18 };

pub(super) struct Iterator {
    ebpf: Ebpf,
}

impl Iterator {
    /// `None` where the kernel has none.
    pub(super) fn load(
        mut ebpf: Ebpf,
        btf: &Btf,
        kernel: KernelVersion,
    ) -> Result<Option<Self>, LoadError> {
        if kernel < SINCE {
            return Ok(None);
        }
        let iterator: &mut Iter = program(&mut ebpf, NAME)?;
        let result = verified(|| iterator.load("task", btf));
        result.map_err(|error| LoadError::from_program(NAME, error, kernel))?;
        Ok(Some(Self { ebpf }))
    }

    /// A new descriptor to read what runs now from.
    pub(super) fn open(&mut self) -> Result<OwnedFd, LoadError> {
        let iterator: &mut Iter = program(&mut self.ebpf, NAME)?;
        let failed = |error| LoadError::attach("task iterator", error);
        let link = iterator.attach().and_then(|id| iterator.take_link(id)).map_err(failed)?;
        let file = link.into_file().map_err(|error| LoadError::Other(Box::new(error)))?;
        Ok(file.into())
    }

    pub(super) fn descriptor(&self) -> Result<OwnedFd, LoadError> {
        super::descriptor(self.ebpf.program(NAME).ok_or(LoadError::Incomplete(NAME))?.fd())
    }
}
