//! Parse, run, map the outcome to an exit status.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = ctl::args::Cli::parse();
    let palette = ctl::Palette::choose(cli.global.color, &std::io::stderr());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return ctl::error::CommandError::failure(format!("cannot start: {error}"))
                .report(palette);
        }
    };
    let outcome = runtime.block_on(ctl::run(cli));
    // What still runs only serves the connection.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(palette),
    }
}
