//! The way of a frame: ring, offload work, engine, batch; or the fast path alone, for what the engine has
//! handed over.

use super::commands::{MemberState, Probe};
use super::fast_path::KernelPath;
use super::routed::Routed;
use super::{DataPlane, DataPlaneChoice, IngressDrop, MemberId, ReconfigureError, Snapshot};
use crate::ingress_drop::VipIngressDrop;
use crate::kernel::Interface;
use crate::kernel_rst_filter::{self, KernelRstFilter};
use crate::packet::batch::Batch;
use crate::packet::offload::{self, Checksums, Work};
use crate::packet::receiver::{Interfaces, Place, Receiver};
use crate::{Error, SocketCounters};
use labsim_forwarder::{
    Changes, CheckedConfig, DeliberateFault, Engine, Instant, MirroredFlow, MirroredFlows, RxFilter,
};
use labsim_sys::ring::RingFrame;
use nix::time::{ClockId, clock_gettime};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Frames before timers, commands and signals are looked at.
const TURN: usize = 256;
/// At least the longest outer headers: those of IPv6, UDP and GUE, or of IPv6 and GRE.
const MOST_OVERHEAD: usize = 64;

/// Everything that a frame passes.
#[derive(Debug)]
pub(super) struct Path {
    interface: Interface,
    receiver: Receiver,
    /// Those of the host's other interfaces.
    routed: Routed,
    batch: Batch,
    engine: Engine,
    /// What the engine is given.
    rx_filter: RxFilter,
    /// Keeps the kernel from what is the engine's, as long as it lives.
    kernel_side: KernelSide,
    /// How frames are moved, and why so.
    data_plane: DataPlane,
    /// Room for one segment of a frame of many.
    segment: Box<[u8]>,
    checksums: Checksums,
    counters: SocketCounters,
}

/// What keeps the kernel from packets of the engine's.
#[derive(Debug)]
enum KernelSide {
    /// The program at the interface hands each packet to whose it is.
    FastPath(KernelPath),
    /// Its own copies are dropped.
    Rules {
        /// Those of translated packets, which it would answer.
        rst_filter: Option<KernelRstFilter>,
        /// Those to VIPs.
        ingress_drop: VipIngressDrop,
    },
}

impl KernelSide {
    fn rules(interface: &Interface, rx_filter: &RxFilter) -> Result<Self, Error> {
        Ok(Self::Rules {
            rst_filter: KernelRstFilter::install(interface, rx_filter)?,
            ingress_drop: VipIngressDrop::new(&interface.name, &rx_filter.kept_from_host)?,
        })
    }

