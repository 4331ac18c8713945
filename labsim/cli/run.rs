//! `labsim run`.

use crate::args::{self, Impairments, Tunnel};
use crate::exit::Exit;
use crate::load::{self, Loaded};
use crate::{say, signals};
use labsim_event::Sink;
use labsim_lab::Rights;
use labsim_report::{OutFolder, Sinks, Style, Terminal};
use labsim_runner::{Options, Work, cancellation};
use std::io::IsTerminal as _;

/// Reads everything, then asks for rights, then runs.
pub(crate) fn run(args: &args::Run) -> Exit {
    let loaded = match load::scenarios(&args.paths) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(Terminal::new(std::io::stdout(), style()))];
    if let Some(dir) = &args.out {
        let clashes = load::same_names(&loaded);
        for clash in &clashes {
            say::problem(clash);
        }
        if !clashes.is_empty() {
            return Exit::Invalid;
        }
        match OutFolder::create(dir, loaded.iter().map(|it| it.scenario.name.as_str())) {
            Ok(folder) => sinks.push(Box::new(folder)),
            Err(error) => {
                say::problem(error);
                return Exit::Invalid;
            }
        }
    }
    // From here on the process may have more than one thread and other rights.
    let rights = match labsim_lab::gain_rights() {
        Ok(rights) => rights,
        Err(error) => {
            say::problem(format!("this machine cannot run labs: {error}"));
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
        rights: match rights {
            Rights::Root => "root".into(),
            Rights::UserNamespace => "user namespace".into(),
        },
    };
    let work: Vec<Work> = loaded
        .into_iter()
        .map(|Loaded { file, scenario, warnings }| Work { file, scenario, warnings })
        .collect();
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
