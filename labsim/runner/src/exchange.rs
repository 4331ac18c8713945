//! The client's side of an exchange, on a socket that was made in the client's namespace.

mod bytes;
mod datagram;
mod radius;
mod stream;
mod tacacs;

pub(crate) use stream::Gate;

use crate::datagrams::ClientSocket;
use labsim_scenario::model::{Exchange, ExchangeForm, LoginResult};
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

/// An exchange that pauses is bounded by the step that resumes it.
const UNBOUNDED: Duration = Duration::from_secs(24 * 60 * 60);

/// A client's socket.
pub(crate) enum Socket {
    /// Not connected.
    Tcp(std::net::TcpStream),
    /// Bound to the client's address, and not connected.
    Udp(ClientSocket),
}

/// How an exchange ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: LoginResult,
    /// What the server replied, or what went wrong and a possible reason.
    pub(crate) detail: String,
    /// The client's address and port, if it got that far.
    pub(crate) local: Option<SocketAddr>,
}

/// Runs an exchange, the step's with that number. The gate learns the client's address, and may hold the
/// exchange after the server's first answer.
pub(crate) async fn run(
    socket: Socket,
    exchange: Rc<Exchange>,
    number: usize,
    gate: Rc<Gate>,
) -> Ended {
    let (result, detail) = match socket {
        Socket::Tcp(socket) => over_tcp(socket, &exchange, &gate).await,
        Socket::Udp(socket) => datagram::run(socket, &exchange, number).await,
    };
    Ended { result, detail, local: gate.local() }
}

async fn over_tcp(
    socket: std::net::TcpStream,
    exchange: &Exchange,
    gate: &Rc<Gate>,
) -> (LoginResult, String) {
    let limit = exchange.timeout;
    let deadline = Instant::now() + limit;
    let stream = match connect(socket, exchange.to, limit, deadline, gate).await {
        Ok(stream) => stream,
        Err(end) => return end,
    };
    let left = match gate.may_hold() {
        true => UNBOUNDED,
        false => deadline.saturating_duration_since(Instant::now()),
    };
    match &exchange.form {
        ExchangeForm::TacacsLogin(login) => tacacs::login(stream, login, (left, limit), gate).await,
        ExchangeForm::Tcp(one) => bytes::rounds(stream, one, (left, limit), gate).await,
        ExchangeForm::Http(get) => bytes::http(stream, get, (left, limit), gate).await,
        ExchangeForm::Udp(_) | ExchangeForm::Dns(_) | ExchangeForm::Radius(_) => {
            (LoginResult::Error, "labsim has an error of its own: datagrams over TCP".to_owned())
        }
    }
}

/// The result of an exchange that took too long.
pub(crate) fn timed_out(limit: Duration) -> (LoginResult, String) {
    (LoginResult::Timeout, format!("no answer within {limit:?}"))
}

/// Connects, and records the client's own address and port even if no answer comes.
pub(crate) async fn connect(
    socket: std::net::TcpStream,
    to: SocketAddr,
    limit: Duration,
    deadline: Instant,
    gate: &Gate,
) -> Result<TcpStream, (LoginResult, String)> {
    let name = socket.try_clone();
    let connecting = TcpSocket::from_std_stream(socket).connect(to);
    let mut connecting = pin!(timeout_at(deadline, connecting));
    // The first poll sends the SYN, so the kernel has chosen address and port by then. The second
    // descriptor has to go at once: it would keep the connection open.
    let first = poll_fn(|context| Poll::Ready(connecting.as_mut().poll(context))).await;
    if let Ok(local) = name.and_then(|name| name.local_addr()) {
        gate.set_local(local);
    }
    let connected = match first {
        Poll::Ready(done) => done,
        Poll::Pending => connecting.await,
    };
    match connected {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(not_connected(&error)),
        Err(_) => {
            let detail = format!("no answer to the connection request within {limit:?}");
            Err((LoginResult::Timeout, detail))
        }
    }
}

fn not_connected(error: &io::Error) -> (LoginResult, String) {
    let result = match error.kind() {
        io::ErrorKind::TimedOut => LoginResult::Timeout,
        _ => LoginResult::Refused,
    };
    let detail = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "the connection was refused: a RST came back, so no process listens there".to_owned()
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("the connection was refused: {error} (an ICMP error, or no route)")
        }
        _ => format!("the connection could not be made: {error}"),
    };
    (result, detail)
}
