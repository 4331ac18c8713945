//! Servers of any service: ports, and what they answer.

use super::Report;
use super::lookup::Lookup;
use super::servers::addresses;
use crate::file::{Group, RawPorts, RawTcpServer, RawUdpServer, Texts};
use crate::model::{
    Listen, NodeName, RadiusServer, RealServer, Service, ServiceForm, TacacsServer, TcpForm,
    UdpForm,
};
use crate::text::quoted;
use labsim_codes::file;
use labsim_model::{IpProtocol, Payload};
use labsim_services::{dns, http};
use labsim_yaml::{Located, Scalar, Span};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Most ports of a server: each has a socket.
const PORTS: usize = 256;
/// Most names of a DNS server.
const NAMES: usize = 4096;
/// Most bytes of an answer, and of what is sent.
pub(super) const BYTES: u32 = 16 << 20;
/// Longest text that is sent or has to arrive.
pub(super) const TEXT: usize = 4096;

/// A port of a node that is taken: by whom, and at which addresses.
type Taken = BTreeMap<(NodeName, IpProtocol, u16), Vec<(Vec<IpAddr>, &'static str)>>;

/// The servers as they are put into their nodes.
pub(super) struct Services<'a> {
    real_servers: &'a BTreeMap<NodeName, RealServer>,
    lookup: &'a Lookup<'a>,
    all: BTreeMap<NodeName, Vec<Service>>,
    taken: Taken,
}

impl<'a> Services<'a> {
    /// None yet, beside those of AAA.
    pub(super) fn new(
        (tacacs, radius): (&BTreeMap<NodeName, TacacsServer>, &BTreeMap<NodeName, RadiusServer>),
        real_servers: &'a BTreeMap<NodeName, RealServer>,
        lookup: &'a Lookup<'a>,
    ) -> Self {
        let mut taken = Taken::new();
        let mut take = |node: &NodeName, protocol, port, addresses: &[IpAddr], who| {
            let key = (node.clone(), protocol, port);
            taken.entry(key).or_default().push((addresses.to_vec(), who));
        };
        for (node, server) in tacacs {
            take(node, IpProtocol::Tcp, server.port, &server.addresses, "the TACACS+ server");
        }
        for (node, server) in radius {
            for port in [server.authentication_port, server.accounting_port] {
                take(node, IpProtocol::Udp, port, &server.addresses, "the RADIUS server");
            }
        }
        Self { real_servers, lookup, all: BTreeMap::new(), taken }
    }

    /// Adds the file's TCP servers.
    pub(super) fn tcp(mut self, list: &Group<RawTcpServer>, report: &mut Report<'_>) -> Self {
        let names = list.names();
        for (place, fields) in list.each().into_iter().enumerate() {
            let RawTcpServer { nodes, listen, port, form } = &fields.value;
            let span = form.as_ref().map_or(fields.span, |form| form.span);
            let form = form.as_ref().map(|form| form.value.clone()).unwrap_or_default();
            check_tcp(&form, span, report);
            let form = ServiceForm::Tcp(form);
            self.add((names.get(place), nodes, listen.as_ref()), port, form, report);
        }
        self
    }

    /// Adds the file's UDP servers.
    pub(super) fn udp(mut self, list: &Group<RawUdpServer>, report: &mut Report<'_>) -> Self {
        let names = list.names();
        for (place, fields) in list.each().into_iter().enumerate() {
            let RawUdpServer { nodes, listen, port, form, packet_info } = &fields.value;
            let span = form.as_ref().map_or(fields.span, |form| form.span);
            let form = form.as_ref().map(|form| form.value.clone()).unwrap_or_default();
            check_udp(&form, span, report);
            let form = ServiceForm::Udp { form, packet_info: packet_info.unwrap_or(true) };
            self.add((names.get(place), nodes, listen.as_ref()), port, form, report);
        }
        self
    }

    fn add(
        &mut self,
        (group, nodes, listen): (Option<&String>, &Located<Texts>, Option<&Located<Listen>>),
        written: &Located<RawPorts>,
        form: ServiceForm,
        report: &mut Report<'_>,
    ) {
        let ports = ports(written, report);
        for node in self.lookup.nodes(nodes, report) {
            let addresses =
                addresses(&node.value, listen, (self.real_servers, self.lookup), report);
            let (group, ports) = (group.cloned(), ports.clone());
            let service = Service { group, addresses, ports, form: form.clone() };
            for port in &service.ports {
                let key = (node.value.clone(), service.protocol(), *port);
                let others = self.taken.entry(key).or_default();
                let overlaps = |at: &[IpAddr]| {
                    at.is_empty()
                        || service.addresses.is_empty()
                        || at.iter().any(|one| service.addresses.contains(one))
                };
                if let Some((_, who)) = others.iter().find(|(at, _)| overlaps(at)) {
                    let message = format!(
                        "{who} of {} listens at {} port {port}; write another port, or other \
                         addresses in `listen`",
                        quoted(node.value.as_str()),
                        service.protocol().word()
                    );
                    report.at(written.span, file::CONFLICT, message);
                    break;
                }
                others.push((service.addresses.clone(), "another server"));
            }
            self.all.entry(node.value).or_default().push(service);
        }
    }

