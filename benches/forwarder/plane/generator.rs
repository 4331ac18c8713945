//! Sends prepared frames as fast as it can: nothing is computed, and 64 frames leave by one call
//! past queue disciplines and taps (`PACKET_QDISC_BYPASS`).
//!
//! On a veth all that the receiving kernel does at once runs inside this thread's calls: softirqs
//! of the sender's processor take the frame over. So `ip_forward` is paid for here, and of a packet
//! ring's forwarder the filling of its ring.

use super::socket;
use labsim_lab::Node;
use labsim_sys::batch;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::{checksum::AddressPair, ipv4, ipv6, protocol, udp};
use nix::time::{ClockId, clock_gettime};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Frames of a call.
const CALL: usize = batch::MAX_SENT;
/// Different frames, each of a flow of its own.
const FLOWS: usize = 1024;

/// What one run of the generator did.
pub(super) struct Sent {
    pub(super) frames: u64,
    /// The thread's CPU time.
    pub(super) cpu: Duration,
    pub(super) elapsed: Duration,
}

/// Frames to one destination, ready to leave.
pub(super) struct Generator {
    socket: OwnedFd,
    bytes: Vec<u8>,
    length: usize,
}

impl Generator {
    /// As many different flows as it has.
    pub(super) const FLOWS: usize = FLOWS;

    /// Frames of `length` bytes to a VIP, from an interface of `node`.
    pub(super) fn new(node: &Node, interface: u32, to: Mac, vip: IpAddr, length: usize) -> Self {
        let socket = socket::open(node, interface, 0);
        labsim_sys::packet::set_qdisc_bypass(socket.as_fd(), true).expect("Linux 3.14");
        let mut bytes = vec![0; FLOWS * length];
        for (flow, frame) in bytes.chunks_exact_mut(length).enumerate() {
            write(frame, to, vip, flow as u16);
        }
        Self { socket, bytes, length }
    }

    /// Sends until the stop flag is set.
    pub(super) fn run(&mut self, stop: &AtomicBool) -> Sent {
        let (began, began_cpu) = (Instant::now(), own_cpu());
        let mut frames = 0;
        while !stop.load(Ordering::Relaxed) {
            frames += self.turn(|| {});
        }
        Sent { frames, cpu: own_cpu() - began_cpu, elapsed: began.elapsed() }
    }

    /// Sends a frame of every flow, and does `between` behind every call; how many frames left.
    pub(super) fn turn(&mut self, mut between: impl FnMut()) -> u64 {
        let mut frames = 0;
        for call in self.bytes.chunks(CALL * self.length) {
            let sent = batch::send(self.socket.as_fd(), call.chunks_exact(self.length));
            // A full device costs frames of a generator, and nothing else.
            frames += sent.unwrap_or(0) as u64;
            between();
        }
        frames
    }
}

fn own_cpu() -> Duration {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock_gettime(clock).expect("the thread's clock").into()
}

/// One client's datagram to a VIP.
pub(super) fn write(frame: &mut [u8], to: Mac, vip: IpAddr, flow: u16) {
    let (ethertype, header) = match vip {
        IpAddr::V4(_) => (ethertype::IPV4, ipv4::MIN_HEADER_LEN),
        IpAddr::V6(_) => (ethertype::IPV6, ipv6::HEADER_LEN),
    };
    let link = ethernet::Header { destination: to, source: Mac([2, 0, 0, 0, 0, 0x77]), ethertype };
    link.emit(frame).expect("room for Ethernet");
    let packet = &mut frame[ethernet::HEADER_LEN..];
    let payload_length = packet.len() - header;
    let pair = match vip {
        IpAddr::V4(destination) => {
            let [high, low] = flow.to_be_bytes();
            let source = Ipv4Addr::new(192, 168, high, low.max(1));
            let ip = ipv4::Header {
                source,
                destination,
                protocol: protocol::UDP,
                ttl: 64,
                tos: 0,
                id: flow,
                dont_fragment: true,
                more_fragments: false,
                fragment_offset: 0,
                options: &[],
                payload_length,
            };
            ip.emit(packet).expect("room for IPv4");
            AddressPair::V4(source, destination)
        }
        IpAddr::V6(destination) => {
            let source = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, flow.max(1));
            let ip = ipv6::Header {
                source,
                destination,
                next_header: protocol::UDP,
                hop_limit: 64,
                traffic_class: 0,
                flow_label: 0,
                payload_length,
            };
            ip.emit(packet).expect("room for IPv6");
            AddressPair::V6(source, destination)
        }
    };
    let datagram = udp::Header {
        source_port: 1024 + flow,
        destination_port: super::path::PORT,
        payload_length: payload_length - udp::HEADER_LEN,
    };
    datagram.emit(&mut packet[header..]).expect("room for UDP");
    udp::ViewMut::new(&mut packet[header..]).expect("a datagram").fill_checksum(&pair);
}
