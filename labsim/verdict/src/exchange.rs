//! Judges a step's whole exchange at a point, row by row.

use crate::align::{Row, align};
use crate::check_result::{CheckContext, CheckResult, unverified};
use crate::frames::{Conversation, Frame, SHOWN};
use crate::lateness::{self, LateFrames};
use crate::matching::{self, compare, describe};
use crate::messages::{attempt, count};
use crate::overtaking::{self, Segment};
use labsim_scenario::model::{CapturePoint, Direction, FrameMatch, StepName};
use labsim_wire::tcp::Flags;

/// Judges an exchange.
pub(crate) fn exchange(
    context: &CheckContext<'_>,
    at: &CapturePoint,
    step: &StepName,
    direction: Option<Direction>,
    rows: &[FrameMatch],
) -> CheckResult {
    let expected = table(rows);
    let failed = |why: String| CheckResult {
        expected: expected.clone(),
        seen: vec![why],
        ..CheckResult::default()
    };
    let (id, point) = match context.point(at) {
        Ok(found) => found,
        Err(why) => return failed(why),
    };
    let (conversations, subject) = match conversations(context, step) {
        Ok(found) => found,
        Err(why) => return failed(why),
    };
    let mut indices: Vec<usize> = conversations.iter().flatten().copied().collect();
    indices.sort_unstable();
    indices.dedup();
    let mut seen: Vec<Frame<'_>> = indices
        .into_iter()
        .filter_map(|index| context.frames.get(index))
        .filter(|frame| frame.record.point == id)
        .filter(|frame| direction.is_none_or(|wanted| frame.record.direction == wanted))
        .collect();
    overtaking::undo(&mut seen, Segment::of);
    let place = format!("{}:{}", point.node, point.interface);
    let way = match direction {
        None => "",
        Some(Direction::In) => " inwards",
        Some(Direction::Out) => " outwards",
    };
    let figures =
        format!("{} of {subject} seen at {place}{way}", count(seen.len() as u64, "frame"));
    let aligned = align(rows.len(), seen.len(), |i, j| matching::differences(&rows[i], &seen[j]));
    let on_time = LateFrames::default();
    let (mut differences, _) = differences(context, rows, &seen, &aligned, &on_time);
    let note = match differences.is_empty() {
        true => None,
        false => {
            let late = LateFrames::find(context, conversations);
            let (differences, left_out) = self::differences(context, rows, &seen, &aligned, &late);
            differences.is_empty().then(|| lateness::note(context, left_out))
        }
    };
    if differences.is_empty() || note.is_some() {
        match unverified(point) {
            None => {
                let mut result = CheckResult::pass(format!(
                    "{figures}, all as expected in every field; the capture point was verified \
                     before and after"
                ));
                result.seen.extend(note);
                return result;
            }
            Some(why) => differences.push(why),
        }
    }
    let more = differences.len().saturating_sub(SHOWN);
    differences.truncate(SHOWN);
    let mut result = failed(format!("{figures}, {} expected", rows.len()));
    result.seen.append(&mut differences);
    if more > 0 {
        result.seen.push(format!("and {more} more differences"));
    }
    let indices: Vec<usize> = seen.iter().map(|frame| frame.index).collect();
    result.with_frames(context.frames.list(&indices))
}

/// The frames of each of a step's logins or requests, behind translations too, and what to call them:
/// the flow, if there is one.
fn conversations(
    context: &CheckContext<'_>,
    step: &StepName,
) -> Result<(Vec<Vec<usize>>, String), String> {
    let Ok(attempts) = context.attempts(step) else {
        return Err(format!("the step `{step}` was not done"));
    };
    let flows: Vec<_> = attempts.iter().filter_map(|attempt| attempt.flow()).collect();
    let subject = match flows[..] {
        [] => return Err(format!("the client of the step `{step}` had no address and port")),
        [only] => only.to_string(),
        _ => count(flows.len(), attempt(context.step(step))),
    };
    let found = attempts.iter().filter_map(|attempt| context.conversation(attempt));
    Ok((found.map(Conversation::both).collect(), subject))
}

/// The expected rows in words, bounded.
fn table(rows: &[FrameMatch]) -> Vec<String> {
    let mut table: Vec<String> = rows
        .iter()
        .take(SHOWN)
        .enumerate()
        .map(|(place, row)| format!("row {}: {}", place + 1, describe(row)))
        .collect();
    if rows.len() > SHOWN {
        table.push(format!("and {} more rows", rows.len() - SHOWN));
    }
    if rows.is_empty() {
        table.push("no frame at all".to_owned());
    }
    table
}

/// What is not as expected, in the rows' order; rows are counted from 1. Frames that are not expected
/// and in `late` are left out; where there are any, so are pure acknowledgements that are missing. With
/// how many were left out.
fn differences(
    context: &CheckContext<'_>,
    rows: &[FrameMatch],
    seen: &[Frame<'_>],
    aligned: &[Row],
    late: &LateFrames,
) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    let mut left_out = 0;
    let mut last = 0;
    for row in aligned {
        match *row {
            Row::Both(i, j) => {
                last = i + 1;
                let fields = compare(&rows[i], &seen[j]);
                if !fields.is_empty() {
                    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
                    found.push(format!(
                        "row {last} differs (frame {}): {}",
                        seen[j].number,
                        fields.join("; ")
                    ));
                }
            }
            Row::Missing(i) => {
                last = i + 1;
                if !late.is_empty() && is_pure_acknowledgement(&rows[i]) {
                    left_out += 1;
                } else {
                    found.push(format!("row {last} is missing: {}", describe(&rows[i])));
                }
            }
            Row::Extra(j) if late.contains(seen[j].index) => left_out += 1,
            Row::Extra(j) => {
                let line = context.frames.line(&seen[j]);
                found.push(match last {
                    0 => format!("not expected before row 1 (frame {}): {line}", seen[j].number),
                    _ => {
                        format!("not expected after row {last} (frame {}): {line}", seen[j].number)
                    }
                });
            }
        }
    }
    (found, left_out)
}

fn is_pure_acknowledgement(row: &FrameMatch) -> bool {
    row.flags.is_some_and(|flags| flags.0 == Flags::ACK.0) && row.payload == Some(0)
}