    /// The fast path if it is chosen and can be had, and else rules; and why not the fast path, where it is wanted.
    fn choose(
        choice: DataPlaneChoice,
        interface: &Interface,
        engine: &Engine,
        rx_filter: &RxFilter,
    ) -> Result<(Self, Option<String>), Error> {
        let wanted = engine.config().balancer.is_accelerated();
        let ring = |reason| Ok((Self::rules(interface, rx_filter)?, reason));
        if choice == DataPlaneChoice::Ring {
            return ring(wanted.then(|| "chosen (--data-plane ring)".to_owned()));
        }
        if choice == DataPlaneChoice::Auto && !wanted {
            return ring(None);
        }
        kernel_rst_filter::refuse_collision_with(rx_filter)?;
        match KernelPath::attach(interface, engine, rx_filter) {
            Ok(path) => Ok((Self::FastPath(path), None)),
            Err(error) if choice == DataPlaneChoice::Auto => ring(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Keeps the kernel from other packets from here on.
    fn change(&mut self, interface: &Interface, rx_filter: &RxFilter) -> Result<(), Error> {
        match self {
            Self::FastPath(path) => {
                kernel_rst_filter::refuse_collision_with(rx_filter)?;
                path.set_filter(rx_filter)
            }
            Self::Rules { rst_filter, ingress_drop } => {
                ingress_drop.change(&rx_filter.kept_from_host)?;
                KernelRstFilter::change(rst_filter, interface, rx_filter)
            }
        }
    }
}

impl Path {
    /// Opens both sides of the interface; frames come in from here on.
    pub(super) fn open(
        interface: Interface,
        mut engine: Engine,
        choice: DataPlaneChoice,
        place: Place,
    ) -> Result<Self, Error> {
        let rx_filter = engine.rx_filter();
        let mtu = interface.port.mtu;
        let faulty = |fault| engine.config().balancer.has_fault(fault);
        let oversize = if faulty(DeliberateFault::NoSizeCheck) { MOST_OVERHEAD } else { 0 };
        let checksums = if faulty(DeliberateFault::RawChecksums) {
            Checksums::HalfMade
        } else {
            Checksums::Complete
        };
        // Before the ring: what the kernel would answer or forward too is nobody's for a moment.
        let (kernel_side, reason) = KernelSide::choose(choice, &interface, &engine, &rx_filter)?;
        let bound_to = match &kernel_side {
            KernelSide::FastPath(path) => {
                engine.set_offload(Box::new(path.clone()));
                path.engine_interface()
            }
            KernelSide::Rules { .. } => interface.index,
        };
        let groups_at = interface.index;
        let receiver = Receiver::open(Interfaces { bound_to, groups_at }, mtu, &rx_filter, place)?;
        let name = match (&kernel_side, receiver.place()) {
            (KernelSide::FastPath(_), _) => DataPlane::FAST_PATH,
            (KernelSide::Rules { .. }, Place::Ring) => DataPlane::PACKET_RING,
            (KernelSide::Rules { .. }, Place::Queue) => DataPlane::PACKET_SOCKET,
        };
        Ok(Self {
            batch: Batch::open(&interface, mtu + oversize)?,
            routed: Routed::open(&interface, &rx_filter, place)?,
            receiver,
            engine,
            rx_filter,
            kernel_side,
            data_plane: DataPlane { name: name.to_owned(), reason },
            interface,
            segment: vec![0; mtu + 14].into_boxed_slice(),
            checksums,
            counters: SocketCounters::default(),
        })
    }

    /// Moves what waits, up to a turn's frames, and does what is due.
    pub(super) fn work(&mut self) {
        let mut now = now();
        let mut frames = 0;
        for count in 0..TURN {
            if count % Engine::PREFETCH == 0 {
                now = self::now();
                self.receiver.prefetch(&self.engine);
            }
            let Self { receiver, batch, engine, segment, checksums, counters, .. } = self;
            let moved = receiver.receive(|received| {
                forward(received, segment, *checksums, counters, |frame| {
                    let _ = engine.process(now, frame, batch);
                });
            });
            if moved.is_none() {
                break;
            }
            frames = count + 1;
        }
        let Self { routed, batch, engine, segment, checksums, counters, .. } = self;
        routed.receive(TURN, |received| {
            forward(received, segment, *checksums, counters, |frame| {
                let _ = engine.process_routed(now, frame, batch);
            });
        });
        if self.engine.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.engine.tick(now, &mut self.batch);
        }
        self.batch.flush();
        match &mut self.kernel_side {
            // What was there has gone out: what the fast path forwards from here on does not overtake it.
            KernelSide::FastPath(_) => self.engine.hand_over(now),
            KernelSide::Rules { ingress_drop, .. } => ingress_drop.observe(now, frames),
        }
    }

    /// Time until the engine has something to do by itself; `None` if it waits for frames only.
    pub(super) fn time_left(&self) -> Option<Duration> {
        if self.receiver.has_fetched() || self.routed.has_fetched() {
            return Some(Duration::ZERO);
        }
        Some(self.engine.next_deadline()?.since(now()))
    }

    /// Whether the interface still exists, after polling reported an error.
    pub(super) fn take_error(&self) -> Result<(), Error> {
        self.receiver.take_error()?;
        self.batch.check_bound()?;
        self.routed.take_error()
    }

    /// What is ready when a frame is in the ring of another interface.
    pub(super) fn routed(&self) -> &Routed {
        &self.routed
    }

    /// RxFilter another configuration over, and what it wants of the kernel.
    pub(super) fn reconfigure(
        &mut self,
        checked: CheckedConfig,
    ) -> Result<Changes, ReconfigureError> {
        let now = now();
        let changes = self.engine.reconfigure(now, checked).map_err(ReconfigureError::Problems)?;
        let rx_filter = self.engine.rx_filter();
        if rx_filter != self.rx_filter {
            self.kernel_side
                .change(&self.interface, &rx_filter)
                .map_err(ReconfigureError::Kernel)?;
            self.receiver.set_filter(&rx_filter).map_err(ReconfigureError::Kernel)?;
            self.routed.change(&rx_filter).map_err(ReconfigureError::Kernel)?;
            self.rx_filter = rx_filter;
        }
        // Requests for new members' next hops go out before the first packet needs them.
        self.work();
        Ok(changes)
    }

    /// Sends a monitor's packet; [`Self::work`] hands it to the kernel.
    pub(super) fn probe(&mut self, probe: &Probe) {
        let (now, MemberId { pool, member }) = (now(), &probe.to);
        // The monitor learns the outcome by the answer to its probe.
        let _ = self.engine.probe(now, pool, *member, &probe.packet, &mut self.batch);
    }

    /// RxFilter a member out of the schedule, or brings it back.
    pub(super) fn set_down(&mut self, state: &MemberState) -> bool {
        let (now, MemberId { pool, member }) = (now(), &state.member);
        self.engine.set_down(now, pool, *member, state.down)
    }

    /// Has the engine begin anew; `false` if it cannot, and has not.
    pub(super) fn begin_anew(&mut self) -> bool {
        self.engine.begin_anew().is_ok()
    }

    /// A page of the flows that are mirrored.
    pub(super) fn mirrored_flows(&mut self, from: u32) -> MirroredFlows {
        let now = now();
        self.engine.mirrored_flows(now, from)
    }

    /// Takes copies of flows over; returns how many were.
    pub(super) fn add_mirrored_flows(&mut self, flows: &[MirroredFlow]) -> u64 {
        let now = now();
        self.engine.add_mirrored_flows(now, flows)
    }

    pub(super) fn counters(&mut self) -> Snapshot {
        let mut socket = self.receiver.counters();
        self.routed.add_to(&mut socket);
        socket.oversized += self.counters.oversized;
        socket.checksums_completed = self.counters.checksums_completed;
        socket.segmented = self.counters.segmented;
        self.batch.add_to(&mut socket);
        if let KernelSide::FastPath(path) = &self.kernel_side {
            socket.send_errors += path.lost();
        }
        Snapshot {
            engine: Box::new(self.engine.counters()),
            socket,
            ingress_drop: match &self.kernel_side {
                KernelSide::FastPath(_) => IngressDrop::NotNeeded,
                KernelSide::Rules { ingress_drop, .. } => ingress_drop.status(),
            },
            data_plane: self.data_plane.clone(),
        }
    }

    /// How frames are moved.
    pub(super) const fn data_plane(&self) -> &DataPlane {
        &self.data_plane
    }

    /// Closes the sockets side by side: the kernel waits for a grace period in each close of a packet socket.
    pub(super) fn close(self) {
        let Self { receiver, routed, batch, .. } = self;
        // A thread that cannot start has dropped its socket here.
        let closers = [
            std::thread::Builder::new().spawn(move || drop(batch)),
            std::thread::Builder::new().spawn(move || drop(routed)),
        ];
        drop(receiver);
        for closer in closers.into_iter().flatten() {
            let _ = closer.join();
        }
    }
}

/// The engine's time, on the clock that the kernel's program reads too.
fn now() -> Instant {
    // It fails for a clock that is not there only.
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    Instant::ZERO.after(time)
}

impl AsFd for Path {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

/// Does what an offload left undone, and hands each frame to `process`.
fn forward(
    received: RingFrame<'_>,
    segment: &mut [u8],
    checksums: Checksums,
    counters: &mut SocketCounters,
    mut process: impl FnMut(&[u8]),
) {
    let RingFrame { offload, frame } = received;
    match offload::work(offload) {
        Work::Nothing => process(frame),
        Work::Checksum { start, offset } => {
            if checksums == Checksums::Complete {
                let completed = offload::complete_checksum(frame, start, offset);
                counters.checksums_completed += u64::from(completed);
            }
            process(frame);
        }
        Work::TcpSegments { payload } => {
            let count = offload::segments(frame, payload, checksums, segment, |segment| {
                process(segment);
            });
            if count == 0 {
                counters.oversized += 1;
            } else {
                counters.segmented += 1;
            }
        }
        Work::Unknown => counters.oversized += 1,
    }
}
