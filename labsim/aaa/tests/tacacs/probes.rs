//! Asking whether a server answers.

use super::*;
use labsim_aaa::tacacs::client::{self, ProbeOutcome, ProbeSession};
use labsim_aaa::tacacs::codes::AuthenStatus;
use labsim_aaa::tacacs::server::serve_connection;
use std::time::Duration;
use tokio::io::duplex;

fn probe(secret: &str) -> ProbeSession {
    ProbeSession::new(SessionId(1), &Options::new(Secret::new(secret)))
}

#[test]
fn a_server_that_asks_for_the_user_has_answered() {
    let server = server();
    let talk = talk(probe(SECRET), &mut connect(&server));
    assert_eq!(talk.outcome, Ok(ProbeOutcome::Answered(AuthenStatus::GetUser)));
    assert_eq!((talk.packets.len(), talk.closed), (2, false), "a question and an answer");
}

#[test]
fn an_answer_that_cannot_be_read_is_none() {
    let server = server();
    let talk = talk(probe("other"), &mut connect(&server));
    assert!(matches!(talk.outcome, Err(ClientError::Unreadable(_))), "{talk:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_and_a_closed_connection_are_told_apart() {
    let (near, _far) = duplex(4096);
    let options = Options { deadline: Duration::from_secs(1), ..options() };
    let outcome = client::Connection::new(near, options.clone()).probe().await;
    assert_eq!(outcome, ProbeOutcome::NoResult(ClientError::Timeout(Duration::from_secs(1))));
    let (near, far) = duplex(4096);
    let server = server();
    let stranger = "10.0.0.1:1".parse().unwrap();
    let mut log = |_| ();
    let serving = serve_connection(far, stranger, local(), &server, &mut log);
    let mut connection = client::Connection::new(near, options);
    let (outcome, _) = tokio::join!(connection.probe(), serving);
    assert_eq!(outcome, ProbeOutcome::NoResult(ClientError::Closed));
}
