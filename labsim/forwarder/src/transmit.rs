//! The engine's output.

use labsim_wire::EmitError;

/// Takes frames to send. A data plane hands out room in its own buffers, so that a frame is
/// written once.
pub trait Transmit {
    /// Hands room for one frame of exactly `length` bytes to `fill`, and queues the frame if
    /// `fill` succeeds. The room may hold old bytes: `fill` writes all of it.
    ///
    /// Returns whether the frame is queued; `false` also if there is no room.
    fn transmit(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool;
}

/// Collects frames; for tests.
impl Transmit for Vec<Vec<u8>> {
    fn transmit(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        // Old bytes, as a ring has them.
        let mut frame = vec![0xa5; length];
        let filled = fill(&mut frame).is_ok();
        if filled {
            self.push(frame);
        }
        filled
    }
}
