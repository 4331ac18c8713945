//! Judges how many frames of one kind were seen at a point.

use crate::frames::Frame;
use crate::matching::{compare, describe, differences, matches};
use crate::ruling::{Case, Ruling, not_proven};
use crate::words::count as say;
use labsim_scenario::model::{CapturePoint, Count, FrameMatch};

/// Frames that almost matched and are shown when too few did.
const CLOSEST: usize = 3;

/// Judges a count.
pub(crate) fn frames(
    case: &Case<'_>,
    at: &CapturePoint,
    matching: &FrameMatch,
    count: Count,
) -> Ruling {
    let wanted = match count {
        Count::Exactly(0) => "no frame".to_owned(),
        Count::Exactly(number) => format!("exactly {}", say(number, "frame")),
        Count::AtLeast(number) => format!("at least {}", say(number, "frame")),
        Count::Between(0, most) => format!("at most {}", say(most, "frame")),
        Count::Between(least, most) => format!("{least} to {}", say(most, "frame")),
    };
    let (id, point) = match case.point(at) {
        Ok(found) => found,
        Err(why) => return Ruling::fail(format!("{wanted} with: {}", describe(matching)), why),
    };
    let place = format!("{}:{}", point.node, point.interface);
    let expected = format!("{wanted} at {place} with: {}", describe(matching));
    let all: Vec<Frame<'_>> = case.frames.at(id).collect();
    let found: Vec<usize> =
        all.iter().filter(|frame| matches(matching, frame)).map(|frame| frame.index).collect();
    let number = found.len() as u64;
    let seen = format!("{number} of {} at {place} matched", say(all.len() as u64, "frame"));
    let (enough, bounded) = match count {
        Count::Exactly(wanted) => (number >= wanted, number <= wanted),
        Count::AtLeast(wanted) => (number >= wanted, true),
        Count::Between(least, most) => (number >= least, number <= most),
    };
    if enough && bounded {
        return match (count, not_proven(point)) {
            (Count::Exactly(_) | Count::Between(..), Some(why)) => {
                let mut ruling = Ruling::fail(expected, seen);
                ruling.seen.push(why);
                ruling
            }
            (Count::Exactly(_) | Count::Between(..), None) => {
                Ruling::pass(format!("{seen}; the capture point was proven alive before and after"))
            }
            (Count::AtLeast(_), _) => Ruling::pass(seen),
        };
    }
    let mut ruling = Ruling::fail(expected, seen);
    if enough {
        return ruling.with_frames(case.frames.list(&found));
    }
    let mut closest: Vec<(usize, &Frame<'_>)> = all
        .iter()
        .map(|frame| (differences(matching, frame), frame))
        .filter(|(number, _)| *number > 0)
        .collect();
    closest.sort_by_key(|(number, frame)| (*number, frame.index));
    closest.truncate(CLOSEST);
    for (_, frame) in &closest {
        let fields: Vec<String> =
            compare(matching, frame).iter().map(ToString::to_string).collect();
        ruling.seen.push(format!(
            "close, but not it: frame {}: {}",
            frame.index,
            fields.join("; ")
        ));
    }
    let mut shown = found;
    shown.extend(closest.iter().map(|(_, frame)| frame.index));
    shown.sort_unstable();
    ruling.with_frames(case.frames.list(&shown))
}
