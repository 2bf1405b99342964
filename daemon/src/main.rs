//! `bpf-recorderd`: parse, run, map errors to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::cli::main()
}
