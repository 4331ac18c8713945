//! Explanations with pseudonyms: nothing of the original is left.

use crate::support::{ASKED, SYN, packet, trace};
use labsim_codes::cause;
use labsim_explain::{Explanation, Host, Redaction, Role, Text, Ticket, Trace};
use labsim_import::{Source, f5, linux};

/// What must not be left.
const ORIGINALS: [&str; 12] = [
    "192.0.2.7",
    "198.51.100.9",
    "10.1.1.51",
    "10.1.1.2",
    "acme",
    "prague",
    "anna",
    "vs_pay",
    "secret.conf",
    "rs-pay",
    "vlab7",
    "pay",
];

fn acme() -> Trace {
    let in_tunnel = format!(
        "10:00:01.000001 IP (tos 0x0, ttl 255, id 1, offset 0, flags [none], proto IPIP (4), length 60)\n    \
         10.1.1.2 > 10.1.1.51: IP (tos 0x0, ttl 63, id 7, offset 0, flags [DF], proto TCP (6), length 40)\n    \
         {ASKED}: Flags {SYN}, length 0\n"
    );
    let page = "$ tcpdump -nn -v\n".to_owned() + &packet(0, 64, 7, ASKED, SYN) + &in_tunnel;
    let mut trace = trace(&(page + "$ tcpdump -nn -v\n" + &in_tunnel));
    for (point, (name, file)) in trace
        .points
        .iter_mut()
        .zip([("lb-prague:eth1", "/home/anna/acme-lb.pcap"), ("rs-pay:eth0", "acme.txt")])
    {
        (point.name, point.file) = (name.to_owned(), file.to_owned());
        point.command =
            Some("/opt/acme/tcpdump -ni eth1 'host 10.1.1.51 and host acme-gw' -w pay".to_owned());
    }
    trace.notices.push("/home/anna/acme-lb.pcap: the file ends within a frame".to_owned());
    assert!(trace.give_role("rs-pay", Role::ServerSide));
    let text = "ltm pool p {\n    members { 10.1.1.51:49 { address 10.1.1.51 } }\n}\nltm virtual vs_pay {\n    \
                destination 198.51.100.9:49\n    ip-protocol tcp\n    pool p\n    source-address-translation { type automap }\n}\n";
    let balancer = f5::read(&[Source::new("/etc/secret.conf", text)]).unwrap();
    trace.configuration.balancers.push(balancer);
    let state = "1: lo: <LOOPBACK,UP> mtu 65536\n    link/loopback 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n\
                 2: eth0: <UP> mtu 1500\n    link/ether 02:00:00:00:00:01\n    inet 10.1.1.51/24 scope global eth0\n\
                 3: vlab7: <UP> mtu 1500\n    link/ether 02:00:00:00:00:02\n    inet 198.51.100.9/32 scope global vlab7\n";
    let state = linux::read(&[Source::new("acme.txt", state)]).unwrap();
    trace.configuration.hosts.push(Host { name: "rs-pay".to_owned(), state, counters: None });
    trace
}

fn redacted() -> Explanation {
    let (mut trace, mut redaction) = (acme(), Redaction::default());
    redaction.names(&mut trace);
    let mut explanation = trace.explain();
    redaction.addresses(&mut explanation);
    explanation
}

fn outputs(explanation: &Explanation) -> [String; 3] {
    let json = serde_json::to_string_pretty(explanation).unwrap();
    [Text(explanation).to_string(), Ticket(explanation).to_string(), json]
}

#[test]
fn no_output_has_an_address_or_a_name_of_the_original() {
    let originals = outputs(&acme().explain());
    for original in ["192.0.2.7", "10.1.1.51", "vs_pay", "secret.conf", "vlab7", "rs-pay"] {
        assert!(originals.iter().all(|it| it.contains(original)), "{original} is printed");
    }
    for output in outputs(&redacted()) {
        for original in ORIGINALS {
            assert!(!output.contains(original), "{original} is left:\n{output}");
        }
    }
}

#[test]
fn what_is_concluded_and_what_ports_show_stays() {
    let (original, redacted) = (acme().explain(), redacted());
    let [one] = redacted.connections.as_slice() else { panic!("{redacted:#?}") };
    assert_eq!(one.verdict.cause, Some(cause::TUNNEL_MISSING));
    assert_eq!(one.verdict.cause, original.connections[0].verdict.cause);
    assert_eq!((one.client.port(), one.server.port()), (40_000, 49));
    assert_eq!(one.verdict.because.len(), original.connections[0].verdict.because.len());
    let [text, ..] = outputs(&redacted);
    assert!(text.contains("host1:eth1 ") && text.contains("'host 198.18.0."), "{text}");
}

#[test]
fn the_same_input_has_the_same_pseudonyms() {
    assert_eq!(outputs(&redacted()), outputs(&redacted()));
    // A pseudonym is no address of the input.
    let [text, ..] = outputs(&redacted());
    let mut trace = acme();
    for row in &mut trace.rows {
        row.packet.outermost.source = "198.18.0.1".parse().unwrap();
    }
    let mut redaction = Redaction::default();
    redaction.names(&mut trace);
    let mut explanation = trace.explain();
    redaction.addresses(&mut explanation);
    assert!(text.contains("198.18.0.1"));
    assert!(!Text(&explanation).to_string().contains("198.18.0.1:"), "{}", Text(&explanation));
}
