//! `breakglass`: reads its arguments, does it, and ends with the code that says how it went.

use std::process::ExitCode;

use breakglass_client::cli::Cli;
use breakglass_client::output::Output;
use breakglass_client::verbs;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::of_process(cli.common.output);
    let exit = verbs::run(&cli, &mut out).unwrap_or_else(|failure| {
        out.failure(&failure);
        failure.exit()
    });
    ExitCode::from(exit.code())
}