    /// The servers by node.
    pub(super) fn finish(self) -> BTreeMap<NodeName, Vec<Service>> {
        self.all
    }
}

/// Ports as they are written: numbers, and ranges with both ends.
fn ports(written: &Located<RawPorts>, report: &mut Report<'_>) -> Vec<u16> {
    let mut all = Vec::new();
    let mut add = |text: &Scalar, span: Span, report: &mut Report<'_>| {
        let text = text.0.as_str();
        let number = |text: &str| text.trim().parse().ok().filter(|port: &u16| *port > 0);
        let range = match text.split_once('-') {
            Some((first, last)) => number(first).zip(number(last)),
            None => number(text).map(|port| (port, port)),
        };
        match range.filter(|(first, last)| first <= last) {
            Some((first, last)) if usize::from(last - first) < PORTS => all.extend(first..=last),
            Some(_) => report.at(
                span,
                file::TOO_MANY,
                format!("{} are more than {PORTS} ports; write less", quoted(text)),
            ),
            None => report.at(
                span,
                file::INVALID_VALUE,
                format!("{} is no port; write 1 to 65535, or a range: 8000-8010", quoted(text)),
            ),
        }
    };
    match &written.value {
        RawPorts::One(text) => add(text, written.span, report),
        RawPorts::List(list) => {
            if list.is_empty() {
                report.empty(written.span, "there is no port; write one");
            }
            if report.limit(written.span, list.len(), PORTS, "port") {
                for text in list {
                    add(&text.value, text.span, report);
                }
            }
        }
    }
    all.sort_unstable();
    if let Some(twice) = all.windows(2).find(|two| two[0] == two[1]).map(|two| two[0]) {
        let message = format!("port {twice} stands twice; write it once");
        report.at(written.span, file::DUPLICATE_VALUE, message);
    }
    all.dedup();
    report.limit(written.span, all.len(), PORTS, "port");
    all.truncate(PORTS);
    all
}

fn check_tcp(form: &TcpForm, span: Span, report: &mut Report<'_>) {
    match form {
        TcpForm::Echo | TcpForm::Discard => {}
        TcpForm::Bytes(answer) => {
            if answer.request > BYTES {
                let message = format!("`request` is {}; write 0 to {BYTES}", answer.request);
                report.at(span, file::OUT_OF_RANGE, message);
            }
            payload(&answer.answer, (BYTES, TEXT), span, report);
        }
        TcpForm::Http(answer) => {
            if let Some(body) = &answer.body {
                payload(body, (BYTES, TEXT), span, report);
            }
            status(answer.status, span, report);
            if let Some(host) = &answer.host {
                check_host(host, span, report);
            }
        }
    }
}

/// A final status: 200 to 599.
pub(super) fn status(status: u16, span: Span, report: &mut Report<'_>) {
    if !(200..600).contains(&status) {
        let message = format!("{status} is no status of an answer; write 200 to 599");
        report.at(span, file::OUT_OF_RANGE, message);
    }
}

/// A Host: visible ASCII, up to 253 bytes.
pub(super) fn check_host(host: &str, span: Span, report: &mut Report<'_>) {
    if !http::is_host(host) || host.len() > 253 {
        let message =
            format!("{} is no host; write a name or an address without spaces", quoted(host));
        report.at(span, file::INVALID_VALUE, message);
    }
}

/// Checks a payload's size.
pub(super) fn payload(
    payload: &Payload,
    (most_bytes, most_text): (u32, usize),
    span: Span,
    report: &mut Report<'_>,
) {
    match payload {
        Payload::Bytes(bytes) if *bytes > most_bytes => {
            let message = format!("{bytes} bytes; write 0 to {most_bytes}, or a text");
            report.at(span, file::OUT_OF_RANGE, message);
        }
        Payload::Text(text) if text.len() > most_text => {
            let message =
                format!("this text has {} bytes; at most {most_text} are allowed", text.len());
            report.at(span, file::INVALID_VALUE, message);
        }
        _ => {}
    }
}

fn check_udp(form: &UdpForm, span: Span, report: &mut Report<'_>) {
    let UdpForm::Dns(names) = form else { return };
    if names.is_empty() {
        report.empty(span, "`dns` has no name; write one with its address");
    }
    report.limit(span, names.len(), NAMES, "name");
    for (name, addresses) in names.iter().take(NAMES) {
        check_name(name, span, report);
        match addresses.parse() {
            Ok(all) if all.len() > dns::MAX_ADDRESSES => {
                let message = format!(
                    "{} has {} addresses; {} fit into an answer",
                    quoted(name),
                    all.len(),
                    dns::MAX_ADDRESSES
                );
                report.at(span, file::TOO_MANY, message);
            }
            Ok(_) => {}
            Err(wrong) => {
                let message = format!("{} is no address of {}", quoted(&wrong), quoted(name));
                report.at(span, file::INVALID_VALUE, message);
            }
        }
    }
}

/// A name that can be asked for.
pub(super) fn check_name(name: &str, span: Span, report: &mut Report<'_>) {
    if !dns::is_name(name) {
        let message = format!(
            "{} is no DNS name; write labels of 1 to 63 letters, digits, `-` and `_` with dots \
             between them, without a final dot",
            quoted(name)
        );
        report.at(span, file::INVALID_VALUE, message);
    }
}
