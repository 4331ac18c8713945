//! What captures say of connections: the page with three captures, and what is left of it, and short texts.

use crate::support::{
    ASKED, STRANGER, SYN, SYN_ACK, TO_STRANGER, only, packet, says, trace, with_payload,
};
use labsim_captures::Transport;
use labsim_codes::cause;
use labsim_explain::{Kind, Role, Row, Segment, Text};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../captures/tests/data/login.md");

#[test]
fn the_page_is_a_healthy_login_through_ipip() {
    let explanation = trace(PAGE).explain();
    let login = only(&explanation);
    assert_eq!(login.verdict.kind, Kind::Healthy);
    assert!(login.verdict.possible.is_empty());
    let roles: Vec<_> = explanation.points.iter().map(|it| it.role.unwrap()).collect();
    assert_eq!(roles, [Role::ClientSide, Role::LoadBalancer, Role::ServerSide]);
    let way: Vec<_> = login.requests.iter().map(|it| (it.point, it.packets)).collect();
    assert_eq!(way, [(0, 6), (1, 6), (2, 6)]);
    let back: Vec<_> = login.replies.iter().map(|it| (it.point, it.packets)).collect();
    assert_eq!(back, [(2, 5), (0, 5)]);
    assert!(login.requests.iter().chain(&login.replies).all(|it| it.order_is_known));
    let [tunnel] = login.tunnels.as_slice() else { panic!("{:?}", login.tunnels) };
    assert_eq!((tunnel.kind, tunnel.source_is_client), ("IPIP", true));
    assert_eq!(tunnel.destination.to_string(), "10.1.1.52");
    let [routers] = login.routers.as_slice() else { panic!("{:?}", login.routers) };
    assert_eq!((routers.from, routers.to, routers.count), (1, 2, 1));
    says(&explanation, "p0 to p1: +5.779194 .. +5.782072 s\n");
    says(&explanation, "p0 to p2: -0.601648 .. -0.598770 s\n");
    says(&explanation, "none was seen at p1, as in direct server return");
    says(&explanation, "which was on no wire (line ");
    says(&explanation, "0.892791 s after a FIN, which is no fault");
}

#[test]
fn on_one_axis_every_packet_of_the_page_passes_the_points_in_their_order() {
    let trace = trace(PAGE);
    let axis = trace.axis();
    assert_eq!(
        axis.corrections[1].shown("p0"),
        "its clock is ahead of that of p0 by +5.779194 .. +5.782072 s; +5.780633 s was subtracted"
    );
    let subtracted = axis.corrections[2].subtracted_ns().unwrap();
    assert!((-601_648_000..=-598_770_000).contains(&subtracted), "{subtracted}");
    let mut sightings: BTreeMap<Segment, Vec<(u64, usize)>> = BTreeMap::new();
    for row in &trace.rows {
        let time = axis.place(row.point, row.time_ns.unwrap()).unwrap();
        let segment = Segment::of_packet(&row.packet).unwrap();
        sightings.entry(segment).or_default().push((time, row.point));
    }
    let mut through = 0;
    for (segment, mut at) in sightings {
        at.sort_unstable();
        let mut points: Vec<usize> = at.into_iter().map(|(_, point)| point).collect();
        points.dedup();
        let is_reply = segment.source.port() == 49;
        assert_eq!(points, if is_reply { vec![2, 0] } else { vec![0, 1, 2] }, "{segment:?}");
        through += usize::from(!is_reply);
    }
    assert_eq!(through, 6);
}

#[test]
fn what_is_not_seen_is_not_called_lost() {
    let mut trace = trace(PAGE);
    // Answers are not in the captures; the client's acknowledgements are.
    trace.rows.retain(|row| row.packet.innermost().source.to_string() != "172.16.4.99");
    let explanation = trace.explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.cause), (Kind::NotDecidable, None));
    says(&explanation, "not seen is not the same as not sent");
}

#[test]
fn a_packet_that_a_capture_lacks_was_not_lost_if_it_was_acknowledged() {
    let mut trace = trace(PAGE);
    let is_missing =
        |row: &Row| row.point == 2 && row.packet.tcp().and_then(|tcp| tcp.payload) == Some(26);
    trace.rows.retain(|row| !is_missing(row));
    let explanation = trace.explain();
    assert_eq!(only(&explanation).verdict.kind, Kind::Healthy);
    says(
        &explanation,
        "1 packet that p0 saw was not seen at p2 between others; all of them were acknowledged",
    );
}

