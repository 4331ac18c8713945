//! Compares runs of different scenarios: what they have in common, step by step in their order.

use super::{Comparison, Difference, SavedRun, configuration, counters, hops, points};
use std::collections::BTreeSet;

/// Names that a sentence lists.
const NAMED: usize = 8;

/// Compares two runs of different scenarios. Steps are compared with those of the same place, whatever
/// they are called; expectations and nodes of one name with each other. What only one of them has is not
/// compared, and said so.
#[must_use]
pub fn compare_others(first: &SavedRun, second: &SavedRun) -> Comparison {
    let runs = [first, second];
    let mut found = Comparison::default();
    configuration::compare(&runs, &mut found.differences);
    if first.outcome != second.outcome {
        let outcomes = runs.map(|run| run.outcome.clone());
        found.differences.push(Difference::Outcome(outcomes));
    }
    for (name, held) in &first.expectations {
        let other = second.expectations.get(name);
        if let Some(other) = other.filter(|other| *other != held) {
            let held = [Some(*held), Some(*other)];
            found.differences.push(Difference::Expectation { name: name.clone(), held });
        }
    }
    // Frames are not compared here, but what timers decide of them explains counters.
    let frames = runs.map(|run| run.frames());
    let aside = points::compare(&runs, &frames, &mut Comparison::default());
    counters::compare(&runs, &aside, &mut found.differences);
    let has = |run: &SavedRun, node: &str| {
        run.observations.capture.points().iter().any(|point| point.node.as_str() == node)
    };
    found.differences.retain(|one| match one {
        Difference::Counter { node, .. } => runs.iter().all(|run| has(run, node.as_str())),
        _ => true,
    });
    found.steps = hops::compare(&runs);
    found.frames = runs.map(|run| run.observations.capture.len());
    found.not_comparable = not_comparable(&runs, &found);
    found
}

fn not_comparable(runs: &[&SavedRun; 2], found: &Comparison) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut only = |what: &str, names: [BTreeSet<&str>; 2]| {
        for (own, place) in [(&names[0] - &names[1], "first"), (&names[1] - &names[0], "second")] {
            if !own.is_empty() {
                let listed: Vec<&str> = own.iter().take(NAMED).copied().collect();
                let more = if own.len() > NAMED { " and others" } else { "" };
                sentences.push(format!("{what} of the {place} only: {}{more}", listed.join(", ")));
            }
        }
    };
    only("expectations", runs.map(|run| run.expectations.keys().map(String::as_str).collect()));
    let nodes = |run: &'_ SavedRun| -> BTreeSet<String> {
        let points = run.observations.capture.points().iter();
        points.map(|point| point.node.to_string()).collect()
    };
    let nodes = runs.map(nodes);
    only("nodes", [0, 1].map(|run| nodes[run].iter().map(String::as_str).collect()));
    for (run, place) in runs.iter().zip(["first", "second"]) {
        let left: Vec<&str> =
            run.steps.iter().skip(found.steps.len()).map(|step| step.name.as_str()).collect();
        if !left.is_empty() {
            let listed: Vec<&str> = left.iter().take(NAMED).copied().collect();
            let more = if left.len() > NAMED { " and others" } else { "" };
            sentences.push(format!("steps of the {place} only: {}{more}", listed.join(", ")));
        }
    }
    for step in &found.steps {
        let [first, second] = &step.names;
        let names = if first == second { first.clone() } else { format!("{first} and {second}") };
        if step.is_cut {
            sentences.push(format!("step {names}: {}", hops::cut()));
        }
        match step.has_packets {
            [true, true] | [false, false] => {}
            [true, false] => sentences.push(format!("step {names}: only the first sent packets")),
            [false, true] => sentences.push(format!("step {names}: only the second sent packets")),
        }
    }
    sentences.push(
        "frames of flows that are not the first one of a step are compared only between runs of one \
         scenario"
            .to_owned(),
    );
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::StepComparison;

    #[test]
    fn what_is_cut_of_a_step_is_said_to_be_not_compared() {
        let run = SavedRun::default();
        let said = |is_cut| {
            let names = ["a".to_owned(), "b".to_owned()];
            let step = StepComparison { names, is_cut, ..StepComparison::default() };
            let found = Comparison { steps: vec![step], ..Comparison::default() };
            not_comparable(&[&run, &run], &found)
        };
        let sentence = format!("step a and b: {}", hops::cut());
        assert!(said(true).contains(&sentence) && !said(false).contains(&sentence));
    }
}
