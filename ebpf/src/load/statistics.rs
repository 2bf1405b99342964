//! What the kernel says of a program, from `/proc/self/fdinfo`: that has the skipped runs too
//! (since 5.12), needs no privilege, and aya does not read them.

use std::fs;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::LoadError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramStatistics {
    pub name: &'static str,
    /// Zero unless `kernel.bpf_stats_enabled` is set.
    pub run_count: u64,
    /// Zero unless `kernel.bpf_stats_enabled` is set.
    pub run_time_ns: u64,
    /// Runs skipped because the program had been interrupted on the same CPU: each is a record
    /// lost without a sequence number. `None` before Linux 5.12.
    pub recursion_misses: Option<u64>,
}

pub(super) fn read(
    name: &'static str,
    program: BorrowedFd<'_>,
) -> Result<ProgramStatistics, LoadError> {
    let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
    let text = fs::read_to_string(path).map_err(|error| LoadError::Other(Box::new(error)))?;
    Ok(parse(name, &text))
}

fn parse(name: &'static str, text: &str) -> ProgramStatistics {
    let number = |key: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| *name == key)
            .and_then(|(_, value)| value.trim().parse().ok())
    };
    ProgramStatistics {
        name,
        run_count: number("run_cnt").unwrap_or(0),
        run_time_ns: number("run_time_ns").unwrap_or(0),
        recursion_misses: number("recursion_misses"),
    }
}

#[test]
fn parses_old_and_new_kernels() {
    let old = "prog_type:\t26\nrun_time_ns:\t1234\nrun_cnt:\t5\n";
    let expected =
        ProgramStatistics { name: "x", run_count: 5, run_time_ns: 1234, recursion_misses: None };
    assert_eq!(parse("x", old), expected);
    let new = format!("{old}recursion_misses:\t7\nverified_insns:\t9\n");
    assert_eq!(parse("x", &new), ProgramStatistics { recursion_misses: Some(7), ..expected });
}
