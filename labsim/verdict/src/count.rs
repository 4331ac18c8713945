//! Judges how many frames of one kind were seen at a point.

use crate::check_result::{CheckContext, CheckResult, unverified};
use crate::frames::Conversation;
use crate::lateness::{self, LateFrames};
use crate::matching::{compare, describe, differences, matches};
use crate::messages::count as say;
use labsim_scenario::model::{CapturePoint, Count, FrameMatch};

/// Frames that almost matched and are shown when too few did.
const CLOSEST: usize = 3;

/// Judges a count.
pub(crate) fn frames(
    context: &CheckContext<'_>,
    at: &CapturePoint,
    matching: &FrameMatch,
    count: Count,
) -> CheckResult {
    let wanted = match count {
        Count::Exactly(0) => "no frame".to_owned(),
        Count::Exactly(number) => format!("exactly {}", say(number, "frame")),
        Count::AtLeast(number) => format!("at least {}", say(number, "frame")),
        Count::Between(0, most) => format!("at most {}", say(most, "frame")),
        Count::Between(least, most) => format!("{least} to {}", say(most, "frame")),
    };
    let (id, point) = match context.point(at) {
        Ok(found) => found,
        Err(why) => {
            return CheckResult::fail(format!("{wanted} with: {}", describe(matching)), why);
        }
    };
    let place = format!("{}:{}", point.node, point.interface);
    let expected = format!("{wanted} at {place} with: {}", describe(matching));
    // A flood's frames are not kept a second time.
    let mut all = 0;
    let frames = context.frames.at(id).inspect(|_| all += 1);
    let found: Vec<usize> =
        frames.filter(|frame| matches(matching, frame)).map(|frame| frame.index).collect();
    let number = found.len() as u64;
    let seen = format!("{number} of {} at {place} matched", say(all, "frame"));
    let (enough, bounded) = match count {
        Count::Exactly(wanted) => (number >= wanted, number <= wanted),
        Count::AtLeast(wanted) => (number >= wanted, true),
        Count::Between(least, most) => (number >= least, number <= most),
    };
    if enough && bounded {
        return match (count, unverified(point)) {
            (Count::Exactly(_) | Count::Between(..), Some(why)) => {
                let mut result = CheckResult::fail(expected, seen);
                result.seen.push(why);
                result
            }
            (Count::Exactly(_) | Count::Between(..), None) => CheckResult::pass(format!(
                "{seen}; the capture point was verified before and after"
            )),
            (Count::AtLeast(_), _) => CheckResult::pass(seen),
        };
    }
    if let Some(note) = holds_despite_lag(context, &found, count)
        && unverified(point).is_none()
    {
        return CheckResult::passed(vec![
            format!("{seen}; the capture point was verified before and after"),
            note,
        ]);
    }
    let mut result = CheckResult::fail(expected, seen);
    if enough {
        return result.with_frames(context.frames.list(&found));
    }
    let frames = context.frames.at(id).map(|frame| (differences(matching, &frame), frame.index));
    let mut closest: Vec<(usize, usize)> = frames.filter(|(number, _)| *number > 0).collect();
    closest.sort_unstable();
    closest.truncate(CLOSEST);
    let shown = closest.iter().filter_map(|(_, index)| context.frames.get(*index));
    for frame in shown {
        let fields: Vec<String> =
            compare(matching, &frame).iter().map(ToString::to_string).collect();
        result.seen.push(format!(
            "close, but not it: frame {}: {}",
            frame.number,
            fields.join("; ")
        ));
    }
    let mut shown = found;
    shown.extend(closest.iter().map(|(_, index)| *index));
    shown.sort_unstable();
    result.with_frames(context.frames.list(&shown))
}

/// What to say if the count holds without what was sent only because the lab was late. A frame that
/// must not be there at all is never left out.
fn holds_despite_lag(context: &CheckContext<'_>, found: &[usize], count: Count) -> Option<String> {
    let (Count::Exactly(most) | Count::Between(_, most)) = count else { return None };
    let too_many = usize::try_from(most).map_or(0, |most| found.len().saturating_sub(most));
    if most == 0 || too_many == 0 {
        return None;
    }
    let attempts = context.observations.steps.iter().flat_map(|step| &step.attempts);
    let conversations = attempts.filter_map(|attempt| context.conversation(attempt));
    let conversations = conversations.map(Conversation::both);
    let late = LateFrames::find(context, conversations);
    let sent_late = found.iter().filter(|index| late.contains(**index)).count();
    (too_many <= sent_late).then(|| lateness::note(context, too_many))
}
