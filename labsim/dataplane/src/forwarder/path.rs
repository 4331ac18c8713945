//! The way of a frame: ring, offload work, engine, batch.

use super::commands::{MemberState, Probe};
use super::routed::Routed;
use super::{MemberId, ReconfigureError, Snapshot};
use crate::ingress_drop::VipIngressDrop;
use crate::kernel::Interface;
use crate::kernel_rst_filter::KernelRstFilter;
use crate::packet::batch::Batch;
use crate::packet::offload::{self, Checksums, Work};
use crate::packet::ring::Ring;
use crate::{Error, SocketCounters};
use labsim_forwarder::{
    Changes, CheckedConfig, DeliberateFault, Engine, Instant, MirroredFlow, MirroredFlows, RxFilter,
};
use labsim_sys::ring::RingFrame;
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
    ring: Ring,
    /// Those of the host's other interfaces.
    routed: Routed,
    batch: Batch,
    engine: Engine,
    /// What the engine is given.
    rx_filter: RxFilter,
    /// Keeps the kernel from answering what is the engine's, as long as it lives.
    kernel_rst_filter: Option<KernelRstFilter>,
    /// Keeps the kernel from handling it.
    ingress_drop: VipIngressDrop,
    /// Room for one segment of a frame of many.
    segment: Box<[u8]>,
    checksums: Checksums,
    counters: SocketCounters,
    start: std::time::Instant,
}

impl Path {
    /// Opens both sides of the interface; frames come in from here on.
    pub(super) fn open(interface: Interface, engine: Engine) -> Result<Self, Error> {
        let rx_filter = engine.rx_filter();
        let kernel_rst_filter = KernelRstFilter::install(&interface, &rx_filter)?;
        let mtu = interface.port.mtu;
        let faulty = |fault| engine.config().balancer.has_fault(fault);
        let oversize = if faulty(DeliberateFault::NoSizeCheck) { MOST_OVERHEAD } else { 0 };
        let checksums = if faulty(DeliberateFault::RawChecksums) {
            Checksums::HalfMade
        } else {
            Checksums::Complete
        };
        Ok(Self {
            batch: Batch::open(&interface, mtu + oversize)?,
            // Before the ring: what the kernel would answer or forward too is nobody's for a moment.
            ingress_drop: VipIngressDrop::new(&interface.name, &rx_filter.kept_from_host)?,
            routed: Routed::open(&interface, &rx_filter)?,
            ring: Ring::open(interface.index, mtu, &rx_filter)?,
            engine,
            rx_filter,
            kernel_rst_filter,
            interface,
            segment: vec![0; mtu + 14].into_boxed_slice(),
            checksums,
            counters: SocketCounters::default(),
            start: std::time::Instant::now(),
        })
    }

    /// Moves what is in the ring, up to a turn's frames, and does what is due.
    pub(super) fn work(&mut self) {
        let mut now = self.now();
        let mut frames = 0;
        for count in 0..TURN {
            if count % Engine::PREFETCH == 0 {
                now = self.now();
                self.engine.prefetch(self.ring.pending());
            }
            let Self { ring, batch, engine, segment, checksums, counters, .. } = self;
            let moved = ring.receive(|received| {
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
        self.ingress_drop.observe(now, frames);
    }

    /// Time until the engine has something to do by itself; `None` if it waits for frames only.
    pub(super) fn time_left(&self) -> Option<Duration> {
        Some(self.engine.next_deadline()?.since(self.now()))
    }

    /// Whether the interface still exists, after polling reported an error.
    pub(super) fn take_error(&self) -> Result<(), Error> {
        self.ring.take_error()?;
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
        let now = self.now();
        let changes = self.engine.reconfigure(now, checked).map_err(ReconfigureError::Problems)?;
        let rx_filter = self.engine.rx_filter();
        if rx_filter != self.rx_filter {
            self.ingress_drop
                .change(&rx_filter.kept_from_host)
                .map_err(ReconfigureError::Kernel)?;
            KernelRstFilter::change(&mut self.kernel_rst_filter, &self.interface, &rx_filter)
                .map_err(ReconfigureError::Kernel)?;
            self.ring.set_filter(&rx_filter).map_err(ReconfigureError::Kernel)?;
            self.routed.change(&rx_filter).map_err(ReconfigureError::Kernel)?;
            self.rx_filter = rx_filter;
        }
        // Requests for new members' next hops go out before the first packet needs them.
        self.work();
        Ok(changes)
    }

    /// Sends a monitor's packet; [`Self::work`] hands it to the kernel.
    pub(super) fn probe(&mut self, probe: &Probe) {
        let (now, MemberId { pool, member }) = (self.now(), &probe.to);
        // The monitor learns the outcome by the answer to its probe.
        let _ = self.engine.probe(now, pool, *member, &probe.packet, &mut self.batch);
    }

    /// RxFilter a member out of the schedule, or brings it back.
    pub(super) fn set_down(&mut self, state: &MemberState) -> bool {
        let (now, MemberId { pool, member }) = (self.now(), &state.member);
        self.engine.set_down(now, pool, *member, state.down)
    }

    /// Has the engine begin anew; `false` if it cannot, and has not.
    pub(super) fn begin_anew(&mut self) -> bool {
        self.engine.begin_anew().is_ok()
    }

    /// A page of the flows that are mirrored.
    pub(super) fn mirrored_flows(&self, from: u32) -> MirroredFlows {
        self.engine.mirrored_flows(self.now(), from)
    }

    /// Takes copies of flows over; returns how many were.
    pub(super) fn add_mirrored_flows(&mut self, flows: &[MirroredFlow]) -> u64 {
        let now = self.now();
        self.engine.add_mirrored_flows(now, flows)
    }

    pub(super) fn counters(&mut self) -> Snapshot {
        let mut socket = self.ring.counters();
        self.routed.add_to(&mut socket);
        socket.oversized += self.counters.oversized;
        socket.checksums_completed = self.counters.checksums_completed;
        socket.segmented = self.counters.segmented;
        self.batch.add_to(&mut socket);
        Snapshot {
            engine: Box::new(self.engine.counters()),
            socket,
            ingress_drop: self.ingress_drop.status(),
        }
    }

    fn now(&self) -> Instant {
        Instant::ZERO.after(self.start.elapsed())
    }
}

impl AsFd for Path {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
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
