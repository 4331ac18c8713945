//! What an exercise says beside its scenario.

use super::Report;
use super::expectations::known_cause;
use super::lookup::Lookup;
use crate::file::{RawExercise, RawNamedCause, RawTempting};
use crate::model::{Exercise, NamedCause, Tempting};
use crate::text::is_plain;
use labsim_codes::file;
use labsim_yaml::{Located, Part};

/// Most tempting repairs of an exercise.
pub(crate) const TEMPTING: usize = 8;
/// Longest title, sentence and text, in bytes.
const TITLE: usize = 80;
const SENTENCE: usize = 500;
const TEXT: usize = 2000;
/// Keys that no change of an exercise may have: what they name was read already.
const NOT_IN_CHANGES: [&str; 2] = ["extends", super::EXERCISE];

/// Checks what can be checked without laying the changes over the scenario.
pub(super) fn exercise(
    raw: &RawExercise,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<Exercise> {
    report.plain(&raw.title, "title", TITLE);
    report.plain(&raw.goal, "goal", SENTENCE);
    text(&raw.story, "story", report);
    text(&raw.lesson, "lesson", report);
    change(&raw.broken, "break", report);
    change(&raw.fix, "fix", report);
    if let Some((key, _)) = raw.tempting.iter().nth(TEMPTING) {
        report.limit(key.span, raw.tempting.len(), TEMPTING, "tempting repair");
    }
    let tempting = raw.tempting.iter().take(TEMPTING);
    let tempting = tempting.map(|(name, raw)| tempting_repair(name, raw, lookup, report));
    let tempting = tempting.collect::<Vec<_>>();
    Some(Exercise {
        title: raw.title.value.clone(),
        story: raw.story.trim_end().to_owned(),
        goal: raw.goal.value.clone(),
        lesson: raw.lesson.trim_end().to_owned(),
        teaches: raw.teaches,
        misconception: raw.misconception,
        cause: cause(&raw.cause, lookup, report)?,
        tempting,
    })
}

fn tempting_repair(
    name: &Located<String>,
    raw: &RawTempting,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Tempting {
    report.plain(name, "name of a tempting repair", TITLE);
    report.plain(&raw.why, "sentence", SENTENCE);
    change(&raw.change, "change", report);
    Tempting {
        name: name.value.clone(),
        why: raw.why.value.clone(),
        cause: raw.cause.as_ref().and_then(|raw| cause(raw, lookup, report)),
    }
}

fn cause(raw: &RawNamedCause, lookup: &Lookup<'_>, report: &mut Report<'_>) -> Option<NamedCause> {
    let code = report.take_as(raw.code.span, file::UNKNOWN_NAME, known_cause(&raw.code));
    let node = lookup.node(&raw.node, report);
    Some(NamedCause { code: code?, node: node? })
}

/// A text of several lines.
fn text(text: &Located<String>, what: &str, report: &mut Report<'_>) {
    let message = if text.trim().is_empty() {
        format!("an empty {what}; write 1 to {TEXT} bytes")
    } else if text.len() > TEXT {
        format!("this {what} has {} bytes; at most {TEXT} are allowed", text.len())
    } else if !text.chars().all(|c| c == '\n' || is_plain(c)) {
        format!("this {what} holds a control character; take it out")
    } else {
        return;
    };
    report.at(text.span, file::INVALID_VALUE, message);
}

/// Whether a change may be laid over the scenario.
fn change(part: &Located<Part>, what: &str, report: &mut Report<'_>) {
    if part.keys.is_empty() {
        report.empty(part.span, format!("an empty `{what}`; write what it changes"));
    }
    for key in part.keys.iter().filter(|key| NOT_IN_CHANGES.contains(&key.as_str())) {
        let message =
            format!("`{what}` cannot hold `{}`; write the keys that it changes", key.value);
        report.at(key.span, file::UNKNOWN_KEY, message);
    }
}
