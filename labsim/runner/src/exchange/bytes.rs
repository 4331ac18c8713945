//! Rounds of bytes, and HTTP requests.

use super::stream::ClientStream;
use super::{Gate, timed_out};
use labsim_scenario::model::{Close, HttpGet, LoginResult, TcpExchange};
use labsim_services::client::{ExchangeError, Requests, Rounds, exchange, get};
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends bytes and checks what comes back, within the time that is left of the limit.
pub(super) async fn rounds(
    stream: TcpStream,
    one: &TcpExchange,
    (left, limit): (Duration, Duration),
    gate: &Rc<Gate>,
) -> (LoginResult, String) {
    let mut stream = open(stream, gate);
    let mss = stream.segment_size();
    let wanted = one.mss.map(i32::from);
    if let Some(wanted) = wanted.filter(|wanted| *wanted != mss) {
        let detail = format!("the client's segment size is {mss} bytes instead of {wanted}");
        return (LoginResult::Error, detail);
    }
    let rounds =
        Rounds { send: &one.send, receive: &one.receive, rounds: one.rounds, close: one.close };
    let answered = &mut |stream: &mut &mut ClientStream| stream.answered();
    let result = match timeout(left, exchange(&mut stream, rounds, answered)).await {
        Ok(result) => result,
        Err(_) => return timed_out(limit),
    };
    if result.is_ok() && one.close != Close::Reset {
        stream.end_in_order();
    }
    ended(result.map(|()| {
        let (send, receive) = (one.send.size(), one.receive.size());
        let rounds = match one.rounds {
            1 => String::new(),
            rounds => format!(" in each of {rounds} rounds"),
        };
        let last = stream.segment_size();
        // A connection that the kernel has ended has none any more.
        let mss = match last == mss || last == 0 {
            true => mss.to_string(),
            false => format!("{mss} ({last} at the end)"),
        };
        format!("{send} sent and {receive} received as expected{rounds}; MSS {mss}")
    }))
}

/// Sends HTTP requests and checks their answers, within the time that is left of the limit.
pub(super) async fn http(
    stream: TcpStream,
    one: &HttpGet,
    (left, limit): (Duration, Duration),
    gate: &Rc<Gate>,
) -> (LoginResult, String) {
    let mut stream = open(stream, gate);
    let requests = Requests {
        path: &one.path,
        host: &one.host,
        status: one.status,
        body: one.body.as_ref(),
        rounds: one.rounds,
    };
    let answered = &mut |stream: &mut &mut ClientStream| stream.answered();
    let result = match timeout(left, get(&mut stream, requests, answered)).await {
        Ok(result) => result,
        Err(_) => return timed_out(limit),
    };
    if result.is_ok() {
        stream.end_in_order();
    }
    ended(result.map(|size| {
        let times = match one.rounds {
            1 => String::new(),
            rounds => format!(" {rounds} times"),
        };
        format!("the server answered{times} with status {} and {size} bytes", one.status)
    }))
}

fn open(stream: TcpStream, gate: &Rc<Gate>) -> ClientStream {
    let stream = ClientStream::new(stream, Rc::clone(gate), true);
    stream.hold_acknowledgements(true);
    stream
}

fn ended(result: Result<String, ExchangeError>) -> (LoginResult, String) {
    let error = match result {
        Ok(detail) => return (LoginResult::Pass, detail),
        Err(error) => error,
    };
    let result = match &error {
        ExchangeError::Status { .. } => LoginResult::Fail,
        ExchangeError::Broken(error) if error.kind() == io::ErrorKind::TimedOut => {
            LoginResult::Timeout
        }
        ExchangeError::Broken(_) | ExchangeError::Closed { .. } => LoginResult::Refused,
        ExchangeError::Differs { .. }
        | ExchangeError::More { .. }
        | ExchangeError::Length { .. }
        | ExchangeError::Http(_) => LoginResult::Error,
    };
    (result, error.to_string())
}
