//! Traces of more connections than are explained: some of each kind are, and the others are counted.

use crate::support::trace;
use labsim_explain::{Kind, MAX_CONNECTIONS, Survey, Text, Ticket, Trace};
use std::fmt::Write as _;

const CONNECTIONS: usize = MAX_CONNECTIONS + 500;
/// Each of so many is not answered.
const SILENT: usize = 1000;

/// Connections that are established and closed at one point, and some SYN that nobody answers.
fn many(connections: usize) -> Trace {
    let mut text = String::from("# tcpdump -nn -S -v\n");
    for number in 0..connections {
        let (client, isn) =
            (format!("10.0.{}.{}.40000", number / 200, number % 200 + 1), number * 10);
        let vip = "198.51.100.9.49";
        let (own, other) = (format!("{client} > {vip}"), format!("{vip} > {client}"));
        let mut packet = |ends: &str, tcp: &str| {
            let _ = writeln!(
                text,
                "10:00:00.000000 IP (tos 0x0, ttl 64, id 0, offset 0, flags [DF], proto TCP (6), length 40)\n    {ends}: \
                 Flags {tcp}, win 64240, length 0"
            );
        };
        packet(&own, &format!("[S], seq {isn}"));
        if number % SILENT == 7 {
            continue;
        }
        packet(&other, &format!("[S.], seq 7000, ack {}", isn + 1));
        packet(&own, "[.], ack 7001");
        packet(&own, &format!("[F.], seq {}, ack 7001", isn + 1));
        packet(&other, &format!("[F.], seq 7001, ack {}", isn + 2));
        packet(&own, "[.], ack 7002");
    }
    trace(&text)
}

#[test]
fn of_more_connections_than_are_explained_the_rare_ones_are_among_them() {
    let explanation = many(CONNECTIONS).explain();
    assert_eq!(explanation.connections.len(), MAX_CONNECTIONS);
    assert_eq!(explanation.further_connections, 500);
    let alike: usize = explanation.connections.iter().map(|it| it.alike).sum();
    assert_eq!(alike, 500);
    let not_healthy = explanation.connections.iter().filter(|it| it.verdict.kind != Kind::Healthy);
    let clients: Vec<String> = not_healthy.map(|it| it.client.ip().to_string()).collect();
    assert_eq!(clients, ["10.0.0.8", "10.0.5.8", "10.0.10.8"]);
}

#[test]
fn many_connections_of_one_finding_are_named_behind_the_first() {
    let explanation = many(CONNECTIONS).explain();
    let text = Text(&explanation).to_string();
    assert!(
        text.starts_with("1 capture point, 2500 TCP connections\n2000 of all 2500 are explained")
    );
    assert_eq!(text.matches("HEALTHY 10.0.").count(), 1, "{text}");
    assert!(text.contains("The same of 1996 further connections, from 10.0.0.2:40000,"), "{text}");
    assert!(text.contains("Not explained: 500 further connections of which"), "{text}");
    let ticket = Ticket(&explanation).to_string();
    assert!(ticket.contains("500 further connections not explained"), "{ticket}");
}

#[test]
fn a_connection_that_is_asked_for_is_explained_and_no_other() {
    let mut trace = many(CONNECTIONS);
    trace.flows = vec!["10.0.9.9:40000".parse().unwrap()];
    let explanation = trace.explain();
    let clients: Vec<String> =
        explanation.connections.iter().map(|it| it.client.to_string()).collect();
    assert_eq!((clients, explanation.further_connections), (vec!["10.0.9.9:40000".to_owned()], 0));
}

#[test]
fn a_selection_has_room_for_what_it_selects() {
    let trace = many(300);
    let mut survey = Survey::new(&[]);
    trace.rows.iter().for_each(|row| survey.add(row));
    assert_eq!(survey.len(), 300);
    let selection = survey.select(10, 40);
    let kept: Vec<_> = trace.rows.iter().filter(|row| selection.has(row)).collect();
    // The SYN without an answer, and whole connections of 6 packets.
    assert_eq!(kept.len(), 1 + 6 * 6);
    assert_eq!(kept[0].number, 2);
}
