//! The thread that reads the packet sockets of all nodes.

use super::Progress;
use super::frames::{Arena, Captured, Point, Seen};
use super::marker::{Marker, MarkerKind};
use super::points::Layout;
use super::receive::{is_of_fast_path, network_layer, take_drops};
use super::scope::Scope;
use labsim_scenario::model::{Direction, InterfaceName, NodeName};
use labsim_sys::batch::{ReceiveBuffers, ReceivedFrame};
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::{self, Mac};
use labsim_wire::frame_store::StoredFrame;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The event that ends the thread; the others are places of taps.
const STOP: u64 = u64::MAX;

/// A node's receiving socket.
#[derive(Debug)]
pub(super) struct Tap {
    /// The node's place in the layout.
    pub(super) node: usize,
    pub(super) socket: OwnedFd,
}

/// The thread's state.
pub(super) struct Reader {
    taps: Vec<Tap>,
    epoll: Epoll,
    progress: Arc<Progress>,
    stop: Arc<EventFd>,
    collected: Collected,
}

/// What has been read.
pub(super) struct Read {
    pub(super) sockets: Vec<OwnedFd>,
    collected: Collected,
}

struct Collected {
    arena: Arena,
    points: Vec<PointState>,
    /// Points by node and device number; `None` of a device that is left out.
    by_device: BTreeMap<(usize, u32), Option<usize>>,
    scope: Scope,
    nodes: Vec<NodeName>,
    /// By node.
    drops: Vec<u64>,
}

/// A point, and what its markers have said.
struct PointState {
    /// Whether its frames are kept.
    taken: bool,
    node: usize,
    interface: InterfaceName,
    link: LinkType,
    started_ns: Option<u64>,
    ended_ns: Option<u64>,
    /// The device's; `None` of one that the plan does not know.
    mac: Option<Mac>,
}

/// What a batch of frames adds to the progress.
#[derive(Default)]
struct ProgressUpdate {
    frames: u64,
    left: Vec<(usize, u32)>,
    arrived: Vec<(usize, u32)>,
}

impl Reader {
    pub(super) fn new(
        taps: Vec<Tap>,
        layout: &Layout,
        scope: Scope,
        progress: Arc<Progress>,
        stop: Arc<EventFd>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*stop, EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
        for (place, tap) in taps.iter().enumerate() {
            epoll.add(&tap.socket, EpollEvent::new(EpollFlags::EPOLLIN, place as u64))?;
        }
        Ok(Self { taps, epoll, progress, stop, collected: Collected::new(layout, scope) })
    }

    /// Reads until it is stopped, and then what is still waiting.
    pub(super) fn run(mut self) -> io::Result<Read> {
        let outcome = self.read();
        let mut state = self.progress.lock();
        state.ended = true;
        self.progress.changed.notify_all();
        drop(state);
        outcome?;
        for tap in &self.taps {
            if let Some(drops) = self.collected.drops.get_mut(tap.node) {
                *drops += take_drops(&tap.socket);
            }
        }
        drop(self.stop);
        let sockets = self.taps.into_iter().map(|tap| tap.socket).collect();
        Ok(Read { sockets, collected: self.collected })
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffers = ReceiveBuffers::default();
        let mut events = [EpollEvent::empty(); 32];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => 0,
                count => count?,
            };
            let ready = events.get(..count).unwrap_or_default();
            let stopped = ready.iter().any(|event| event.data() == STOP);
            let ready: Vec<_> = match stopped {
                true => (0..self.taps.len()).collect(),
                false => ready.iter().filter_map(|it| usize::try_from(it.data()).ok()).collect(),
            };
            for place in ready {
                self.drain(place, &mut buffers)?;
            }
            if stopped {
                return Ok(());
            }
        }
    }

    fn drain(&mut self, place: usize, buffers: &mut ReceiveBuffers) -> io::Result<()> {
        let Some(tap) = self.taps.get(place) else { return Ok(()) };
        let mut more = true;
        while more {
            let mut update = ProgressUpdate::default();
            more = buffers.receive(tap.socket.as_fd(), |frame| {
                self.collected.take(tap, &frame, &mut update);
            })?;
            self.progress.apply(&update);
        }
        Ok(())
    }
}

impl Progress {
    fn apply(&self, update: &ProgressUpdate) {
        let mut state = self.lock();
        state.frames += update.frames;
        for (point, round) in &update.left {
            if let Some(seen) = state.seen.get_mut(*point) {
                seen.left = seen.left.max(*round);
            }
        }
        for (point, round) in &update.arrived {
            if let Some(seen) = state.seen.get_mut(*point) {
                seen.arrived = seen.arrived.max(*round);
            }
        }
        if !(update.left.is_empty() && update.arrived.is_empty()) {
            self.changed.notify_all();
        }
    }
}

