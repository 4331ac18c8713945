//! Servers of any service, and exchanges with them: what they mean, and what is wrong with them.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, shown};
use labsim_scenario::model::{
    Close, ExchangeForm, NodeName, Payload, ServiceForm, StepAction, TcpForm,
};

/// The small lab's scenario with these servers and steps beside its own; `answer` and `exchange` are
/// about its login.
fn with(servers: &str, steps: &str) -> Files {
    let text = changed(
        SCENARIO,
        &[
            ("steps:\n", &format!("{servers}steps:\n{steps}")),
            ("{answer: {result", "{answer: {step: login, result"),
            ("frames: talk", "step: login, frames: talk"),
        ],
    );
    Files::new(TOPOLOGY, &text)
}

/// What is said of the file, without places.
fn said(servers: &str, steps: &str) -> Vec<String> {
    let found = with(servers, steps).load().err();
    let found = found.map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
    found
        .into_iter()
        .map(|line| line.splitn(4, ':').last().unwrap_or_default().trim_start().to_owned())
        .collect()
}

#[test]
fn a_node_runs_several_servers_at_ports_and_ranges() {
    let files = with(
        "tcp_servers:\n  \
           web: {nodes: [rs1, rs2], port: [80, 8000-8002], form: {http: {body: 10}}}\n  \
           mail: {nodes: rs1, port: 25, listen: vip}\nudp_servers:\n  - {nodes: rs1, port: 80}\n",
        "",
    );
    let scenario = files.load().unwrap();
    let services = &scenario.services[&NodeName::new("rs1").unwrap()];
    assert_eq!(services.len(), 3);
    assert_eq!(services[0].shown_ports(), "ports 80, 8000-8002");
    assert_eq!((services[0].name(), services[0].group.as_deref()), ("HTTP", Some("web")));
    assert_eq!(services[1].form, ServiceForm::Tcp(TcpForm::Echo));
    assert_eq!(services[1].addresses, ["172.16.4.99".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(services[2].name(), "UDP");
    assert_eq!(scenario.serving_nodes().len(), 2);
}

#[test]
fn an_exchange_expects_what_it_sends_unless_something_else_is_written() {
    let files = with(
        "",
        "  one: {tcp_exchange: {from: client, to: 172.16.4.99:49}}\n  \
           two: {tcp_exchange: {from: [client, router], to: 172.16.4.99:49, send: 3, receive: ok, rounds: 2, close: server, times: 5}}\n",
    );
    let scenario = files.load().unwrap();
    let exchange = |at: usize| {
        let StepAction::Exchange(exchange) = &scenario.steps[at].action else { panic!() };
        let ExchangeForm::Tcp(form) = &exchange.form else { panic!() };
        (exchange.number(), form.clone())
    };
    let (number, form) = exchange(0);
    assert_eq!((number, form.rounds, form.close), (1, 1, Close::Fin));
    assert_eq!((&form.send, &form.receive), (&Payload::Bytes(100), &Payload::Bytes(100)));
    let (number, form) = exchange(1);
    assert_eq!((number, form.rounds, form.close), (10, 2, Close::Server));
    assert_eq!((form.send, form.receive), (Payload::Bytes(3), Payload::Text("ok".to_owned())));
}

#[test]
fn a_port_has_one_server() {
    for (servers, expected) in [
        (
            "tcp_servers: [{nodes: rs1, port: 49}]\n",
            "the TACACS+ server of `rs1` listens at tcp port 49; write another port, or other addresses in \
             `listen`",
        ),
        (
            "udp_servers: [{nodes: rs1, port: 7-9}, {nodes: [rs2, rs1], port: 9}]\n",
            "another server of `rs1` listens at udp port 9; write another port, or other addresses in \
             `listen`",
        ),
    ] {
        assert_eq!(said(servers, ""), [expected]);
    }
    let apart =
        "tcp_servers: [{nodes: rs1, port: 80, listen: own}, {nodes: rs1, port: 80, listen: vip}]\n";
    assert!(said(apart, "").is_empty());
}

#[test]
fn each_mistake_in_a_server_is_named() {
    for (server, expected) in [
        ("{nodes: rs1, port: 0}", "`0` is no port; write 1 to 65535, or a range: 8000-8010"),
        ("{nodes: rs1, port: 9-7}", "`9-7` is no port; write 1 to 65535, or a range: 8000-8010"),
        ("{nodes: rs1, port: 1-300}", "`1-300` are more than 256 ports; write less"),
        ("{nodes: rs1, port: [7, 7]}", "port 7 stands twice; write it once"),
        (
            "{nodes: rs1, port: 80, form: {http: {status: 100}}}",
            "100 is no status of an answer; write 200 to 599",
        ),
        (
            "{nodes: rs1, port: 80, form: {http: {host: a b}}}",
            "`a b` is no host; write a name or an address without spaces",
        ),
        (
            "{nodes: rs1, port: 80, form: {bytes: {answer: 16777217}}}",
            "16777217 bytes; write 0 to 16777216, or a text",
        ),
    ] {
        assert_eq!(said(&format!("tcp_servers: [{server}]\n"), ""), [expected], "{server}");
    }
    for (names, expected) in [
        ("{}", "`dns` has no name; write one with its address"),
        ("{a: 10.0.0}", "`10.0.0` is no address of `a`"),
        (
            "{a..b: 10.0.0.1}",
            "`a..b` is no DNS name; write labels of 1 to 63 letters, digits, `-` and `_` with dots between \
             them, without a final dot",
        ),
    ] {
        let server = format!("udp_servers: [{{nodes: rs1, port: 53, form: {{dns: {names}}}}}]\n");
        assert_eq!(said(&server, ""), [expected], "{names}");
    }
}

#[test]
fn each_mistake_in_an_exchange_is_named() {
    for (step, expected) in [
        ("tcp_exchange: {TO, send: 0}", "nothing is sent; write a text, or 1 byte or more"),
        (
            "tcp_exchange: {TO, send: 10000000, times: 10}",
            "all exchanges of the step move more than 67108864 bytes, which every capture point on the way \
             keeps; write less",
        ),
        (
            "tcp_exchange: {TO, pause: true}",
            "there is nothing to resume after the only round; write `rounds: 2` or more",
        ),
        (
            "tcp_exchange: {TO, rounds: 2, pause: true, times: 2}",
            "only a single exchange can pause; name one client, and no `times`",
        ),
        (
            "tcp_exchange: {TO, background: true}",
            "`step` is in the background, and no step waits for its end; add a `finish` step",
        ),
        ("udp_exchange: {TO, send: 65508}", "65508 bytes; write 0 to 65507, or a text"),
        (
            "http_get: {TO, path: x}",
            "`x` is no path; write up to 2048 visible ASCII characters that begin with `/`",
        ),
        (
            "dns_query: {TO, name: a, addresses: \"fd00::1\"}",
            "fd00::1 is not in a record of type A",
        ),
    ] {
        let step = step.replace("TO", "from: client, to: 172.16.4.99:49");
        assert_eq!(said("", &format!("  step: {{{step}}}\n")), [expected], "{step}");
    }
}
