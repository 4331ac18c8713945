//! One frame as what two runs of a lab have in common: fields and their values.

use super::payload;
use super::ports::Services;
use super::retransmissions::Repeated;
use crate::frames::{Frame, Frames};
use labsim_wire::decode::{Content, IpHeader, Packet, Relative, Transport};
use labsim_wire::ethernet::Mac;
use labsim_wire::{arp, tunnel};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Fields in a fixed order, each with its value.
pub(super) type Fields = Vec<(String, String)>;

/// What a run's frames are read with.
pub(super) struct Reading<'a> {
    pub(super) frames: &'a Frames<'a>,
    pub(super) services: &'a Services,
    /// Addresses that are treated as equal.
    pub(super) alike: &'a BTreeSet<IpAddr>,
    /// In which flows a timer had something sent again.
    pub(super) repeated: &'a Repeated,
}

impl Reading<'_> {
    /// Everything about a frame that is compared.
    pub(super) fn fields(&self, frame: &Frame<'_>, bytes: Option<&[u8]>) -> Fields {
        let mut to = Fields::new();
        put(&mut to, "direction", frame.record.direction);
        if let Some(link) = frame.decoded.link {
            put(&mut to, "link source", self.station(link.source));
            put(&mut to, "link destination", self.station(link.destination));
        }
        match &frame.decoded.content {
            Content::Arp(arp) => self.arp(&mut to, arp),
            Content::Ip(packet) => {
                self.packet(&mut to, "", packet, Some(frame.relative));
                if let Some(bytes) = bytes {
                    put(&mut to, "payload bytes", payload::word(bytes));
                }
            }
            Content::Other => {
                let ethertype = frame.decoded.link.map_or(0, |link| link.ethertype);
                put(&mut to, "ethertype", format!("{ethertype:#06x}"));
                put(&mut to, "length", frame.record.original_length);
            }
            Content::Malformed(why) => {
                put(&mut to, "malformed", why);
                put(&mut to, "length", frame.record.original_length);
            }
        }
        to
    }

    /// The interface that sends with a link-layer address, or the address itself.
    fn station(&self, mac: Mac) -> String {
        let point = self.frames.mac_table().find(mac);
        point.map_or_else(|| mac.to_string(), |point| self.frames.point_name(point))
    }

    pub(super) fn address(&self, address: IpAddr) -> String {
        if self.alike.contains(&address) { "a client".to_owned() } else { address.to_string() }
    }

    fn arp(&self, to: &mut Fields, packet: &arp::Packet) {
        put(to, "ARP operation", packet.operation);
        put(to, "sender", packet.sender_ip);
        put(to, "sender's link address", self.station(packet.sender_mac));
        put(to, "target", packet.target_ip);
        if packet.operation != arp::operation::REQUEST {
            put(to, "target's link address", self.station(packet.target_mac));
        }
    }

    fn packet(&self, to: &mut Fields, of: &str, packet: &Packet, relative: Option<Relative>) {
        let last = packet.inner.len();
        for (depth, header) in packet.headers().enumerate() {
            let layer = if depth == last { "" } else { "outer " };
            self.header(to, &format!("{of}{layer}"), header);
        }
        let protocol = packet.innermost().protocol;
        if let Some((source, destination)) = packet.ports() {
            put(to, &format!("{of}source port"), self.services.shown(protocol, source));
            put(to, &format!("{of}destination port"), self.services.shown(protocol, destination));
        }
        let mut put = |field: &str, value: &dyn std::fmt::Display| {
            put(to, &format!("{of}{field}"), value);
        };
        match &packet.transport {
            Transport::Tcp(tcp) => {
                put("flags", &tcp.flags);
                // A number that no handshake explains is not compared; of a quoted packet neither.
                let relative = relative.unwrap_or_default();
                put("seq", &number(relative.sequence));
                put("ack", &number(relative.acknowledgement));
                put("window", &tcp.window);
                put("mss", &number(tcp.mss.map(u32::from)));
                put("payload", &tcp.payload);
                put("checksum", &format!("{:?}", tcp.checksum));
            }
            Transport::Udp(udp) => {
                put("payload", &udp.payload);
                put("checksum", &format!("{:?}", udp.checksum));
            }
            Transport::Icmp(icmp) => {
                put("ICMP type", &icmp.kind);
                put("ICMP code", &icmp.code);
                put("ICMP mtu", &number(icmp.mtu));
                put("checksum", &format!("{:?}", icmp.checksum));
                if let Some(quoted) = &icmp.quoted {
                    self.packet(to, "quoted ", quoted, None);
                }
            }
            Transport::Beginning { .. } => {}
            Transport::Other { payload } | Transport::LaterFragment { payload } => {
                put("payload", payload);
            }
            Transport::Malformed(why) => put("malformed", why),
        }
    }

    fn header(&self, to: &mut Fields, of: &str, header: &IpHeader) {
        let mut put = |field: &str, value: &dyn std::fmt::Display| {
            put(to, &format!("{of}{field}"), value);
        };
        put("source", &self.address(header.source));
        put("destination", &self.address(header.destination));
        put("ttl", &header.ttl);
        put("tos", &header.tos);
        put("dont_fragment", &header.dont_fragment.unwrap_or_default());
        put("more fragments", &header.more_fragments);
        put("fragment offset", &header.fragment_offset);
        put("protocol", &header.protocol);
        put("length", &header.length);
        put("header checksum right", &header.checksum_ok.unwrap_or(true));
        for (field, value) in header.tunnel.iter().flat_map(tunnel::Header::fields) {
            put(field, &value);
        }
    }
}

fn put(to: &mut Fields, field: &str, value: impl std::fmt::Display) {
    to.push((field.to_owned(), value.to_string()));
}

fn number(number: Option<u32>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

/// In how many fields two frames differ; everything counts if they have not the same fields.
pub(super) fn differences(one: &Fields, other: &Fields) -> usize {
    if one.len() != other.len() || one.iter().zip(other).any(|(one, other)| one.0 != other.0) {
        return usize::MAX;
    }
    one.iter().zip(other).filter(|(one, other)| one.1 != other.1).count()
}
