//! One member's monitor as a pure state machine: when the next probe is due, and the state after
//! each result. Times are counted from any fixed moment.

use crate::State;
use labsim_forwarder::Monitor;
use std::time::Duration;

/// When to probe a member, and whether it is up.
#[derive(Debug, Clone)]
pub struct Machine {
    interval: Duration,
    rise: u16,
    fall: u16,
    state: State,
    /// Results in a row that contradict the state.
    contrary_results: u16,
    due: Duration,
}

impl Machine {
    /// Probes first at `first`; the member's state is `state` until results say otherwise.
    #[must_use]
    pub fn new(monitor: &Monitor, first: Duration, state: State) -> Self {
        let Monitor { interval, rise, fall, .. } = *monitor;
        Self { interval, rise, fall, state, contrary_results: 0, due: first }
    }

    /// When the next probe begins.
    #[must_use]
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// The member's state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// A probe has started. The next is due one interval after this one was due, so that probes of
    /// many members stay spread; probes whose time has passed are skipped.
    pub fn probe_started(&mut self, now: Duration) {
        self.due += self.interval;
        if self.due <= now {
            let late = now - self.due;
            let left = late.as_nanos() % self.interval.as_nanos().max(1);
            // Less than the interval, which fits.
            self.due = now + self.interval - Duration::from_nanos(left as u64);
        }
    }

    /// A probe has finished; returns the member's state if it changed.
    pub fn probe_finished(&mut self, passed: bool) -> Option<State> {
        let needed = match (self.state, passed) {
            (State::Up, true) | (State::Down, false) => {
                self.contrary_results = 0;
                return None;
            }
            (State::Checking, _) => 1,
            (State::Up, false) => self.fall,
            (State::Down, true) => self.rise,
        };
        self.contrary_results += 1;
        if self.contrary_results < needed {
            return None;
        }
        self.contrary_results = 0;
        self.state = if passed { State::Up } else { State::Down };
        Some(self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::Machine;
    use crate::State::{self, Checking, Down, Up};
    use labsim_forwarder::{Monitor, Pool};
    use std::time::Duration;

    fn monitor(rise: u16, fall: u16) -> Monitor {
        let text = format!(
            r#"{{"members":[],"monitor":{{"tcp":{{"interval":5,"rise":{rise},"fall":{fall}}}}}}}"#
        );
        labsim_yaml::read::<Pool>(&labsim_yaml::Source::new("test", text.as_str()))
            .unwrap()
            .monitor
            .unwrap()
    }

    fn machine(rise: u16, fall: u16, state: State) -> Machine {
        Machine::new(&monitor(rise, fall), Duration::ZERO, state)
    }

    /// The state after each of the results: `+` passed, `-` failed.
    fn course(mut machine: Machine, results: &str) -> Vec<State> {
        let course = results.chars().map(|result| {
            let before = machine.state();
            let change = machine.probe_finished(result == '+');
            assert_eq!(change, Some(machine.state()).filter(|state| *state != before));
            machine.state()
        });
        course.collect()
    }

    #[test]
    fn the_first_result_decides_and_then_as_many_in_a_row_as_are_asked_for() {
        for (rise, fall, state, results, expected) in [
            (2, 3, Checking, "+", vec![Up]),
            (2, 3, Checking, "-", vec![Down]),
            (2, 3, Up, "--+---", vec![Up, Up, Up, Up, Up, Down]),
            (2, 3, Down, "+-++", vec![Down, Down, Down, Up]),
            (1, 1, Up, "-+-", vec![Down, Up, Down]),
            (1, 3, Up, "--+--+", vec![Up; 6]),
        ] {
            assert_eq!(course(machine(rise, fall, state), results), expected, "{results}");
        }
    }

    #[test]
    fn a_silent_member_is_down_as_long_after_its_last_answer_as_f5s_timeout_says() {
        let mut machine = machine(1, 3, Up);
        let answered = machine.due();
        machine.probe_started(answered);
        assert_eq!(machine.probe_finished(true), None);
        let timeout = monitor(1, 3).timeout;
        let down = loop {
            let began = machine.due();
            machine.probe_started(began);
            if machine.probe_finished(false) == Some(Down) {
                break began + timeout;
            }
        };
        assert_eq!(down - answered, Duration::from_secs(16));
    }

    #[test]
    fn probes_keep_their_place_in_the_interval_also_after_one_that_was_late() {
        let seconds = Duration::from_secs;
        let mut machine = Machine::new(&monitor(1, 3), seconds(2), Checking);
        let mut due = Vec::new();
        for late in [0, 1, 4, 5, 13, 0] {
            let now = machine.due() + seconds(late);
            machine.probe_started(now);
            due.push(machine.due().as_secs());
            assert!(machine.due() > now);
        }
        assert_eq!(due, [7, 12, 17, 27, 42, 47]);
    }
}
