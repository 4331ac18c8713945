//! The client's side of a TACACS+ login: a connection that behaves as the document's client does.
//!
//! The captures show a client whose acknowledgement of a reply rides on its next packet, and which
//! acknowledges the server's FIN and then resets the connection. Linux does the same when it is
//! told to hold back quick acknowledgements in between (tcp(7), TCP_QUICKACK) and to close without
//! lingering (socket(7), SO_LINGER).

use labsim_aaa::Secret;
use labsim_aaa::tacacs::client::{
    Connection, End, Event, Finished, Login, LoginOutcome, Method, Options, Trouble,
};
use labsim_scenario::model::{LoginMethod, LoginResult, TacacsLogin};
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How a login ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: LoginResult,
    /// What was said, or what went wrong and why that may be.
    pub(crate) detail: String,
    /// The client's address and port, if it got that far.
    pub(crate) local: Option<SocketAddr>,
}

/// Logs in over `socket`, which was made in the client's namespace and is not connected.
pub(crate) async fn tacacs(
    socket: std::net::TcpStream,
    login: &TacacsLogin,
    limit: Duration,
) -> Ended {
    let (local, connected) = connect(socket, login.to, limit).await;
    let mut stream = match connected {
        Ok(stream) => stream,
        Err((result, detail)) => return Ended { result, detail, local },
    };
    let Finished { outcome, end } = match exchange(&mut stream, login, limit).await {
        Ok(finished) => finished,
        Err(trouble) => Finished { outcome: trouble.into(), end: End::Open },
    };
    if end != End::Shared {
        // Closing now sends RST, as the document's client does.
        let _ = stream.set_zero_linger();
    }
    drop(stream);
    let (result, detail) = said(outcome);
    Ended { result, detail, local }
}

async fn exchange(
    stream: &mut TcpStream,
    login: &TacacsLogin,
    limit: Duration,
) -> Result<Finished<LoginOutcome>, Trouble> {
    let method = match login.method {
        LoginMethod::Ascii => Method::ASCII,
        LoginMethod::Pap => Method::Pap,
        LoginMethod::Chap => Method::chap()?,
    };
    let mut options = Options::new(Secret::new(login.secret.expose()));
    options.deadline = limit;
    hold_acknowledgements(stream, true);
    let mut connection = Connection::observed(stream, options, |stream, event| match event {
        Event::Sent(_) | Event::Received(_) => {}
        Event::Closed => hold_acknowledgements(stream, false),
    });
    let password = Secret::new(login.password.expose());
    Ok(connection.login(Login::new(&login.user, password, method)).await)
}

/// Whether acknowledgements wait for data to ride on. Only the frames' number depends on it, so a
/// refusal shows in the captures and nowhere else.
fn hold_acknowledgements(stream: &TcpStream, hold: bool) {
    let _ = stream.set_quickack(!hold);
}

/// Connects, and tells the client's own address and port even if nobody answers.
async fn connect(
    socket: std::net::TcpStream,
    to: SocketAddr,
    limit: Duration,
) -> (Option<SocketAddr>, Result<TcpStream, (LoginResult, String)>) {
    let name = socket.try_clone();
    let mut connecting = pin!(timeout(limit, TcpSocket::from_std_stream(socket).connect(to)));
    // The first poll sends the SYN, so the kernel has chosen address and port by then. The second
    // descriptor has to go at once: it would keep the connection open.
    let first = poll_fn(|context| Poll::Ready(connecting.as_mut().poll(context))).await;
    let local = name.and_then(|name| name.local_addr()).ok();
    let connected = match first {
        Poll::Ready(done) => done,
        Poll::Pending => connecting.await,
    };
    let connected = match connected {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(not_connected(&error)),
        Err(_) => {
            let detail = format!("no answer to the connection request within {limit:?}");
            Err((LoginResult::Timeout, detail))
        }
    };
    (local, connected)
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

fn said(outcome: LoginOutcome) -> (LoginResult, String) {
    let with = |said: &str, message: String| match message.as_str() {
        "" => format!("the server said {said}"),
        message => format!("the server said {said}: {}", message.escape_debug()),
    };
    match outcome {
        LoginOutcome::Pass { message } => (LoginResult::Pass, with("PASS", message)),
        LoginOutcome::Fail { message } => (LoginResult::Fail, with("FAIL", message)),
        LoginOutcome::Error { message } => (LoginResult::Error, with("ERROR", message)),
        LoginOutcome::Trouble(trouble) => {
            let result = match trouble {
                Trouble::Timeout(_) => LoginResult::Timeout,
                Trouble::Closed => LoginResult::Refused,
                _ => LoginResult::Error,
            };
            (result, trouble.to_string())
        }
    }
}
