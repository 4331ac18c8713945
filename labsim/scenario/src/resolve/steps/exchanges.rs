//! Exchanges with servers of any service.

use super::{ServerStep, number, seconds};
use crate::file::{RawDnsQuery, RawExchange, RawHttpGet, RawTcpExchange, RawUdpExchange};
use crate::model::{
    DnsQuery, Exchange, ExchangeForm, HttpGet, NodeName, StepAction, TcpExchange, UdpExchange,
};
use crate::resolve::services::{BYTES, TEXT, check_host, check_name, payload, status};
use crate::resolve::{Report, address};
use crate::text::quoted;
use labsim_codes::file;
use labsim_model::{Payload, RecordType};
use labsim_services::http;
use labsim_yaml::Located;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Most exchanges of a client, and of a step.
pub(super) const TIMES: u32 = 100_000;
/// Most exchanges at a time: each has a socket and a port.
pub(super) const CONCURRENCY: u32 = 10_000;
/// How long an exchange over TCP may take, and how long an answer to a datagram, in seconds.
const TCP_TIMEOUT: u64 = 5;
const UDP_TIMEOUT: u64 = 1;
/// Bytes that are sent by default.
const USUAL: u32 = 100;
/// Most rounds of a connection.
const ROUNDS: u32 = 10_000;
/// Most bytes of a step, both ways: every capture point on the way keeps them.
const ALL_BYTES: u64 = 64 << 20;
/// Most bytes of a datagram (RFC 768, within IPv4).
const DATAGRAM: u32 = 65_507;
/// How often a datagram is sent: usually, and at most.
const MAX_TRANSMISSIONS: (u32, u32) = (3, 100);
/// Longest path of a request.
const PATH: usize = 2048;

/// Resolves an exchange of bytes over TCP.
pub(super) fn tcp(
    fields: &RawTcpExchange,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let exchange = Common::new(&fields.exchange, TCP_TIMEOUT, step, report);
    let send = sent(fields.send.as_ref(), BYTES, report);
    let receive = received(fields.receive.as_ref(), &send, BYTES, report);
    let rounds = number(fields.rounds, (1, ROUNDS), "rounds", report);
    let pause = fields.pause.filter(|pause| pause.value);
    if let (Some(pause), Some(exchange)) = (&pause, &exchange) {
        pausable(*pause, exchange, rounds, report);
    }
    if let Some(exchange) = &exchange {
        let bytes = send.len().saturating_add(receive.len()).saturating_mul(u64::from(rounds));
        if bytes.saturating_mul(exchange.number()) > ALL_BYTES {
            let message = format!(
                "all exchanges of the step move more than {ALL_BYTES} bytes, which every capture point on \
                 the way keeps; write less"
            );
            report.at(step.key, file::TOO_MANY, message);
        }
    }
    let mss = fields.mss.map(|mss| mss.value);
    let form = TcpExchange { send, receive, rounds, close: fields.close, mss };
    Some(exchange?.with(pause.is_some(), ExchangeForm::Tcp(form)))
}

fn pausable(pause: Located<bool>, exchange: &Common, rounds: u32, report: &mut Report<'_>) {
    if rounds < 2 {
        let message = "there is nothing to resume after the only round; write `rounds: 2` or more";
        report.at(pause.span, file::CONFLICT, message);
    }
    if exchange.number() > 1 {
        let message = "only a single exchange can pause; name one client, and no `times`";
        report.at(pause.span, file::CONFLICT, message);
    }
    if exchange.background {
        let message = "`pause` and `background` exclude each other; leave `background` out";
        report.at(pause.span, file::CONFLICT, message);
    }
}

/// Resolves HTTP requests.
pub(super) fn http_get(
    fields: &RawHttpGet,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let exchange = Common::new(&fields.exchange, TCP_TIMEOUT, step, report);
    let path = fields.path.as_ref();
    if let Some(path) = path.filter(|path| !http::is_target(path) || path.len() > PATH) {
        let message = format!(
            "{} is no path; write up to {PATH} visible ASCII characters that begin with `/`",
            quoted(path)
        );
        report.at(path.span, file::INVALID_VALUE, message);
    }
    if let Some(host) = &fields.host {
        check_host(host, host.span, report);
    }
    if let Some(written) = fields.status {
        status(written.value, written.span, report);
    }
    if let Some(body) = &fields.body {
        payload(&body.value, (BYTES, TEXT), body.span, report);
    }
    let rounds = number(fields.rounds, (1, ROUNDS), "rounds", report);
    let exchange = exchange?;
    let host = fields.host.as_ref().map(|host| host.value.clone());
    let form = HttpGet {
        path: path.map_or_else(|| "/".to_owned(), |path| path.value.clone()),
        host: host.unwrap_or_else(|| match exchange.to.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }),
        status: fields.status.map_or(200, |status| status.value),
        body: fields.body.as_ref().map(|body| body.value.clone()),
        rounds,
    };
    Some(exchange.with(false, ExchangeForm::Http(form)))
}

