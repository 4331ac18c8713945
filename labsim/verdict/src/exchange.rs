//! Judges a step's whole exchange at a point, row by row.

use crate::align::{Row, align};
use crate::frames::{Frame, SHOWN};
use crate::matching::{self, compare, describe};
use crate::ruling::{Case, Ruling, not_proven};
use crate::words::{attempt, count};
use labsim_scenario::model::{CapturePoint, Direction, FrameMatch, StepName};

/// Judges an exchange.
pub(crate) fn exchange(
    case: &Case<'_>,
    at: &CapturePoint,
    step: &StepName,
    direction: Option<Direction>,
    rows: &[FrameMatch],
) -> Ruling {
    let expected = table(rows);
    let failed =
        |why: String| Ruling { expected: expected.clone(), seen: vec![why], ..Ruling::default() };
    let (id, point) = match case.point(at) {
        Ok(found) => found,
        Err(why) => return failed(why),
    };
    let (indices, subject) = match conversations(case, step) {
        Ok(found) => found,
        Err(why) => return failed(why),
    };
    let seen: Vec<Frame<'_>> = indices
        .into_iter()
        .filter_map(|index| case.frames.get(index))
        .filter(|frame| frame.record.point == id)
        .filter(|frame| direction.is_none_or(|wanted| frame.record.direction == wanted))
        .collect();
    let place = format!("{}:{}", point.node, point.interface);
    let way = match direction {
        None => "",
        Some(Direction::In) => " inwards",
        Some(Direction::Out) => " outwards",
    };
    let figures =
        format!("{} of {subject} seen at {place}{way}", count(seen.len() as u64, "frame"));
    let mut differences = differences(case, rows, &seen);
    if differences.is_empty() {
        match not_proven(point) {
            None => {
                return Ruling::pass(format!(
                    "{figures}, all as expected in every field; the capture point was proven \
                     alive before and after"
                ));
            }
            Some(why) => differences.push(why),
        }
    }
    let more = differences.len().saturating_sub(SHOWN);
    differences.truncate(SHOWN);
    let mut ruling = failed(format!("{figures}, {} expected", rows.len()));
    ruling.seen.append(&mut differences);
    if more > 0 {
        ruling.seen.push(format!("and {more} more differences"));
    }
    let indices: Vec<usize> = seen.iter().map(|frame| frame.index).collect();
    ruling.with_frames(case.frames.list(&indices))
}

/// The frames of a step's logins or requests, behind translations too, in time's order, and what
/// to call them: the flow, if there is one.
fn conversations(case: &Case<'_>, step: &StepName) -> Result<(Vec<usize>, String), String> {
    let Ok(attempts) = case.attempts(step) else {
        return Err(format!("the step `{step}` was not done"));
    };
    let flows: Vec<_> = attempts.iter().filter_map(|attempt| attempt.flow()).collect();
    let subject = match flows[..] {
        [] => return Err(format!("the client of the step `{step}` had no address and port")),
        [only] => only.to_string(),
        _ => count(flows.len(), attempt(case.step(step))),
    };
    let found = flows.into_iter().map(|flow| case.frames.conversation(flow).both());
    let mut indices: Vec<usize> = found.flatten().collect();
    indices.sort_unstable();
    indices.dedup();
    Ok((indices, subject))
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

/// What is not as expected, in the rows' order; rows are counted from 1.
fn differences(case: &Case<'_>, rows: &[FrameMatch], seen: &[Frame<'_>]) -> Vec<String> {
    let aligned = align(rows.len(), seen.len(), |i, j| matching::differences(&rows[i], &seen[j]));
    let mut found = Vec::new();
    let mut last = 0;
    for row in aligned {
        match row {
            Row::Both(i, j) => {
                last = i + 1;
                let fields = compare(&rows[i], &seen[j]);
                if !fields.is_empty() {
                    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
                    found.push(format!(
                        "row {last} differs (frame {}): {}",
                        seen[j].index,
                        fields.join("; ")
                    ));
                }
            }
            Row::Missing(i) => {
                last = i + 1;
                found.push(format!("row {last} is missing: {}", describe(&rows[i])));
            }
            Row::Extra(j) => {
                let line = case.frames.line(&seen[j]);
                found.push(match last {
                    0 => format!("not expected before row 1 (frame {}): {line}", seen[j].index),
                    _ => format!("not expected after row {last} (frame {}): {line}", seen[j].index),
                });
            }
        }
    }
    found
}
