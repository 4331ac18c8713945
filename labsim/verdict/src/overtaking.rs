//! Acknowledgements that the next segment of their sender overtook.
//!
//! The kernel acknowledges what came in on the CPU where it came in; a program's data may leave on
//! another one, and be the first at the next hop. Which of them is depends on the machine alone.

use crate::frames::Frame;
use labsim_scenario::model::Direction;
use labsim_wire::decode::Flow;
use labsim_wire::tcp::Flags;

/// A TCP segment at a point, in numbers relative to its flow's first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    way: (Direction, Flow),
    sequence: u32,
    pub(crate) acknowledges: u32,
    /// Whether to acknowledge is all that it does.
    pub(crate) is_acknowledgement: bool,
}

impl Segment {
    /// The segment in a frame, if its handshake was seen.
    pub(crate) fn of(frame: &Frame<'_>) -> Option<Self> {
        let tcp = frame.decoded.tcp()?;
        Some(Self {
            way: (frame.record.direction, frame.flow()?),
            sequence: frame.relative.sequence?,
            acknowledges: frame.relative.acknowledgement?,
            is_acknowledgement: tcp.flags == Flags::ACK && tcp.payload == 0,
        })
    }

    /// Whether it was sent before a segment that was seen before it: a sender's acknowledgements have
    /// the sequence number of what it sends next (RFC 9293, section 3.10.7.4).
    fn is_overtaken_by(self, earlier: Self) -> bool {
        self.is_acknowledgement
            && !earlier.is_acknowledgement
            && earlier.sequence == self.sequence
            && earlier.acknowledges >= self.acknowledges
    }
}

/// Puts a point's frames in the order in which they were sent. All else keeps its order.
pub(crate) fn undo<T>(frames: &mut [T], segment: impl Fn(&T) -> Option<Segment>) {
    for place in 1..frames.len() {
        let Some(this) = frames.get(place).and_then(&segment) else { continue };
        if !this.is_acknowledgement {
            continue;
        }
        let before = frames.iter().enumerate().take(place).rev();
        let of_sender = before
            .filter_map(|(index, frame)| segment(frame).map(|it| (index, it)))
            .filter(|(_, it)| it.way == this.way);
        let overtaking = of_sender.take_while(|(_, it)| this.is_overtaken_by(*it));
        if let Some((first, _)) = overtaking.last()
            && let Some(passed) = frames.get_mut(first..=place)
        {
            passed.rotate_right(1);
        }
    }
}
