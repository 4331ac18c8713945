//! `labsim compare`.

use crate::exit::Exit;
use crate::{args, load, say};
use labsim_report::{KeptFolder, Names};
use std::collections::BTreeSet;

/// Compares two folders of results, scenario by scenario.
pub(crate) fn compare(args: &args::Compare) -> Exit {
    let opened = [&args.first, &args.second].map(|dir| KeptFolder::open(dir));
    let folders = match opened {
        [Ok(first), Ok(second)] => [first, second],
        opened => {
            opened.into_iter().filter_map(Result::err).for_each(say::problem);
            return Exit::Invalid;
        }
    };
    let names = Names::of([folders[0].dir(), folders[1].dir()]);
    let scenarios: BTreeSet<&String> = folders.iter().flat_map(KeptFolder::names).collect();
    let (mut mistakes, mut same, mut different, mut skipped) = (0, 0, 0, 0);
    for scenario in scenarios {
        let here = [0, 1].map(|run| folders[run].names().contains(scenario));
        if let Some(run) = here.iter().position(|here| !here) {
            say::line(format_args!("DIFFERENT {scenario}\n  not in {}", names.0[run]));
            different += 1;
            continue;
        }
        let runs = match [0, 1].map(|run| folders[run].read(scenario)) {
            [Ok(first), Ok(second)] => [first, second],
            read => {
                for mistake in read.into_iter().filter_map(Result::err).flatten() {
                    say::problem(mistake);
                    mistakes += 1;
                }
                continue;
            }
        };
        if runs.iter().all(|run| run.outcome == "skipped") {
            say::line(format_args!("SKIPPED {scenario}\n    in both"));
            skipped += 1;
            continue;
        }
        let comparison = labsim_verdict::compare::compare(&runs[0], &runs[1]);
        say::text(names.text(scenario, &comparison));
        if comparison.differences.is_empty() { same += 1 } else { different += 1 }
    }
    if mistakes > 0 {
        say::problem(load::total(mistakes));
        return Exit::Invalid;
    }
    say::line(format_args!("{same} the same, {different} different, {skipped} skipped in both"));
    match (different, same) {
        (1.., _) => Exit::Failed,
        (0, 0) => {
            say::problem("nothing was compared; run the scenarios where they are not skipped");
            Exit::Invalid
        }
        _ => Exit::Success,
    }
}
