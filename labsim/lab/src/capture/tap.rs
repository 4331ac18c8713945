//! Frames of nodes as they come, for another process: a lab's holder opens a socket in each node, and
//! whoever it passes them to reads them. With that process all of it is gone.

use super::close::DeferredClose;
use super::marker::Marker;
use super::points::Layout;
use super::receive::{self, is_of_fast_path, network_layer, take_drops};
use super::{CaptureError, socket_error};
use crate::lab::{Lab, Node};
use labsim_scenario::model::Direction;
use labsim_sys::batch::{ReceiveBuffers, ReceivedFrame};
use labsim_wire::decode::LinkType;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Frames of a socket that are read before the next socket's turn.
const TURN: usize = 4096;
/// System calls of [`Taps::receive`] at most, each of which fetches some frames of a socket.
const MOST_BATCHES: usize = 1024;
/// Bytes of frames that wait for earlier ones of other nodes at most.
const MOST_WAITING: usize = 64 << 20;
/// The kernel takes a frame's time before others can read it: so long after that it has been read, if its
/// socket was.
const SETTLED_NS: u64 = 1_000_000;
/// Frames wait for others so long at most, whatever the clock does.
const PATIENCE: Duration = Duration::from_millis(100);
/// Interfaces that are told apart at most; what nodes get beyond that shares a point in each.
const MOST_POINTS: usize = 2048;

/// An interface of a node that is tapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapPoint {
    /// Its number in the node.
    pub index: u32,
    /// Its name.
    pub interface: String,
    /// What its frames begin with.
    pub link: LinkType,
}

impl Lab {
    /// A socket that receives the frames of all interfaces of a node from now on, and these interfaces.
    ///
    /// # Errors
    /// The node has no packet socket.
    pub fn tap(&self, node: &Node) -> Result<(OwnedFd, Vec<TapPoint>), CaptureError> {
        let layout = Layout::of(self);
        let opened = node.run_passive(receive::open).and_then(|opened| opened);
        let socket = opened.map_err(|source| socket_error(node.name(), source))?;
        let of_node = |place: usize| layout.nodes.get(place) == Some(node.name());
        let points = layout.points.iter().filter(|point| of_node(point.node));
        let points = points.map(|point| TapPoint {
            index: point.index,
            interface: point.interface.to_string(),
            link: point.link,
        });
        Ok((socket, points.collect()))
    }
}

/// A point whose frames are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TappedPoint {
    /// `node:interface`.
    pub name: String,
    /// What its frames begin with.
    pub link: LinkType,
}

/// A frame of a tapped point.
#[derive(Debug, Clone, Copy)]
pub struct TappedFrame<'a> {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Its point's place in [`Taps::points`].
    pub point: usize,
    /// Seen from the node.
    pub direction: Direction,
    /// How long it was, in bytes.
    pub original_length: u32,
    /// The frame.
    pub bytes: &'a [u8],
}