#[test]
fn a_bare_acknowledgement_that_is_missing_may_have_been_lost() {
    let mut trace = trace(PAGE);
    let mut acknowledgements = 0;
    trace.rows.retain(|row| {
        let is_bare = row.point == 2 && row.packet.tcp().unwrap().flags.unwrap().0 == 0x10;
        acknowledgements += usize::from(is_bare && !row.packet.inner.is_empty());
        !(is_bare && acknowledgements == 1)
    });
    let explanation = trace.explain();
    assert_eq!(only(&explanation).verdict.kind, Kind::NotDecidable);
    says(&explanation, "may be lost, or was not captured");
}

#[test]
fn clocks_that_contradict_each_other_are_said_and_bound_nothing() {
    let mut trace = trace(PAGE);
    for row in trace.rows.iter_mut().filter(|row| row.point == 2).skip(5) {
        row.time_ns = row.time_ns.map(|time| time + 1_000_000_000);
    }
    let explanation = trace.explain();
    assert!(explanation.clocks.is_empty());
    says(&explanation, "clocks: not bounded. The times contradict each other by ");
    says(&explanation, "A step of the clock of p2 by +0.99");
}

#[test]
fn a_clock_that_runs_faster_is_said_with_its_rate_and_no_step_is() {
    // A long connection: packets that answer each other at once, every 20 s.
    let line = |ns: u64, ends: &str, tcp: &str| {
        let (seconds, micros) = (ns / 1_000_000_000, ns / 1000 % 1_000_000);
        format!(
            "10:{:02}:{:02}.{micros:06} IP {ends}: Flags {tcp}, length 0\n",
            seconds / 60,
            seconds % 60
        )
    };
    let back = "198.51.100.9.49 > 192.0.2.7.40000";
    let capture = |delay: u64, faster: u64| {
        let mut text = "# tcpdump -S -nni eth0\n".to_owned();
        for round in 0..60_u64 {
            let number = u32::try_from(round).unwrap();
            let at = |ns: u64| ns + ns * faster / 1_000_000;
            let start = round * 20_000_000_000;
            let data = format!(
                "[P.], seq {}:{}, ack {}, win 500",
                1001 + number,
                1002 + number,
                9001 + number
            );
            let answer = format!(
                "[P.], seq {}:{}, ack {}, win 500",
                9001 + number,
                9002 + number,
                1002 + number
            );
            text += &line(at(start + delay), ASKED, &data).replace("length 0", "length 1");
            text +=
                &line(at(start + 1_000_000 - delay), back, &answer).replace("length 0", "length 1");
        }
        text
    };
    let explanation = trace(&(capture(0, 0) + &capture(400_000, 100))).explain();
    says(&explanation, "A clock of p0 that is slower by 9");
    says(&explanation, "A clock of p1 that is faster by 9");
    assert!(!Text(&explanation).to_string().contains("A step of the clock"));
    assert!(trace(&(capture(0, 0) + &capture(400_000, 0))).explain().clock_contradiction.is_none());
    // A third clock shows which of the two it is.
    let three = trace(&(capture(0, 0) + &capture(200_000, 100) + &capture(400_000, 0))).explain();
    says(&three, "A clock of p1 that is faster by 9");
    assert!(!Text(&three).to_string().contains("A clock of p0"));
    // All three differ.
    let all = trace(&(capture(0, 0) + &capture(200_000, 100) + &capture(400_000, 300))).explain();
    says(
        &all,
        "Against the clock of p0, those of others that are so would explain it: p1 faster by 9",
    );
    says(&all, ", p2 faster by 29");
}

#[test]
fn whole_hours_are_a_possible_time_zone_and_nothing_more() {
    let mut trace = trace(PAGE);
    for row in trace.rows.iter_mut().filter(|row| row.point == 1) {
        row.time_ns = row.time_ns.map(|time| time - 7_200_000_000_000);
    }
    let explanation = trace.explain();
    says(
        &explanation,
        "p0 to p1: -7194.220806 .. -7194.217928 s, of which -2 h may be a time zone",
    );
}

