//! The fast path beside the engine, with real packets: who forwards what, what captures see, and what
//! is counted.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::forwarder::Snapshot;
use labsim_forwarder::{AdminState, Config, Outcome, OuterSource, PvaAcceleration};
use labsim_test_support::wait_for;
use nix::sys::socket::{MsgFlags, recv};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;
use support::forwarder::{self, Event, Forwarder};
use support::namespace::acquire_privileges;
use support::topology::{CLIENT, Topology, VIP, config, packet_socket};

labsim_test_support::tests![
    captures_see_every_packet_that_the_kernel_forwards,
    a_connection_goes_on_from_the_engine_to_the_kernel_and_back,
    without_acceleration_the_ring_gets_every_packet,
    without_the_right_to_bpf_the_ring_runs_and_the_report_says_why,
    a_drained_member_keeps_its_flow_and_gets_no_other,
    a_reload_changes_what_the_kernel_writes_and_loses_no_packet,
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

    fn take(&self, frames: &mut Vec<Vec<u8>>) {
        let mut room = vec![0; 1 << 17];
        while let Ok(length) = recv(self.0.as_raw_fd(), &mut room, MsgFlags::MSG_DONTWAIT) {
            frames.push(room[..length].to_vec());
        }
    }

    /// Waits until it has seen so many frames of each protocol.
    fn await_frames(&self, wanted: &[(u8, usize)]) {
        let mut frames = Vec::new();
        wait_for("frames in the capture", || {
            self.take(&mut frames);
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

fn without_the_right_to_bpf_the_ring_runs_and_the_report_says_why() {
    let lab = lab();
    let _tunnel = lab.tunnel_of_veth();
    let mut forwarder = Forwarder::spawn_after(&lab.balancer, &accelerated(), || {
        labsim_sys::testing::forbid_call(libc::SYS_bpf, None).unwrap();
    });
    let Some(Event::Ready(ready)) = forwarder.event() else {
        panic!("{}", forwarder.complaint());
    };
    assert_eq!(ready.data_plane.name, "packet-ring");
    let reason = ready.data_plane.reason.clone().unwrap();
    assert!(reason.contains("bpf(2) is not allowed") && reason.contains("CAP_BPF"), "{reason}");
    let (mut pair, mut sent) = (Pair::open(&lab, 0), 0);
    pair.exchange(10, &mut sent);
    let counted = forwarder.snapshot();
    assert_eq!((forwarded(&counted), counted.engine.flows.offloaded), (10, 0));
    assert_eq!(counted.data_plane, ready.data_plane);
}

/// A client and a server of datagrams.
struct Pair {
    client: UdpSocket,
    server: UdpSocket,
}

impl Pair {
    fn open(lab: &Topology, port: u16) -> Self {
        let server = lab.server.run(|| UdpSocket::bind((VIP, 49))).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let client = lab.client.run(|| UdpSocket::bind((CLIENT, port))).unwrap();
        client.connect((VIP, 49)).unwrap();
        Self { client, server }
    }

    /// Sends so many, each after the one before has come.
    fn exchange(&mut self, datagrams: usize, sent: &mut u64) {
        let mut room = [0; 64];
        for _ in 0..datagrams {
            let text = format!("datagram {sent}");
            self.client.send(text.as_bytes()).unwrap();
            let (length, _) = self.server.recv_from(&mut room).unwrap();
            assert_eq!(room[..length], *text.as_bytes());
            *sent += 1;
        }
    }
}

/// Has the flow go on in the kernel: it is handed over behind a packet that the engine got.
fn hand_over(pair: &mut Pair, balancer: &mut Forwarder, sent: &mut u64) {
    wait_for("the flow in the kernel", || {
        pair.exchange(1, sent);
        balancer.snapshot().engine.flows.offloaded == 1
    });
}

/// The kernel forwards the flow, and loses nothing.
fn exchange_by_kernel(pair: &mut Pair, balancer: &mut Forwarder, sent: &mut u64) {
    const DATAGRAMS: usize = 20;
    hand_over(pair, balancer, sent);
    let before = balancer.snapshot().socket.received;
    pair.exchange(DATAGRAMS, sent);
    let counted = balancer.snapshot();
    assert_eq!(forwarded(&counted), *sent);
    assert!(counted.socket.received < before + DATAGRAMS as u64, "the kernel forwards it");
}

fn a_drained_member_keeps_its_flow_and_gets_no_other() {
    let lab = lab();
    let _tunnel = lab.tunnel_of_veth();
    let Some(mut balancer) = start(&lab) else { return };
    let (mut pair, mut sent) = (Pair::open(&lab, 0), 0);
    hand_over(&mut pair, &mut balancer, &mut sent);
    let mut drained = accelerated();
    drained.balancer.pools.get_mut("pool").unwrap().members[0].state = AdminState::Disabled;
    balancer.reconfigure(&drained);
    pair.exchange(20, &mut sent);
    exchange_by_kernel(&mut pair, &mut balancer, &mut sent);
    let other = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    other.connect((VIP, 49)).unwrap();
    let _ = other.send(b"a new flow");
    wait_for("the refusal of a new flow", || {
        balancer.snapshot().engine.packets(Outcome::NoMemberReachable) == 1
    });
    assert_eq!(balancer.snapshot().engine.flows.open, 1);
}

fn a_reload_changes_what_the_kernel_writes_and_loses_no_packet() {
    const TOS: u8 = 0x28;
    let lab = lab();
    let _tunnel = lab.tunnel_of_veth();
    let Some(mut balancer) = start(&lab) else { return };
    let (mut pair, mut sent) = (Pair::open(&lab, 0), 0);
    hand_over(&mut pair, &mut balancer, &mut sent);
    let mut changed = accelerated();
    changed.balancer.outer_tos = Some(TOS);
    balancer.reconfigure(&changed);
    // No later packet has the old header, whether the kernel or the engine forwards it.
    let capture = Capture::of_balancer(&lab);
    exchange_by_kernel(&mut pair, &mut balancer, &mut sent);
    let counted = balancer.snapshot();
    assert_eq!(counted.engine.members["pool"]["10.1.1.52:49"].sent.packets, sent);
    let mut frames = Vec::new();
    capture.take(&mut frames);
    let outer: Vec<u8> = frames
        .iter()
        .filter(|frame| frame[12..14] == [8, 0] && frame[23] == 4)
        .map(|frame| frame[15])
        .collect();
    assert!(outer.len() > 20 && outer.iter().all(|tos| *tos == TOS), "{outer:02x?}");
}
