//! What the address family decides: Linux filters by the reverse path of IPv4 alone.

use crate::support::{only, says, trace};
use labsim_codes::cause;
use labsim_explain::{Explanation, Host, Role, Trace};
use labsim_import::Source;
use labsim_import::linux::{self, State};

const SYN: &str = "IP6 (hlim 63, next-header TCP (6) payload length: 20) 2001:db8:7::7.40000 > 2001:db8:9::9.49: \
                   Flags [S], seq 1000, win 64240, length 0";
/// The headers of tunnels of IPv6 and of IPv4 to the server.
const IN_IPV6: &str =
    "IP6 (hlim 64, next-header IPv6 (41) payload length: 60) 2001:db8:1::2 > 2001:db8:1::51: ";
const IN_IPV4: &str = "IP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto IPv6 (41), length 80)\n    \
                       10.1.1.2 > 10.1.1.51: ";

/// A SYN of IPv6 that the server got in a tunnel and did not answer.
fn unanswered(outer: &str) -> Trace {
    let page =
        format!("$ tcpdump -nn -v\n10:00:00.000000 {outer}{SYN}\n10:00:01.000000 {outer}{SYN}\n");
    let mut trace = trace(&page);
    assert!(trace.give_role("p0", Role::ServerSide));
    trace
}

fn has_rp_filter(explanation: &Explanation) -> bool {
    only(explanation).verdict.possible.contains(&cause::RP_FILTER)
}

fn state(text: &str) -> State {
    linux::read(&[Source::new("rs1.txt", text)]).unwrap()
}

#[test]
fn the_reverse_path_filter_is_possible_only_where_a_header_is_of_ipv4() {
    let explanation = unanswered(IN_IPV6).explain();
    assert!(!has_rp_filter(&explanation));
    assert!(only(&explanation).verdict.possible.contains(&cause::VIP_MISSING));
    // The tunnel's packets themselves are filtered.
    assert!(has_rp_filter(&unanswered(IN_IPV4).explain()));
}

#[test]
fn a_servers_rp_filter_says_nothing_of_ipv6() {
    let text = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n    link/loopback 00:00:00:00:00:00\n    \
                inet6 2001:db8:9::9/128 scope global\n\
                2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500\n    link/ether 02:00:00:00:00:01\n    \
                inet6 2001:db8:1::51/64 scope global\n\
                3: ip6tnl0@NONE: <NOARP,UP,LOWER_UP> mtu 1452\n    link/tunnel6 :: brd ::\n\
                net.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.ip6tnl0.rp_filter = 1\n";
    let mut trace = unanswered(IN_IPV6);
    trace.configuration.hosts.push(Host {
        name: "rs1".to_owned(),
        state: state(text),
        counters: None,
    });
    let explanation = trace.explain();
    says(&explanation, "ip6tnl0 is up");
    assert_eq!(only(&explanation).verdict.cause, None);
    assert!(!has_rp_filter(&explanation));
}

#[test]
fn the_reverse_path_filters_counter_is_none_of_ipv6s() {
    let counted = |rise: u32| {
        let counters = |count: u32| state(&format!("TcpExtIPReversePathFilter {count} 0.0\n"));
        Host {
            name: "p0".to_owned(),
            state: State::default(),
            counters: Some((counters(7), counters(7 + rise))),
        }
    };
    let explain = |outer: &str, rise: u32| {
        let mut trace = unanswered(outer);
        trace.configuration.hosts.push(counted(rise));
        trace.explain()
    };
    // Packets of IPv4 were dropped, which are other ones.
    assert!(!has_rp_filter(&explain(IN_IPV6, 2)));
    assert_eq!(only(&explain(IN_IPV4, 2)).verdict.possible[0], cause::RP_FILTER);
    assert!(!has_rp_filter(&explain(IN_IPV4, 0)));
}