#[test]
fn an_answer_from_another_address_that_the_client_resets_is_the_cause() {
    let asked = packet(0, 64, 7, ASKED, SYN) + &packet(1, 60, 0, STRANGER, SYN_ACK);
    let reset = packet(2, 64, 0, TO_STRANGER, "[R], seq 1001, win 0");
    let explanation = trace(&(asked.clone() + &reset)).explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.cause), (Kind::Cause, Some(cause::WRONG_REPLY_SOURCE)));
    says(&explanation, "and 203.0.113.5:49 answered, and the client reset it");
    // The same seen at a load balancer that translates is no fault, and cannot be told from it.
    for text in [
        asked.clone(),
        asked.clone() + &packet(2, 61, 0, TO_STRANGER, "[R], seq 1001, win 0"),
        asked.clone() + &reset + &packet(3, 64, 0, "198.51.100.9.49 > 192.0.2.7.40000", SYN_ACK),
    ] {
        let explanation = trace(&text).explain();
        assert!(explanation.connections.iter().all(|it| it.verdict.cause.is_none()), "{text}");
    }
    // The user says that this is the client.
    let mut trace = trace(&asked);
    trace.points[0].given = Some(Role::ClientSide);
    assert_eq!(only(&trace.explain()).verdict.cause, Some(cause::WRONG_REPLY_SOURCE));
}

#[test]
fn a_syn_that_was_translated_and_answered_past_the_load_balancer_is_the_cause() {
    let client = packet(0, 64, 7, ASKED, SYN)
        + &packet(1, 60, 0, STRANGER, SYN_ACK)
        + &packet(2, 64, 0, TO_STRANGER, "[R], seq 1001, win 0");
    let balancer = packet(0, 63, 7, ASKED, SYN) + &packet(0, 62, 7, TO_STRANGER, SYN);
    let explanation = trace(&format!("{client}\nand:\n\n{balancer}")).explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!(verdict.cause, Some(cause::DESTINATION_TRANSLATED));
    says(&explanation, "its destination was translated");
}

#[test]
fn an_answer_from_another_port_is_no_other_address() {
    let (member, back) =
        ("192.0.2.7.40000 > 198.51.100.9.4949", "198.51.100.9.4949 > 192.0.2.7.40000");
    let client = packet(0, 64, 7, ASKED, SYN)
        + &packet(1, 60, 0, back, SYN_ACK)
        + &packet(2, 64, 0, member, "[R], seq 1001, win 0");
    let verdict = only(&trace(&client).explain()).verdict.clone();
    assert_eq!(verdict.cause, Some(cause::WRONG_REPLY_SOURCE));
    assert_eq!(verdict.possible, [cause::PORT_DIFFERS]);
    let balancer = packet(0, 63, 7, ASKED, SYN) + &packet(0, 62, 7, member, SYN);
    let explanation = trace(&format!("{client}\nand:\n\n{balancer}")).explain();
    assert_eq!(only(&explanation).verdict.cause, Some(cause::PORT_DIFFERS));
    says(&explanation, "it can take no answer from another port");
}

#[test]
fn a_refused_syn_is_refused_by_somebody() {
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(1, 60, 0, "198.51.100.9.49 > 192.0.2.7.40000", "[R.], seq 0, ack 1001, win 0");
    // Without tcpdump's first line its numbers may be relative.
    let part = trace(&text).explain();
    assert!(only(&part).verdict.possible.is_empty());
    says(&part, "cannot be matched with others: their numbers are relative, or not shown (line 3)");
    let explanation = trace(&format!("$ tcpdump -nn -v\n{text}")).explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.cause), (Kind::NotDecidable, None));
    assert!(verdict.possible.contains(&cause::NOT_LISTENING_AT_VIP));
    says(&explanation, "The SYN was refused by a RST with the address 198.51.100.9:49");
}

#[test]
fn a_syn_that_is_sent_again_is_counted_and_one_that_is_captured_twice_is_not() {
    let count = |second_id: u16| {
        let text = packet(0, 64, 7, ASKED, SYN) + &packet(1, 64, second_id, ASKED, SYN);
        Text(&trace(&text).explain()).to_string().contains("sent 2 times")
    };
    assert!(count(8));
    assert!(!count(7));
}

