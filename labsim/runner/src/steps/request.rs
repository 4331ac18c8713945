//! A RADIUS request, repeated until it is answered or given up.

use super::nanoseconds;
use crate::datagrams::ClientSocket;
use crate::fault::Fault;
use labsim_aaa::Secret;
use labsim_aaa::radius::Service;
use labsim_aaa::radius::accounting::Record;
use labsim_aaa::radius::attribute::{Attribute, AttributeType, MAX_VALUE};
use labsim_aaa::radius::client::{
    Account, Dropped, Login, Method, Number, Options, Outcome, Reason, Retransmission, Session,
    Trouble, run,
};
use labsim_lab::Lab;
use labsim_scenario::model::{
    AccountingRecord, LoginMethod, LoginResult, RadiusQuestion, RadiusRequest,
};
use labsim_verdict::Attempt;
use labsim_wire::protocol;
use std::net::SocketAddr;
use std::time::Instant;

/// Asks, from a port of its own.
pub(super) async fn ask(lab: &Lab, request: &RadiusRequest) -> Result<Attempt, Fault> {
    let from = &request.from;
    let node = lab.node(from).ok_or_else(|| Fault::no_node(from))?;
    let attempt = |(result, detail), local, began| Attempt {
        from: from.clone(),
        protocol: protocol::UDP,
        result,
        detail,
        local,
        remote: request.to,
        duration_ns: nanoseconds(began),
    };
    let began = Instant::now();
    let own = match node.source_towards(request.to) {
        Ok(own) => own,
        Err(error) => {
            let said = format!("the request could not be sent: {error}");
            return Ok(attempt((LoginResult::Refused, said), None, began));
        }
    };
    let what = "the client's socket";
    let socket = node.udp_socket(SocketAddr::new(own, 0)).map_err(Fault::broken(what))?;
    let local = socket.local_addr().map_err(Fault::broken(what))?;
    let mut socket = ClientSocket::new(socket).map_err(Fault::broken(what))?;
    let began = Instant::now();
    let outcome = exchange(&mut socket, request).await.unwrap_or_else(Outcome::from);
    Ok(attempt(said(outcome), Some(local), began))
}

async fn exchange(socket: &mut ClientSocket, request: &RadiusRequest) -> Result<Outcome, Trouble> {
    let mut options = Options::new(Secret::new(request.secret.expose()));
    options.retransmission = Retransmission {
        first: request.timeout,
        longest: request.timeout,
        attempts: request.tries,
        total: request.timeout.saturating_mul(request.tries),
    };
    let to = request.to;
    match &request.question {
        RadiusQuestion::Login { method, user, password, message_authenticator } => {
            options.message_authenticator = *message_authenticator;
            options.require_message_authenticator = *message_authenticator;
            let method = match method {
                LoginMethod::Chap => Method::CHAP,
                LoginMethod::Pap | LoginMethod::Ascii => Method::Pap,
            };
            let login = Login::new(user, Secret::new(password.expose()), method);
            let mut session = Session::login(&login, to, Number::random()?, &options)?;
            Ok(run(socket, &mut session).await)
        }
        RadiusQuestion::Accounting { record, user, session, class } => {
            let record = match record {
                AccountingRecord::Start => Record::Start,
                AccountingRecord::Stop => Record::Stop,
            };
            let mut account = Account::new(record, user, session);
            for part in class.as_bytes().chunks(MAX_VALUE) {
                account
                    .attributes
                    .push(Attribute::new(AttributeType::CLASS, part).map_err(Trouble::Request)?);
            }
            let mut session = Session::account(&account, to, Number::random()?, &options)?;
            Ok(run(socket, &mut session).await)
        }
        RadiusQuestion::Status => status(socket, request, &options).await,
    }
}

/// A question that is not answered is asked anew, never repeated (RFC 5997, section 6).
async fn status(
    socket: &mut ClientSocket,
    request: &RadiusRequest,
    options: &Options,
) -> Result<Outcome, Trouble> {
    // Which service is asked does not show in the question, only in the answer's code.
    let service = match request.to.port() {
        port if port == Service::Accounting.port() => Service::Accounting,
        _ => Service::Authentication,
    };
    let mut all_dropped: Vec<Dropped> = Vec::new();
    for _ in 0..request.tries {
        let mut session = Session::status(service, request.to, Number::random()?, options)?;
        match run(socket, &mut session).await {
            Outcome::Timeout { dropped, .. } => all_dropped.extend(dropped),
            outcome => return Ok(outcome),
        }
    }
    Ok(Outcome::Timeout { server: request.to, attempts: request.tries, dropped: all_dropped })
}

fn said(outcome: Outcome) -> (LoginResult, String) {
    let result = match &outcome {
        Outcome::Accept { .. } | Outcome::AccountingOk | Outcome::StatusOk => LoginResult::Pass,
        Outcome::Reject { .. } => LoginResult::Fail,
        Outcome::Timeout { dropped, .. } if dropped.iter().any(is_unreadable) => LoginResult::Error,
        Outcome::Timeout { .. } => LoginResult::Timeout,
        Outcome::Trouble(_) => LoginResult::Error,
    };
    let detail = match &outcome {
        Outcome::Timeout { .. } | Outcome::Trouble(_) => outcome.to_string(),
        said => format!("the server said {said}"),
    };
    (result, detail)
}

/// Whether the right server answered, in a way that the client could not take.
fn is_unreadable(dropped: &Dropped) -> bool {
    match dropped.reason {
        Reason::WrongSource | Reason::WrongIdentifier => false,
        Reason::Malformed
        | Reason::WrongCode
        | Reason::NoMessageAuthenticator
        | Reason::WrongMessageAuthenticator
        | Reason::WrongAuthenticator => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(reason: Reason) -> Outcome {
        let from = "172.16.4.99:1812".parse().unwrap();
        let dropped = vec![Dropped { reason, from, count: 1 }];
        Outcome::Timeout { server: from, attempts: 1, dropped }
    }

    #[test]
    fn an_answer_from_elsewhere_is_no_answer_and_one_that_is_not_genuine_is_an_error() {
        assert_eq!(said(timeout(Reason::WrongSource)).0, LoginResult::Timeout);
        let (result, detail) = said(timeout(Reason::WrongAuthenticator));
        assert_eq!(result, LoginResult::Error);
        assert!(detail.contains("the shared secrets differ"), "{detail}");
    }

    #[test]
    fn what_the_server_said_is_told_as_its_word() {
        let accepted = said(Outcome::Accept { message: String::new() });
        assert_eq!(accepted, (LoginResult::Pass, "the server said ACCEPT".to_owned()));
        let rejected = said(Outcome::Reject { message: "no".to_owned() });
        assert_eq!(rejected, (LoginResult::Fail, "the server said REJECT: no".to_owned()));
    }
}
