//! Divides the scenarios of a run among machines. Pure: every machine that has the same scenarios, in
//! the same order, computes the same partitions.

use labsim_event::MAX_PARTITIONS;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// One partition of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// How the run is divided.
    pub method: PartitionMethod,
    /// Which part, from 1.
    pub index: usize,
    /// How many parts there are.
    pub count: usize,
}

/// How a run is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionMethod {
    /// By position: of three parts, the second has the scenarios 2, 5, 8, ...
    Count,
    /// By a hash of the scenario's name: a scenario stays in its part when others come and go.
    Hash,
    /// By durations, so that all parts take about the same time.
    Time {
        /// A folder of results of an earlier run.
        durations: PathBuf,
    },
}

/// A scenario to be assigned to a partition.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name in the run.
    pub name: &'a str,
    /// How long it took in an earlier run, in milliseconds, if that is known.
    pub took_ms: Option<f64>,
}

/// The scenarios of one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Their places among the candidates, ascending.
    pub places: Vec<usize>,
    /// How long they take, one after the other, in milliseconds, if the run is divided by time.
    pub expected_ms: Option<f64>,
    /// Scenarios of the whole run whose durations are not known: the mean of the others is assumed.
    pub unknown: usize,
}

/// Why a text is no partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// Not of the form.
    #[error("expected count:M/N, hash:M/N or time:M/N=DIR, such as hash:2/5")]
    Form,
    /// No parts, or too many.
    #[error("a run has 1 to {MAX_PARTITIONS} partitions, not {0}")]
    Count(usize),
    /// A part that does not exist.
    #[error("there is no partition {index} of {count}: they are numbered from 1 to {count}")]
    Index {
        /// The number.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A division by time without durations.
    #[error("time needs the results of an earlier run: time:{index}/{count}=DIR")]
    NoFolder {
        /// The number.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A folder that is not needed.
    #[error("only time takes a folder of results: {0}:M/N")]
    NeedlessFolder(&'static str),
}

/// No scenario of the run has a known duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{folder}: these are the results of other scenarios: none of the {scenarios} to be run is among \
     them"
)]
pub struct OtherScenarios {
    /// The folder of results.
    pub folder: String,
    /// How many scenarios there are.
    pub scenarios: usize,
}

impl PartitionMethod {
    /// `count`, `hash` or `time`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Hash => "hash",
            Self::Time { .. } => "time",
        }
    }
}

impl fmt::Display for Partition {
    /// `hash:2/5`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.method.name(), self.index, self.count)
    }
}

impl FromStr for Partition {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let (method, rest) = text.split_once(':').ok_or(PartitionError::Form)?;
        let (numbers, folder) = match rest.split_once('=') {
            Some((numbers, folder)) => (numbers, Some(folder)),
            None => (rest, None),
        };
        let (index, count) = numbers.split_once('/').ok_or(PartitionError::Form)?;
        let number = |text: &str| {
            let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_: &usize| is_decimal).ok_or(PartitionError::Form)
        };
        let (index, count) = (number(index)?, number(count)?);
        let method = match (method, folder) {
            ("count", None) => PartitionMethod::Count,
            ("hash", None) => PartitionMethod::Hash,
            ("count", Some(_)) => return Err(PartitionError::NeedlessFolder("count")),
            ("hash", Some(_)) => return Err(PartitionError::NeedlessFolder("hash")),
            ("time", Some(folder)) if !folder.is_empty() => {
                PartitionMethod::Time { durations: folder.into() }
            }
            ("time", _) => return Err(PartitionError::NoFolder { index, count }),
            _ => return Err(PartitionError::Form),
        };
        if !(1..=MAX_PARTITIONS).contains(&count) {
            return Err(PartitionError::Count(count));
        }
        if !(1..=count).contains(&index) {
            return Err(PartitionError::Index { index, count });
        }
        Ok(Self { method, index, count })
    }
}

