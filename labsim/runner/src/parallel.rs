//! How many scenarios run at the same time: what the machine's processors and the limit of open files
//! allow.

use labsim_scenario::model::{Scenario, StepAction};
use std::cmp::Reverse;
use std::num::NonZeroUsize;

/// Jobs for each processor, if the number is chosen here. Most of a scenario's time is waiting, for
/// timers and for the kernel.
const JOBS_PER_PROCESSOR: usize = 4;
/// Descriptors that the process has open beside those of scenarios.
const OWN_FILES: u64 = 64;

/// How many scenarios run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jobs {
    /// As many as suit the machine.
    Auto,
    /// So many, if the limit of open files allows it.
    Fixed(NonZeroUsize),
}

impl Jobs {
    /// The number of jobs for scenarios that have `open_files` descriptors open each and run `rounds`
    /// times. `allow` raises the limit of open files as far as it can be raised, and returns it. If it
    /// does not suffice for the largest runs at the same time, the number is lowered, and the sentence
    /// says so.
    pub fn choose(
        self,
        mut open_files: Vec<u64>,
        rounds: usize,
        allow: impl FnOnce(u64) -> u64,
    ) -> (NonZeroUsize, Option<String>) {
        let wanted = match self {
            Self::Fixed(jobs) => jobs,
            Self::Auto => {
                let processors = std::thread::available_parallelism();
                let processors = processors.map_or(1, NonZeroUsize::get);
                NonZeroUsize::MIN.saturating_add(processors * JOBS_PER_PROCESSOR - 1)
            }
        };
        open_files.sort_unstable_by_key(|files| Reverse(*files));
        let runs = open_files.into_iter().flat_map(|files| std::iter::repeat_n(files, rounds));
        let largest: Vec<u64> = runs.take(wanted.get()).collect();
        let needed = largest.iter().fold(OWN_FILES, |sum, files| sum.saturating_add(*files));
        let limit = allow(needed);
        if limit >= needed {
            return (wanted, None);
        }
        let possible = largest.iter().scan(OWN_FILES, |sum, files| {
            *sum = sum.saturating_add(*files);
            (*sum <= limit).then_some(())
        });
        let jobs = NonZeroUsize::new(possible.count()).unwrap_or(NonZeroUsize::MIN);
        let number = if jobs.get() == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") };
        let lowered = (jobs < wanted).then(|| {
            format!(
                "{number} instead of {wanted}: {} runs at a time have up to {needed} open files, and the \
                 limit is {limit}; raise it (`ulimit -n`)",
                largest.len()
            )
        });
        (jobs, lowered)
    }
}

/// About how many descriptors the run of a scenario has open at the most.
#[must_use]
pub fn open_files(scenario: &Scenario) -> u64 {
    let topology = &scenario.topology;
    let interfaces: usize = topology.nodes.iter().map(|node| node.interfaces.len()).sum();
    // A node has a namespace, and sockets for building and observing it; with the one of segments.
    let nodes = 4 * (topology.nodes.len() + 1);
    // An interface is captured, `lo` and tunnels too, and an impaired one has a relay.
    let points = 3 * (interfaces + topology.nodes.len() + scenario.real_servers.len());
    let services = scenario.services.values().flatten().map(|service| 1 + service.ports.len() / 4);
    let servers =
        scenario.tacacs_servers.len() + scenario.radius_servers.len() + services.sum::<usize>();
    let processes = scenario.load_balancers.len() + scenario.processes.len() + servers;
    // The sockets of both ends of exchanges that run at the same time.
    let logins = scenario.steps.iter().map(|step| match &step.action {
        StepAction::Exchange(exchange) => 2 * u64::from(exchange.concurrency),
        _ => 0,
    });
    (nodes + points + 8 * processes + 32) as u64 + logins.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(jobs: usize) -> Jobs {
        Jobs::Fixed(NonZeroUsize::new(jobs).unwrap())
    }

    #[test]
    fn the_limit_is_raised_for_the_largest_runs_that_may_go_on_at_the_same_time() {
        let (jobs, lowered) = fixed(2).choose(vec![7, 100, 50], 1, |wanted| {
            assert_eq!(wanted, 100 + 50 + OWN_FILES);
            wanted
        });
        assert_eq!((jobs.get(), lowered), (2, None));
    }

    #[test]
    fn jobs_without_a_run_need_no_files() {
        let (jobs, lowered) = fixed(64).choose(vec![100, 100], 1, |_| 200 + OWN_FILES);
        assert_eq!((jobs.get(), lowered), (64, None));
    }

    #[test]
    fn a_limit_that_does_not_suffice_lowers_the_number_and_a_sentence_says_so() {
        let (jobs, lowered) = fixed(64).choose(vec![100], usize::MAX, |_| 512);
        assert_eq!(jobs.get(), 4);
        let lowered = lowered.unwrap();
        assert!(lowered.starts_with("4 jobs instead of 64: 64 runs at a time have"), "{lowered}");
        let (jobs, lowered) = fixed(2).choose(vec![100, 100], 1, |_| 20);
        assert_eq!(jobs.get(), 1);
        assert!(lowered.unwrap().starts_with("1 job instead of 2"));
    }

    #[test]
    fn one_large_scenario_does_not_count_for_every_job() {
        let mut open_files = vec![10; 100];
        open_files.push(300);
        let (jobs, _) = fixed(64).choose(open_files, 1, |_| 1024);
        assert_eq!(jobs.get(), 64);
    }

    #[test]
    fn the_number_chosen_here_is_above_that_of_processors() {
        let processors = std::thread::available_parallelism().unwrap().get();
        let (jobs, _) = Jobs::Auto.choose(vec![100; 80], 1, |wanted| wanted);
        assert!(jobs.get() > processors, "{jobs}");
    }
}
