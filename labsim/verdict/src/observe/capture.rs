//! The frames of all capture points in one arena.

use labsim_scenario::model::{Direction, InterfaceName, NodeName};
use labsim_wire::decode::{Content, Decoded, LinkType, Transport, decode};
use labsim_wire::frame_store::{FrameId, FrameStore, StoredFrame};
use labsim_wire::{ethernet, ipv4, protocol};

/// A capture point's place in [`Capture::points`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointId(pub usize);

/// An interface whose frames were captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Whose it is.
    pub node: NodeName,
    /// Its name.
    pub interface: InterfaceName,
    /// What its frames begin with.
    pub link: LinkType,
    /// The proof that frames were captured there from beginning to end.
    pub liveness: Liveness,
}

/// When the marker frames were captured, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Liveness {
    /// The one that was sent before the first step.
    pub started_ns: Option<u64>,
    /// The one that was sent after the last step.
    pub ended_ns: Option<u64>,
}

impl Liveness {
    /// Whether what was not captured was not there: both markers were seen, the first one first.
    #[must_use]
    pub fn proven(&self) -> bool {
        matches!((self.started_ns, self.ended_ns), (Some(start), Some(end)) if start <= end)
    }
}

/// When, where and which way a frame was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRecord {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Where.
    pub point: PointId,
    /// Seen from the node whose interface it is.
    pub direction: Direction,
    /// How long it was, in bytes; more than was captured if there is a snap length.
    pub original_length: u32,
}

impl FrameRecord {
    /// Of a frame that is of no capture's.
    pub(crate) fn lone(direction: Direction) -> Self {
        Self { time_ns: 0, point: PointId(0), direction, original_length: 0 }
    }
}

/// When, where and which way a frame was captured, and which. There may be millions.
#[derive(Debug, Clone, Copy)]
struct Place {
    time_ns: u64,
    point: u32,
    frame: FrameId,
    direction: Direction,
}

/// One captured frame with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameView<'a> {
    /// Its place in time among all frames.
    pub index: usize,
    /// Equal frames have the same, below [`Capture::different_frames`].
    pub frame: FrameId,
    /// When, where and which way.
    pub record: FrameRecord,
    /// Its link type.
    pub link: LinkType,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

impl FrameView<'_> {
    /// Decodes it.
    #[must_use]
    pub fn decode(&self) -> Decoded {
        let original_length = self.record.original_length;
        decode_stored(StoredFrame { link: self.link, original_length, bytes: self.bytes })
    }

    /// Whether it is one of labsim's own markers, as [`is_marker`] says: most frames are none by their first
    /// bytes.
    #[must_use]
    pub fn is_marker(&self) -> bool {
        let may_be = match self.link {
            LinkType::Ethernet => ethernet::View::new(self.bytes)
                .is_ok_and(|frame| frame.ethertype() == ethernet::ethertype::MARKER),
            LinkType::Raw => ipv4::View::new_truncated(self.bytes)
                .map_or(true, |packet| packet.protocol() == protocol::MARKER),
        };
        may_be && is_marker(&self.decode())
    }
}

/// Decodes a frame of a capture's.
pub(crate) fn decode_stored(frame: StoredFrame<'_>) -> Decoded {
    let length = usize::try_from(frame.original_length).unwrap_or(usize::MAX);
    decode(frame.link, frame.bytes, length)
}

/// The frames of all capture points, in time's order.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    points: Vec<Point>,
    places: Vec<Place>,
    store: FrameStore,
    is_partial: bool,
}

impl Capture {
    /// No points, no frames.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a capture point without proof of life.
    pub fn add_point(
        &mut self,
        node: NodeName,
        interface: InterfaceName,
        link: LinkType,
    ) -> PointId {
        self.points.push(Point { node, interface, link, liveness: Liveness::default() });
        PointId(self.points.len() - 1)
    }

    /// Says when a point's markers were captured. An unknown point is left alone.
    pub fn set_liveness(&mut self, point: PointId, liveness: Liveness) {
        if let Some(point) = self.points.get_mut(point.0) {
            point.liveness = liveness;
        }
    }

