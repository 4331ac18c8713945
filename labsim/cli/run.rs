//! `labsim run`.

use crate::args::{self, Impairments, Tunnel};
use crate::exit::Exit;
use crate::load::{self, Loaded};
use crate::{say, signals};
use labsim_event::Sink;
use labsim_report::{JunitFile, OutFolder, Sinks, Style, Terminal};
use labsim_runner::{Options, Work, cancellation};
use std::io::IsTerminal as _;

/// Reads everything, then asks for rights, then runs.
pub(crate) fn run(args: &args::Run) -> Exit {
    let loaded = match load::scenarios(&args.paths) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let mut sinks = match files(args, &loaded) {
        Ok(sinks) => sinks,
        Err(problems) => {
            problems.into_iter().for_each(say::problem);
            return Exit::Invalid;
        }
    };
    let work: Vec<Work> = loaded
        .into_iter()
        .map(|Loaded { file, scenario, warnings }| Work { file, scenario, warnings })
        .collect();
    // From here on the process may have more than one thread and other rights.
    let rights = match labsim_lab::gain_rights() {
        Ok(rights) => rights,
        Err(error) => {
            let reason = format!("this machine cannot run labs: {error}");
            say::problem(&reason);
            // Once is enough for a person; whoever reads files finds it with each scenario.
            let sinks = Sinks::new(sinks);
            labsim_runner::skip(&work, &reason, &|scenario, event| sinks.tell(scenario, event));
            sinks.failures().into_iter().for_each(say::problem);
            return Exit::CannotRun;
        }
    };
    let (canceller, cancelled) = cancellation();
    if let Err(error) = signals::interrupt(canceller) {
        say::problem(format!("signals cannot be handled: {error}"));
        return Exit::CannotRun;
    }
    let options = Options {
        jobs: args.jobs,
        tunnel: match args.tunnel {
            Tunnel::Auto => labsim_runner::Tunnel::Auto,
            Tunnel::Kernel => labsim_runner::Tunnel::Kernel,
            Tunnel::Userspace => labsim_runner::Tunnel::Userspace,
        },
        impairments: match args.impairments {
            Impairments::Auto => labsim_runner::Impairments::Auto,
            Impairments::Kernel => labsim_runner::Impairments::Kernel,
            Impairments::Relay => labsim_runner::Impairments::Relay,
        },
        program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        rights: rights.to_string(),
    };
    sinks.insert(0, Box::new(Terminal::new(std::io::stdout(), style())));
    let sinks = Sinks::new(sinks);
    let tell = |scenario: Option<&str>, event| sinks.tell(scenario, event);
    let totals = labsim_runner::run(&work, &options, &tell, &cancelled);
    let failures = sinks.failures();
    for failure in &failures {
        say::problem(failure);
    }
    match Exit::of(&totals) {
        Exit::Success if !failures.is_empty() => Exit::Invalid,
        exit => exit,
    }
}

/// The files that results are kept in.
fn files(args: &args::Run, loaded: &[Loaded]) -> Result<Vec<Box<dyn Sink>>, Vec<String>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if args.out.is_some() || args.junit.is_some() {
        let clashes = load::same_names(loaded);
        if !clashes.is_empty() {
            return Err(clashes);
        }
    }
    let named = || loaded.iter().map(|it| (it.scenario.name.as_str(), it.file.as_path()));
    if let Some(dir) = &args.out {
        let folder = OutFolder::create(dir, named().map(|(name, _)| name));
        sinks.push(Box::new(folder.map_err(|error| vec![error.to_string()])?));
    }
    if let Some(file) = &args.junit {
        let junit = JunitFile::create(file, named());
        sinks.push(Box::new(junit.map_err(|error| vec![error.to_string()])?));
    }
    Ok(sinks)
}

fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    Style { progress: terminal && !plain, colour: terminal && !plain, columns: columns() }
}

/// The terminal's width, from COLUMNS or 80: a progress line that is cut too short is still read.
fn columns() -> usize {
    std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(80)
}
