//! The `labsim` command: arguments, exit codes, and who is told what.

#![forbid(unsafe_code)]

mod args;
mod compare;
mod ctl;
mod doctor;
mod exit;
mod export;
mod forwarder;
mod gather;
mod import;
mod load;
mod run;
mod say;
mod schema;
mod signals;
mod validate;

use args::{Cli, Command};
use clap::Parser as _;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are no errors; they go to the standard output.
            let exit = if error.use_stderr() { Exit::Invalid } else { Exit::Success };
            let _ = error.print();
            return exit.into();
        }
    };
    let exit = match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Compare(args) => compare::compare(args),
        Command::Validate(args) => validate::validate(args),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Import(args) => import::import(args),
        Command::Export(args) => export::export(args),
        Command::Schema(args) => schema::schema(args),
        Command::Forwarder(args) => forwarder::forwarder(args),
    };
    exit.into()
}