    /// Adds a frame. Frames may come in any order until [`Self::sort`].
    pub fn push(
        &mut self,
        time_ns: u64,
        point: PointId,
        direction: Direction,
        original_length: u32,
        bytes: &[u8],
    ) {
        let link = self.points.get(point.0).map_or(LinkType::Ethernet, |point| point.link);
        // A capture of more than 4 GiB does not get so far.
        let frame = self.store.add(StoredFrame { link, original_length, bytes });
        if let (Some(frame), Ok(point)) = (frame, u32::try_from(point.0)) {
            self.places.push(Place { time_ns, point, frame, direction });
        }
    }

    /// Takes over frames and when, where and which way each was captured, in time's order; there are none yet.
    pub fn set_frames(
        &mut self,
        store: FrameStore,
        seen: impl Iterator<Item = (u64, u32, Direction, FrameId)>,
    ) {
        // In the memory of what `seen` comes from, if that is a list whose items are as large.
        let place = |(time_ns, point, direction, frame)| Place { time_ns, point, frame, direction };
        self.places = seen.map(place).collect();
        self.store = store;
    }

    /// Brings the frames into time's order; those of one time stay as they were added.
    pub fn sort(&mut self) {
        self.places.sort_by_key(|place| place.time_ns);
    }

    /// Says that frames were left out on purpose: what is not there may have been sent all the same.
    pub fn set_partial(&mut self, is_partial: bool) {
        self.is_partial = is_partial;
    }

    /// Whether frames were left out on purpose.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// The capture points.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The point of that interface.
    #[must_use]
    pub fn find_point(&self, node: &NodeName, interface: &InterfaceName) -> Option<PointId> {
        self.points
            .iter()
            .position(|point| point.node == *node && point.interface == *interface)
            .map(PointId)
    }

    /// How many frames there are, markers among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All frames, markers among them.
    pub fn frames(&self) -> impl Iterator<Item = FrameView<'_>> {
        (0..self.places.len()).filter_map(|index| self.frame(index))
    }

    /// The frame of that place in time.
    #[must_use]
    pub fn frame(&self, index: usize) -> Option<FrameView<'_>> {
        let (record, frame) = self.record(index)?;
        let StoredFrame { link, bytes, .. } = self.store.get(frame)?;
        Some(FrameView { index, frame, record, link, bytes })
    }

    /// How many different frames there are.
    #[must_use]
    pub fn different_frames(&self) -> usize {
        self.store.len()
    }

    /// What was captured, equal frames once.
    pub(crate) fn store(&self) -> &FrameStore {
        &self.store
    }

    /// All records in time's order, each with the number of its frame in [`Self::store`].
    pub(crate) fn records(&self) -> impl ExactSizeIterator<Item = (FrameRecord, FrameId)> + Clone {
        self.places.iter().map(|place| self.recorded(place))
    }

    pub(crate) fn record(&self, index: usize) -> Option<(FrameRecord, FrameId)> {
        self.places.get(index).map(|place| self.recorded(place))
    }

    fn recorded(&self, place: &Place) -> (FrameRecord, FrameId) {
        let Place { time_ns, point, frame, direction } = *place;
        let original_length = self.store.get(frame).map_or(0, |stored| stored.original_length);
        let point = PointId(point as usize);
        (FrameRecord { time_ns, point, direction, original_length }, frame)
    }
}

/// Whether a frame is one of labsim's own markers, which no expectation is about.
#[must_use]
pub fn is_marker(decoded: &Decoded) -> bool {
    match &decoded.content {
        Content::Other => {
            decoded.link.is_some_and(|link| link.ethertype == ethernet::ethertype::MARKER)
        }
        Content::Ip(packet) => {
            decoded.link.is_none()
                && packet.inner.is_empty()
                && packet.outermost.protocol == protocol::MARKER
                && matches!(packet.transport, Transport::Other { .. })
        }
        Content::Arp(_) | Content::Malformed(_) => false,
    }
}
