//! The part of a run that this machine has to do.

use crate::output;
use labsim_report::{ListedScenario, ResultsReader, RunPartition};
use labsim_runner::{Candidate, Partition, PartitionMethod, Selection};
use std::collections::BTreeMap;

/// The places of this partition's scenarios, and the partition as results record it, with the names in
/// every round of a repeated run. What it takes is printed on standard error, as standard output may be
/// a list.
///
/// # Errors
/// A sentence: the durations cannot be read, or are those of other scenarios.
pub(crate) fn select(
    partition: &Partition,
    scenarios: &[ListedScenario],
    in_rounds: impl Fn(&str) -> Vec<String>,
) -> Result<(Vec<usize>, RunPartition), String> {
    let durations = match &partition.method {
        PartitionMethod::Time { durations } => {
            ResultsReader::open(durations).map_err(|error| error.to_string())?.durations()
        }
        PartitionMethod::Count | PartitionMethod::Hash => BTreeMap::new(),
    };
    let candidates: Vec<Candidate<'_>> = scenarios
        .iter()
        .map(|it| Candidate { name: &it.name, took_ms: durations.get(&it.name).copied() })
        .collect();
    let Selection { places, expected_ms, unknown } =
        partition.select(&candidates).map_err(|error| error.to_string())?;
    let expected = expected_ms.map(|ms| format!("; expected time {:.1} s", ms / 1e3));
    let unknown = match unknown {
        0 => String::new(),
        n => format!(" ({n} of the run have no known duration: the mean is assumed)"),
    };
    output::error(format_args!(
        "partition {partition}: {} of {} scenarios{}{unknown}",
        places.len(),
        scenarios.len(),
        expected.unwrap_or_default(),
    ));
    let names = places.iter().filter_map(|place| scenarios.get(*place));
    let record = RunPartition {
        by: partition.method.name().to_owned(),
        index: partition.index,
        count: partition.count,
        scenarios: names.flat_map(|it| in_rounds(&it.name)).collect(),
    };
    Ok((places, record))
}
