//! Clients' packets, as a ring holds them: a few rooms that are written anew for every batch, so
//! that the processor has them at hand, as it has what a kernel has just written.

use labsim_forwarder::{Instant, Transmit};
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::icmpv6::Message;
use labsim_wire::tcp::{self, Flags};
use labsim_wire::{EmitError, arp, checksum, ipv4, ipv6, protocol};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Frames of a batch: what a data plane moves between two looks at the clock.
pub(crate) const BATCH: usize = 64;
/// Flows share a client's port in twenties, one a client.
const CLIENTS: u32 = 20;
const FIRST_PORT: u32 = 1024;

pub(crate) const US: Mac = Mac([2, 0, 0, 0, 0, 0x0b]);
pub(crate) const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub(crate) const OUR_IP: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 10);
pub(crate) const ROUTER_IP: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);

pub(crate) const OUR_IP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 10);
pub(crate) const ROUTER_IP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(crate) const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, 99);

/// Rooms for a batch of clients' packets.
pub(crate) struct Frames {
    rooms: Vec<Vec<u8>>,
    ipv6: bool,
}

impl Frames {
    pub(crate) fn new(ipv6: bool) -> Self {
        Self { rooms: vec![vec![0; if ipv6 { 80 } else { 60 }]; BATCH], ipv6 }
    }

    /// Writes packets of these flows.
    pub(crate) fn fill(&mut self, flags: Flags, flows: impl Iterator<Item = u32>) {
        let write = if self.ipv6 { write6 } else { write };
        for (room, flow) in self.rooms.iter_mut().zip(flows) {
            write(room, flags, flow);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.rooms.iter().map(Vec::as_slice)
    }
}

fn write(room: &mut [u8], flags: Flags, flow: u32) {
    let link = ethernet::Header { destination: US, source: ROUTER, ethertype: ethertype::IPV4 };
    let source = Ipv4Addr::from_bits(0x0a80_0001 + flow % CLIENTS);
    let ip = ipv4::Header {
        source,
        destination: VIP,
        protocol: protocol::TCP,
        ttl: 127,
        tos: 0,
        id: flow as u16,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length: 26,
    };
    link.emit(room).expect("room for Ethernet");
    ip.emit(&mut room[14..]).expect("room for IPv4");
    write_segment(&mut room[34..], flags, flow, &checksum::AddressPair::V4(source, VIP));
}

fn write6(room: &mut [u8], flags: Flags, flow: u32) {
    let link = ethernet::Header { destination: US, source: ROUTER, ethertype: ethertype::IPV6 };
    let client = 0x2001_0db8_0080_0000_0000_0000_0000_0001 + u128::from(flow % CLIENTS);
    let ip = ipv6::Header {
        source: Ipv6Addr::from_bits(client),
        destination: VIP6,
        next_header: protocol::TCP,
        hop_limit: 127,
        traffic_class: 0,
        flow_label: flow & 0xf_ffff,
        payload_length: 26,
    };
    link.emit(room).expect("room for Ethernet");
    ip.emit(&mut room[14..]).expect("room for IPv6");
    write_segment(&mut room[54..], flags, flow, &checksum::AddressPair::V6(ip.source, VIP6));
}

fn write_segment(room: &mut [u8], flags: Flags, flow: u32, pair: &checksum::AddressPair) {
    let segment = tcp::Header {
        source_port: u16::try_from(FIRST_PORT + flow / CLIENTS).expect("a flow of a bench"),
        destination_port: 49,
        sequence: flow,
        acknowledgement: flow,
        flags,
        window: 513,
        urgent: 0,
        options: &[],
    };
    segment.emit(room).expect("room for TCP");
    tcp::ViewMut::new(room).expect("a segment").fill_checksum(pair);
}

/// The router's answer to the engine's neighbour solicitation.
pub(crate) fn advertisement() -> Vec<u8> {
    let link = ethernet::Header { destination: US, source: ROUTER, ethertype: ethertype::IPV6 };
    let message = Message::NeighbourAdvertisement {
        target: ROUTER_IP6,
        link: Some(ROUTER),
        router: true,
        solicited: true,
        override_known: true,
    };
    let ip = ipv6::Header {
        source: ROUTER_IP6,
        destination: OUR_IP6,
        next_header: protocol::ICMPV6,
        hop_limit: 255,
        traffic_class: 0,
        flow_label: 0,
        payload_length: message.length(),
    };
    let mut frame = vec![0; 54 + message.length()];
    link.emit(&mut frame).expect("room for Ethernet");
    ip.emit(&mut frame[14..]).expect("room for IPv6");
    message.emit(ROUTER_IP6, OUR_IP6, &mut frame[54..]).expect("room for ICMPv6");
    frame
}

/// The router's answer to the engine's ARP request.
pub(crate) fn arp_reply() -> Vec<u8> {
    let link = ethernet::Header { destination: US, source: ROUTER, ethertype: ethertype::ARP };
    let message = arp::Packet {
        operation: arp::operation::REPLY,
        sender_mac: ROUTER,
        sender_ip: ROUTER_IP,
        target_mac: US,
        target_ip: OUR_IP,
    };
    let mut frame = vec![0; 42];
    link.emit(&mut frame).expect("room for Ethernet");
    message.emit(&mut frame[14..]).expect("room for ARP");
    frame
}

/// Rooms for what is sent, as many and as large as the data plane's, written in turn.
pub(crate) struct Rooms {
    bytes: Vec<u8>,
    next: usize,
}

impl Rooms {
    const LENGTH: usize = 1514;

    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; BATCH * Self::LENGTH], next: 0 }
    }
}

impl Transmit for Rooms {
    #[inline]
    fn transmit(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        let start = self.next * Self::LENGTH;
        let filled = fill(&mut self.bytes[start..start + length]).is_ok();
        self.next = (self.next + 1) % BATCH;
        filled
    }
}

/// The bench's clock: a microsecond a batch.
pub(crate) struct Clock(u64);

impl Clock {
    pub(crate) const fn new() -> Self {
        Self(1_000_000_000_000)
    }

    pub(crate) fn next(&mut self) -> Instant {
        self.0 += 1_000;
        Instant::from_nanos(self.0)
    }
}
