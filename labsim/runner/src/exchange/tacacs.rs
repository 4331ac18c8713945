//! A TACACS+ login: a connection that behaves as the document's client does.
//!
//! The captures show a client whose acknowledgement of a reply rides on its next packet, and which
//! acknowledges the server's FIN and then resets the connection. Linux does the same when it is
//! set to hold back quick acknowledgements in between (tcp(7), TCP_QUICKACK) and to close without
//! lingering (socket(7), SO_LINGER).

use super::Gate;
use super::stream::ClientStream;
use labsim_aaa::tacacs::client::{
    ClientError, Connection, Event, Login, LoginOutcome, Method, Options, SessionResult,
};
use labsim_scenario::model::{LoginClose, LoginMethod, LoginResult, TacacsLogin};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Logs in over a connection, within the time that is left of the limit.
pub(super) async fn login(
    stream: TcpStream,
    login: &TacacsLogin,
    (left, limit): (Duration, Duration),
    gate: &Rc<Gate>,
) -> (LoginResult, String) {
    let outcome = match exchange(stream, login, left, gate).await {
        Ok(SessionResult { outcome, .. }) => outcome,
        Err(error) => error.into(),
    };
    to_result(outcome, limit)
}

async fn exchange(
    stream: TcpStream,
    login: &TacacsLogin,
    limit: Duration,
    gate: &Rc<Gate>,
) -> Result<SessionResult<LoginOutcome>, ClientError> {
    let method = match login.method {
        LoginMethod::Ascii => Method::ASCII,
        LoginMethod::Pap => Method::Pap,
        LoginMethod::Chap => Method::chap()?,
    };
    let mut options = Options::new(login.secret.clone());
    options.deadline = limit;
    let stream = ClientStream::new(stream, Rc::clone(gate), login.close == LoginClose::Reset);
    stream.hold_acknowledgements(true);
    let mut connection = Connection::with_observer(
        stream,
        options,
        |stream: &mut ClientStream, event| match event {
            Event::Sent(_) => {}
            Event::Received(_) => stream.answered(),
            Event::Closed => stream.hold_acknowledgements(false),
        },
    );
    let password = login.password.clone();
    Ok(connection.login(Login::new(&login.user, password, method)).await)
}

fn to_result(outcome: LoginOutcome, limit: Duration) -> (LoginResult, String) {
    let reply = |word: &str, message: String| match message.as_str() {
        "" => format!("the server replied {word}"),
        message => format!("the server replied {word}: {}", message.escape_debug()),
    };
    match outcome {
        LoginOutcome::Pass { message } => (LoginResult::Pass, reply("PASS", message)),
        LoginOutcome::Fail { message } => (LoginResult::Fail, reply("FAIL", message)),
        LoginOutcome::Error { message } => (LoginResult::Error, reply("ERROR", message)),
        // The time that was left when the exchange began is not the timeout of the file.
        LoginOutcome::NoResult(ClientError::Timeout(_)) => {
            (LoginResult::Timeout, ClientError::Timeout(limit).to_string())
        }
        LoginOutcome::NoResult(error) => {
            let result = match error {
                ClientError::Closed => LoginResult::Refused,
                _ => LoginResult::Error,
            };
            (result, error.to_string())
        }
    }
}
