//! Fragments of TCP and UDP packets: the first goes its way by its ports, and those after it
//! follow. They are sent on as they are; the server puts them together.
//!
//! IPVS and Linux's connection tracking put datagrams together before they choose, which holds
//! whole datagrams of strangers; katran drops fragments. Here only first fragments are remembered.

use super::Engine;
use super::ip::{Ip, Ipv6, Part};
use super::transport::{Packet, Transport, flags_make_sense};
use crate::flow::Key;
use crate::fragment::{self, Datagram};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::{Malformed, ipv4, protocol, tcp, udp};

impl Engine {
    /// Handles a fragment to an address that the forwarder speaks for.
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
        let part = ip.part();
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
            // The kernel's own traffic, for all that is known.
            None if self.shares(ip.destination()) => Outcome::NoVirtualAddress,
            None => {
                let Self { unled, tallies, .. } = self;
                let waits = unled.push(key, now, frame, ip.bytes(), |oldest| {
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

    /// Sends a first fragment on, and remembers what becomes of those after it.
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
            udp::View::new_cut(payload).map(|datagram| Some(Transport::Udp(datagram)))
        };
        let id = self.next_translated_id();
        // Where it came twice, those between the two are not to be parted from the others.
        let before = self.fragments.find(&key, now);
        let first_end = ip.part().length as u16;
        let mut datagram =
            Datagram { ports: (0, 0), protocol: ip.protocol(), first_end, id, goes_on: false };
        let outcome = match transport {
            Ok(Some(transport)) => {
                let mut packet = Packet { ip: *ip, transport, frame, id: Some(id) };
                datagram.ports = packet.ports();
                if let Some(before) = before.filter(|before| {
                    (before.ports, before.first_end) == (datagram.ports, datagram.first_end)
                }) {
                    datagram.id = before.id;
                    packet.id = Some(before.id);
                }
                self.carry(now, &packet, tx)
            }
            // RFC 1858 3: what is behind the cut would be judged by nobody.
            Err(Malformed::Truncated { .. }) => Outcome::FragmentTooSmall,
            Ok(None) | Err(_) => Outcome::TransportHeaderMalformed,
        };
        datagram.goes_on = matches!(
            outcome,
            Outcome::Forwarded
                | Outcome::ForwardedInFragments
                | Outcome::ForwardedToClient
                | Outcome::WaitingForNeighbour
        );
        self.fragments.record(key, datagram, now);
        outcome
    }

    /// Sends on what came before its first.
    fn release_fragments(&mut self, now: Instant, key: &Key, tx: &mut impl Transmit) {
        // Whatever is let go has its first by now: nothing comes back into the queue.
        let mut unled = std::mem::take(&mut self.unled);
        while let Some((frame, packet)) = unled.pop(key) {
            let Some(datagram) = self.fragments.find(key, now) else { continue };
            let outcome = if let Some(ip) = ipv4::View::whole(packet) {
                self.follow(now, frame, &ip, key, datagram, tx)
            } else if let Some(ip) = Ipv6::whole(packet) {
                self.follow(now, frame, &ip, key, datagram, tx)
            } else {
                // What waits was looked at when it came.
                Outcome::FragmentMalformed
            };
            self.count(outcome, frame);
        }
        self.unled = unled;
    }

    /// Sends a later fragment the way of its first.
    fn follow<'a>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &impl Ip<'a>,
        key: &Key,
        datagram: Datagram,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if !datagram.goes_on {
            return Outcome::FragmentRefused;
        }
        // RFC 1858 4, RFC 3128: it would put another header over the one that was judged.
        if ip.part().offset < datagram.first_end {
            self.fragments.stop(key);
            return Outcome::FragmentOverlap;
        }
        let (source, destination) = datagram.ports;
        let transport = Transport::Later { source, destination, protocol: datagram.protocol };
        let packet = Packet { ip: *ip, transport, frame, id: Some(datagram.id) };
        self.carry(now, &packet, tx)
    }

    /// Lets those go whose first does not come.
    pub(super) fn give_up_fragments(&mut self, now: Instant) {
        while let Some(frame) = self.unled.give_up(now) {
            self.count(Outcome::FragmentWithoutFirst, frame);
        }
    }
}

fn key_of<'a>(ip: &impl Ip<'a>, part: &Part) -> Key {
    let (source, destination) = (ip.source().into(), ip.destination().into());
    fragment::key(source, destination, part.kin, part.id)
}

/// Whether a fragment can be part of a datagram: it carries something, in units of eight bytes
/// unless it is the last, and does not end beyond the longest packet (RFC 791 3.1, RFC 8200 4.5).
fn lengths_make_sense(part: &Part) -> bool {
    let Part { offset, more, length, before, .. } = *part;
    let end = usize::from(offset) + length;
    length > 0 && (length.is_multiple_of(8) || !more) && before + end <= usize::from(u16::MAX)
}
