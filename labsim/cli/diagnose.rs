//! `labsim diagnose`.

use crate::args::{Diagnose, LogArgs};
use crate::discover::{self, FoundScenario};
use crate::execute::{Output, execute};
use crate::exit::Exit;
use crate::run::processors;
use crate::{output, results};
use labsim_report::ListedScenario;
use labsim_runner::{Jobs, Options, Policy, Proving};
use std::num::NonZeroUsize;

/// Runs scenarios one after the other, and proves the causes of those that fail with labs side by
/// side.
pub(crate) fn diagnose(args: &Diagnose, log: &LogArgs) -> Exit {
    let scenarios = match discover::scenarios(&args.files) {
        Ok(scenarios) => scenarios,
        Err(exit) => return exit,
    };
    discover::print_errors(scenarios.iter());
    let listed: Vec<ListedScenario> = scenarios.iter().map(FoundScenario::as_listed).collect();
    let results = match results::open(&args.results, listed, None) {
        Ok(results) => results,
        Err(error) => {
            output::error(error);
            return Exit::Invalid;
        }
    };
    let side_by_side = match args.lab.jobs {
        Jobs::Fixed(jobs) => jobs,
        // Most of a lab's time is waiting.
        Jobs::Auto => processors().saturating_add(processors().get()),
    };
    let options = Options {
        scenarios: Some(scenarios.len()),
        jobs: NonZeroUsize::MIN,
        tunnel: args.lab.tunnel,
        engine: args.lab.engine,
        data_plane: args.lab.forwarding.data_plane.into(),
        pva: args.lab.forwarding.pva.map(Into::into),
        impairments: args.lab.impairments,
        program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        rights: "none".into(),
        policy: Policy { timeout: args.timeout, ..Policy::default() },
        proving: Some(Proving { side_by_side, hurries: true }),
    };
    let output = Output {
        log,
        quiet: args.quiet,
        is_silent: false,
        not_selected: 0,
        by_steps: false,
        again: String::new(),
        flaky_ok: false,
    };
    execute(scenarios, (Jobs::Fixed(NonZeroUsize::MIN), Some(1)), options, results, &output)
}
