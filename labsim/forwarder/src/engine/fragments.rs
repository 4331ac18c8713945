//! Fragments of TCP and UDP packets: the first goes its way by its ports, and those after it
//! follow. They are sent on as they are; the server puts them together.
//!
//! IPVS and Linux's connection tracking put datagrams together before they choose, which holds
//! whole datagrams of unknown senders; katran drops fragments. Here only first fragments are remembered.

use super::Engine;
use super::ip::{FragmentInfo, Ip, Ipv6};
use super::packet::{Packet, Transport, flags_make_sense};
use crate::flow::Key;
use crate::fragment::{self, Datagram, Fate};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::{Malformed, ipv4, protocol, tcp, udp};

impl Engine {
    /// Handles a fragment to one of the forwarder's addresses.
    pub(super) fn fragment<'a>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &impl Ip<'a>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if !ip.may_have_ports() {
            return Outcome::FragmentNotHandled;
        }
        let part = ip.fragment_info();
        if !lengths_make_sense(&part) {
            return Outcome::FragmentMalformed;
        }
        let key = key_of(ip, &part);
        if part.offset == 0 {
            let outcome = self.first_fragment(now, frame, ip, key, tx);
            self.release_fragments(now, &key, tx);
            return outcome;
        }
        match self.fragments.find(&key, now) {
            Some(datagram) => self.follow(now, frame, ip, &key, datagram, tx),
            // It may be the kernel's own traffic.
            None if self.is_shared_snat_address(ip.destination()) => Outcome::NoVirtualAddress,
            None => {
                let Self { pending_fragments, tallies, .. } = self;
                let waits = pending_fragments.push(key, now, frame, ip.bytes(), |oldest| {
                    tallies[Outcome::FragmentQueueOverflow as usize].add(oldest);
                });
                if waits {
                    Outcome::WaitingForFirstFragment
                } else {
                    Outcome::FragmentQueueOverflow
                }
            }
        }
    }

    /// Handles a first fragment, and remembers how to handle the following ones.
    fn first_fragment<'a>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &impl Ip<'a>,
        key: Key,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let payload = ip.payload();
        let transport = if ip.protocol() == protocol::TCP {
            tcp::View::new(payload)
                .map(|segment| Some(segment).filter(flags_make_sense).map(Transport::Tcp))
        } else {
            udp::View::new_truncated(payload).map(|datagram| Some(Transport::Udp(datagram)))
        };
        let id = self.next_translated_id();
        // Where it came twice, those between the two are not to be parted from the others.
        let before = self.fragments.find(&key, now);
        let first_end = ip.fragment_info().length as u16;
        let mut datagram =
            Datagram { ports: (0, 0), protocol: ip.protocol(), first_end, id, fate: Fate::Refused };
        let mut balanced = None;
        let outcome = match transport {
            Ok(Some(transport)) => {
                let mut packet = Packet { ip: *ip, transport, frame, id: Some(id) };
                datagram.ports = packet.ports();
                let before = before.filter(|before| {
                    (before.ports, before.first_end) == (datagram.ports, datagram.first_end)
                });
                if let Some(before) = before {
                    datagram.id = before.id;
                    packet.id = Some(before.id);
                }
                match self.first_of_balanced(now, before.map(|before| before.fate), &packet, tx) {
                    Some((outcome, fate)) => {
                        balanced = Some(fate);
                        outcome
                    }
                    None => self.process_transport(now, &packet, tx),
                }
            }
            // RFC 1858 3: the rest of the header would not be checked.
            Err(Malformed::Truncated { .. }) => Outcome::FragmentTooSmall,
            Ok(None) | Err(_) => Outcome::TransportHeaderMalformed,
        };
        datagram.fate = balanced.unwrap_or(match outcome {
            outcome if goes_on(outcome) => Fate::Forwarded,
            Outcome::LeftToHost => Fate::LeftToHost,
            _ => Fate::Refused,
        });
        self.fragments.record(key, datagram, now);
        outcome
    }

    /// Handles fragments that arrived before their first fragment.
    fn release_fragments(&mut self, now: Instant, key: &Key, tx: &mut impl Transmit) {
        // Whatever is let go has its first by now: nothing comes back into the queue.
        let mut pending_fragments = std::mem::take(&mut self.pending_fragments);
        while let Some((frame, packet)) = pending_fragments.pop(key) {
            let Some(datagram) = self.fragments.find(key, now) else { continue };
            let outcome = if let Some(ip) = ipv4::View::parse(packet) {
                self.follow(now, frame, &ip, key, datagram, tx)
            } else if let Some(ip) = Ipv6::parse(packet) {
                self.follow(now, frame, &ip, key, datagram, tx)
            } else {
                // Queued packets were parsed when they arrived.
                Outcome::FragmentMalformed
            };
            self.count(outcome, frame);
        }
        self.pending_fragments = pending_fragments;
    }

    /// Handles a non-first fragment as its first fragment was.
    fn follow<'a>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &impl Ip<'a>,
        key: &Key,
        datagram: Datagram,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match datagram.fate {
            Fate::Forwarded | Fate::Balanced { .. } => {}
            Fate::LeftToHost => return self.return_to_host(ip, tx),
            Fate::Refused => return Outcome::FragmentRefused,
        }
        // RFC 1858 4, RFC 3128: it would put another header over the one that was judged.
        if ip.fragment_info().offset < datagram.first_end {
            self.fragments.stop(key);
            return Outcome::FragmentOverlap;
        }
        let (source, destination) = datagram.ports;
        let transport =
            Transport::NonFirstFragment { source, destination, protocol: datagram.protocol };
        let packet = Packet { ip: *ip, transport, frame, id: Some(datagram.id) };
        match datagram.fate {
            Fate::Balanced { member } => self.follow_balanced(now, member, &packet, tx),
            _ => self.process_transport(now, &packet, tx),
        }
    }

    /// Drops fragments whose first fragment did not arrive in time.
    pub(super) fn expire_fragments(&mut self, now: Instant) {
        while let Some(frame) = self.pending_fragments.expire(now) {
            self.count(Outcome::FragmentWithoutFirst, frame);
        }
    }
}

/// Whether a packet is on its way to a member or a client, or will be.
pub(super) const fn goes_on(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Forwarded
            | Outcome::ForwardedInFragments
            | Outcome::ForwardedToClient
            | Outcome::DeliveredToHost
            | Outcome::WaitingForNeighbour
    )
}

fn key_of<'a>(ip: &impl Ip<'a>, part: &FragmentInfo) -> Key {
    let (source, destination) = (ip.source().into(), ip.destination().into());
    fragment::key(source, destination, part.protocol, part.id)
}

/// Whether a fragment can be part of a datagram: it carries something, in units of eight bytes
/// unless it is the last, and does not end beyond the longest packet (RFC 791 3.1, RFC 8200 4.5).
fn lengths_make_sense(part: &FragmentInfo) -> bool {
    let FragmentInfo { offset, more, length, before, .. } = *part;
    let end = usize::from(offset) + length;
    length > 0 && (length.is_multiple_of(8) || !more) && before + end <= usize::from(u16::MAX)
}
