//! The fast path beside the engine, with real packets: who forwards what, what captures see, and what
//! is counted.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::forwarder::Snapshot;
use labsim_forwarder::{Config, Outcome, OuterSource, PvaAcceleration};
use labsim_test_support::wait_for;
use nix::sys::socket::{MsgFlags, recv};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use support::forwarder::{self, Event, Forwarder};
use support::namespace::acquire_privileges;
use support::topology::{CLIENT, Topology, VIP, config, packet_socket};

labsim_test_support::tests![
    captures_see_every_packet_that_the_kernel_forwards,
    a_connection_goes_on_from_the_engine_to_the_kernel_and_back,
    without_acceleration_the_ring_gets_every_packet,
];

fn main() -> ExitCode {
    forwarder::become_one();
    labsim_test_support::run(acquire_privileges, trials())
}

fn accelerated() -> Config {
    let mut config = config(OuterSource::Egress);
    for server in config.balancer.virtual_servers.values_mut() {
        server.fastl4.pva_acceleration = PvaAcceleration::Full;
    }
    config
}

/// A lab without offloads at the client: the program leaves half-made checksums as they are, for hardware
/// or the receiving kernel, and the decapsulator behind a raw socket is neither.
fn lab() -> Topology {
    let lab = Topology::build();
    lab.client.run(|| {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        labsim_sys::device::disable_offloads(&socket, "eth0").unwrap();
    });
    lab
}

/// Starts one with the fast path; `None` where the kernel does not allow it, which it says.
fn start(lab: &Topology) -> Option<Forwarder> {
    let mut forwarder = Forwarder::spawn(&lab.balancer, &accelerated());
    let Some(Event::Ready(ready)) = forwarder.event() else {
        panic!("{}", forwarder.complaint());
    };
    if ready.data_plane.name == "fast-path" {
        assert_eq!(ready.data_plane.reason, None);
        return Some(forwarder);
    }
    let reason = ready.data_plane.reason.unwrap();
    assert!(reason.contains("bpf") || reason.contains("fast path"), "{reason}");
    println!("the packet ring ran: {reason}");
    None
}

/// Frames that a packet socket has seen by now: IPv4 ones with that protocol in their outer header.
struct Capture(OwnedFd);

impl Capture {
    fn of_balancer(lab: &Topology) -> Self {
        let index = lab.balancer.index("eth0");
        Self(lab.balancer.run(|| packet_socket(index)))
    }

    fn count(&self, frames: &mut Vec<Vec<u8>>) {
        let mut room = vec![0; 1 << 17];
        while let Ok(length) = recv(self.0.as_raw_fd(), &mut room, MsgFlags::MSG_DONTWAIT) {
            frames.push(room[..length].to_vec());
        }
    }

    /// Waits until it has seen so many frames of each protocol.
    fn await_frames(&self, wanted: &[(u8, usize)]) {
        let mut frames = Vec::new();
        wait_for("frames in the capture", || {
            self.count(&mut frames);
            let of = |protocol: u8| {
                let is_it = |frame: &&Vec<u8>| frame[12..14] == [8, 0] && frame[23] == protocol;
                frames.iter().filter(is_it).count()
            };
            wanted.iter().all(|(protocol, count)| of(*protocol) == *count)
        });
    }
}

fn forwarded(snapshot: &Snapshot) -> u64 {
    snapshot.engine.packets(Outcome::Forwarded)
}

fn captures_see_every_packet_that_the_kernel_forwards() {
    const DATAGRAMS: usize = 50;
    let lab = lab();
    let _tunnel = lab.tunnel_of_veth();
    let Some(mut balancer) = start(&lab) else { return };
    let capture = Capture::of_balancer(&lab);
    let server = lab.server.run(|| UdpSocket::bind((VIP, 49))).unwrap();
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    client.connect((VIP, 49)).unwrap();
    let mut room = [0; 64];
    for number in 0..DATAGRAMS {
        client.send(format!("datagram {number}").as_bytes()).unwrap();
        let (length, _) = server.recv_from(&mut room).unwrap();
        assert_eq!(room[..length], *format!("datagram {number}").as_bytes());
        if number < 2 {
            // What the engine has forwarded, it has handed over by then.
            let counted = balancer.snapshot();
            assert_eq!(counted.engine.flows.offloaded, number as u64);
        }
    }
    // UDP as it came, IPIP as it went.
    capture.await_frames(&[(17, DATAGRAMS), (4, DATAGRAMS)]);
    let counted = balancer.snapshot();
    assert_eq!(forwarded(&counted), DATAGRAMS as u64);
    let server = counted.engine.virtual_servers["udp"];
    let member = counted.engine.members["pool"]["10.1.1.52:49"];
    assert_eq!((server.received, server.flows), (member.sent, 1));
    assert_eq!(member.sent.packets, DATAGRAMS as u64);
    // The ring got the first two, and neighbours' messages.
    assert!(counted.socket.received < 20, "{:?}", counted.socket);
    assert_eq!(lab.balancer.counter("Ip", "InAddrErrors"), 0);
}

fn a_connection_goes_on_from_the_engine_to_the_kernel_and_back() {
    const BYTES: usize = 1 << 20;
    let lab = lab();
    let _tunnel = lab.tunnel_of_veth();
    let Some(mut balancer) = start(&lab) else { return };
    let listener = lab.server.run(|| TcpListener::bind((VIP, 49))).unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(b"thanks").unwrap();
        all
    });
    let mut client = lab.client.run(|| TcpStream::connect((VIP, 49))).unwrap();
    let sent: Vec<u8> = (0..BYTES).map(|number| (number % 251) as u8).collect();
    client.write_all(&sent).unwrap();
    let counted = balancer.snapshot();
    assert_eq!(counted.engine.flows.offloaded, 1);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "thanks");
    assert!(serving.join().unwrap() == sent);
    // The FIN ends it, loosely.
    let counted = balancer.snapshot();
    assert_eq!((counted.engine.flows.open, counted.engine.flows.offloaded), (1, 0));
    let received = counted.engine.virtual_servers["tcp"].received;
    assert!(received.bytes > BYTES as u64, "{received:?}");
    assert_eq!(received, counted.engine.members["pool"]["10.1.1.52:49"].sent);
    assert_eq!(forwarded(&counted), received.packets);
}

fn without_acceleration_the_ring_gets_every_packet() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &config(OuterSource::Egress));
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    client.connect((VIP, 49)).unwrap();
    for _ in 0..10 {
        let _ = client.send(b"a datagram");
    }
    wait_for("datagrams that the engine forwards", || forwarded(&forwarder.snapshot()) == 10);
    assert_eq!(forwarder.snapshot().engine.flows.offloaded, 0);
}
