//! A connection whose packets go to another server than its SYN is named as that, and the reset that
//! follows is not listed beside it.

use crate::diagnosing::{causes, codes};
use crate::lab::{CLIENT, Lab, RS2, reaches, ways};
use crate::scenario::{balanced, scenario, step};
use crate::wire;
use labsim_codes::cause;
use labsim_scenario::model::LoginResult;
use labsim_verdict::{Diagnosis, diagnose};
use labsim_wire::protocol;
use labsim_wire::tcp::Flags;
use std::net::Ipv4Addr;

const RS1: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 51);

/// The SYN goes to rs2; `flags` follow to `server`.
fn second_packet_to(server: Ipv4Addr, flags: Flags) -> Lab {
    let mut lab = Lab::new();
    lab.attempt().result = LoginResult::Refused;
    lab.client_sends(lab.client(Flags::SYN, 0, 0, 0), reaches::RS_TUNNEL);
    lab.server_sends(lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0), 4);
    let later = lab.client(flags, 1, 1, 0);
    lab.passes(|ttl| later.packet(ttl), &ways::CLIENT_TO_LB);
    let way = if server == RS1 { ways::LB_TO_RS1 } else { ways::LB_TO_RS2 };
    let tunnel = |ttl| wire::ip(*CLIENT.ip(), server, protocol::IPIP, ttl, 9, &later.packet(126));
    lab.passes(tunnel, &way);
    lab
}

fn diagnosed(lab: &Lab) -> Diagnosis {
    diagnose(&balanced(scenario(Vec::new()), 49), &lab.seen, &step("login")).unwrap()
}

#[test]
fn a_connection_that_went_on_to_another_server_is_named_with_both() {
    let mut lab = second_packet_to(RS1, Flags::ACK);
    let reset = lab.server(Flags::RST, 1, 0, 0);
    lab.passes(|ttl| reset.packet(ttl), &ways::RS1_TO_CLIENT);
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        causes(&diagnosis),
        [
            "lb sent the connection's SYN to rs2 and 1 later packet of it to rs1, which reset it (1 RST)"
        ]
    );
    assert_eq!(codes(&diagnosis), [(cause::FLOW_MOVED, "lb".to_owned())]);
}

#[test]
fn a_connection_that_stays_and_a_reset_to_another_server_are_no_such_thing() {
    let moved =
        |lab: &Lab| codes(&diagnosed(lab)).iter().any(|(code, _)| *code == cause::FLOW_MOVED);
    assert!(!moved(&second_packet_to(RS2, Flags::ACK)));
    assert!(!moved(&second_packet_to(RS1, Flags::RST)));
    assert!(!moved(&second_packet_to(RS1, Flags::SYN)));
}
