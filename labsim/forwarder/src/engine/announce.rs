//! Announcing own addresses on the segment, so that neighbours which know another link-layer address
//! for them learn this one: what a standby load balancer does when it takes over.

use super::Engine;
use crate::{Announcements, DeliberateFault, Instant, Transmit};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// The announcements of one address that are still to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingAnnouncements {
    left: u16,
    /// When the next one is.
    pub(super) due: Instant,
    interval: Duration,
}

impl Engine {
    /// The addresses that ARP requests and neighbour solicitations are answered for.
    pub(super) fn answered_addresses(&self) -> BTreeSet<IpAddr> {
        let vips = self.services.vips.iter().filter(|(_, vip)| vip.answers).map(|(vip, _)| *vip);
        let snat = self.snat.addresses().filter(|address| address.answers);
        vips.chain(snat.map(|address| address.ip)).collect()
    }

    /// Remembers the addresses that are answered for now and were not `before`.
    pub(super) fn announce_later(&mut self, now: Instant, before: &BTreeSet<IpAddr>) {
        let answered = self.answered_addresses();
        self.unannounced.retain(|address, _| answered.contains(address));
        let balancer = &self.config.balancer;
        if balancer.has_fault(DeliberateFault::NoGratuitousArp) {
            return;
        }
        let Announcements { count, interval } = balancer.announcements;
        if count == 0 {
            return;
        }
        let pending = PendingAnnouncements { left: count, due: now, interval };
        self.unannounced.extend(answered.difference(before).map(|address| (*address, pending)));
    }

    /// Makes the announcements that are due, as Linux does with `arp_notify` and `ndisc_notify`;
    /// what finds no room is announced at the next call.
    pub(super) fn announce(&mut self, now: Instant, tx: &mut impl Transmit) {
        let mut unannounced = std::mem::take(&mut self.unannounced);
        for (address, pending) in &mut unannounced {
            if pending.due > now {
                continue;
            }
            let sent = match *address {
                IpAddr::V4(address) => self.announce_arp(address, tx),
                IpAddr::V6(address) => self.announce_ndp(address, tx),
            };
            if !sent {
                break;
            }
            pending.left = pending.left.saturating_sub(1);
            pending.due = now.after(pending.interval);
            self.answers.announcement += 1;
        }
        unannounced.retain(|_, pending| pending.left > 0);
        self.unannounced = unannounced;
    }
}
