//! Neighbours of both families: asked for at their time, and what waits for them.

use super::deliver::{Passing, send_on, tally};
use super::ip::{Ip, Ipv6};
use super::rewrite::Rewrite;
use super::{Engine, NeighbourId};
use crate::neighbour::{Due, Resolution, Waiting};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::ipv4;
use std::net::IpAddr;

impl Engine {
    /// Asks those that are due, and gives up those that do not answer.
    pub(super) fn ask_neighbours(&mut self, now: Instant, tx: &mut impl Transmit) {
        while let Some(due) = self.neighbours.take_due(now) {
            match due {
                Due::Ask { address, known } => self.ask(address, known, tx),
                Due::Failed(neighbour) => self.give_up_waiting(neighbour),
            }
        }
    }

    /// Asks for a neighbour, from the interface's address that is nearest to it. A request that
    /// finds no room is repeated with the next one's time.
    fn ask(&self, target: IpAddr, known: Option<Mac>, tx: &mut impl Transmit) {
        let _ = match (self.port.source_for(target, target), target) {
            (Some(IpAddr::V4(own)), IpAddr::V4(target)) => {
                self.send_arp_request((own, target), known.unwrap_or(Mac::BROADCAST), tx)
            }
            (Some(IpAddr::V6(own)), IpAddr::V6(target)) => self.solicit(own, target, known, tx),
            _ => false,
        };
    }

    /// Sends what waited for a neighbour that is known now, oldest first.
    pub(super) fn send_waiting(
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
                Waiting::Passing { purpose, frame } => {
                    let rewrite = Rewrite::DONE;
                    let outcome = if let Some(packet) = ipv4::View::whole(packet) {
                        let passing = Passing { purpose, packet, rewrite, frame };
                        send_on(encapsulator, members, mac, &passing, tx)
                    } else if let Some(packet) = Ipv6::whole(packet) {
                        let passing = Passing { purpose, packet, rewrite, frame };
                        send_on(encapsulator, members, mac, &passing, tx)
                    } else {
                        // What waits was looked at when it came.
                        Outcome::FrameTruncated
                    };
                    tally(tallies, purpose, outcome, frame);
                }
                Waiting::Answer(kind) => {
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

    /// What waited for a neighbour that does not answer.
    pub(super) fn give_up_waiting(&mut self, neighbour: NeighbourId) {
        while let Some((what, _)) = self.waiting.pop(neighbour) {
            match what {
                Waiting::Passing { purpose, frame } => {
                    tally(&mut self.tallies, purpose, Outcome::NeighbourUnreachable, frame);
                }
                Waiting::Answer(_) => self.answers.unsendable += 1,
            }
        }
    }
}
