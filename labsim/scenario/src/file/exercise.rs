//! A scenario file's `exercise` as it is written.

use crate::model::{LearningGoal, Misconception};
use labsim_yaml::{FromYaml, Located, Part, Table};
use schemars::JsonSchema;

/// Makes the scenario an exercise: what is wrong in its lab, and what the student is told. The
/// scenario without it is the lab in good order, and its expectations are what the student's repair is
/// judged by.
///
/// In a folder, exercises are not run as scenarios; `labsim exercise verify` runs them in each state.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExercise {
    /// Its title: up to 80 bytes.
    pub(crate) title: Located<String>,
    /// What happened, as the student is told it: up to 2000 bytes, without the cause.
    pub(crate) story: Located<String>,
    /// When it is solved, in a sentence: up to 500 bytes.
    pub(crate) goal: Located<String>,
    /// What the student knows afterwards; shown when it is solved. Up to 2000 bytes.
    pub(crate) lesson: Located<String>,
    /// What it is about.
    pub(crate) teaches: LearningGoal,
    /// The common error that it corrects, if it is about one.
    pub(crate) misconception: Option<Misconception>,
    /// What is wrong in the lab: keys of a scenario, laid over this one as a file that extends it. No
    /// command but `solution` shows them to a student.
    #[serde(rename = "break")]
    pub(crate) broken: Located<Part>,
    /// The cause that the student has to find.
    pub(crate) cause: RawNamedCause,
    /// A repair: keys of a scenario, laid over the broken one. Any other one with which all
    /// expectations hold is as good.
    pub(crate) fix: Located<Part>,
    /// Repairs that suggest themselves and are none, by name: up to 8.
    #[serde(default)]
    pub(crate) tempting: Table<Located<RawTempting>>,
}

/// Where a cause is.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNamedCause {
    /// Its code, such as `vip-missing`; `labsim help codes` lists them.
    pub(crate) code: Located<String>,
    /// The node that it is at.
    pub(crate) node: Located<String>,
}

/// A repair that is none.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTempting {
    /// Keys of a scenario, laid over the broken one.
    pub(crate) change: Located<Part>,
    /// Why it does not help, in a sentence: up to 500 bytes.
    pub(crate) why: Located<String>,
    /// What is still, or now, the cause; any by default.
    pub(crate) cause: Option<RawNamedCause>,
}