#[test]
fn a_client_that_ends_by_a_reset_is_not_accused() {
    let back = "198.51.100.9.49 > 192.0.2.7.40000";
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(1, 60, 0, back, SYN_ACK)
        + &packet(1, 64, 9, ASKED, "[.], seq 1001, ack 9001, win 500")
        + &packet(2, 64, 10, ASKED, "[R.], seq 1001, ack 9001, win 500");
    let explanation = trace(&text).explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.possible.len()), (Kind::NotDecidable, 0));
    says(&explanation, "as monitors and some programs do");
}

#[test]
fn a_connection_whose_packets_were_sent_again_is_not_called_healthy() {
    let back = "198.51.100.9.49 > 192.0.2.7.40000";
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(1, 60, 0, back, SYN_ACK)
        + &packet(1, 64, 9, ASKED, "[.], seq 1001, ack 9001, win 500");
    assert_eq!(only(&trace(&text).explain()).verdict.kind, Kind::Healthy);
    let again = packet(0, 64, 6, ASKED, SYN) + &text;
    let explanation = trace(&again).explain();
    assert_eq!(only(&explanation).verdict.kind, Kind::NotDecidable);
    says(&explanation, "sent more than once");
}

#[test]
fn a_reset_after_the_client_took_an_answer_is_no_refusal() {
    let back = "198.51.100.9.49 > 192.0.2.7.40000";
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(1, 64, 9, ASKED, "[.], seq 1001, ack 9001, win 500")
        + &packet(2, 60, 0, back, "[R], seq 9001, win 0");
    let explanation = trace(&format!("$ tcpdump -nn -v\n{text}")).explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.possible.len()), (Kind::NotDecidable, 0));
    says(&explanation, "the answer to the SYN, which the client acknowledged");
}

#[test]
fn an_open_connection_is_healthy_only_where_the_client_is_seen() {
    let back = "198.51.100.9.49 > 192.0.2.7.40000";
    let seen_with = |ttl: u8| {
        let text = packet(0, ttl, 7, ASKED, SYN)
            + &packet(1, 60, 0, back, SYN_ACK)
            + &packet(1, ttl, 9, ASKED, "[.], seq 1001, ack 9001, win 500");
        only(&trace(&text).explain()).verdict.kind
    };
    assert_eq!(seen_with(64), Kind::Healthy);
    assert_eq!(seen_with(62), Kind::NotDecidable);
}

#[test]
fn connections_with_the_same_tacacs_session_are_those_of_a_proxy() {
    let login = |ends: &str, isn: u32| {
        let numbers = format!("[P.], seq {}:{}, ack 9001, win 500", isn + 1, isn + 27);
        packet(0, 64, 7, ends, &format!("[S], seq {isn}, win 64240"))
            + &with_payload(&packet(1, 64, 8, ends, &numbers), 26)
    };
    let text = login(ASKED, 1000) + &login("10.1.1.2.50000 > 10.1.1.51.49", 5000);
    let mut trace = trace(&format!("# tcpdump -S -v -nni eth0\n{text}"));
    let sentence = "The TACACS+ session 0x7cabee48 of this connection was seen from 10.1.1.2:50000 to 10.1.1.51:49";
    assert!(!Text(&trace.explain()).to_string().contains("TACACS"));
    for row in &mut trace.rows {
        if let Transport::Tcp(tcp) = &mut row.packet.transport {
            tcp.session = tcp.payload.filter(|it| *it > 0).map(|_| 0x7cab_ee48);
        }
    }
    says(&trace.explain(), sentence);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_part_of_a_healthy_login_shows_a_cause(
        kept in proptest::collection::vec(any::<bool>(), 40),
        moved in proptest::collection::vec(-4_000_000_000_000i64..4_000_000_000_000, 3),
    ) {
        let mut trace = trace(PAGE);
        let mut keep = kept.iter();
        trace.rows.retain(|_| *keep.next().unwrap());
        for row in &mut trace.rows {
            row.time_ns = row.time_ns.map(|time| time + moved[row.point]);
        }
        let explanation = trace.explain();
        for connection in &explanation.connections {
            prop_assert_eq!(connection.verdict.cause, None);
            prop_assert!(connection.verdict.kind != Kind::Cause);
        }
    }
}
