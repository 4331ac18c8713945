//! Captures together with what files of the devices say.

use crate::support::{
    ASKED, BACK, SYN, SYN_ACK, answered_through_director, only, packet, says, trace,
};
use labsim_codes::{Code, cause};
use labsim_explain::{Explanation, Host, Kind, Role, Trace};
use labsim_import::linux::{self, State};
use labsim_import::{Source, f5, ipvs};

const POOL: &str =
    "ltm pool p {\n    members { 10.1.1.51:49 { address 10.1.1.51 } }\n    profiles { ipip }\n}\n";
const VIRTUAL: &str = "ltm virtual vs {\n    destination 198.51.100.9:49\n    ip-protocol tcp\n    pool p\n    \
                       translate-address disabled\n    translate-port disabled\n";

const LO: &str = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n    link/loopback 00:00:00:00:00:00\n    \
                  inet 127.0.0.1/8 scope host lo\n";
const VIP: &str = "    inet 198.51.100.9/32 scope global lo\n";
const ETH0: &str = "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500\n    link/ether 02:00:00:00:00:01\n    \
                    inet 10.1.1.51/24 scope global eth0\n";
const TUNL0: &str =
    "3: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480\n    link/ipip 0.0.0.0 brd 0.0.0.0\n";
const FILTERS: &str = "net.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.tunl0.rp_filter = 0\n";

/// A SYN in a tunnel, as text.
fn in_tunnel(second: u32) -> String {
    format!(
        "10:00:0{second}.000001 IP (tos 0x0, ttl 255, id 1, offset 0, flags [none], proto IPIP (4), length 60)\n    \
         10.1.1.2 > 10.1.1.51: IP (tos 0x0, ttl 63, id 7, offset 0, flags [DF], proto TCP (6), length 40)\n    \
         {ASKED}: Flags {SYN}, length 0\n"
    )
}

/// A SYN that the load balancer sent to the server, which got it.
fn unanswered() -> Trace {
    at_server("")
}

/// A SYN that the load balancer sent to the server, and what the server's capture has behind it.
fn at_server(more: &str) -> Trace {
    let page = "$ tcpdump -nn -v\n".to_owned() + &packet(0, 64, 7, ASKED, SYN) + &in_tunnel(0);
    let mut trace = trace(&(page + "$ tcpdump -nn -v\n" + &in_tunnel(1) + more));
    assert!(trace.give_role("p1", Role::ServerSide));
    trace
}

fn state(text: &str) -> State {
    linux::read(&[Source::new("rs1.txt", text)]).unwrap()
}

fn with_host(trace: Trace, text: &str) -> Explanation {
    with_host_named(trace, "rs1", text)
}

fn with_host_named(mut trace: Trace, name: &str, text: &str) -> Explanation {
    let host = Host { name: name.to_owned(), state: state(text), counters: None };
    trace.configuration.hosts.push(host);
    trace.explain()
}

fn with_f5(mut trace: Trace, virtual_server: &str) -> Explanation {
    add_f5(&mut trace, POOL, virtual_server);
    trace.explain()
}

fn add_f5(trace: &mut Trace, pool: &str, virtual_server: &str) {
    let text = format!("{pool}{virtual_server}}}\n");
    let balancer = f5::read(&[Source::new("bigip.conf", text)]).unwrap();
    trace.configuration.balancers.push(balancer);
}

fn shows(text: &str, code: Code, sentence: &str) {
    let explanation = with_host(unanswered(), text);
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.cause), (Kind::Cause, Some(code)), "{verdict:#?}");
    assert_eq!(verdict.next, [code.remedy()]);
    says(&explanation, sentence);
}

#[test]
fn without_files_the_silent_server_is_a_set() {
    let verdict = &only(&unanswered().explain()).verdict.clone();
    assert_eq!((verdict.kind, verdict.possible.len()), (Kind::NotDecidable, 10));
}

#[test]
fn a_servers_state_names_the_cause_of_its_silence_by_file_and_line() {
    let all = [LO, VIP, ETH0, TUNL0, FILTERS].concat();
    shows(
        &all.replace(VIP, ""),
        cause::VIP_MISSING,
        "rs1's files show 198.51.100.9 on none of its devices (rs1.txt:3 and below)",
    );
    shows(
        &all.replace(TUNL0, ""),
        cause::TUNNEL_MISSING,
        "rs1's files show no tunnel device for IPIP",
    );
    shows(
        &all.replace("<NOARP,UP,LOWER_UP>", "<NOARP>"),
        cause::TUNNEL_DOWN,
        "rs1's tunnel device tunl0 is down (rs1.txt:8)",
    );
    shows(
        &all.replace("link/ipip 0.0.0.0 brd 0.0.0.0", "link/gre 0.0.0.0 brd 0.0.0.0"),
        cause::ENCAPSULATION_MISMATCH,
        "tunl0 is one of another kind (rs1.txt:8)",
    );
    shows(
        &all.replace("all.rp_filter = 0", "all.rp_filter = 1"),
        cause::RP_FILTER,
        "rp_filter 1 is in force on rs1's tunl0 (rs1.txt:10)",
    );
    shows(
        &all.replace("tunl0.rp_filter = 0", "tunl0.rp_filter = 2"),
        cause::RP_FILTER,
        "rp_filter 2 is in force on rs1's tunl0 (rs1.txt:11), which has no IPv4 address",
    );
}

