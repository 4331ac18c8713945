//! The client's side of a TACACS+ login: a connection that behaves as the document's client does.
//!
//! The captures show a client whose acknowledgement of a reply rides on its next packet, and which
//! acknowledges the server's FIN and then resets the connection. Linux does the same when it is
//! told to hold back quick acknowledgements in between (tcp(7), TCP_QUICKACK) and to close without
//! lingering (socket(7), SO_LINGER).

mod line;

pub(crate) use line::Gate;

use labsim_aaa::Secret;
use labsim_aaa::tacacs::client::{
    Connection, Event, Finished, Login, LoginOutcome, Method, Options, Trouble,
};
use labsim_scenario::model::{LoginMethod, LoginResult, TacacsLogin};
use line::Line;
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

/// A login that pauses is bounded by whoever resumes it.
const UNBOUNDED: Duration = Duration::from_secs(24 * 60 * 60);

/// How a login ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: LoginResult,
    /// What was said, or what went wrong and why that may be.
    pub(crate) detail: String,
    /// The client's address and port, if it got that far.
    pub(crate) local: Option<SocketAddr>,
}

/// Logs in over `socket`, which was made in the client's namespace and is not connected. The gate
/// learns the client's address, and may hold the login where the server asks for the password.
pub(crate) async fn tacacs(
    socket: std::net::TcpStream,
    login: Rc<TacacsLogin>,
    gate: Rc<Gate>,
) -> Ended {
    let limit = login.timeout;
    let deadline = Instant::now() + limit;
    let stream = match connect(socket, login.to, (limit, deadline), &gate).await {
        Ok(stream) => stream,
        Err((result, detail)) => return Ended { result, detail, local: gate.local() },
    };
    let left = match gate.may_hold() {
        true => UNBOUNDED,
        false => deadline.saturating_duration_since(Instant::now()),
    };
    let outcome = match exchange(stream, &login, left, &gate).await {
        Ok(Finished { outcome, .. }) => outcome,
        Err(trouble) => trouble.into(),
    };
    let (result, detail) = said(outcome, limit);
    Ended { result, detail, local: gate.local() }
}

/// What is said of a login that took too long.
pub(crate) fn too_late(limit: Duration) -> (LoginResult, String) {
    (LoginResult::Timeout, Trouble::Timeout(limit).to_string())
}

async fn exchange(
    stream: TcpStream,
    login: &TacacsLogin,
    limit: Duration,
    gate: &Rc<Gate>,
) -> Result<Finished<LoginOutcome>, Trouble> {
    let method = match login.method {
        LoginMethod::Ascii => Method::ASCII,
        LoginMethod::Pap => Method::Pap,
        LoginMethod::Chap => Method::chap()?,
    };
    let mut options = Options::new(Secret::new(login.secret.expose()));
    options.deadline = limit;
    let line = Line::new(stream, Rc::clone(gate), login.close);
    line.hold_acknowledgements(true);
    let mut connection =
        Connection::observed(line, options, |line: &mut Line, event| match event {
            Event::Sent(_) => {}
            Event::Received(_) => line.answered(),
            Event::Closed => line.hold_acknowledgements(false),
        });
    let password = Secret::new(login.password.expose());
    Ok(connection.login(Login::new(&login.user, password, method)).await)
}

/// Connects, and tells the client's own address and port even if nobody answers.
async fn connect(
    socket: std::net::TcpStream,
    to: SocketAddr,
    (limit, deadline): (Duration, Instant),
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
            "the connection was refused: a RST came back, so nothing listens there".to_owned()
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("the connection was refused: {error} (an ICMP error, or no route)")
        }
        _ => format!("the connection could not be made: {error}"),
    };
    (result, detail)
}

fn said(outcome: LoginOutcome, limit: Duration) -> (LoginResult, String) {
    let with = |said: &str, message: String| match message.as_str() {
        "" => format!("the server said {said}"),
        message => format!("the server said {said}: {}", message.escape_debug()),
    };
    match outcome {
        LoginOutcome::Pass { message } => (LoginResult::Pass, with("PASS", message)),
        LoginOutcome::Fail { message } => (LoginResult::Fail, with("FAIL", message)),
        LoginOutcome::Error { message } => (LoginResult::Error, with("ERROR", message)),
        // The time that was left when the exchange began is not what the file says.
        LoginOutcome::Trouble(Trouble::Timeout(_)) => too_late(limit),
        LoginOutcome::Trouble(trouble) => {
            let result = match trouble {
                Trouble::Closed => LoginResult::Refused,
                _ => LoginResult::Error,
            };
            (result, trouble.to_string())
        }
    }
}
