//! Where points are on the way, by what files of the devices say of addresses, names and link-layer addresses.

use crate::support::{ASKED, BACK, SYN, SYN_ACK, at_device, packet, says, trace};
use labsim_captures::Mac;
use labsim_explain::{Claim, Explanation, Host, Role, Trace};
use labsim_import::{Source, f5, linux};

const F5: &str = "net self inside {\n    address 10.1.1.2/24\n    vlan v\n}\n\
                  ltm pool p {\n    members { 10.1.1.51:49 { address 10.1.1.51 } }\n    profiles { ipip }\n}\n\
                  ltm virtual vs {\n    destination 198.51.100.9:49\n    ip-protocol tcp\n    pool p\n    \
                  translate-address disabled\n    translate-port disabled\n}\n";
const STATE: &str = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n    link/loopback 00:00:00:00:00:00\n    \
                     inet 127.0.0.1/8 scope host lo\n    inet 198.51.100.9/32 scope global lo\n\
                     2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500\n    link/ether 02:00:00:00:00:51 brd ff:ff:ff:ff:ff:ff\n    \
                     inet 10.1.1.51/24 scope global eth0\n";
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 0x51]);
const BALANCER: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn with_f5(mut trace: Trace) -> Trace {
    trace.configuration.balancers.push(f5::read(&[Source::new("bigip.conf", F5)]).unwrap());
    trace
}

fn with_state(mut trace: Trace, name: &str) -> Trace {
    let state = linux::read(&[Source::new("rs1.txt", STATE)]).unwrap();
    trace.configuration.hosts.push(Host { name: name.to_owned(), state, counters: None });
    trace
}

fn roles(explanation: &Explanation) -> Vec<Option<Role>> {
    explanation.points.iter().map(|point| point.role).collect()
}

/// A SYN in a tunnel from the F5's own address.
fn tunnelled(ttl: u8) -> String {
    format!(
        "10:00:00.000001 IP (tos 0x0, ttl {ttl}, id 1, offset 0, flags [none], proto IPIP (4), length 60)\n    \
         10.1.1.2 > 10.1.1.51: IP (tos 0x0, ttl 63, id 7, offset 0, flags [DF], proto TCP (6), length 40)\n    \
         {ASKED}: Flags {SYN}, length 0\n"
    )
}

/// What the server alone captured: a SYN that came, and its answer.
fn at_server(answer_ttl: u8) -> Trace {
    let rows = at_device("eth0  In", &packet(0, 63, 7, ASKED, SYN))
        + &at_device("eth0  Out", &packet(0, answer_ttl, 0, BACK, SYN_ACK));
    trace(&format!("# tcpdump -v -nni any\n{rows}"))
}

#[test]
fn what_leaves_with_an_own_address_and_a_full_ttl_is_of_that_device() {
    let at =
        |ttl| trace(&format!("# tcpdump -v -nni any\n{}", at_device("eth1  Out", &tunnelled(ttl))));
    assert_eq!(roles(&at(255).explain()), [None]);
    let explanation = with_f5(at(255)).explain();
    assert_eq!(roles(&explanation), [Some(Role::LoadBalancer)]);
    says(&explanation, "10.1.1.2 is the load balancer's own (bigip.conf:1)");
    // A router sent it on.
    assert_eq!(roles(&with_f5(at(254)).explain()), [None]);
}

#[test]
fn who_answers_with_a_vip_that_is_not_translated_is_a_server() {
    assert_eq!(roles(&at_server(64).explain()), [None]);
    let explanation = with_f5(at_server(64)).explain();
    assert_eq!(roles(&explanation), [Some(Role::ServerSide)]);
    says(
        &explanation,
        "SYNs were answered from p0:eth0 with the VIP 198.51.100.9:49, and ltm virtual vs does not",
    );
    assert_eq!(roles(&with_f5(at_server(63)).explain()), [None]);
    let mut translating = at_server(64);
    let text = F5.replace("translate-address disabled", "translate-address enabled");
    translating.configuration.balancers.push(f5::read(&[Source::new("bigip.conf", text)]).unwrap());
    assert_eq!(roles(&translating.explain()), [None]);
}

#[test]
fn a_point_with_the_name_of_a_member_is_the_servers_at_all_of_its_devices() {
    let rows = at_device("eth0  In", &packet(0, 63, 7, ASKED, SYN))
        + &at_device("lo  In", &packet(0, 63, 7, ASKED, SYN));
    let of = |name| with_state(with_f5(trace(&format!("# tcpdump -v -nni any\n{rows}"))), name);
    let explanation = of("p0").explain();
    assert_eq!(roles(&explanation), [Some(Role::ServerSide); 2]);
    says(
        &explanation,
        "p0 has 10.1.1.51 (rs1.txt:7): 10.1.1.51 is a member of ltm virtual vs (bigip.conf:6)",
    );
    assert_ne!(roles(&of("rs1").explain())[0], Some(Role::ServerSide));
}

#[test]
fn a_link_layer_address_tells_the_device_whether_a_state_or_a_claim_has_it() {
    let captured = || {
        let mut trace = at_server(63);
        trace.rows[0].link = Some((BALANCER, SERVER));
        trace.rows[1].link = Some((SERVER, BALANCER));
        with_f5(trace)
    };
    assert_eq!(roles(&captured().explain()), [None]);
    let explanation = with_state(captured(), "rs1").explain();
    assert_eq!(roles(&explanation), [Some(Role::ServerSide)]);
    says(&explanation, "02:00:00:00:00:51 is rs1's eth0 (rs1.txt:5)");
    let claim =
        |address: &str, mac| Claim { point: 0, number: 1, address: address.parse().unwrap(), mac };
    let mut claimed = captured();
    claimed.claims.push(claim("10.1.1.51", SERVER));
    let explanation = claimed.explain();
    assert_eq!(roles(&explanation), [Some(Role::ServerSide)]);
    says(&explanation, "02:00:00:00:00:51 claims 10.1.1.51: 10.1.1.51 is a member");
    // Two hosts claim it, so that it tells nothing.
    let mut disputed = captured();
    disputed.claims = vec![claim("10.1.1.51", SERVER), claim("10.1.1.51", BALANCER)];
    assert_eq!(roles(&disputed.explain()), [None]);
}

#[test]
fn what_the_user_gives_wins_over_files_and_that_is_told() {
    let mut given = with_f5(at_server(64));
    assert!(given.give_role("p0", Role::Router));
    let explanation = given.explain();
    assert_eq!(roles(&explanation), [Some(Role::Router)]);
    says(
        &explanation,
        "p0:eth0 is given as router, and files show the server side: SYNs were answered",
    );
}

#[test]
fn packets_win_over_files_and_that_is_told() {
    let page = "$ tcpdump -nn -v\n".to_owned() + &packet(0, 64, 7, ASKED, SYN) + &tunnelled(255);
    let explanation = with_state(with_f5(trace(&page)), "p0").explain();
    assert_eq!(roles(&explanation), [Some(Role::LoadBalancer)]);
    says(&explanation, "p0 is the server side by files (p0 has 10.1.1.51");
    says(&explanation, "and its packets show the load balancer: the packets are taken");
}