impl Partition {
    /// The scenarios of this partition.
    ///
    /// # Errors
    /// The run is divided by time and no scenario's duration is known.
    pub fn select(&self, scenarios: &[Candidate<'_>]) -> Result<Selection, OtherScenarios> {
        let mine = self.index.saturating_sub(1);
        let places = |assigned: &dyn Fn(usize, &str) -> usize| {
            let named = scenarios.iter().enumerate();
            let own = named.filter(|(place, it)| assigned(*place, it.name) == mine);
            own.map(|(place, _)| place).collect()
        };
        let untimed = |places| Selection { places, expected_ms: None, unknown: 0 };
        match &self.method {
            PartitionMethod::Count => Ok(untimed(places(&|place, _| place % self.count))),
            PartitionMethod::Hash => {
                let count = u64::try_from(self.count).unwrap_or(u64::MAX);
                let assigned = |_, name: &str| usize::try_from(hash(name) % count).unwrap_or(0);
                Ok(untimed(places(&assigned)))
            }
            PartitionMethod::Time { durations } => {
                let folder = || durations.display().to_string();
                let durations = Durations::new(scenarios).ok_or_else(|| OtherScenarios {
                    folder: folder(),
                    scenarios: scenarios.len(),
                })?;
                let assigned = durations.assign(scenarios, self.count);
                let places: Vec<usize> = places(&|place, _| assigned[place]);
                let expected_ms = places.iter().map(|place| durations.each[*place]).sum();
                Ok(Selection { places, expected_ms: Some(expected_ms), unknown: durations.unknown })
            }
        }
    }
}

/// How long each scenario takes, in milliseconds.
struct Durations {
    each: Vec<f64>,
    unknown: usize,
}

impl Durations {
    /// `None` if there are scenarios and no duration is known.
    fn new(scenarios: &[Candidate<'_>]) -> Option<Self> {
        // The folder may be forged.
        let usable = |took: &f64| took.is_finite() && *took >= 0.0;
        let each: Vec<_> = scenarios.iter().map(|it| it.took_ms.filter(usable)).collect();
        let known: Vec<f64> = each.iter().flatten().copied().collect();
        if known.is_empty() && !scenarios.is_empty() {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "a mean of far fewer than 2^52 numbers")]
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let unknown = each.len() - known.len();
        Some(Self { each: each.into_iter().map(|took| took.unwrap_or(mean)).collect(), unknown })
    }

    /// The partition of each scenario, from 0: the longest first, each to the partition that has
    /// the least to do (Graham's LPT rule: at most 4/3 of the best division's time).
    fn assign(&self, scenarios: &[Candidate<'_>], count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..scenarios.len()).collect();
        order.sort_by(|one, other| {
            let by_time = self.each[*other].total_cmp(&self.each[*one]);
            by_time
                .then_with(|| scenarios[*one].name.cmp(scenarios[*other].name))
                .then(one.cmp(other))
        });
        // More partitions than scenarios stay empty.
        let mut loads = vec![0.0f64; count.min(scenarios.len()).max(1)];
        let mut assigned = vec![0; scenarios.len()];
        for place in order {
            let lightest =
                (0..loads.len()).min_by(|one, other| loads[*one].total_cmp(&loads[*other]));
            let lightest = lightest.unwrap_or(0);
            loads[lightest] += self.each[place];
            assigned[place] = lightest;
        }
        assigned
    }
}

/// FNV-1a of 64 bits, and the finalizer of MurmurHash3 so that all bits decide about a remainder: the
/// same on every machine and in every version.
fn hash(name: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn partition(method: &str, index: usize, count: usize) -> Partition {
        let folder = if method == "time" { "=results" } else { "" };
        format!("{method}:{index}/{count}{folder}").parse().unwrap()
    }

    fn candidates(named: &[(String, Option<f64>)]) -> Vec<Candidate<'_>> {
        named.iter().map(|(name, took_ms)| Candidate { name, took_ms: *took_ms }).collect()
    }