#[test]
fn a_servers_state_without_a_fault_narrows_the_set_and_says_by_what() {
    let explanation = with_host(unanswered(), &[LO, VIP, ETH0, TUNL0, FILTERS].concat());
    let verdict = &only(&explanation).verdict;
    assert_eq!(verdict.kind, Kind::NotDecidable);
    for code in [cause::VIP_MISSING, cause::TUNNEL_MISSING, cause::TUNNEL_DOWN, cause::RP_FILTER] {
        assert!(!verdict.possible.contains(&code), "{code}");
    }
    assert!(verdict.possible.contains(&cause::PROTOCOL_FILTERED));
    says(&explanation, "rs1 has 198.51.100.9 on lo (rs1.txt:4): not vip-missing");
    says(&explanation, "tunl0 is up (rs1.txt:8): not tunnel-missing, not tunnel-down");
}

#[test]
fn a_setting_that_may_be_overridden_by_one_that_is_not_shown_is_no_cause() {
    let all = [LO, VIP, ETH0, TUNL0, "net.ipv4.conf.tunl0.rp_filter = 1\n"].concat();
    let explanation = with_host(unanswered(), &all);
    let verdict = &only(&explanation).verdict;
    assert_eq!(verdict.cause, None);
    assert!(verdict.possible.contains(&cause::RP_FILTER));
}

#[test]
fn a_tunnel_device_for_another_sender_is_another_end() {
    let tunnel = TUNL0.replace("0.0.0.0 brd 0.0.0.0", "10.1.1.51 peer 10.1.1.9")
        + "    ipip ipip remote 10.1.1.9 local 10.1.1.51 ttl inherit\n";
    shows(
        &[LO, VIP, ETH0, &tunnel, FILTERS].concat(),
        cause::ENCAPSULATION_MISMATCH,
        "takes packets of one sender only (rs1.txt:8), and they came from 10.1.1.2",
    );
}

#[test]
fn a_part_of_a_servers_state_says_nothing_of_what_it_lacks() {
    // The list of one device's addresses does not show what others have.
    let explanation = with_host(unanswered(), ETH0);
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.possible.len()), (Kind::NotDecidable, 10));
}

#[test]
fn files_of_a_server_that_got_nothing_are_not_used_and_that_is_said() {
    let other = [LO, ETH0].concat().replace("10.1.1.51", "10.1.1.53");
    let explanation = with_host(unanswered(), &other);
    assert_eq!(only(&explanation).verdict.possible.len(), 10);
    says(&explanation, "the files of rs1 were not used: no connection shows");
}

#[test]
fn counters_that_rose_come_first_and_one_that_did_not_is_excluded() {
    let mut trace = unanswered();
    let before = "IpInAddrErrors 3 0.0\nTcpExtIPReversePathFilter 7 0.0\n";
    let host = Host {
        name: "p1".to_owned(),
        state: State::default(),
        counters: Some((state(before), state(&before.replace("Errors 3", "Errors 5")))),
    };
    trace.configuration.hosts.push(host);
    let explanation = trace.explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.possible[0]), (Kind::NotDecidable, cause::VIP_MISSING));
    assert!(!verdict.possible.contains(&cause::RP_FILTER));
    says(
        &explanation,
        "p1 did not have the address of 2 packets in the meantime (IpInAddrErrors, rs1.txt:1",
    );
    says(
        &explanation,
        "TcpExtIPReversePathFilter did not rise (rs1.txt:2 and rs1.txt:2): not rp-filter",
    );
}

#[test]
fn what_a_configuration_says_and_the_wire_shows_otherwise_is_told_with_the_line() {
    let snat = format!("{VIRTUAL}    source-address-translation {{ type automap }}\n");
    let explanation = with_f5(unanswered(), &snat);
    says(
        &explanation,
        "ltm virtual vs translates the source address (bigip.conf:11), and packets came to the server with the \
         client's own",
    );
    let translating = VIRTUAL.replace("translate-address disabled", "translate-address enabled");
    says(&with_f5(unanswered(), &translating), "translates the destination address (bigip.conf:9)");
    let mut trace = unanswered();
    let table = "-A -t 198.51.100.9:49 -s rr\n-a -t 198.51.100.9:49 -r 10.1.1.51:49 -g -w 1\n";
    let balancer = ipvs::read(&[Source::new("ipvs.txt", table)]).unwrap();
    trace.configuration.balancers.push(balancer);
    says(&trace.explain(), "the configuration has no tunnel to this member (ipvs.txt:2)");
}

