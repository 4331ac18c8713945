//! The way of a frame: ring, offload work, engine, batch.

use super::orders::{MemberState, Probe};
use super::{MemberId, Refusal, Snapshot};
use crate::kernel::{Arm, refuse_kernel_forwarding};
use crate::packet::batch::Batch;
use crate::packet::offload::{self, Work};
use crate::packet::ring::{Received, Ring};
use crate::relief::Relief;
use crate::silence::Silence;
use crate::{Error, SocketCounters};
use labsim_forwarder::{Changes, Engine, Instant, Plan, Takes};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Frames before timers, commands and signals are looked at.
const TURN: usize = 256;

/// Everything that a frame passes.
#[derive(Debug)]
pub(super) struct Path {
    arm: Arm,
    ring: Ring,
    batch: Batch,
    engine: Engine,
    /// What the engine is given.
    takes: Takes,
    /// Keeps the kernel from answering what is the engine's, as long as it lives.
    silence: Option<Silence>,
    /// Keeps the kernel from looking at it, once it comes in a stream.
    relief: Relief,
    /// Room for one segment of a frame of many.
    segment: Box<[u8]>,
    counters: SocketCounters,
    start: std::time::Instant,
}

impl Path {
    /// Opens both sides of the interface; frames come in from here on.
    pub(super) fn open(arm: Arm, engine: Engine) -> Result<Self, Error> {
        let takes = engine.takes();
        let silence = Silence::over(&arm, &takes)?;
        let mtu = arm.port.mtu;
        Ok(Self {
            batch: Batch::open(arm.index, mtu)?,
            ring: Ring::open(arm.index, mtu, &takes)?,
            engine,
            relief: Relief::of(&arm, &takes.whole),
            takes,
            silence,
            arm,
            segment: vec![0; mtu + 14].into_boxed_slice(),
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
                self.engine.prefetch(self.ring.coming());
            }
            let Self { ring, batch, engine, segment, counters, .. } = self;
            let moved = ring.receive(|received| {
                forward(now, received, engine, batch, segment, counters);
            });
            if moved.is_none() {
                break;
            }
            frames = count + 1;
        }
        if self.engine.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.engine.tick(now, &mut self.batch);
        }
        self.batch.flush();
        self.relief.note(now, frames);
    }

    /// Time until the engine has something to do by itself; `None` if it waits for frames only.
    pub(super) fn time_left(&self) -> Option<Duration> {
        Some(self.engine.next_deadline()?.since(self.now()))
    }

    /// Whether the interface is still there, after polling told of an error.
    pub(super) fn take_error(&self) -> Result<(), Error> {
        self.ring.take_error()
    }

    /// Takes another configuration over, and what it wants of the kernel.
    pub(super) fn reconfigure(&mut self, plan: Plan) -> Result<Changes, Refusal> {
        let now = self.now();
        let changes = self.engine.reconfigure(now, plan).map_err(Refusal::Problems)?;
        let takes = self.engine.takes();
        if takes != self.takes {
            let ipv6 = takes.whole.iter().any(IpAddr::is_ipv6);
            refuse_kernel_forwarding(&self.arm.name, ipv6).map_err(Refusal::Kernel)?;
            Silence::change(&mut self.silence, &self.arm, &takes).map_err(Refusal::Kernel)?;
            self.ring.set_takes(&takes).map_err(Refusal::Kernel)?;
            self.relief = Relief::of(&self.arm, &takes.whole);
            self.takes = takes;
        }
        // Requests for new members' next hops go out before anybody waits for them.
        self.work();
        Ok(changes)
    }

    /// Sends a monitor's packet; [`Self::work`] hands it to the kernel.
    pub(super) fn probe(&mut self, probe: &Probe) {
        let (now, MemberId { pool, member }) = (self.now(), &probe.to);
        // Whoever probes learns by the answer.
        let _ = self.engine.probe(now, (pool, *member), &probe.packet, &mut self.batch);
    }

    /// Takes a member out of the schedule, or brings it back.
    pub(super) fn set_down(&mut self, state: &MemberState) -> bool {
        let (now, MemberId { pool, member }) = (self.now(), &state.member);
        self.engine.set_down(now, pool, *member, state.down)
    }

    pub(super) fn counters(&mut self) -> Snapshot {
        let mut socket = self.ring.counters();
        socket.oversized += self.counters.oversized;
        socket.checksums_completed = self.counters.checksums_completed;
        socket.segmented = self.counters.segmented;
        self.batch.add_to(&mut socket);
        Snapshot { engine: Box::new(self.engine.counters()), socket }
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

fn forward(
    now: Instant,
    received: Received<'_>,
    engine: &mut Engine,
    batch: &mut Batch,
    segment: &mut [u8],
    counters: &mut SocketCounters,
) {
    let Received { offload, frame } = received;
    match offload::work(offload) {
        Work::Nothing => {
            let _ = engine.process(now, frame, batch);
        }
        Work::Checksum { start, offset } => {
            let completed = offload::complete_checksum(frame, start, offset);
            counters.checksums_completed += u64::from(completed);
            let _ = engine.process(now, frame, batch);
        }
        Work::TcpSegments { payload } => {
            let count = offload::segments(frame, payload, segment, |segment| {
                let _ = engine.process(now, segment, batch);
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
