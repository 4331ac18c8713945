//! Proves causes by experiment: which changes of a scenario make all of its expectations hold, and
//! which of them are needed.
//!
//! Pure: [`Laboratory`] runs the scenario with a change. A change is tried because a diagnosis named
//! it as the fix of a cause; nothing else is tried.

mod minimal;
mod search;
#[cfg(test)]
mod tests;

pub use search::{first_changes, prove};

use crate::diagnose::{CauseRecord, Change, Fix};
use crate::judge::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Labs that are built for one scenario at most, the first run's among them.
pub const LABS: usize = 12;

/// Runs a scenario with changes.
pub trait Laboratory {
    /// How many labs may still be built.
    fn left(&self) -> usize;

    /// Runs the scenario once with each of the changes, side by side as far as it suits the
    /// machine. One result for each, in their order.
    ///
    /// # Errors
    /// The runs are to end.
    fn run(&mut self, changes: &[Change]) -> Result<Vec<Trial>, Interrupted>;
}

/// A proof is to end before it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// How a run with a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// All expectations hold.
    Passed,
    /// They do not.
    Failed(Failure),
    /// The scenario with the change is not valid, or its lab cannot run, for that reason.
    Impossible(String),
}

/// A run that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// How many expectations held.
    pub held: usize,
    /// The names of those that did not; of a step that failed, its name.
    pub failed: Vec<String>,
    /// What was diagnosed, in the order in which the packets met it.
    pub causes: Vec<Suspect>,
}

/// A cause that is to be proved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspect {
    /// The cause.
    pub record: CauseRecord,
    /// What happened.
    pub sentence: String,
}

impl Suspect {
    /// Whether it is the same cause at the same place, whatever the step and the numbers. Two that
    /// are cured by different changes are two: a server that knows neither of two clients.
    fn is_like(&self, other: &Self) -> bool {
        let is_there = |it: &CauseRecord| {
            it.code == self.record.code
                && it.node == self.record.node
                && it.device == self.record.device
        };
        let [mine, others] = [self, other].map(|it| it.fixes().map(|fix| &fix.change));
        let mut both = mine.flat_map(|change| others.clone().map(move |other| (change, other)));
        let is_cured_alike = both.clone().next().is_none() || both.any(|(one, other)| one == other);
        is_there(&other.record) && is_cured_alike
    }

    /// Its fix and the alternatives, as far as they are changes of the scenario.
    fn fixes(&self) -> impl Iterator<Item = &Fix> + Clone {
        let fix = &self.record.fix;
        [fix].into_iter().chain(&fix.alternatives).filter(|fix| !fix.change.is_empty())
    }
}

impl Failure {
    /// What a verdict that did not pass shows.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        let failed = verdict.expectations.iter().filter(|result| !result.passed);
        let failed = failed.map(|result| result.name.clone());
        let steps = verdict.defects.iter().map(|defect| defect.to_result().sentence);
        let causes = verdict.diagnoses.iter().flat_map(|diagnosis| {
            let sentences = diagnosis.causes.iter().map(|cause| cause.sentence.clone());
            let both = diagnosis.records().into_iter().zip(sentences);
            both.map(|(record, sentence)| Suspect { record, sentence })
        });
        Self {
            held: verdict.expectations.iter().filter(|result| result.passed).count(),
            failed: failed.chain(steps).collect(),
            causes: causes.collect(),
        }
    }

    fn shows(&self, suspect: &Suspect) -> bool {
        self.causes.iter().any(|cause| cause.is_like(suspect))
    }
}

/// What is known of a cause after a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// With its fix, and the fixes of the other proved causes, all expectations hold; without its
    /// fix they do not.
    Proved,
    /// All expectations hold with the fixes of the proved causes alone.
    NotNeeded,
    /// It is still shown with its fix applied: its fix does not help.
    Withdrawn,
    /// No change of the scenario is known that cures it, or none that the scenario can have.
    NotProvable,
    /// Its fix takes it away and something else still fails, or the labs were used up.
    Undecided,
}

impl Standing {
    /// In words, as it stands behind a cause.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::NotNeeded => "not needed",
            Self::Withdrawn => "withdrawn",
            Self::NotProvable => "not provable",
            Self::Undecided => "undecided",
        }
    }
}

/// A cause after a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseStanding {
    /// What is known of it.
    pub standing: Standing,
    /// Why, in a sentence.
    pub reason: String,
    /// What happened, as the diagnosis says it.
    pub sentence: String,
    /// The cause; of a proved one the fix is that one of the alternatives which was decided for.
    #[serde(flatten)]
    pub cause: CauseRecord,
}

impl Proof {
    /// With the name of the scenario's file, which the changes extend.
    #[must_use]
    pub fn extending(mut self, file: &str) -> Self {
        if !self.overlay.is_empty() {
            self.overlay.insert(0, format!("extends: {}", crate::diagnose::scalar(file)));
        }
        self
    }
}

/// What experiments proved of a failed run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// Whether all expectations hold with the changes.
    pub complete: bool,
    /// In a sentence.
    pub sentence: String,
    /// Labs that were built, the first run's among them.
    pub labs: usize,
    /// All causes that were met: the proved ones first.
    pub causes: Vec<CauseStanding>,
    /// The changes of all proved causes, as lines of a YAML file that extends the scenario's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlay: Vec<String>,
    /// The same as commands on Linux hosts, each with its node in front.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linux: Vec<String>,
    /// The same as tmsh commands of an F5 BIG-IP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tmsh: Vec<String>,
    /// The same as lines of an A10 Thunder's configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acos: Vec<String>,
}
