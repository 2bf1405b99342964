//! What is measured.

use std::fmt;
use std::path::Path;

use crate::audit::Audit;
use crate::auditd::{Auditd, Plugin};
use crate::ours::Recorder;
use crate::process::Process;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Nothing,
    Ours,
    Auditd,
    AuditdLaurel,
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "nothing",
            Self::Ours => "this project",
            Self::Auditd => "auditd",
            Self::AuditdLaurel => "auditd + laurel",
        })
    }
}

/// What records while a load runs. Dropped, it ends.
pub(crate) trait Recording {
    fn processes(&self) -> Vec<Process>;

    /// Ends it after so many execs of the workload, and looks at what it has written.
    fn stop(self: Box<Self>, workload_execs: u64) -> anyhow::Result<Left>;
}

/// What a recording leaves behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    pub(crate) bytes: u64,
    /// Execs, those of others on the machine too.
    pub(crate) execs: u64,
    /// Of so many that should be recorded, so many are not: events of ours, execs of others.
    pub(crate) expected: u64,
    pub(crate) missing: u64,
    /// Lost by the kernel's own count.
    pub(crate) kernel_lost: u64,
}

impl Subject {
    /// `None` where nothing is to record. What comes from the kernel's audit can only be started by
    /// who has it.
    pub(crate) fn start<'a>(
        self,
        dir: &Path,
        audit: Option<&'a Audit>,
    ) -> anyhow::Result<Option<Box<dyn Recording + 'a>>> {
        let auditd = |plugin| {
            let audit = anyhow::Context::context(audit, "the kernel's audit is not ours")?;
            anyhow::Ok(Box::new(Auditd::start(audit, dir, plugin)?))
        };
        Ok(match self {
            Self::Nothing => None,
            Self::Ours => Some(Box::new(Recorder::start(dir)?)),
            Self::Auditd => Some(auditd(Plugin::None)?),
            Self::AuditdLaurel => Some(auditd(Plugin::Laurel)?),
        })
    }
}