#[test]
fn a_configuration_that_agrees_with_the_wire_is_not_mentioned() {
    let explanation = with_f5(unanswered(), VIRTUAL);
    assert_eq!(only(&explanation).configuration, []);
    assert_eq!(only(&explanation).verdict.possible.len(), 10);
}

#[test]
fn a_virtual_server_tells_who_asks() {
    let midst = "$ tcpdump -nn -v\n".to_owned()
        + &packet(0, 64, 7, "192.0.2.7.49 > 198.51.100.9.49", "[.], seq 1, ack 9001, win 500");
    assert_eq!(only(&with_f5(trace(&midst), VIRTUAL)).client.to_string(), "192.0.2.7:49");
}

#[test]
fn translations_that_no_configuration_has_are_no_cause_of_lost_answers() {
    let text = packet(0, 60, 7, ASKED, SYN) + &packet(0, 64, 0, BACK, SYN_ACK);
    let possible = |explanation: &Explanation| only(explanation).verdict.possible.clone();
    let before = possible(&trace(&text).explain());
    assert!(before.contains(&cause::SOURCE_TRANSLATED) && before.contains(&cause::PORT_DIFFERS));
    let explanation = with_f5(trace(&text), VIRTUAL);
    let after = possible(&explanation);
    assert!(!after.is_empty() && after.len() == before.len() - 3, "{after:?}");
    says(
        &explanation,
        "does not translate the source address (bigip.conf:5): not source-translated",
    );
}

#[test]
fn a_server_that_listens_at_the_members_port_refuses_the_clients() {
    let refused = packet(2, 64, 0, BACK, "[R.], seq 0, ack 1001, win 0");
    let mut trace = at_server(&refused);
    add_f5(&mut trace, &POOL.replace("10.1.1.51:49", "10.1.1.51:4949"), VIRTUAL);
    let sockets = "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 128 0.0.0.0:4949 0.0.0.0:*\n";
    let explanation = with_host(trace, &[LO, VIP, ETH0, TUNL0, FILTERS, sockets].concat());
    assert_eq!(only(&explanation).verdict.cause, Some(cause::PORT_DIFFERS));
    says(
        &explanation,
        "rs1 listens at port 4949 (rs1.txt:13), which is the member's (bigip.conf:2)",
    );
}

#[test]
fn a_program_behind_a_tun_device_may_take_any_tunnel() {
    for flags in ["<NOARP,UP,LOWER_UP>", "<NOARP>"] {
        let tun = TUNL0
            .replace("link/ipip 0.0.0.0 brd 0.0.0.0", "link/none")
            .replace("<NOARP,UP,LOWER_UP>", flags);
        let explanation = with_host(unanswered(), &[LO, VIP, ETH0, &tun, FILTERS].concat());
        let verdict = &only(&explanation).verdict;
        assert_eq!(verdict.cause, None);
        assert!(verdict.possible.contains(&cause::TUNNEL_MISSING));
        assert!(verdict.possible.contains(&cause::TUNNEL_DOWN));
    }
}

#[test]
fn a_server_without_a_socket_of_the_port_may_listen_at_another_one_unless_its_member_is_known() {
    let refused = packet(2, 64, 0, BACK, "[R.], seq 0, ack 1001, win 0");
    let sockets = "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n";
    let files = [LO, VIP, ETH0, TUNL0, FILTERS, sockets].concat();
    let explanation = with_host(at_server(&refused), &files);
    let verdict = &only(&explanation).verdict;
    assert_eq!(verdict.cause, None);
    assert_eq!(verdict.possible[..2], [cause::NOT_LISTENING_AT_VIP, cause::PORT_DIFFERS]);
    says(&explanation, "rs1 has no socket that listens at 198.51.100.9:49");
    let mut trace = at_server(&refused);
    add_f5(&mut trace, POOL, VIRTUAL);
    let explanation = with_host(trace, &files);
    assert_eq!(only(&explanation).verdict.cause, Some(cause::NOT_LISTENING_AT_VIP));
}

#[test]
fn a_director_that_has_the_vip_and_takes_no_own_source_keeps_the_answers() {
    let of = |settings: &str| {
        let files = [LO, VIP, ETH0, settings].concat();
        let explanation = with_host_named(trace(&answered_through_director()), "p0", &files);
        (only(&explanation).verdict.clone(), explanation)
    };
    let none = "net.ipv4.conf.all.accept_local = 0\nnet.ipv4.conf.eth1.accept_local = 0\nnet.ipv4.ip_forward = 1\n";
    let (verdict, explanation) = of(none);
    assert_eq!(verdict.cause, Some(cause::REPLY_SOURCE_FILTERED));
    says(
        &explanation,
        "p0 has 198.51.100.9, the answer's source, on lo (rs1.txt:4), and accept_local is 0 (rs1.txt:8 and rs1.txt:9)",
    );
    let (verdict, _) = of(&none.replace("eth1.accept_local = 0", "eth1.accept_local = 1"));
    assert_eq!(verdict.cause, None);
    assert!(!verdict.possible.contains(&cause::FORWARDING_OFF), "{verdict:?}");
}
