//! A RADIUS request, retransmitted until it is answered or its attempts are used up.

use crate::datagrams::ClientSocket;
use labsim_aaa::radius::Service;
use labsim_aaa::radius::accounting::AcctStatusType;
use labsim_aaa::radius::attribute::{Attribute, AttributeType, MAX_VALUE};
use labsim_aaa::radius::client::{
    AccountingRequest, ClientError, DropReason, DroppedReplies, Login, Method, Options, RequestId,
    RequestOutcome, Retransmission, Session, run,
};
use labsim_scenario::model::{
    AccountingRecord, LoginMethod, LoginResult, RadiusQuestion, RadiusRequest,
};
use std::net::SocketAddr;
use std::time::Duration;

/// Sends it, and waits for the answer.
pub(super) async fn request(
    socket: &mut ClientSocket,
    request: &RadiusRequest,
    to: SocketAddr,
    interval: Duration,
) -> (LoginResult, String) {
    let sending = Sending { request, to, interval };
    to_result(sending.run(socket).await.unwrap_or_else(RequestOutcome::from))
}

/// A request, and how it is repeated.
struct Sending<'a> {
    request: &'a RadiusRequest,
    to: SocketAddr,
    interval: Duration,
}

impl Sending<'_> {
    async fn run(&self, socket: &mut ClientSocket) -> Result<RequestOutcome, ClientError> {
        let Self { request, to, interval } = *self;
        let mut options = Options::new(request.secret.clone());
        options.retransmission = Retransmission {
            first: interval,
            longest: interval,
            attempts: request.max_transmissions,
            total: interval.saturating_mul(request.max_transmissions),
        };
        match &request.question {
            RadiusQuestion::Login {
                method,
                user,
                password,
                message_authenticator,
                require_message_authenticator,
            } => {
                options.message_authenticator = *message_authenticator;
                options.require_message_authenticator = *require_message_authenticator;
                let method = match method {
                    LoginMethod::Chap => Method::CHAP,
                    LoginMethod::Pap | LoginMethod::Ascii => Method::Pap,
                };
                let login = Login::new(user, password.clone(), method);
                let mut session = Session::login(&login, to, RequestId::random()?, &options)?;
                Ok(run(socket, &mut session).await)
            }
            RadiusQuestion::Accounting { acct_status_type, user, acct_session_id, class } => {
                let status = match acct_status_type {
                    AccountingRecord::Start => AcctStatusType::Start,
                    AccountingRecord::Stop => AcctStatusType::Stop,
                };
                let mut account = AccountingRequest::new(status, user, acct_session_id);
                for part in class.as_bytes().chunks(MAX_VALUE) {
                    account.attributes.push(
                        Attribute::new(AttributeType::CLASS, part).map_err(ClientError::Request)?,
                    );
                }
                let mut session =
                    Session::accounting(&account, to, RequestId::random()?, &options)?;
                Ok(run(socket, &mut session).await)
            }
            RadiusQuestion::Status => self.status(socket, &options).await,
        }
    }

    /// An unanswered request is made anew, never retransmitted (RFC 5997, section 6).
    async fn status(
        &self,
        socket: &mut ClientSocket,
        options: &Options,
    ) -> Result<RequestOutcome, ClientError> {
        let Self { request, to, .. } = *self;
        // Which service is asked does not show in the request, only in the code of the answer.
        let service = match to.port() {
            port if port == Service::Accounting.port() => Service::Accounting,
            _ => Service::Authentication,
        };
        let mut all_dropped: Vec<DroppedReplies> = Vec::new();
        for _ in 0..request.max_transmissions {
            let mut session = Session::status(service, to, RequestId::random()?, options)?;
            match run(socket, &mut session).await {
                RequestOutcome::Timeout { dropped, .. } => all_dropped.extend(dropped),
                outcome => return Ok(outcome),
            }
        }
        Ok(RequestOutcome::Timeout {
            server: to,
            attempts: request.max_transmissions,
            dropped: all_dropped,
        })
    }
}

fn to_result(outcome: RequestOutcome) -> (LoginResult, String) {
    let result = match &outcome {
        RequestOutcome::Accept { .. } | RequestOutcome::AccountingOk | RequestOutcome::StatusOk => {
            LoginResult::Pass
        }
        RequestOutcome::Reject { .. } => LoginResult::Fail,
        RequestOutcome::Timeout { dropped, .. } if dropped.iter().any(is_unreadable) => {
            LoginResult::Error
        }
        RequestOutcome::Timeout { .. } => LoginResult::Timeout,
        RequestOutcome::NoResult(_) => LoginResult::Error,
    };
    let detail = match &outcome {
        RequestOutcome::Timeout { .. } | RequestOutcome::NoResult(_) => outcome.to_string(),
        reply => format!("the server replied {reply}"),
    };
    (result, detail)
}

/// Whether the right server answered with something that the client could not accept.
fn is_unreadable(dropped: &DroppedReplies) -> bool {
    match dropped.reason {
        DropReason::WrongSource | DropReason::WrongIdentifier => false,
        DropReason::Malformed
        | DropReason::WrongCode
        | DropReason::NoMessageAuthenticator
        | DropReason::WrongMessageAuthenticator
        | DropReason::WrongAuthenticator => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(reason: DropReason) -> RequestOutcome {
        let from = "172.16.4.99:1812".parse().unwrap();
        let dropped = vec![DroppedReplies { reason, from, count: 1 }];
        RequestOutcome::Timeout { server: from, attempts: 1, dropped }
    }

    #[test]
    fn an_answer_from_elsewhere_is_no_answer_and_one_that_is_not_genuine_is_an_error() {
        assert_eq!(to_result(timeout(DropReason::WrongSource)).0, LoginResult::Timeout);
        let (result, detail) = to_result(timeout(DropReason::WrongAuthenticator));
        assert_eq!(result, LoginResult::Error);
        assert!(detail.contains("the shared secrets differ"), "{detail}");
    }

    #[test]
    fn the_servers_reply_is_quoted() {
        let accepted = to_result(RequestOutcome::Accept { message: String::new() });
        assert_eq!(accepted, (LoginResult::Pass, "the server replied ACCEPT".to_owned()));
        let rejected = to_result(RequestOutcome::Reject { message: "no".to_owned() });
        assert_eq!(rejected, (LoginResult::Fail, "the server replied REJECT: no".to_owned()));
    }
}