/// What takes frames, with their points.
type Take<'a> = &'a mut dyn FnMut(&TappedPoint, TappedFrame<'_>);

/// Sockets of nodes, read in the order of their frames' times.
#[derive(Default)]
pub struct Taps {
    taps: Vec<Tap>,
    points: Vec<TappedPoint>,
    buffers: ReceiveBuffers,
    waiting: Waiting,
}

struct Tap {
    node: String,
    socket: OwnedFd,
    /// Places of points by interfaces' numbers; `None` of one that is not wanted.
    places: BTreeMap<u32, Option<usize>>,
    /// Whether interfaces that come later are wanted.
    takes_new: bool,
}

/// Frames that are read and not handed over.
#[derive(Default)]
struct Waiting {
    frames: Vec<Frame>,
    bytes: usize,
    since: Option<Instant>,
}

struct Frame {
    time_ns: u64,
    point: usize,
    direction: Direction,
    original_length: u32,
    bytes: Vec<u8>,
}

impl Taps {
    /// Adds a node's socket and those of its interfaces that are wanted; `None` for all, and for those that
    /// it gets later.
    pub fn add(
        &mut self,
        node: &str,
        socket: OwnedFd,
        points: &[TapPoint],
        wanted: Option<&[String]>,
    ) {
        let mut places = BTreeMap::new();
        for TapPoint { index, interface, link } in points {
            let is_wanted = wanted.is_none_or(|wanted| wanted.contains(interface));
            let place = is_wanted.then(|| {
                self.points.push(TappedPoint { name: format!("{node}:{interface}"), link: *link });
                self.points.len() - 1
            });
            places.insert(*index, place);
        }
        let takes_new = wanted.is_none();
        self.taps.push(Tap { node: node.to_owned(), socket, places, takes_new });
    }

    /// The points. More may come while frames are read.
    #[must_use]
    pub fn points(&self) -> &[TappedPoint] {
        &self.points
    }

    /// What to wait for.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.taps.iter().map(|tap| tap.socket.as_fd())
    }

    /// Whether frames were read and not handed over yet: [`Self::read`] is to be called again soon.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.waiting.frames.is_empty()
    }

    /// Reads what has come, and hands over, in the order of their times, the frames that none can precede
    /// any more. labsim's markers are left out.
    ///
    /// # Errors
    /// Those of recvmmsg(2).
    pub fn read(&mut self, take: &mut dyn FnMut(&TappedPoint, TappedFrame<'_>)) -> io::Result<()> {
        let mut settled = super::now_ns().saturating_sub(SETTLED_NS);
        let Self { taps, points, buffers, waiting } = self;
        let behind = receive(taps, points, buffers, &mut |_, frame| waiting.push(&frame))?;
        if let Some(last) = behind {
            settled = settled.min(last.saturating_sub(SETTLED_NS));
        }
        let is_late = waiting.since.is_some_and(|since| since.elapsed() > PATIENCE);
        if is_late || waiting.bytes > MOST_WAITING {
            settled = u64::MAX;
        }
        waiting.hand_over(settled, points, take);
        Ok(())
    }

    /// Reads what has come, and hands over each frame at once: those of a node in the order in which they
    /// came, and those of several nodes nearly in the order of their times, some frames before or after.
    /// labsim's markers are left out. Returns whether more has come than it reads at a time.
    ///
    /// # Errors
    /// Those of recvmmsg(2).
    pub fn receive(
        &mut self,
        take: &mut dyn FnMut(&TappedPoint, TappedFrame<'_>),
    ) -> io::Result<bool> {
        let Self { taps, points, buffers, .. } = self;
        let mut batches = vec![Batch { more: true, ..Batch::default() }; taps.len()];
        for _ in 0..MOST_BATCHES {
            // The one that is the least far in time.
            let all = taps.iter_mut().zip(&mut batches).filter(|(_, batch)| batch.more);
            let Some((tap, batch)) = all.min_by_key(|(_, batch)| batch.last_ns) else {
                return Ok(false);
            };
            receive_batch(tap, points, buffers, (batch, &mut *take))?;
        }
        Ok(batches.iter().any(|batch| batch.more))
    }

    /// How many frames were dropped in each node, since this was asked last, where the kernel's queue was
    /// full.
    pub fn take_drops(&self) -> impl Iterator<Item = (&str, u64)> {
        self.taps.iter().map(|tap| (tap.node.as_str(), take_drops(&tap.socket)))
    }

    /// Closes all sockets, which takes a while for each, at the same time.
    pub fn close(self) {
        let closing = DeferredClose::default();
        closing.close(self.taps.into_iter().map(|tap| tap.socket).collect());
        closing.wait();
    }

    /// Reads what has come up to now, hands over all of it, and closes the sockets. Returns how many frames
    /// were dropped in each node where the kernel's queue was full.
    pub fn finish(
        mut self,
        take: &mut dyn FnMut(&TappedPoint, TappedFrame<'_>),
    ) -> Vec<(String, u64)> {
        // What cannot be read is lost with its socket.
        let _ = self.read(take);
        self.waiting.hand_over(u64::MAX, &self.points, take);
        let dropped = |tap: &Tap| (tap.node.clone(), take_drops(&tap.socket));
        self.taps.iter().map(dropped).filter(|(_, dropped)| *dropped > 0).collect()
    }
}

/// Reads a turn of every socket. Where more waits in some, returns the time of the earliest of their last
/// frames.
fn receive(
    taps: &mut [Tap],
    points: &mut Vec<TappedPoint>,
    buffers: &mut ReceiveBuffers,
    take: Take<'_>,
) -> io::Result<Option<u64>> {
    let mut behind: Option<u64> = None;
    for tap in taps {
        let mut batch = Batch { more: true, ..Batch::default() };
        while batch.more && batch.frames < TURN {
            receive_batch(tap, points, buffers, (&mut batch, &mut *take))?;
        }
        if batch.more {
            behind = Some(behind.map_or(batch.last_ns, |earliest| earliest.min(batch.last_ns)));
        }
    }
    Ok(behind)
}

/// What was read of a socket.
#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    frames: usize,
    /// The time of the last one.
    last_ns: u64,
    /// Whether more may wait.
    more: bool,
}

/// Reads what one system call fetches of a socket, and adds it to what was read.
fn receive_batch(
    tap: &mut Tap,
    points: &mut Vec<TappedPoint>,
    buffers: &mut ReceiveBuffers,
    (batch, take): (&mut Batch, Take<'_>),
) -> io::Result<()> {
    batch.more = buffers.receive(tap.socket.as_fd(), |frame| {
        (batch.frames, batch.last_ns) = (batch.frames + 1, frame.time_ns);
        let takes = || tap.takes_new && !is_of_fast_path(&tap.socket, frame.interface);
        let place = place(&mut tap.places, (&tap.node, takes), &frame, points);
        if let Some((place, point)) = place.and_then(|it| Some((it, points.get(it)?)))
            && let Some(frame) = tapped(frame, place, point)
        {
            take(point, frame);
        }
    })?;
    Ok(())
}

/// The place of a frame's point; an interface that came later gets one, if those are wanted.
fn place(
    places: &mut BTreeMap<u32, Option<usize>>,
    (node, takes_new): (&str, impl FnOnce() -> bool),
    frame: &ReceivedFrame<'_>,
    points: &mut Vec<TappedPoint>,
) -> Option<usize> {
    if let Some(place) = places.get(&frame.interface) {
        return *place;
    }
    let place = takes_new().then(|| new_point(node, frame, points));
    if places.len() < MOST_POINTS {
        places.insert(frame.interface, place);
    }
    place
}

/// The point of an interface that came later.
fn new_point(node: &str, frame: &ReceivedFrame<'_>, points: &mut Vec<TappedPoint>) -> usize {
    let link = if frame.is_ethernet() { LinkType::Ethernet } else { LinkType::Raw };
    let name = match points.len() < MOST_POINTS {
        true => format!("{node}:if{}", frame.interface),
        false => format!("{node}:others"),
    };
    let is_it = |point: &TappedPoint| point.name == name && point.link == link;
    points.iter().position(is_it).unwrap_or_else(|| {
        points.push(TappedPoint { name, link });
        points.len() - 1
    })
}

/// The frame, unless it is a marker.
fn tapped<'a>(
    frame: ReceivedFrame<'a>,
    place: usize,
    point: &TappedPoint,
) -> Option<TappedFrame<'a>> {
    let frame = match point.link {
        LinkType::Raw => network_layer(frame),
        LinkType::Ethernet => frame,
    };
    Marker::parse(point.link, frame.bytes).is_none().then_some(TappedFrame {
        time_ns: frame.time_ns,
        point: place,
        direction: if frame.outgoing { Direction::Out } else { Direction::In },
        original_length: frame.original_length,
        bytes: frame.bytes,
    })
}

