//! Runs scenarios that have been read: acquires privileges, reports, and gives the exit code.

use crate::args::LogArgs;
use crate::closed_output::ClosedOutput;
use crate::discover::FoundScenario;
use crate::exit::Exit;
use crate::results::Results;
use crate::{by_steps, color, load, output, progress, signals};
use labsim_event::Sink;
use labsim_page::Configurations;
use labsim_report::{Again, Detail, Sinks, Style, Terminal};
use labsim_runner::{Jobs, Keeping, Options, Work, cancellation};
use std::io::IsTerminal as _;
use std::num::NonZeroUsize;

/// What a person sees of a run, and what it is worth.
pub(crate) struct Output<'a> {
    pub(crate) log: &'a LogArgs,
    pub(crate) quiet: bool,
    /// Whether nothing is shown: the caller tells what came of it.
    pub(crate) is_silent: bool,
    /// How many scenarios were found and not selected.
    pub(crate) not_selected: usize,
    /// Whether the steps of the first scenario are run one by one before.
    pub(crate) by_steps: bool,
    /// The options that a scenario is run again with.
    pub(crate) again: String,
    /// Whether flaky scenarios are a success.
    pub(crate) flaky_ok: bool,
}

/// Runs scenarios, the errors of which have been printed.
pub(crate) fn execute(
    scenarios: Vec<FoundScenario>,
    (jobs, rounds): (Jobs, Option<usize>),
    mut options: Options,
    results: Results,
    shown: &Output<'_>,
) -> Exit {
    let Results { mut sinks, configurations } = results;
    // From here on the process may have more than one thread and other rights.
    let invalid = scenarios.iter().filter(|scenario| scenario.read.is_err()).count();
    if invalid < scenarios.len() {
        match labsim_lab::acquire_privileges() {
            Ok(rights) => options.rights = rights.to_string(),
            Err(error) => {
                let sinks = Sinks::new(sinks);
                let reason = format!("this machine cannot run labs: {error}");
                // The terminal has it once; the files have it with each scenario.
                output::error(format_args!("{reason} [{}]", labsim_codes::run::RIGHTS_MISSING));
                let work = work(scenarios, Some(1), None);
                labsim_runner::skip(work, &options, &reason, &|scenario, event| {
                    sinks.emit(scenario, event);
                });
                sinks.failures().into_iter().for_each(output::error);
                return if invalid > 0 { Exit::Invalid } else { Exit::CannotRun };
            }
        }
    }
    tracing::info!(rights = options.rights, "privileges acquired");
    options.jobs = self::jobs(jobs, &scenarios, rounds);
    let (canceller, cancelled) = cancellation();
    let closed = ClosedOutput::watch(canceller.clone());
    if let Err(error) = signals::cancel_on_signal(canceller) {
        output::error(format!("signals cannot be handled: {error}"));
        return Exit::CannotRun;
    }
    if shown.by_steps
        && let Some(Ok(loaded)) =
            scenarios.first().map(|it| labsim_scenario::load(it.file.as_input()))
    {
        let Options { tunnel, impairments, data_plane, pva, .. } = options;
        let program = options.program.clone();
        let keeping = Keeping { tunnel, impairments, data_plane, pva, program };
        by_steps::by_steps(&loaded.scenario, &keeping, &cancelled);
    }
    let again = Again::Run(shown.again.clone());
    if !shown.is_silent {
        sinks.insert(0, terminal(shown.log, shown.quiet, shown.not_selected, again));
    }
    let sinks = Sinks::new(sinks);
    let emit = |scenario: Option<&str>, event| sinks.emit(scenario, event);
    let work = work(scenarios, rounds, configurations);
    let totals = labsim_runner::run(work, &options, &emit, &cancelled);
    let failures = sinks.failures();
    for failure in &failures {
        output::error(failure);
    }
    if closed.is_closed() || invalid > 0 {
        return Exit::Invalid;
    }
    if totals.interrupted > 0 || cancelled.is_cancelled() {
        return Exit::Interrupted;
    }
    match Exit::of(&totals, shown.flaky_ok) {
        Exit::Success if !failures.is_empty() => Exit::Invalid,
        exit => exit,
    }
}

/// The name of a scenario's run in a round, from 0.
pub(crate) fn id_in_round(id: &str, round: usize, rounds: Option<usize>) -> String {
    if rounds == Some(1) { id.to_owned() } else { format!("{id}#{}", round + 1) }
}

/// The scenarios, round by round. Each puts its configuration with its secrets into `configurations`.
fn work(
    mut scenarios: Vec<FoundScenario>,
    rounds: Option<usize>,
    configurations: Option<Configurations>,
) -> impl Iterator<Item = Work> + Send {
    let count = scenarios.len();
    let total = rounds.map_or(usize::MAX, |rounds| rounds.saturating_mul(count));
    (0..total).map(move |number| {
        let scenario = &mut scenarios[number % count];
        let loaded = scenario.loaded.take();
        let file = scenario.file.clone();
        let rejection = scenario.read.as_ref().err().map(load::rejection);
        let id = id_in_round(&scenario.id, number / count, rounds);
        let keep = configurations.clone().map(|configurations| {
            let id = id.clone();
            move |yaml| configurations.put(&id, yaml)
        });
        Work {
            id,
            file: file.path.clone(),
            load_changed: {
                let file = scenario.file.clone();
                Box::new(move |change| load::changed(&file, change))
            },
            load: Box::new(move || {
                rejection.map_or_else(|| load::for_run(&file, loaded, keep), Err)
            }),
        }
    })
}

/// How many scenarios run at a time. What was asked for is lowered if the limit of open files does
/// not suffice.
fn jobs(wanted: Jobs, scenarios: &[FoundScenario], rounds: Option<usize>) -> NonZeroUsize {
    let valid = scenarios.iter().filter_map(|scenario| scenario.read.as_ref().ok());
    let open_files = valid.map(|summary| summary.open_files).collect();
    let rounds = rounds.unwrap_or(usize::MAX);
    let (jobs, lowered) = wanted.choose(open_files, rounds, labsim_lab::allow_open_files);
    if let Some(lowered) = lowered {
        output::error(lowered);
    }
    jobs
}

/// What a person sees of a run.
pub(crate) fn terminal(
    log: &LogArgs,
    quiet: bool,
    not_selected: usize,
    again: Again,
) -> Box<dyn Sink> {
    let is_terminal = std::io::stdout().is_terminal();
    let detail = match (quiet, log.verbose) {
        (true, _) => Detail::Failures,
        (false, 0) => Detail::Lines,
        (false, _) => Detail::All,
    };
    let style = Style {
        progress: progress::begin(),
        colour: color::is_colored(log.color, is_terminal),
        columns: progress::columns,
        detail,
        not_selected,
        again,
    };
    Box::new(Terminal::new(std::io::stdout(), style))
}
