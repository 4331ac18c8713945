//! Requests over UDP that all come from one port: what is each one's own, and that they are one flow.

use crate::diagnosing::codes;
use crate::lab::{CLIENT, Lab, RS2, VIP, ways};
use crate::scenario::{node, radius, scenario, step};
use crate::wire::{self, datagram};
use labsim_codes::cause;
use labsim_scenario::model::{
    Check, IpProtocol, LoadBalancer, LoginResult, Persistence, Pool, Profile, Scenario,
    SourceAddress, StepAction, VirtualServer,
};
use labsim_verdict::{Attempt, ServerEntry, Verdict, judge};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

const RS1: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 51);
const NUMBER: usize = 4;

fn client() -> SocketAddrV4 {
    SocketAddrV4::new(*CLIENT.ip(), 1645)
}

fn vip() -> SocketAddrV4 {
    SocketAddrV4::new(*VIP.ip(), 1812)
}

/// Requests from one port, one after the other, which these servers answered.
fn answered_by(servers: [&str; NUMBER]) -> Lab {
    let mut lab = Lab::new();
    let template = lab.attempt().clone();
    lab.seen.steps[0].name = step("radius");
    lab.seen.steps[0].attempts.clear();
    for (number, server) in servers.into_iter().enumerate() {
        let began_ns = lab.now;
        let request = [number as u8; 20];
        let (member, there, back) = match server {
            "rs1" => (RS1, ways::LB_TO_RS1, ways::RS1_TO_CLIENT),
            _ => (RS2, ways::LB_TO_RS2, ways::RS2_TO_CLIENT),
        };
        let id = number as u16;
        lab.passes(|ttl| datagram(client(), vip(), id, ttl, &request), &ways::CLIENT_TO_LB);
        let inner = datagram(client(), vip(), id, 126, &request);
        lab.passes(|ttl| wire::ip(*CLIENT.ip(), member, 4, ttl, 9, &inner), &there);
        lab.seen.server_log.push(ServerEntry {
            time_ns: lab.now,
            node: node(server),
            client: client().into(),
            local: vip().into(),
            user: Some("alice".to_owned()),
            outcome: "pass".to_owned(),
        });
        lab.passes(|ttl| datagram(vip(), client(), id, ttl, b"accept"), &back);
        lab.seen.steps[0].attempts.push(Attempt {
            protocol: 17,
            result: LoginResult::Pass,
            local: Some(client().into()),
            remote: vip().into(),
            began_ns,
            ..template.clone()
        });
        lab.now += 1000;
    }
    lab
}

/// The scenario of these requests, with a pool of two servers, changed.
fn planned(check: Check, change: impl Fn(&mut VirtualServer, &mut Pool)) -> Scenario {
    let mut scenario = scenario(vec![check]);
    scenario.steps = vec![radius("radius")];
    if let StepAction::Exchange(exchange) = &mut scenario.steps[0].action {
        exchange.times = NUMBER as u32;
        exchange.source_port = Some(1645);
    }
    let mut server = VirtualServer {
        ip_protocol: IpProtocol::Udp,
        ..VirtualServer::new(SocketAddr::from(vip()), "p")
    };
    let members = [RS1, RS2].map(|member| SocketAddr::from((member, 1812)).into());
    let mut pool = Pool { profile: Profile::Ipip, members: members.into(), ..Pool::default() };
    change(&mut server, &mut pool);
    let balancer = LoadBalancer {
        virtual_servers: BTreeMap::from([("vs".to_owned(), server)]),
        pools: BTreeMap::from([("p".to_owned(), pool)]),
        ..LoadBalancer::default()
    };
    scenario.load_balancers.insert(node("lb"), balancer);
    scenario
}

fn spread() -> Check {
    let nodes = vec![node("rs1"), node("rs2")];
    Check::Distribution { step: step("radius"), nodes, at_least: 2 }
}

fn found(verdict: &Verdict) -> Vec<(labsim_codes::Code, String)> {
    verdict.diagnoses.iter().flat_map(codes).collect()
}

#[test]
fn each_request_of_one_port_is_told_from_the_others_by_its_time() {
    let lab = answered_by(["rs1", "rs2", "rs1", "rs2"]);
    let verdict = judge(&planned(spread(), |_, _| {}), &lab.seen);
    assert!(verdict.passed(), "{verdict:#?}");
    let flow = "192.168.11.201:1645 > 172.16.4.99:1812";
    let seen = &verdict.expectations[0].seen[0];
    assert!(
        seen.starts_with("rs1 2, rs2 2; all of them are one flow, ") && seen.contains(flow),
        "{seen}"
    );
}

#[test]
fn requests_that_one_server_got_are_shown_to_be_one_flow() {
    let lab = answered_by(["rs1"; NUMBER]);
    let verdict = judge(&planned(spread(), |_, _| {}), &lab.seen);
    assert_eq!(found(&verdict), [(cause::ONE_SOURCE_PORT, "lb".to_owned())]);
    let one = &verdict.diagnoses[0];
    assert_eq!(
        one.about.as_deref(),
        Some(
            "this is about all 4 logins; the way is that of login 1 from client (192.168.11.201:1645)"
        )
    );
    assert_eq!(
        one.causes[0].sentence,
        "all 4 logins came from one port, 192.168.11.201:1645: they are one flow, which lb sent to rs1 \
         (4 packets)"
    );
    assert_eq!(
        one.causes[0].fix.scenario,
        ["load_balancers: {lb: {virtual_servers: {vs: {datagram_load_balancing: true}}}}"]
    );
}

#[test]
fn one_port_is_accused_neither_without_an_expectation_nor_where_other_things_decide() {
    let lab = answered_by(["rs1"; NUMBER]);
    let all = Check::AnsweredBy { step: step("radius"), nodes: vec![node("rs2")] };
    assert_eq!(found(&judge(&planned(all, |_, _| {}), &lab.seen)), []);
    let persisting = planned(spread(), |server, _| {
        let rule = SourceAddress { timeout: 10, prefix_length: None };
        server.persistence = Persistence::SourceAddress(rule);
    });
    assert_eq!(found(&judge(&persisting, &lab.seen)), []);
    let alone = planned(spread(), |_, pool| pool.members.truncate(1));
    assert_eq!(found(&judge(&alone, &lab.seen)), []);
    let balanced = planned(spread(), |server, _| server.datagram_load_balancing = true);
    assert_eq!(found(&judge(&balanced, &lab.seen)), []);
    let uneven = answered_by(["rs1", "rs1", "rs1", "rs2"]);
    assert_eq!(found(&judge(&planned(spread(), |_, _| {}), &uneven.seen)), []);
}
