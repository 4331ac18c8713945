//! A balancer's namespace with one interface and the fast path at it, and the namespace at the other end
//! of the wire.

use super::bench::{ROUTER, US};
use super::namespace::Namespace;
use labsim_fast_path::{Capacity, Error, FastPath};
use labsim_sys::netlink::{Request, Socket};
use labsim_sys::packet;
use labsim_test_support::{Completion, wait_for};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::Pid;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The beginning of frames that show that all before them have arrived: ARP, which goes to the engine.
const MARKER: [u8; 14] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6];

pub struct Arm {
    pub balancer: Namespace,
    pub fast_path: FastPath,
    peer: Namespace,
    wire: OwnedFd,
    wire_index: u32,
    engine: OwnedFd,
    markers: u32,
}

/// What a packet socket sees.
pub struct Capture(OwnedFd);

impl Capture {
    /// What it has seen by now.
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| receive(&self.0)).collect()
    }
}

/// What became of a frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What left the interface.
    pub sent: Vec<Vec<u8>>,
    /// What the engine got.
    pub to_engine: Vec<Vec<u8>>,
}

impl Arm {
    /// The balancer has the engine's link-layer address, and the other end its router's.
    pub fn new(capacity: Capacity) -> Result<Self, Error> {
        // Frames keep their order on one processor.
        let mut one = CpuSet::new();
        one.set(0).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        let (balancer, peer) = (Namespace::new(), Namespace::new());
        balancer.veth("eth0", &peer, "wire");
        for (node, name, mac) in [(&balancer, "eth0", US), (&peer, "wire", ROUTER)] {
            let switch = format!("ipv6/conf/{name}/disable_ipv6");
            node.sysctl(&switch, "1");
            // Longer packets than the engine's interface and paths take have to reach it.
            set_link(node, name, LinkAttribute::Mtu(4000));
            set_link(node, name, LinkAttribute::Address(mac.0.to_vec()));
            node.up(name);
        }
        let fast_path = balancer.run(|| FastPath::attach("eth0", US, capacity))?;
        let engine = balancer.run(|| listen(fast_path.engine_interface()));
        let wire_index = peer.index("wire");
        let wire = peer.run(|| listen(wire_index));
        packet::ignore_outgoing(wire.as_fd()).unwrap();
        Ok(Self { balancer, fast_path, peer, wire, wire_index, engine, markers: 0 })
    }

    /// Sends a frame over the wire and waits until it has been handled.
    pub fn pass(&mut self, frame: &[u8]) -> Seen {
        let wire = self.wire.as_fd();
        self.send(wire, frame, frame);
        self.seen()
    }

    /// The same with the offload state of this header (`struct virtio_net_hdr`).
    pub fn pass_offloaded(&mut self, frame: &[u8], header: &[u8]) -> Seen {
        let socket = self.peer.run(|| packet::open().unwrap());
        packet::set_vnet_header(socket.as_fd()).unwrap();
        self.send(socket.as_fd(), frame, &[header, frame].concat());
        self.seen()
    }

    fn send(&self, socket: BorrowedFd<'_>, frame: &[u8], bytes: &[u8]) {
        let ethertype = u16::from_be_bytes([frame[12], frame[13]]);
        self.peer.run(|| packet::send_to(socket, self.wire_index, ethertype, bytes)).unwrap();
    }

    /// A socket that sees the frames of an interface of the balancer's.
    pub fn balancer_socket(&self, name: &str) -> Capture {
        let index = self.balancer.index(name);
        Capture(self.balancer.run(|| listen(index)))
    }

    fn seen(&mut self) -> Seen {
        self.markers += 1;
        let mut marker = MARKER.to_vec();
        marker.extend_from_slice(&self.markers.to_be_bytes());
        marker.resize(60, 0);
        self.send(self.wire.as_fd(), &marker, &marker);
        let mut seen = Seen::default();
        wait_for("marker", || {
            while let Some(frame) = receive(&self.engine) {
                if frame == marker {
                    return true;
                }
                seen.to_engine.push(frame);
            }
            false
        });
        while let Some(frame) = receive(&self.wire) {
            seen.sent.push(frame);
        }
        seen
    }
}

/// An interface with the fast path, where the machine allows one; otherwise what keeps it from that.
pub fn arm() -> Result<Arm, Completion> {
    match Arm::new(Capacity::default()) {
        Ok(arm) => Ok(arm),
        Err(error @ (Error::NotPermitted { .. } | Error::Unsupported { .. })) => {
            Err(Completion::ignored_with(error.to_string()))
        }
        Err(error) => panic!("{error}"),
    }
}

fn listen(index: u32) -> OwnedFd {
    let socket = packet::open().unwrap();
    packet::bind(socket.as_fd(), index, packet::ALL_PROTOCOLS).unwrap();
    socket
}

fn receive(socket: &OwnedFd) -> Option<Vec<u8>> {
    let mut frame = vec![0; 1 << 16];
    let length = recv(socket.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT).ok()?;
    frame.truncate(length);
    Some(frame)
}

fn set_link(node: &Namespace, name: &str, attribute: LinkAttribute) {
    let mut link = LinkMessage::default();
    link.header.index = node.index(name);
    link.attributes.push(attribute);
    let request = Request::new(RouteNetlinkMessage::SetLink(link));
    node.run(|| Socket::open().unwrap().execute(request)).unwrap();
}
