//! A student's progress: a JSON line for everything done, in the order in which it was done.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that a student did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub time: u64,
    /// The exercise's name.
    pub exercise: String,
    /// What was done.
    #[serde(flatten)]
    pub action: Action,
}

/// What a student can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Started the exercise.
    Start {
        /// What its servers and addresses were chosen by; empty if they are the shipped ones.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        seed: String,
    },
    /// Had the lab checked.
    Check {
        /// Whether it passed.
        passed: bool,
    },
    /// Asked for a hint.
    Hint,
    /// Named a cause.
    Cause {
        /// Its code.
        code: String,
        /// The node, if one was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// Whether it is the exercise's.
        right: bool,
    },
    /// Began the lab anew.
    Reset,
    /// Looked at the solution.
    Solution,
    /// What this version does not know.
    #[serde(other)]
    Unknown,
}

impl Record {
    /// Its line, with the line break.
    #[must_use]
    pub fn line(&self) -> String {
        // Texts and numbers always have a JSON form.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// The records of a file. What is no record is left out: the last line of a file may be torn.
    #[must_use]
    pub fn read(text: &str) -> Vec<Self> {
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// How far a student is with an exercise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// When it was started first.
    pub started: Option<u64>,
    /// When a check passed first.
    pub solved: Option<u64>,
    /// Checks up to the first one that passed, that one included.
    pub tries: usize,
    /// Hints before that.
    pub hints: usize,
    /// Hints since the lab was last started or reset.
    pub hints_in_this_lab: usize,
    /// Whether the right cause was named.
    pub cause_named: bool,
    /// Causes that were named and are not the exercise's.
    pub wrong_causes: usize,
    /// Whether the solution was shown before the first check that passed.
    pub solution_shown: bool,
    /// The seed with which it was started last.
    pub seed: String,
}

impl Standing {
    /// Seconds from the start to the first check that passed.
    #[must_use]
    pub fn seconds(&self) -> Option<u64> {
        self.solved?.checked_sub(self.started?)
    }

    /// The state in a word or two.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self { solved: Some(_), solution_shown: true, .. } => "solution shown",
            Self { solved: Some(_), cause_named: true, .. } => "solved",
            Self { solved: Some(_), .. } => "repaired",
            Self { started: None, tries: 0, hints: 0, .. } => "open",
            _ => "started",
        }
    }

    fn take(&mut self, time: u64, action: &Action) {
        let is_solved = self.solved.is_some();
        match action {
            Action::Start { seed } => {
                self.seed.clone_from(seed);
                self.started.get_or_insert(time);
                self.hints_in_this_lab = 0;
            }
            Action::Reset => self.hints_in_this_lab = 0,
            Action::Check { passed } if !is_solved => {
                self.tries += 1;
                self.solved = passed.then_some(time);
            }
            Action::Hint => {
                self.hints += usize::from(!is_solved);
                self.hints_in_this_lab += 1;
            }
            Action::Cause { right: true, .. } => self.cause_named = true,
            Action::Cause { right: false, .. } => {
                self.wrong_causes += usize::from(!self.cause_named)
            }
            Action::Solution => self.solution_shown |= !is_solved,
            Action::Check { .. } | Action::Unknown => {}
        }
    }
}

/// How far a student is with each exercise that was begun.
#[must_use]
pub fn standing(records: &[Record]) -> BTreeMap<String, Standing> {
    let mut all: BTreeMap<String, Standing> = BTreeMap::new();
    for Record { time, exercise, action } in records {
        all.entry(exercise.clone()).or_default().take(*time, action);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(actions: &[(u64, Action)]) -> Vec<Record> {
        let record = |(time, action): &(u64, Action)| Record {
            time: *time,
            exercise: "one".to_owned(),
            action: action.clone(),
        };
        actions.iter().map(record).collect()
    }

    fn start() -> Action {
        Action::Start { seed: String::new() }
    }

    fn cause(right: bool) -> Action {
        Action::Cause { code: "vip-missing".to_owned(), node: Some("rs1".to_owned()), right }
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_others_are_left_out() {
        let all = records(&[
            (1, start()),
            (2, Action::Check { passed: false }),
            (3, cause(true)),
            (4, Action::Cause { code: "x".to_owned(), node: None, right: false }),
        ]);
        let text: String = all.iter().map(Record::line).collect();
        assert_eq!(text.lines().count(), 4);
        assert_eq!(Record::read(&text), all);
        let torn = format!("{text}{{\"time\": 5, \"exer");
        assert_eq!(Record::read(&torn), all);
        assert!(text.starts_with(r#"{"time":1,"exercise":"one","action":"start"}"#), "{text}");
        let seeded = Action::Start { seed: "ada".to_owned() };
        let all = records(&[(1, seeded), (2, Action::Reset)]);
        assert_eq!(Record::read(&all[0].line()), all[..1]);
        assert_eq!(standing(&all)["one"].seed, "ada");
        let later = r#"{"time": 5, "exercise": "one", "action": "dance"}"#;
        assert_eq!(Record::read(later)[0].action, Action::Unknown);
    }

    #[test]
    fn tries_hints_and_time_are_those_up_to_the_first_check_that_passed() {
        let all = records(&[
            (10, start()),
            (20, Action::Check { passed: false }),
            (21, Action::Hint),
            (22, Action::Reset),
            (23, Action::Hint),
            (24, cause(false)),
            (25, cause(true)),
            (26, cause(false)),
            (30, Action::Check { passed: true }),
            (31, Action::Check { passed: false }),
            (32, Action::Hint),
            (33, Action::Solution),
            (40, Action::Check { passed: true }),
        ]);
        let one = &standing(&all)["one"];
        assert_eq!((one.tries, one.hints, one.hints_in_this_lab), (2, 2, 2));
        assert_eq!((one.seconds(), one.wrong_causes, one.word()), (Some(20), 1, "solved"));
    }

    #[test]
    fn what_was_solved_after_the_solution_was_shown_is_called_so() {
        let shown = [(1, start()), (2, Action::Solution), (3, Action::Check { passed: true })];
        assert_eq!(standing(&records(&shown))["one"].word(), "solution shown");
        let without_cause = [(1, start()), (3, Action::Check { passed: true })];
        assert_eq!(standing(&records(&without_cause))["one"].word(), "repaired");
        assert_eq!(standing(&records(&shown[..1]))["one"].word(), "started");
        assert_eq!(Standing::default().word(), "open");
    }
}
