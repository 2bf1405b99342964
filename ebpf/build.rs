//! Compiles the kernel half to a BPF object. Needs clang and nothing else: no kernel headers, no
//! libbpf.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const SOURCES: &str = "src/bpf";

/// 5.10's verifier knows v3's 32 bit jumps, but keeps track of bounds through them less well.
const CPU: &str = "-mcpu=v2";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={SOURCES}");
    println!("cargo::rerun-if-env-changed=CLANG");
    if env::var_os("CARGO_FEATURE_LOAD").is_none() {
        return ExitCode::SUCCESS;
    }
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn compile() -> Result<(), String> {
    let out = env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?;
    let object = PathBuf::from(out).join("recorder.bpf.o");
    let clang = find_clang()?;
    let status = Command::new(&clang)
        .args(["-O2", "-g", "-target", "bpf", CPU])
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-std=gnu11"])
        // The object must not depend on where the source lies.
        .args(["-fdebug-compilation-dir=.", "-c"])
        .arg(Path::new(SOURCES).join("recorder.bpf.c"))
        .arg("-o")
        .arg(&object)
        .status()
        .map_err(|error| format!("cannot run {clang}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{clang} failed on the kernel half")) }
}

/// `CLANG` if set, else the first of the usual names that has a BPF back end.
fn find_clang() -> Result<String, String> {
    if let Ok(clang) = env::var("CLANG") {
        return if has_bpf(&clang) {
            Ok(clang)
        } else {
            Err(format!("CLANG={clang} does not run or has no BPF back end"))
        };
    }
    let versions = (14..=22).rev().map(|version| format!("clang-{version}"));
    std::iter::once("clang".to_owned()).chain(versions).find(|clang| has_bpf(clang)).ok_or_else(
        || {
            "no clang with a BPF back end found: install the package clang (14 or later), \
             or set CLANG to its path"
                .to_owned()
        },
    )
}

fn has_bpf(clang: &str) -> bool {
    Command::new(clang)
        .arg("-print-targets")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("bpf"))
}
