//! Steps that end what an earlier one began: a paused exchange, and those in the background.

use super::StepInfo;
use crate::file::RawStep;
use crate::model::{Step, StepAction, StepName};
use crate::resolve::Report;
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::{Located, Table};

/// How a step begins that another one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// With `pause`; `resume` ends it.
    Paused,
    /// With `background`; `finish` ends it.
    Background,
}

impl Begun {
    fn is(self, action: &StepAction) -> bool {
        match action {
            StepAction::Exchange(exchange) => match self {
                Self::Paused => exchange.pause,
                Self::Background => exchange.background,
            },
            _ => false,
        }
    }

    /// Whether a step ends the one of that name.
    fn is_ended(self, login: &StepName, by: &StepAction) -> bool {
        match (self, by) {
            (Self::Paused, StepAction::Resume { login: ended })
            | (Self::Background, StepAction::Finish { login: ended }) => ended == login,
            _ => false,
        }
    }

    /// Those steps as a group, what one of them does not do, its key, and how it is ended.
    const fn words(self) -> [&'static str; 4] {
        match self {
            Self::Paused => ["those that pause", "does not pause", "pause", "resumed"],
            Self::Background => {
                ["those in the background", "is not in the background", "background", "finished"]
            }
        }
    }
}

/// Resolves a step that goes on with an exchange: an earlier one that paused, and only once.
pub(super) fn resume(
    login: &Located<String>,
    known: (&[Step], &[StepInfo]),
    report: &mut Report<'_>,
) -> Option<StepAction> {
    Some(StepAction::Resume { login: ended(Begun::Paused, login, known, report)? })
}

/// Resolves a step that waits for exchanges: those of an earlier one in the background, and only once.
pub(super) fn finish(
    login: &Located<String>,
    known: (&[Step], &[StepInfo]),
    report: &mut Report<'_>,
) -> Option<StepAction> {
    Some(StepAction::Finish { login: ended(Begun::Background, login, known, report)? })
}

/// Complains about a step in the background that no step finishes.
pub(super) fn unfinished(
    key: &Located<String>,
    table: &Table<Located<RawStep>>,
    report: &mut Report<'_>,
) {
    let ends = |form: &RawStep| matches!(form, RawStep::Finish(fields) if *fields.login == **key);
    if !table.iter().any(|(_, form)| ends(&form.value)) {
        report.at(
            key.span,
            file::STEP_ORDER,
            format!(
                "{} is in the background, and no step waits for its end; add a `finish` step",
                quoted(key)
            ),
        );
    }
}

fn ended(
    begun: Begun,
    login: &Located<String>,
    (steps, names): (&[Step], &[StepInfo]),
    report: &mut Report<'_>,
) -> Option<StepName> {
    let [those, is_not, key, how] = begun.words();
    if !names.iter().any(|known| known.name.as_str() == login.as_str()) {
        let others = steps.iter().filter(|step| begun.is(&step.action)).map(|step| &step.name);
        let others: Vec<_> = others.collect();
        report.absent(
            login.span,
            login,
            format!(
                "no step before this one is called {}; {those} are {}",
                quoted(login),
                listed(others.into_iter())
            ),
        );
        return None;
    }
    let step = steps.iter().find(|step| step.name.as_str() == login.as_str())?;
    if !begun.is(&step.action) {
        let message = format!("{} {is_not}; write `{key}: true` there", quoted(login));
        report.at(login.span, file::UNKNOWN_NAME, message);
        return None;
    }
    if steps.iter().any(|other| begun.is_ended(&step.name, &other.action)) {
        let message = format!("{} is {how} by an earlier step already; keep one", quoted(login));
        report.at(login.span, file::STEP_ORDER, message);
    }
    Some(step.name.clone())
}
