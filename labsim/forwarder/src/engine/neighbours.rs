//! Neighbours of both families: asked for at their time, and what waits for them.

use super::deliver::{Outgoing, count_outcome, transmit};
use super::ip::{Ip, Ipv6};
use super::rewrite::Rewrite;
use super::{Engine, NeighbourId};
use crate::neighbour::{Due, QueuedPacket, Resolution};
use crate::port::NextHop;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::ipv4;
use std::net::IpAddr;

impl Engine {
    /// The neighbour that packets to an address are sent to, known or to be asked for.
    pub(super) fn neighbour_towards(
        &mut self,
        now: Instant,
        to: IpAddr,
    ) -> Result<NeighbourId, Outcome> {
        match self.routes.next_hop(to) {
            Some(NextHop::Neighbour(next_hop)) => {
                self.neighbours.find_or_add(next_hop, now).ok_or(Outcome::NeighbourTableFull)
            }
            Some(NextHop::Host(_)) => Ok(NeighbourId::HOST),
            None => Err(Outcome::NoRoute),
        }
    }

    /// Sends requests that are due, and gives up neighbours that do not answer.
    pub(super) fn send_neighbour_requests(&mut self, now: Instant, tx: &mut impl Transmit) {
        while let Some(due) = self.neighbours.take_due(now) {
            match due {
                Due::Ask { address, known } => self.send_neighbour_request(address, known, tx),
                Due::Failed(neighbour) => self.drop_queue(neighbour),
            }
        }
    }

    /// Sends a request for a neighbour, from the nearest address of the interface. A request that
    /// cannot be queued is repeated at the next due time.
    fn send_neighbour_request(&self, target: IpAddr, known: Option<Mac>, tx: &mut impl Transmit) {
        let _ = match (self.port.source_for(target, target), target) {
            (Some(IpAddr::V4(own)), IpAddr::V4(target)) => {
                self.send_arp_request(own, target, known.unwrap_or(Mac::BROADCAST), tx)
            }
            (Some(IpAddr::V6(own)), IpAddr::V6(target)) => self.solicit(own, target, known, tx),
            _ => false,
        };
    }

    /// Sends packets that waited for a neighbour, oldest first.
    pub(super) fn flush_queue(
        &mut self,
        neighbour: NeighbourId,
        now: Instant,
        tx: &mut impl Transmit,
    ) {
        if self.waiting.len() == 0 {
            return;
        }
        let Resolution::Ready(mac) = self.neighbours.resolve(neighbour, now) else { return };
        let Self { waiting, encapsulator, members, tallies, answers, port, .. } = self;
        while let Some((what, packet)) = waiting.pop(neighbour) {
            match what {
                QueuedPacket::Forwarded { purpose, frame } => {
                    let rewrite = Rewrite::UNCHANGED;
                    let outcome = if let Some(packet) = ipv4::View::parse(packet) {
                        let outgoing = Outgoing { purpose, packet, rewrite, frame };
                        transmit(encapsulator, members, mac, &outgoing, tx)
                    } else if let Some(packet) = Ipv6::parse(packet) {
                        let outgoing = Outgoing { purpose, packet, rewrite, frame };
                        transmit(encapsulator, members, mac, &outgoing, tx)
                    } else {
                        // Queued packets were parsed when they arrived.
                        Outcome::FrameTruncated
                    };
                    count_outcome(tallies, purpose, outcome, frame);
                }
                QueuedPacket::Answer(kind) => {
                    let link = ethernet::Header {
                        destination: mac,
                        source: port.mac,
                        ethertype: match packet.first().map(|first| first >> 4) {
                            Some(6) => ethertype::IPV6,
                            _ => ethertype::IPV4,
                        },
                    };
                    let sent = tx.transmit(ethernet::HEADER_LEN + packet.len(), |frame| {
                        link.emit(frame)?;
                        frame[ethernet::HEADER_LEN..].copy_from_slice(packet);
                        Ok(())
                    });
                    answers.count(kind, sent);
                }
            }
        }
    }

    /// Drops packets that waited for a neighbour that does not answer.
    pub(super) fn drop_queue(&mut self, neighbour: NeighbourId) {
        while let Some((what, _)) = self.waiting.pop(neighbour) {
            match what {
                QueuedPacket::Forwarded { purpose, frame } => {
                    count_outcome(&mut self.tallies, purpose, Outcome::NeighbourUnreachable, frame);
                }
                QueuedPacket::Answer(_) => self.answers.unsendable += 1,
            }
        }
    }
}
