//! Exchanges with servers of any service.

use super::common::{Carrier, Common};
use super::{ServerStep, number};
use crate::file::{RawDnsQuery, RawHttpGet, RawTcpExchange, RawUdpExchange};
use crate::model::{DnsQuery, ExchangeForm, HttpGet, StepAction, TcpExchange, UdpExchange};
use crate::resolve::services::{BYTES, TEXT, check_host, check_name, payload, status};
use crate::resolve::{Report, address};
use crate::text::quoted;
use labsim_codes::file;
use labsim_model::{Payload, RecordType};
use labsim_services::http;
use labsim_yaml::Located;
use std::net::IpAddr;

/// Bytes that are sent by default.
const USUAL: u32 = 100;
/// Most rounds of a connection.
const ROUNDS: u32 = 10_000;
/// Most bytes of a step, both ways: every capture point on the way keeps them.
const ALL_BYTES: u64 = 64 << 20;
/// Most bytes of a datagram (RFC 768, within IPv4).
const DATAGRAM: u32 = 65_507;
/// How often a datagram is sent: usually, and at most.
pub(super) const MAX_TRANSMISSIONS: (u32, u32) = (3, 100);
/// Longest path of a request.
const PATH: usize = 2048;

/// Resolves an exchange of bytes over TCP.
pub(super) fn tcp(
    fields: &RawTcpExchange,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let exchange = Common::new(&fields.exchange, (Carrier::Tcp, "exchange"), step, report);
    let send = sent(fields.send.as_ref(), BYTES, report);
    let receive = received(fields.receive.as_ref(), &send, BYTES, report);
    let rounds = number(fields.rounds, (1, ROUNDS), "rounds", report);
    let pause = fields.pause.filter(|pause| pause.value);
    if let (Some(pause), Some(exchange)) = (&pause, &exchange) {
        if rounds < 2 {
            let message =
                "there is nothing to resume after the only round; write `rounds: 2` or more";
            report.at(pause.span, file::CONFLICT, message);
        }
        exchange.check_pause(*pause, report);
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

/// Resolves HTTP requests.
pub(super) fn http_get(
    fields: &RawHttpGet,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let exchange = Common::new(&fields.exchange, (Carrier::Tcp, "request"), step, report);
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
    let exchange = Common::new(&fields.exchange, (Carrier::Udp, "exchange"), step, report);
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
    let exchange = Common::new(&fields.exchange, (Carrier::Udp, "lookup"), step, report);
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
