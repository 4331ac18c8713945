//! A line a packet, for people.

use super::{Form, decoded};
use labsim_lab::{TappedFrame, TappedPoint};

/// Lines that were not written yet.
#[derive(Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    first_ns: Option<u64>,
}

impl Form for Lines {
    /// `+1.234 ms lb:eth0 in  IP ...`: the time since the first one.
    fn frame(&mut self, point: &TappedPoint, frame: &TappedFrame<'_>) {
        let first = *self.first_ns.get_or_insert(frame.time_ns);
        let since = frame.time_ns.saturating_sub(first);
        let (ms, rest) = (since / 1_000_000, since % 1_000_000 / 1000);
        let (name, direction, decoded) = (&point.name, frame.direction, decoded(point, frame));
        let line = decoded.line(None);
        let text = format!("+{ms}.{rest:03} ms {name} {direction:<3} {line}\n");
        self.text.extend_from_slice(text.as_bytes());
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }

    fn finish(&mut self, _dropped: &[(String, u64)]) {}
}
