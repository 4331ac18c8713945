//! A datagram and its answer: sent again until it is answered or its transmissions are used up.

use super::radius;
use crate::datagrams::ClientSocket;
use labsim_aaa::radius::datagram::Datagrams as _;
use labsim_scenario::model::{
    DnsQuery, Exchange, ExchangeForm, LoginResult, RecordType, UdpExchange,
};
use labsim_services::dns::{self, ResponseCode};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Longest datagram.
const LONGEST: usize = 65_535;

/// Runs an exchange, the step's with that number.
pub(super) async fn run(
    mut socket: ClientSocket,
    exchange: &Exchange,
    number: usize,
) -> (LoginResult, String) {
    let to = exchange.to;
    match &exchange.form {
        ExchangeForm::Udp(one) => bytes(&mut socket, one, to, exchange.timeout).await,
        ExchangeForm::Dns(query) => {
            dns_query(&mut socket, query, number, to, exchange.timeout).await
        }
        ExchangeForm::Radius(one) => radius::request(&mut socket, one, to, exchange.timeout).await,
        ExchangeForm::TacacsLogin(_) | ExchangeForm::Tcp(_) | ExchangeForm::Http(_) => {
            (LoginResult::Error, "labsim has an error of its own: a stream over UDP".to_owned())
        }
    }
}

async fn bytes(
    socket: &mut ClientSocket,
    one: &UdpExchange,
    to: SocketAddr,
    interval: Duration,
) -> (LoginResult, String) {
    let datagram = one.send.bytes();
    let sent = format!("{} sent", one.send.size());
    if one.receive.is_empty() {
        return match socket.send_to(&datagram, to).await {
            Ok(()) => (LoginResult::Pass, format!("{sent}, no answer is waited for")),
            Err(error) => not_sent(&error),
        };
    }
    let wanted = one.receive.bytes();
    let request = Request { datagram: &datagram, to, interval, most: one.max_transmissions };
    request
        .ask(socket, |answer| {
            Some(match answer == wanted {
                true => {
                    let received = one.receive.size();
                    (LoginResult::Pass, format!("{sent} and {received} received as expected"))
                }
                false => {
                    let at = one.receive.differs(0, answer).unwrap_or(answer.len() as u64);
                    let (came, size) = (answer.len(), one.receive.size());
                    let detail = format!(
                        "the answer has {came} bytes and is not the expected one of {size}: byte {at} \
                         differs"
                    );
                    (LoginResult::Error, detail)
                }
            })
        })
        .await
}

async fn dns_query(
    socket: &mut ClientSocket,
    query: &DnsQuery,
    number: usize,
    to: SocketAddr,
    interval: Duration,
) -> (LoginResult, String) {
    // Equal runs have equal queries; in a lab nobody guesses at identifiers.
    let id = u16::try_from(number % 65_535).unwrap_or_default() + 1;
    let asked = dns::Query { id, name: query.name.clone(), record: query.record, recursion: true };
    let datagram = match dns::write_query(&asked) {
        Ok(datagram) => datagram,
        Err(error) => return (LoginResult::Error, error.to_string()),
    };
    let request = Request { datagram: &datagram, to, interval, most: query.max_transmissions };
    request
        .ask(socket, |answer| match dns::read_response(answer) {
            // The answer to another question, such as an earlier one of the same port.
            Ok(response) if response.query != asked => None,
            Ok(response) => Some(judge(query, response)),
            // A server that cannot read a query does not repeat it.
            Err(error) => Some(match (answer, error_code(answer)) {
                ([high, low, ..], Some(code)) if [*high, *low] == id.to_be_bytes() => {
                    (LoginResult::Fail, format!("the server answered {code}"))
                }
                _ => (LoginResult::Error, format!("the answer cannot be read: {error}")),
            }),
        })
        .await
}

/// The result code of an answer without a question.
fn error_code(answer: &[u8]) -> Option<ResponseCode> {
    match answer {
        [_, _, flags, code, 0, 0, ..] if flags & 0x80 != 0 => Some(ResponseCode(code & 0xf)),
        _ => None,
    }
}

fn judge(query: &DnsQuery, response: dns::Response) -> (LoginResult, String) {
    let dns::Response { code, mut addresses, is_truncated, .. } = response;
    if code != ResponseCode::NOERROR {
        return (LoginResult::Fail, format!("the server answered {code}"));
    }
    if is_truncated {
        let detail = "the answer was cut off, and TCP is not tried".to_owned();
        return (LoginResult::Error, detail);
    }
    addresses.sort_unstable();
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let list = list.join(", ");
    let record = match query.record {
        RecordType::A => "IPv4",
        RecordType::Aaaa => "IPv6",
    };
    match () {
        () if addresses.is_empty() => {
            (LoginResult::Fail, format!("the server answered without an {record} address"))
        }
        () if query.addresses.is_empty() || query.addresses == addresses => {
            (LoginResult::Pass, format!("the server answered {list}"))
        }
        () => (LoginResult::Error, format!("the server answered {list}, which is not expected")),
    }
}

fn not_sent(error: &io::Error) -> (LoginResult, String) {
    (LoginResult::Refused, format!("it could not be sent: {error}"))
}

/// What is sent until it is answered.
struct Request<'a> {
    datagram: &'a [u8],
    to: SocketAddr,
    interval: Duration,
    most: u32,
}

impl Request<'_> {
    /// Sends, and puts what comes from there to `judge`, which may pass over it.
    async fn ask(
        &self,
        socket: &mut ClientSocket,
        judge: impl Fn(&[u8]) -> Option<(LoginResult, String)>,
    ) -> (LoginResult, String) {
        let mut buffer = vec![0; LONGEST];
        let mut elsewhere = None;
        for _ in 0..self.most {
            if let Err(error) = socket.send_to(self.datagram, self.to).await {
                return not_sent(&error);
            }
            let deadline = Instant::now() + self.interval;
            while let Ok(received) = timeout_at(deadline, socket.recv_from(&mut buffer)).await {
                let (length, from) = match received {
                    Ok(received) => received,
                    Err(error) => {
                        return (LoginResult::Error, format!("the socket failed: {error}"));
                    }
                };
                if from != self.to {
                    elsewhere.get_or_insert((from, 0)).1 += 1;
                    continue;
                }
                if let Some(ended) = judge(buffer.get(..length).unwrap_or_default()) {
                    return ended;
                }
            }
        }
        let times = match self.most {
            1 => "1 transmission".to_owned(),
            most => format!("{most} transmissions"),
        };
        let mut detail = format!("no answer from {} after {times}", self.to);
        if let Some((from, count)) = elsewhere {
            let ignored: u32 = count;
            let what = if ignored == 1 { "an answer" } else { "answers" };
            detail += &format!("; {what} from {from} did not count: another address was asked");
        }
        (LoginResult::Timeout, detail)
    }
}
