//! `labsim run`.

use crate::args::{DataPlane, LogArgs, Run};
use crate::discover::{self, FoundScenario};
use crate::execute::{Output, execute, id_in_round};
use crate::exit::Exit;
use crate::select::{self, Selected};
use crate::{fail_on_skip, output, partition, results};
use clap::ValueEnum;
use labsim_report::{ListedScenario, Sinks};
use labsim_runner::{
    EngineChoice, ImpairmentChoice, Options, Policy, Proving, SkipRule, TunnelChoice,
};
use std::num::NonZeroUsize;

/// Reads all files, then acquires privileges, then runs.
pub(crate) fn run(args: &Run, log: &LogArgs) -> Exit {
    let policy = match policy(args) {
        Ok(policy) => policy,
        Err(message) => return reject(message),
    };
    let Selected { mut scenarios, not_selected } = match select::select(args) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    let rounds = rounds(args);
    let listed: Vec<ListedScenario> = scenarios.iter().map(FoundScenario::as_listed).collect();
    let mut partition = None;
    if let Some(wanted) = &args.selection.partition {
        match partition::select(wanted, &listed, |name| in_rounds(name, rounds).collect()) {
            Ok((places, record)) => {
                let is_mine = |place: &usize| places.contains(place);
                let mine = scenarios.into_iter().enumerate();
                scenarios = mine
                    .filter(|(place, _)| is_mine(place))
                    .map(|(_, scenario)| scenario)
                    .collect();
                partition = Some(record);
            }
            Err(error) => return reject(error),
        }
    }
    if let Some(format) = args.selection.list {
        select::list(&scenarios, format);
        return Exit::Success;
    }
    if args.step && scenarios.len() != 1 {
        let count = scenarios.len();
        return reject(format!("--step is for one scenario, and {count} are selected; name one"));
    }
    let invalid = discover::print_errors(scenarios.iter());
    tracing::info!(scenarios = scenarios.len(), invalid, "all files are read");
    let results = match results::open(&args.results, listed_in_rounds(&listed, rounds), partition) {
        Ok(results) => results,
        Err(error) => return reject(error),
    };
    let options = Options {
        scenarios: rounds.map(|rounds| rounds.saturating_mul(scenarios.len())),
        jobs: NonZeroUsize::MIN,
        tunnel: args.lab.tunnel,
        engine: args.lab.engine,
        data_plane: args.lab.forwarding.data_plane.into(),
        pva: args.lab.forwarding.pva.map(Into::into),
        impairments: args.lab.impairments,
        program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        rights: "none".into(),
        policy,
        // Scenarios run side by side as well.
        proving: args.prove.then_some(Proving { side_by_side: processors(), hurries: false }),
    };
    if scenarios.is_empty() {
        // Only a partition can have no scenarios.
        let sinks = Sinks::new(results.sinks);
        labsim_runner::skip(std::iter::empty(), &options, "", &|scenario, event| {
            sinks.emit(scenario, event);
        });
        sinks.failures().into_iter().for_each(output::error);
        return if sinks.failures().is_empty() { Exit::Success } else { Exit::Invalid };
    }
    let output = Output {
        log,
        quiet: args.quiet,
        is_silent: false,
        not_selected,
        by_steps: args.step,
        again: again(args),
        flaky_ok: args.limits.flaky_ok,
    };
    execute(scenarios, (args.lab.jobs, rounds), options, results, &output)
}

/// When the run ends, and what counts as failed.
fn policy(args: &Run) -> Result<Policy, String> {
    let limits = &args.limits;
    let stops_at_first = limits.fail_fast || limits.until_fail;
    if limits.until_fail && limits.repeat.is_none() && args.results.lists_runs() {
        return Err(
            "--until-fail has no end without --repeat, and --junit, --json and --html list \
                    every run; add --repeat N"
                .into(),
        );
    }
    Ok(Policy {
        max_fail: limits.max_fail.or(stops_at_first.then_some(NonZeroUsize::MIN)),
        timeout: limits.timeout,
        run_timeout: limits.run_timeout,
        retries: limits.retries,
        fail_on_skip: match &limits.fail_on_skip {
            None => SkipRule::Accept,
            Some(codes) => fail_on_skip::rule(codes)?,
        },
    })
}

/// The machine's processors.
pub(crate) fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// How often each scenario runs; without an end if it is repeated until one fails.
fn rounds(args: &Run) -> Option<usize> {
    match (args.limits.repeat, args.limits.until_fail) {
        (None, true) => None,
        (repeat, _) => Some(repeat.map_or(1, NonZeroUsize::get)),
    }
}

/// The names of a scenario's runs.
fn in_rounds(id: &str, rounds: Option<usize>) -> impl Iterator<Item = String> {
    (0..rounds.unwrap_or_default()).map(move |round| id_in_round(id, round, rounds))
}

/// Every run of the scenarios, as reports identify it, in their order.
fn listed_in_rounds(scenarios: &[ListedScenario], rounds: Option<usize>) -> Vec<ListedScenario> {
    let round = |round| {
        scenarios.iter().map(move |scenario| ListedScenario {
            name: id_in_round(&scenario.name, round, rounds),
            ..scenario.clone()
        })
    };
    (0..rounds.unwrap_or_default()).flat_map(round).collect()
}

fn reject(error: String) -> Exit {
    output::error(error);
    Exit::Invalid
}

/// The options that a scenario is run again with.
fn again(args: &Run) -> String {
    let mut options = String::new();
    let mut add = |option: &str, value: Option<clap::builder::PossibleValue>| {
        if let Some(value) = value {
            options.push_str(&format!(" {option} {}", value.get_name()));
        }
    };
    let lab = &args.lab;
    if lab.tunnel != TunnelChoice::Auto {
        add("--tunnel", lab.tunnel.to_possible_value());
    }
    if lab.engine != EngineChoice::Auto {
        add("--engine", lab.engine.to_possible_value());
    }
    if lab.forwarding.data_plane != DataPlane::Auto {
        add("--data-plane", lab.forwarding.data_plane.to_possible_value());
    }
    if let Some(pva) = lab.forwarding.pva {
        add("--pva", pva.to_possible_value());
    }
    if lab.impairments != ImpairmentChoice::Auto {
        add("--impairments", lab.impairments.to_possible_value());
    }
    if let Some(timeout) = args.limits.timeout {
        options.push_str(&format!(" --timeout {}", timeout.as_secs_f64()));
    }
    options
}
