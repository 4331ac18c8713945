//! The multicast groups of IPv6 VIPs, on a real kernel: the segment is told of them by MLD.

// clippy.toml's exception for tests covers `#[test]` functions, and these are none.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_forwarder::{Config, LoadBalancer, Pool, VirtualServer};
use labsim_wire::ethernet::ethertype;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use nix::sys::time::TimeVal;
use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::forwarder::{Forwarder, become_one};
use support::namespace::{Namespace, acquire_privileges};
use support::topology::packet_socket;

const PATIENCE: Duration = Duration::from_secs(20);

labsim_test_support::tests![a_group_of_a_vip_is_reported_when_it_is_joined];

fn main() -> ExitCode {
    become_one();
    labsim_test_support::run(acquire_privileges, trials())
}

/// A virtual server at that address, and a member on the segment.
fn config(vip: Ipv6Addr) -> Config {
    let member: SocketAddr = "[2001:db8:9::51]:49".parse().unwrap();
    let balancer = LoadBalancer {
        virtual_servers: BTreeMap::from([(
            "vs".to_owned(),
            VirtualServer::new(SocketAddr::from((vip, 49)), "pool"),
        )]),
        pools: BTreeMap::from([(
            "pool".to_owned(),
            Pool { members: vec![member.into()], ..Pool::default() },
        )]),
        ..LoadBalancer::default()
    };
    Config::new("eth0", balancer)
}

/// Whether a frame is an MLDv2 report of the group (RFC 9777 5.2): behind a router alert, to all routers
/// that listen to such.
fn reports(frame: &[u8], group: Ipv6Addr) -> bool {
    const REPORT: u8 = 143;
    let is_ipv6 = frame.get(12..14) == Some(&ethertype::IPV6.to_be_bytes());
    is_ipv6
        && frame.get(20) == Some(&0)
        && frame.get(62) == Some(&REPORT)
        && frame.windows(16).any(|bytes| bytes == group.octets())
}

fn a_group_of_a_vip_is_reported_when_it_is_joined() {
    let (near, far) = (Namespace::new(), Namespace::new());
    far.veth("lb", &near, "eth0");
    for (node, name) in [(&near, "eth0"), (&far, "lb")] {
        node.sysctl(&format!("ipv6/conf/{name}/accept_dad"), "0");
        node.up("lo");
        node.up(name);
    }
    near.sysctl("ipv4/ip_forward", "0");
    near.sysctl("ipv6/conf/all/forwarding", "0");
    near.address("eth0", "2001:db8:9::2/64");
    let index = far.index("lb");
    let wire = far.run(|| packet_socket(index));
    setsockopt(&wire, sockopt::ReceiveTimeout, &TimeVal::new(1, 0)).unwrap();
    let await_report = |group: &str| {
        let (group, start, mut frame) = (group.parse().unwrap(), Instant::now(), [0; 2048]);
        loop {
            assert!(start.elapsed() < PATIENCE, "no report of {group}");
            let length = recv(wire.as_raw_fd(), &mut frame, MsgFlags::empty()).unwrap_or_default();
            if reports(&frame[..length], group) {
                break;
            }
        }
    };
    let mut forwarder = Forwarder::start(&near, &config("2001:db8:4::7:99".parse().unwrap()));
    await_report("ff02::1:ff07:99");
    forwarder.reconfigure(&config("2001:db8:4::8:99".parse().unwrap()));
    await_report("ff02::1:ff08:99");
}
