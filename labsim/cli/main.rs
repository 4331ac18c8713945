//! The `labsim` command: arguments, output, exit codes.

#![forbid(unsafe_code)]

mod args;
mod by_steps;
mod capture;
mod closed_output;
mod color;
mod compare;
mod ctl;
mod diagnose;
mod discover;
mod doctor;
mod down;
mod execute;
mod exercise;
mod exit;
mod explain;
mod export;
mod fail_on_skip;
mod forwarder;
mod generate;
mod graph;
mod graph_run;
mod help;
mod holding;
mod import;
mod init;
mod inputs;
mod lessons;
mod live;
mod live_steps;
mod load;
mod log;
mod manual;
mod merge;
mod output;
mod partition;
mod plan;
mod prediction;
mod progress;
mod report;
mod reset;
mod restart;
mod results;
mod run;
mod save;
mod schema;
mod select;
mod server;
mod set;
mod shipped;
mod show;
mod signals;
mod stream;
mod tmux;
mod up;
mod validate;
mod watch;
mod wireshark;

use args::{Cli, Command};
use clap::Parser as _;
use exit::Exit;
use labsim_model::is_plain;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version go to standard output and are not errors.
            let exit = if error.use_stderr() { Exit::Invalid } else { Exit::Success };
            print(&error);
            return exit.into();
        }
    };
    if let Err(error) = log::start(&cli.log) {
        output::error(error);
        return Exit::Invalid.into();
    }
    let exit = match &cli.command {
        Command::Run(args) => run::run(args, &cli.log),
        Command::Diagnose(args) => diagnose::diagnose(args, &cli.log),
        Command::Compare(args) => compare::compare(args),
        Command::Explain(args) => explain::explain(args, &cli.log),
        Command::MergeCaptures(args) => explain::merge_captures(args),
        Command::Report(args) => report::report(args),
        Command::Merge(args) => merge::merge(args, &cli.log),
        Command::Up(args) => up::up(args, &cli.log),
        Command::Step(args) => live_steps::step(args, &cli.log),
        Command::Check(args) => live_steps::check(args, &cli.log),
        Command::List => live::list(),
        Command::Status(args) => live::status(args),
        Command::Logs(args) => live::logs(args),
        Command::Capture(args) => capture::capture(args),
        Command::Watch(args) => watch::watch(args),
        Command::Save(args) => save::save(args),
        Command::Set(args) => set::set(args),
        Command::Reset(args) => reset::reset(args),
        Command::Restart(args) => restart::restart(args),
        Command::Down(args) => down::down(args),
        // The exit code is that of what ran.
        Command::Exec(args) => return live::exec(args),
        Command::Shell(args) => return live::shell(args),
        Command::Tmux(args) => tmux::tmux(args),
        Command::Exercise(args) => exercise::exercise(args),
        Command::Class(args) => exercise::class(args),
        Command::Lessons => lessons::lessons(),
        Command::Validate(args) => validate::validate(args),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Import(args) => import::import(args, cli.log.verbose > 0),
        Command::Export(args) => export::export(args),
        Command::Schema(args) => schema::schema(args),
        Command::Show(args) => show::show(args),
        Command::Plan(args) => plan::plan(args),
        Command::Graph(args) => graph::graph(args),
        Command::WiresharkProfile(args) => wireshark::profile(args),
        Command::Init(args) => init::init(args),
        Command::Server(args) => server::server(args),
        Command::Forwarder(args) => forwarder::forwarder(args),
        Command::Completions(args) => generate::completions(args),
        Command::Man(args) => generate::man(args),
        Command::Manual(args) => generate::manual(args),
        Command::Help(args) => help::help(args),
    };
    exit.into()
}

/// Prints what clap says. It repeats arguments as they are, which a terminal could execute.
fn print(error: &clap::Error) {
    let escape = |argument: std::ffi::OsString| -> String {
        let text = argument.to_string_lossy().into_owned();
        let escape = |c: char| match is_plain(c) {
            true => c.to_string(),
            false => c.escape_debug().to_string(),
        };
        text.chars().map(escape).collect()
    };
    let is_plain = |it: std::ffi::OsString| it.to_str().is_some_and(|it| it.chars().all(is_plain));
    if std::env::args_os().all(is_plain) {
        let _ = error.print();
        return;
    }
    match Cli::try_parse_from(std::env::args_os().map(escape)) {
        Err(same) => drop(same.print()),
        Ok(_) => output::diagnostics(error.render()),
    }
}