impl Waiting {
    fn push(&mut self, frame: &TappedFrame<'_>) {
        self.bytes += frame.bytes.len() + size_of::<Frame>();
        let TappedFrame { time_ns, point, direction, original_length, bytes } = *frame;
        let bytes = bytes.to_vec();
        self.frames.push(Frame { time_ns, point, direction, original_length, bytes });
    }

    /// Hands over those of that time and before.
    fn hand_over(&mut self, settled: u64, points: &[TappedPoint], take: Take<'_>) {
        self.frames.sort_by_key(|frame| frame.time_ns);
        let count = self.frames.partition_point(|frame| frame.time_ns <= settled);
        for frame in self.frames.drain(..count) {
            self.bytes = self.bytes.saturating_sub(frame.bytes.len() + size_of::<Frame>());
            let Frame { time_ns, point, direction, original_length, bytes } = frame;
            // Frames are of points that there are.
            if let Some(of) = points.get(point) {
                take(of, TappedFrame { time_ns, point, direction, original_length, bytes: &bytes });
            }
        }
        self.since = match (self.frames.is_empty(), count) {
            (true, _) => None,
            (false, 0) => self.since.or_else(|| Some(Instant::now())),
            (false, _) => Some(Instant::now()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(time_ns: u64) -> TappedFrame<'static> {
        let (direction, bytes) = (Direction::In, &[0; 60]);
        TappedFrame { time_ns, point: 0, direction, original_length: 60, bytes }
    }

    #[test]
    fn frames_are_handed_over_in_the_order_of_their_times_once_none_can_precede_them() {
        let points = [TappedPoint { name: "rs1:eth0".to_owned(), link: LinkType::Ethernet }];
        let mut waiting = Waiting::default();
        [30, 10, 40, 20].into_iter().for_each(|time| waiting.push(&frame(time)));
        let mut times = Vec::new();
        waiting.hand_over(30, &points, &mut |_, frame| times.push(frame.time_ns));
        assert_eq!((times.as_slice(), waiting.since.is_some()), (&[10, 20, 30][..], true));
        waiting.push(&frame(35));
        waiting.hand_over(u64::MAX, &points, &mut |_, frame| times.push(frame.time_ns));
        assert_eq!((times.as_slice(), waiting.bytes), (&[10, 20, 30, 35, 40][..], 0));
        assert!(waiting.since.is_none());
    }

    #[test]
    fn interfaces_that_come_one_after_the_other_for_ever_take_no_more_room() {
        let (mut places, mut points) = (BTreeMap::new(), Vec::new());
        for interface in 0..2 * u32::try_from(MOST_POINTS).unwrap() {
            let frame = ReceivedFrame {
                time_ns: 0,
                interface,
                hardware: 1,
                outgoing: false,
                original_length: 0,
                network: 0,
                bytes: &[],
            };
            assert!(place(&mut places, ("rs1", || true), &frame, &mut points).is_some());
        }
        assert_eq!((places.len(), points.len()), (MOST_POINTS, MOST_POINTS + 1));
        assert_eq!(points.last().unwrap().name, "rs1:others");
    }
}
