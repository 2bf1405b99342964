//! Where the programs under test are.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub(crate) static RECORDERD: LazyLock<PathBuf> =
    LazyLock::new(|| find("BPF_RECORDERD", &built("bpf-recorderd"), "cargo build -p daemon"));
pub(crate) static BPFCTL: LazyLock<PathBuf> =
    LazyLock::new(|| find("BPFCTL", &built("bpfctl"), "cargo build -p ctl"));
/// Resolved, as the kernel names it.
pub(crate) static WORKLOAD: LazyLock<PathBuf> =
    LazyLock::new(|| find("BPF_WORKLOAD", &built("../workload"), "make workload"));

/// Beside the daemon that cargo built with this test.
fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_bpf-recorderd")).with_file_name(name)
}

fn find(variable: &str, built: &Path, remedy: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| built.to_owned(), PathBuf::from);
    path.canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}: run `{remedy}`", path.display()))
}