impl Collected {
    fn new(layout: &Layout, scope: Scope) -> Self {
        let points: Vec<_> = layout
            .points
            .iter()
            .map(|it| PointState {
                taken: layout
                    .nodes
                    .get(it.node)
                    .is_some_and(|node| scope.takes(node, &it.interface)),
                node: it.node,
                interface: it.interface.clone(),
                link: it.link,
                started_ns: None,
                ended_ns: None,
                mac: Some(it.mac),
            })
            .collect();
        let by_device = layout.points.iter().enumerate();
        let by_device = by_device.map(|(place, it)| ((it.node, it.index), Some(place))).collect();
        let nodes = layout.nodes.clone();
        let drops = vec![0; nodes.len()];
        Self { arena: Arena::default(), points, by_device, scope, nodes, drops }
    }

    fn take(&mut self, tap: &Tap, frame: &ReceivedFrame<'_>, update: &mut ProgressUpdate) {
        let Some(place) = self.place(tap, frame) else { return };
        let Some(point) = self.points.get_mut(place) else { return };
        let frame = match point.link {
            LinkType::Raw => &network_layer(*frame),
            LinkType::Ethernet => frame,
        };
        let direction = if frame.outgoing { Direction::Out } else { Direction::In };
        let marker = Marker::parse(point.link, frame.bytes);
        match marker {
            None => update.frames += 1,
            Some(marker) => {
                if marker.point == place && direction == Direction::Out {
                    update.left.push((place, marker.round));
                    match marker.kind {
                        Some(MarkerKind::Start) => point.started_ns = Some(frame.time_ns),
                        Some(MarkerKind::End) => point.ended_ns = Some(frame.time_ns),
                        None => {}
                    }
                }
                if direction == Direction::In && is_for(frame.bytes, point.mac) {
                    update.arrived.push((marker.point, marker.round));
                }
                if marker.kind.is_none() {
                    return;
                }
            }
        }
        if !point.taken {
            return;
        }
        let marker = marker.and_then(|marker| marker.kind);
        let seen = Seen { time_ns: frame.time_ns, point: place, direction, marker };
        let ReceivedFrame { original_length, bytes, .. } = *frame;
        let bytes = self.scope.cut(bytes);
        let stored = StoredFrame { link: point.link, original_length, bytes };
        if marker.is_none() && !self.scope.passes(direction, &stored) {
            return;
        }
        if !self.arena.push(seen, stored)
            && let Some(drops) = self.drops.get_mut(tap.node)
        {
            *drops += 1;
        }
    }

    /// The frame's point; a device that the plan does not know gets one, unless it is a fast path's.
    fn place(&mut self, tap: &Tap, frame: &ReceivedFrame<'_>) -> Option<usize> {
        if let Some(place) = self.by_device.get(&(tap.node, frame.interface)) {
            return *place;
        }
        let place = match is_of_fast_path(&tap.socket, frame.interface) {
            true => None,
            false => Some(self.add_point(tap.node, frame)?),
        };
        self.by_device.insert((tap.node, frame.interface), place);
        place
    }

    fn add_point(&mut self, node: usize, frame: &ReceivedFrame<'_>) -> Option<usize> {
        let interface = InterfaceName::new(&format!("if{}", frame.interface)).ok()?;
        self.points.push(PointState {
            taken: self.scope.takes(self.nodes.get(node)?, &interface),
            node,
            interface,
            link: if frame.is_ethernet() { LinkType::Ethernet } else { LinkType::Raw },
            started_ns: None,
            ended_ns: None,
            mac: None,
        });
        Some(self.points.len() - 1)
    }
}

/// Whether a marker was sent to that device: a segment shows it to others too.
fn is_for(marker: &[u8], mac: Option<Mac>) -> bool {
    ethernet::View::new(marker).is_ok_and(|frame| Some(frame.destination()) == mac)
}

impl Read {
    pub(super) fn into_captured(self, layout: &Layout) -> Captured {
        let Collected { arena, points, scope, drops, .. } = self.collected;
        let (mut places, mut taken) = (Vec::with_capacity(points.len()), Vec::new());
        for it in points {
            // At most as many as fit, as all their frames' places do.
            places.push(u32::try_from(taken.len()).unwrap_or(u32::MAX));
            let Some(node) = layout.nodes.get(it.node).filter(|_| it.taken) else { continue };
            taken.push(Point {
                node: node.clone(),
                interface: it.interface,
                link: it.link,
                started_ns: it.started_ns,
                ended_ns: it.ended_ns,
            });
        }
        let drops = layout.nodes.iter().cloned().zip(drops).filter(|(_, drops)| *drops > 0);
        arena.into_captured(taken, &places, (drops.collect(), scope.is_partial()))
    }
}
