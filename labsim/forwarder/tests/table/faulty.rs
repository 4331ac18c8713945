//! Load balancers that are faulty on purpose.

use crate::forwarded::{PORTS, RS1, RS2, datagram, syn, with_profile};
use crate::packet::{Ip, ip};
use crate::support::{CLIENT, OUR_IP, VIP, config};
use crate::{Row, row};
use labsim_forwarder::{Config, DeliberateFault, LoadBalancingMode, Maglev, Outcome, Profile};
use std::net::Ipv4Addr;

/// A router on the way to the client, and one within the tunnel.
const HOP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn with_fault(fault: DeliberateFault) -> Config {
    faulty(config(), fault)
}

fn faulty(mut config: Config, fault: DeliberateFault) -> Config {
    config.balancer.faults.push(fault);
    config
}

/// A client's packet of so many bytes behind its headers.
fn segment(length: usize) -> Ip {
    ip(CLIENT, VIP, 127).tcp_with(PORTS, |tcp| tcp.ack = true, &vec![5; length])
}

/// What a router says about an answer: its next link takes 600 bytes.
fn error_about_answer(ports: (u16, u16)) -> Ip {
    let answer = ip(VIP, CLIENT, 63).df().tcp_with(ports, |tcp| tcp.ack = true, &[3; 700]);
    ip(HOP, VIP, 60).tos(0xc0).icmp((3, 4), [0, 0, 0x02, 0x58], &answer.bytes()[..548])
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = sizes();
    rows.extend(errors());
    rows.extend(without_flows());
    rows
}

fn sizes() -> Vec<Row> {
    let unchecked = || with_fault(DeliberateFault::NoSizeCheck);
    let whole = segment(1460).df();
    let narrow = {
        let quoted = &whole.clone().hop().ipip(RS1, 1).bytes()[..28];
        ip(HOP, OUR_IP, 62).tos(0xc0).icmp((3, 4), [0, 0, 0x03, 0xe8], quoted)
    };
    vec![
        row("longer than the link in its tunnel", whole.comes(), Outcome::Forwarded)
            .on(unchecked())
            .goes_out([whole.clone().hop().ipip(RS1, 1).goes()]),
        row("nor is it cut", segment(1460).comes(), Outcome::Forwarded)
            .on(unchecked())
            .goes_out([segment(1460).hop().ipip(RS1, 1).goes()]),
        row("no path MTU is learned", narrow.comes(), Outcome::IcmpNotHandled)
            .on(unchecked())
            .after([whole.comes()]),
        row("nor used", whole.comes(), Outcome::Forwarded)
            .on(unchecked())
            .after([whole.comes(), narrow.comes()])
            .goes_out([whole.clone().hop().ipip(RS1, 2).goes()]),
    ]
}

fn errors() -> Vec<Row> {
    let by_outer = || with_fault(DeliberateFault::IcmpByOuter);
    let error = error_about_answer((49, 40_000));
    let of_no_flow = error_about_answer((49, 40_009));
    let of_no_server = error_about_answer((50, 40_000));
    vec![
        row("an error is a packet like any other", error.comes(), Outcome::IcmpErrorForwarded)
            .on(by_outer())
            .after([syn().comes()])
            .goes_out([error.clone().hop().ipip(RS2, 2).goes()]),
        row("no flow is looked for", of_no_flow.comes(), Outcome::IcmpErrorForwarded)
            .on(by_outer())
            .goes_out([of_no_flow.clone().hop().ipip(RS1, 1).goes()]),
        row("about no virtual server's answer", of_no_server.comes(), Outcome::IcmpErrorUnmatched)
            .on(by_outer()),
        row("its flow's packets stay", segment(0).comes(), Outcome::Forwarded)
            .on(by_outer())
            .after([syn().comes(), error.comes()])
            .goes_out([segment(0).hop().ipip(RS1, 3).goes()]),
    ]
}

fn without_flows() -> Vec<Row> {
    let forgetful = || with_fault(DeliberateFault::ForgetFlows);
    let reset = ip(CLIENT, VIP, 127).df().tcp(PORTS, |tcp| tcp.rst = true);
    let big = datagram(1192);
    let (first, second) = (big.part(0..800), big.part(800..1200));
    let hashed = {
        let mut config = with_profile(Profile::Ipip);
        for pool in config.balancer.pools.values_mut() {
            pool.load_balancing_mode = LoadBalancingMode::Maglev(Maglev::default());
        }
        faulty(config, DeliberateFault::ForgetFlows)
    };
    let error = error_about_answer((49, 40_000));
    vec![
        row("each packet goes to the next member", segment(0).comes(), Outcome::Forwarded)
            .on(forgetful())
            .after([syn().comes()])
            .goes_out([segment(0).hop().ipip(RS2, 2).goes()]),
        row("a RST as well", reset.comes(), Outcome::Forwarded)
            .on(forgetful())
            .after([syn().comes()])
            .goes_out([reset.clone().hop().ipip(RS2, 2).goes()]),
        row("and each fragment", second.comes(), Outcome::Forwarded)
            .on(forgetful())
            .after([first.comes()])
            .goes_out([second.clone().hop().ipip(RS2, 2).goes()]),
        row("an error goes to any member", error.comes(), Outcome::IcmpErrorForwarded)
            .on(forgetful())
            .after([syn().comes()])
            .goes_out([error.clone().hop().ipip(RS2, 2).goes()]),
        row("a hash agrees with itself", error.comes(), Outcome::IcmpErrorForwarded)
            .on(hashed.clone())
            .after([syn().comes()])
            .goes_out([error.clone().hop().ipip(RS1, 2).goes()]),
        row("and with the SYN before it", segment(0).comes(), Outcome::Forwarded)
            .on(hashed)
            .after([syn().comes()])
            .goes_out([segment(0).hop().ipip(RS1, 2).goes()]),
    ]
}