    fn places(method: &str, index: usize, count: usize, scenarios: &[Candidate<'_>]) -> Vec<usize> {
        partition(method, index, count).select(scenarios).unwrap().places
    }

    #[test]
    fn a_partition_is_read_as_it_is_written() {
        for text in ["count:1/1", "hash:2/5", "count:65536/65536"] {
            assert_eq!(text.parse::<Partition>().unwrap().to_string(), text);
        }
        let by_time: Partition = "time:2/5=out/a=b".parse().unwrap();
        assert_eq!(by_time.to_string(), "time:2/5");
        assert_eq!(by_time.method, PartitionMethod::Time { durations: "out/a=b".into() });
    }

    #[test]
    fn a_text_that_is_no_partition_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "expected count:M/N"),
            ("2/5", "expected count:M/N"),
            ("slice:1/2", "expected count:M/N"),
            ("count:1", "expected count:M/N"),
            ("count:+1/2", "expected count:M/N"),
            ("count:1/2/3", "expected count:M/N"),
            ("count:99999999999999999999/2", "expected count:M/N"),
            ("count:0/5", "no partition 0 of 5: they are numbered from 1 to 5"),
            ("hash:6/5", "no partition 6 of 5"),
            ("count:1/0", "a run has 1 to 65536 partitions, not 0"),
            ("count:1/65537", "not 65537"),
            ("time:1/2", "time:1/2=DIR"),
            ("time:1/2=", "time:1/2=DIR"),
            ("hash:1/2=out", "only time takes a folder of results: hash:M/N"),
        ] {
            let error = text.parse::<Partition>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn positions_are_dealt_out_in_turn() {
        let named: Vec<_> = (0..7).map(|n| (format!("s{n}"), None)).collect();
        assert_eq!(places("count", 2, 3, &candidates(&named)), [1, 4]);
    }

    #[test]
    fn a_hash_is_the_same_in_every_version() {
        // Computed once by an independent program (Python), of FNV-1a and fmix64.
        assert_eq!(hash(""), 0xefd0_1f60_ba99_2926);
        assert_eq!(hash("tacacs-ipip"), 0x9c74_8529_41d3_52eb);
    }

    #[test]
    fn the_longest_scenario_is_alone_if_it_is_as_long_as_the_others_together() {
        let named: Vec<_> = [("a", 10.0), ("b", 20.0), ("c", 90.0), ("d", 30.0), ("e", 30.0)]
            .map(|(name, took)| (name.to_owned(), Some(took)))
            .into();
        let scenarios = candidates(&named);
        assert_eq!(places("time", 1, 2, &scenarios), [2]);
        let selection = partition("time", 2, 2).select(&scenarios).unwrap();
        assert_eq!((selection.places, selection.expected_ms), (vec![0, 1, 3, 4], Some(90.0)));
    }

    #[test]
    fn a_scenario_without_a_duration_is_taken_for_an_average_one() {
        let named = [("a".to_owned(), Some(10.0)), ("b".to_owned(), None)];
        let selection = partition("time", 2, 2).select(&candidates(&named)).unwrap();
        assert_eq!((selection.expected_ms, selection.unknown), (Some(10.0), 1));
    }

    #[test]
    fn durations_of_other_scenarios_are_refused() {
        for took in [None, Some(f64::NAN), Some(-1.0)] {
            let named = [("a".to_owned(), took)];
            let error = partition("time", 1, 2).select(&candidates(&named)).unwrap_err();
            assert!(
                error.to_string().starts_with("results: these are the results of other"),
                "{error}"
            );
        }
        assert!(partition("time", 1, 2).select(&[]).unwrap().places.is_empty());
    }

    proptest! {
        /// Every scenario is in exactly one partition.
        #[test]
        fn partitions_are_disjoint_and_together_complete(
            named in prop::collection::vec(("[a-z/]{0,6}", prop::option::of(0.0..1e6f64)), 0..60),
            count in 1..80usize,
            method in prop::sample::select(vec!["count", "hash", "time"]),
        ) {
            let mut named = named;
            if let Some(first) = named.first_mut() {
                first.1 = Some(1.0);
            }
            let scenarios = candidates(&named);
            let mut all: Vec<usize> =
                (1..=count).flat_map(|index| places(method, index, count, &scenarios)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..named.len()).collect::<Vec<_>>());
        }

        /// By hash, a scenario's partition depends on its name alone.
        #[test]
        fn a_scenario_keeps_its_partition_when_others_come_and_go(
            names in prop::collection::btree_set("[a-z]{1,6}", 1..40),
            gone in any::<prop::sample::Index>(),
            count in 1..10usize,
        ) {
            let named: Vec<_> = names.into_iter().map(|name| (name, None)).collect();
            let mut fewer = named.clone();
            fewer.remove(gone.index(named.len()));
            let of = |named: &[(String, Option<f64>)], index| -> Vec<String> {
                let places = places("hash", index, count, &candidates(named));
                places.into_iter().map(|place| named[place].0.clone()).collect()
            };
            for index in 1..=count {
                let mut expected = of(&named, index);
                expected.retain(|name| fewer.iter().any(|(it, _)| it == name));
                prop_assert_eq!(of(&fewer, index), expected);
            }
        }

        /// No partition by time takes longer than the mean and the longest scenario together.
        #[test]
        fn partitions_by_time_are_balanced(
            times in prop::collection::vec(0.0..1e5f64, 1..60),
            count in 1..10usize,
        ) {
            let named: Vec<_> =
                times.iter().enumerate().map(|(n, took)| (format!("s{n}"), Some(*took))).collect();
            let scenarios = candidates(&named);
            let longest = times.iter().copied().fold(0.0, f64::max);
            let mean = times.iter().sum::<f64>() / f64::from(u32::try_from(count).unwrap());
            for index in 1..=count {
                let selection = partition("time", index, count).select(&scenarios).unwrap();
                prop_assert!(selection.expected_ms.unwrap() <= mean + longest + 1e-6);
            }
        }
    }
}
