//! Members that their monitors find down: they get no new flow, and their open ones go the way that
//! their pool says (F5's `service-down-action`).
//!
//! | `action_on_down` | an open flow |
//! |---|---|
//! | `none` | stays with the member until it ends |
//! | `reset` | ends at once; a TCP client and the member are each sent a RST. A datagram that comes later begins a flow with another member |
//! | `reselect` | goes to another member with its client's next packet, also without loose initiation |
//!
//! Flows that end at once are looked for a few at a time, between turns of packets; a client's
//! packet that comes before its flow was found meets the same end.

use super::ip::Ip;
use super::packet::Packet;
use super::select::STALE;
use super::{Engine, Member, Placement};
use crate::flow::{Flow, FlowId};
use crate::{ActionOnDown, Instant, Transmit};
use labsim_wire::protocol;
use std::net::SocketAddr;

/// Flows that one [`Engine::tick`] looks at, and ends, at most, so that packets are not kept
/// waiting: an end sends two frames.
const LOOKS: u32 = 1024;
const ENDS: u32 = 32;

/// The search for flows of members that went down.
#[derive(Debug)]
pub(super) struct Sweep {
    /// The number of the flow that is looked at next.
    next: u32,
    /// How many are still to be looked at, from there and round.
    left: u32,
    due: Instant,
}

impl Sweep {
    pub(super) const fn due(&self) -> Instant {
        self.due
    }
}

/// How a packet of an open flow is handled when its member may be down.
pub(super) enum FlowDisposition {
    /// The packet belongs to its flow.
    Keep,
    /// The flow has ended; a TCP sender gets a RST.
    Reset,
    /// The flow was removed, and the packet may begin a new one; if `loose`, also without a SYN.
    Reselect { loose: bool },
}

impl Member {
    /// What happens to its flows now.
    #[inline]
    const fn down_action(&self) -> ActionOnDown {
        if self.down { self.on_down } else { ActionOnDown::None }
    }
}

impl Engine {
    /// A member's monitor finds it down, or up again. Linear in the members, and not in flows.
    ///
    /// `false` if there is no such member, or it has no monitor.
    #[must_use]
    pub fn set_down(&mut self, now: Instant, pool: &str, member: SocketAddr, down: bool) -> bool {
        let watched =
            self.config.balancer.pools.get(pool).is_some_and(|pool| pool.monitor.is_some());
        let Some(number) = self.number_of(pool, member).filter(|_| watched) else { return false };
        let member = &mut self.members[usize::from(number)];
        if member.down != down {
            member.down = down;
            if let Placement::InPool { pool, .. } = member.placement {
                self.pools[usize::from(pool)].neighbours_version = STALE;
            }
            self.begin_sweep(now);
            self.invalidate_paths();
            self.refresh_paths();
        }
        true
    }

    /// The number of a pool's member.
    pub(super) fn number_of(&self, pool: &str, member: SocketAddr) -> Option<u16> {
        let pool = self.pools.iter().find(|one| one.name == pool)?;
        let is_it = |number: &&u16| {
            let one = &self.members[usize::from(**number)];
            (one.ip, one.port) == (member.ip(), member.port())
        };
        pool.members.iter().find(is_it).copied()
    }

    /// Looks for flows that end because of their member, from wherever the search is.
    pub(super) fn begin_sweep(&mut self, now: Instant) {
        if self.members.iter().any(|member| member.down_action() == ActionOnDown::Reset) {
            let next = self.sweep.as_ref().map_or(1, |sweep| sweep.next);
            self.sweep = Some(Sweep { next, left: self.flows.highest(), due: now });
        }
    }

    /// Continues that search.
    pub(super) fn sweep(&mut self, now: Instant, tx: &mut impl Transmit) {
        let Some(mut sweep) = self.sweep.take() else { return };
        let (mut looks, mut ends) = (LOOKS, ENDS);
        while sweep.left > 0 && looks > 0 && ends > 0 {
            looks -= 1;
            sweep.left -= 1;
            let found = self.flows.at(sweep.next);
            sweep.next = sweep.next % self.flows.highest() + 1;
            if let Some(id) = found
                && self.member_of(self.flows.get(id)).down_action() == ActionOnDown::Reset
            {
                ends -= 1;
                self.end(now, id, tx);
            }
        }
        if sweep.left > 0 {
            self.sweep = Some(sweep);
        }
    }

    /// Ends a flow whose member is down, and resets both ends of a TCP connection.
    fn end(&mut self, now: Instant, id: FlowId, tx: &mut impl Transmit) {
        self.take_back(id);
        let flow = self.flows.get(id);
        if self.flows.key(id).protocol() == protocol::TCP && flow.seen.acknowledged() {
            self.reset_both_ends(now, id, flow, tx);
        }
        self.forget(id, |counters| &mut counters.member_down);
    }

    /// How a client's packet of this flow is handled, by the state of its member.
    #[inline]
    pub(super) fn disposition<'a>(
        &mut self,
        id: FlowId,
        flow: Flow,
        packet: &Packet<'_, impl Ip<'a>>,
    ) -> FlowDisposition {
        match self.member_of(flow).down_action() {
            ActionOnDown::None => FlowDisposition::Keep,
            ActionOnDown::Reset => {
                self.forget(id, |counters| &mut counters.member_down);
                let connects = packet.is_syn() || packet.protocol() != protocol::TCP;
                if connects || packet.is_non_first_fragment() {
                    FlowDisposition::Reselect { loose: false }
                } else {
                    FlowDisposition::Reset
                }
            }
            ActionOnDown::Reselect => {
                self.forget(id, |counters| &mut counters.reselected);
                FlowDisposition::Reselect { loose: true }
            }
        }
    }

    #[inline]
    fn member_of(&self, flow: Flow) -> &Member {
        &self.members[usize::from(flow.member)]
    }
}