/// Resolves an exchange of datagrams.
pub(super) fn udp(
    fields: &RawUdpExchange,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let exchange = Common::new(&fields.exchange, UDP_TIMEOUT, step, report);
    let send = sent(fields.send.as_ref(), DATAGRAM, report);
    let receive = received(fields.receive.as_ref(), &send, DATAGRAM, report);
    let max_transmissions =
        number(fields.max_transmissions, MAX_TRANSMISSIONS, "max_transmissions", report);
    let form = UdpExchange { send, receive, max_transmissions };
    Some(exchange?.with(false, ExchangeForm::Udp(form)))
}

/// Resolves a DNS query.
pub(super) fn dns_query(
    fields: &RawDnsQuery,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let exchange = Common::new(&fields.exchange, UDP_TIMEOUT, step, report);
    check_name(&fields.name, fields.name.span, report);
    let max_transmissions =
        number(fields.max_transmissions, MAX_TRANSMISSIONS, "max_transmissions", report);
    let addresses = addresses(fields, report);
    let name = fields.name.to_ascii_lowercase();
    let form = DnsQuery { name, record: fields.record, addresses, max_transmissions };
    Some(exchange?.with(false, ExchangeForm::Dns(form)))
}

fn addresses(fields: &RawDnsQuery, report: &mut Report<'_>) -> Vec<IpAddr> {
    let Some(written) = &fields.addresses else { return Vec::new() };
    let texts = address::each(written);
    if texts.is_empty() {
        report.empty(written.span, "there is no address; write one, or leave `addresses` out");
    }
    let mut all = Vec::new();
    for text in texts {
        let span = text.span;
        let Some(address) = report.take(span, address::address(&text)) else { continue };
        if address.is_ipv4() != (fields.record == RecordType::A) {
            let record = fields.record.name();
            let message = format!("{address} is not in a record of type {record}");
            report.at(span, file::CONFLICT, message);
        }
        all.push(address);
    }
    all.sort_unstable();
    all
}

/// What all exchanges have.
struct Common {
    from: Vec<NodeName>,
    times: u32,
    concurrency: u32,
    to: SocketAddr,
    timeout: Duration,
    background: bool,
}

impl Common {
    fn new(
        fields: &RawExchange,
        timeout: u64,
        step: &ServerStep<'_>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let nodes = step.lookup.nodes(&fields.from, report);
        let from: Vec<NodeName> = nodes.into_iter().map(|node| node.value).collect();
        let to = step.to(&fields.to, &from, report);
        let times = times(fields.times, &from, "exchange", report);
        let concurrency = number(fields.concurrency, (1, CONCURRENCY), "concurrency", report);
        let timeout = seconds(fields.timeout, timeout, report);
        let background = fields.background.is_some_and(|background| background.value);
        let to = to.filter(|_| !from.is_empty())?;
        Some(Self { from, times, concurrency, to, timeout, background })
    }

    fn number(&self) -> u64 {
        u64::from(self.times) * self.from.len() as u64
    }

    fn with(self, pause: bool, form: ExchangeForm) -> StepAction {
        let Self { from, times, concurrency, to, timeout, background } = self;
        StepAction::Exchange(Box::new(Exchange {
            from,
            times,
            concurrency,
            to,
            timeout,
            pause,
            background,
            form,
        }))
    }
}

/// How often each client does something; all of them together not too often.
pub(super) fn times(
    written: Option<Located<u32>>,
    from: &[NodeName],
    what: &str,
    report: &mut Report<'_>,
) -> u32 {
    let times = number(written, (1, TIMES), "times", report);
    if let Some(written) = written
        && u32::try_from(from.len()).is_ok_and(|clients| clients.saturating_mul(times) > TIMES)
    {
        let message = format!("at most {TIMES} {what}s of all clients are allowed");
        report.at(written.span, file::TOO_MANY, message);
    }
    times
}

fn sent(written: Option<&Located<Payload>>, most: u32, report: &mut Report<'_>) -> Payload {
    let Some(written) = written else { return Payload::Bytes(USUAL) };
    payload(&written.value, (most, TEXT), written.span, report);
    if written.value.is_empty() {
        report.empty(written.span, "nothing is sent; write a text, or 1 byte or more");
    }
    written.value.clone()
}

fn received(
    written: Option<&Located<Payload>>,
    send: &Payload,
    most: u32,
    report: &mut Report<'_>,
) -> Payload {
    let Some(written) = written else { return send.clone() };
    payload(&written.value, (most, TEXT), written.span, report);
    written.value.clone()
}
