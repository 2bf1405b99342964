//! How a process is known: never by its pid alone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The first 48 bits of the kernel's random boot id (`/proc/sys/kernel/random/boot_id`).
///
/// Enough to tell the boots of a fleet apart, and short enough to read aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BootId(u64);

impl BootId {
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & 0xffff_ffff_ffff)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Parses the UUID form of `/proc/sys/kernel/random/boot_id`.
    pub fn from_uuid(uuid: &str) -> Result<Self, ParseIdError> {
        let hex: String = uuid.trim().chars().filter(|c| *c != '-').collect();
        if hex.len() != 32 {
            return Err(ParseIdError::Boot);
        }
        u64::from_str_radix(&hex[..12], 16).map(Self).map_err(|_| ParseIdError::Boot)
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// The identity of a process: the same from every source and across restarts of the recorder.
///
/// Its text form, the ECS `process.entity_id`, is `BOOT-PID-START`: twelve hexadecimal digits of
/// the boot id, the pid in decimal, the start on the boot clock in hexadecimal nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    pub boot: BootId,
    /// In the initial pid namespace.
    pub pid: u32,
    pub start_boottime_ns: u64,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:x}", self.boot, self.pid, self.start_boottime_ns)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    #[error("a boot id has 32 hexadecimal digits")]
    Boot,
    #[error("a process id looks like 3f2a9c81d0b4-4711-1a2b3c4d5e (boot, pid, start)")]
    Process,
}

impl FromStr for ProcessId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut parts = text.split('-');
        let (Some(boot), Some(pid), Some(start), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ParseIdError::Process);
        };
        if boot.len() != 12 {
            return Err(ParseIdError::Process);
        }
        Ok(Self {
            boot: u64::from_str_radix(boot, 16)
                .map(BootId::from_bits)
                .map_err(|_| ParseIdError::Process)?,
            pid: pid.parse().map_err(|_| ParseIdError::Process)?,
            start_boottime_ns: u64::from_str_radix(start, 16).map_err(|_| ParseIdError::Process)?,
        })
    }
}

impl Serialize for ProcessId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProcessId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let id = ProcessId {
            boot: BootId::from_uuid("3f2a9c81-d0b4-4c1e-9d0c-0123456789ab\n").unwrap(),
            pid: 4711,
            start_boottime_ns: 0x1a_2b3c_4d5e,
        };
        assert_eq!(id.to_string(), "3f2a9c81d0b4-4711-1a2b3c4d5e");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn damaged_forms_are_refused() {
        for text in ["", "4711", "3f2a9c81d0b4-4711", "3f-1-2", "3f2a9c81d0b4-x-1", "a-b-c-d"] {
            assert_eq!(text.parse::<ProcessId>(), Err(ParseIdError::Process), "{text}");
        }
    }
}
