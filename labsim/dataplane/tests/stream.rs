//! What a stream of packets to a VIP does to the forwarder and to the kernel beside it: neither
//! allocates or looks for a route, packet after packet.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_forwarder::{Config, OuterSource};
use labsim_sys::testing::{CountingAllocator, at_exit};
use labsim_test_support::wait_for;
use nix::sys::signal::{Signal, kill};
use std::net::UdpSocket;
use std::process::ExitCode;
use support::forwarder::{self, Forwarder};
use support::namespace::acquire_privileges;
use support::topology::{CLIENT, Topology, VIP, config};

labsim_test_support::tests![
    a_stream_is_spared_the_kernel_until_the_forwarder_is_gone,
    what_is_for_a_vip_of_the_namespaces_own_is_kept_from_its_kernel_from_the_first_packet_on,
    no_packet_makes_the_forwarder_allocate,
];

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

extern "C" fn tell_allocations() {
    eprintln!("{}", ALLOCATOR.count());
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == forwarder::ROLE) {
        // Who becomes a forwarder does not come back, and so tells when it ends.
        at_exit(tell_allocations);
    }
    forwarder::become_one();
    labsim_test_support::run(acquire_privileges, trials())
}

fn settings() -> Config {
    config(OuterSource::Egress)
}

fn client(lab: &Topology) -> UdpSocket {
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    client.connect((VIP, 49)).unwrap();
    client
}

/// Sends some hundreds; the client may be told of errors meanwhile.
fn send_some(client: &UdpSocket) {
    for _ in 0..500 {
        let _ = client.send(b"a datagram of a stream");
    }
}

/// Packets that the load balancer's kernel had no use for.
fn no_use_for(lab: &Topology) -> u64 {
    lab.balancer.counter("Ip", "InAddrErrors")
}

/// Sends until so many more have come to the forwarder; how many.
fn stream(client: &UdpSocket, forwarder: &mut Forwarder, wanted: u64) -> u64 {
    let before = forwarder.counters().1.received;
    let mut came = 0;
    wait_for("stream of packets", || {
        send_some(client);
        came = forwarder.counters().1.received - before;
        came >= wanted
    });
    came
}

fn a_stream_is_spared_the_kernel_until_the_forwarder_is_gone() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &settings());
    let client = client(&lab);
    client.send(b"a single one").unwrap();
    wait_for("packet that the kernel looked at", || no_use_for(&lab) > 0);
    wait_for("rule that spares the kernel", || {
        let before = no_use_for(&lab);
        stream(&client, &mut forwarder, 2_000);
        no_use_for(&lab) == before
    });
    kill(forwarder.process(), Signal::SIGKILL).unwrap();
    assert!(!forwarder.wait().success());
    let before = no_use_for(&lab);
    wait_for("packet that the kernel looked at again", || {
        let _ = client.send(b"to nobody");
        no_use_for(&lab) > before
    });
}

fn what_is_for_a_vip_of_the_namespaces_own_is_kept_from_its_kernel_from_the_first_packet_on() {
    let lab = Topology::build();
    lab.balancer.address("lo", &format!("{VIP}/32"));
    lab.balancer.up("lo");
    let mut forwarder = Forwarder::start(&lab.balancer, &settings());
    let client = client(&lab);
    stream(&client, &mut forwarder, 1);
    stream(&client, &mut forwarder, 5_000);
    assert_eq!(lab.balancer.counter("Udp", "NoPorts"), 0);
}

/// Allocations of a whole life in which so many packets came in.
fn allocations_of_life(packets: u64) -> u64 {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &settings());
    let client = client(&lab);
    let mut came = 0;
    while came < packets {
        came += stream(&client, &mut forwarder, packets - came);
    }
    forwarder.close_input();
    assert!(forwarder.wait().success());
    forwarder.complaint().trim().parse().unwrap()
}

fn no_packet_makes_the_forwarder_allocate() {
    const MANY: u64 = 50_000;
    let (idle, busy) = (allocations_of_life(0), allocations_of_life(MANY));
    // Counters were asked for meanwhile, with some allocations each, and the rule was made.
    assert!(busy - idle < MANY / 2, "{idle} allocations of an idle one, {busy} of a busy one");
}
