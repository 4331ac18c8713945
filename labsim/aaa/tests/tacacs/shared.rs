//! Single-connection mode: several sessions on one connection (RFC 8907, section 4.3).

use super::*;
use labsim_aaa::tacacs::authentication::Reply;
use labsim_aaa::tacacs::authorization::{self, Origin};
use labsim_aaa::tacacs::client::LoginOutcome;
use labsim_aaa::tacacs::codes::{AuthenStatus, AuthorStatus};
use labsim_aaa::tacacs::header::FLAG_SINGLE_CONNECT;
use labsim_aaa::tacacs::log::LogOutcome;
use labsim_aaa::tacacs::server::MAX_SESSIONS;

fn offering() -> Options {
    Options { single_connection: true, ..options() }
}

fn session(id: u32) -> LoginSession {
    LoginSession::new(login("violet", "indigo", Method::ASCII), SessionId(id), &offering())
}

#[test]
fn sessions_follow_each_other_on_a_connection_that_is_agreed_to_be_shared() {
    let server = server();
    let mut connection = connect(&server);
    let first = talk(session(1), &mut connection);
    let flags: Vec<bool> =
        first.packets.iter().map(|p| whole(p).header.has(FLAG_SINGLE_CONNECT)).collect();
    assert_eq!(flags, [true, true, false, false], "the first two packets agree on it");
    assert!(!first.closed && connection.is_idle());

    let request = authorization::Request { origin: Origin::of("violet"), arguments: Vec::new() };
    let header = first_header(PacketType::Authorization, MinorVersion::Default);
    let header = Header { session: SessionId(2), ..header };
    let request = encrypt(header, &request, &Secret::new(SECRET)).unwrap();
    let second = Done::from(connection.receive(&request));
    let reply: authorization::Reply = read(&second.sent[0], SECRET);
    assert!(reply.status == AuthorStatus::PassAdd && !second.closed);
    // The number of a session that is over may come again.
    let third = talk(session(1), &mut connection);
    assert!(matches!(third.outcome, Ok(LoginOutcome::Pass { .. })));
    assert!(Done::from(connection.handle_eof()).log.is_empty());
}

#[test]
fn sessions_may_overlap_on_a_shared_connection() {
    let server = server();
    let mut connection = connect(&server);
    let mut sessions = [session(1), session(2), session(3)];
    let mut asks = Vec::new();
    for session in &mut sessions {
        asks.push(Done::from(connection.receive(&session.first().unwrap())).sent.remove(0));
    }
    for (session, ask) in sessions.iter_mut().zip(&asks).rev() {
        let answer = session.receive(whole(ask)).unwrap().send.unwrap();
        let done = Done::from(connection.receive(&answer));
        let step = session.receive(whole(&done.sent[0])).unwrap();
        assert!(matches!(step.outcome, Some(LoginOutcome::Pass { .. })));
        assert!(!done.closed);
    }
}

#[test]
fn a_server_that_does_not_share_closes_after_the_first_session() {
    let mut server = server();
    server.single_connection = false;
    let talk = talk(session(1), &mut connect(&server));
    assert!(matches!(talk.outcome, Ok(LoginOutcome::Pass { .. })));
    assert!(talk.closed);
    assert!(!whole(&talk.packets[1]).header.has(FLAG_SINGLE_CONNECT));
}

#[test]
fn a_second_session_that_was_not_agreed_on_is_refused() {
    let server = server();
    let mut connection = connect(&server);
    assert_eq!(connection.receive(&ascii("violet", "indigo").first().unwrap()).len(), 1);
    let mut other = session(2);
    let done = Done::from(connection.receive(&other.first().unwrap()));
    assert_eq!(done.reason, Some(ProtocolError::SecondSession));
    assert!(done.sent.is_empty());
    let outcomes: Vec<LogOutcome> = done.log.iter().map(|entry| entry.outcome).collect();
    assert_eq!(
        outcomes,
        [LogOutcome::Closed, LogOutcome::Abandoned],
        "the open login is written down"
    );
}

#[test]
fn the_number_of_open_sessions_is_bounded() {
    let server = server();
    let mut connection = connect(&server);
    for id in 0..MAX_SESSIONS {
        let id = u32::try_from(id).unwrap();
        assert!(!Done::from(connection.receive(&session(id).first().unwrap())).closed);
    }
    let done = Done::from(connection.receive(&session(999).first().unwrap()));
    assert_eq!(done.reason, Some(ProtocolError::TooManySessions(MAX_SESSIONS)));
}

#[test]
fn after_an_unreadable_packet_open_sessions_end_and_no_new_one_begins() {
    let bad = || {
        let options = Options { secret: Secret::new("other"), ..offering() };
        let login = login("violet", "indigo", Method::ASCII);
        LoginSession::new(login, SessionId(2), &options).first().unwrap()
    };
    let server = server();

    let mut connection = connect(&server);
    let mut open = session(1);
    let ask = Done::from(connection.receive(&open.first().unwrap())).sent.remove(0);
    let done = Done::from(connection.receive(&bad()));
    assert_eq!(read::<Reply>(&done.sent[0], SECRET).status, AuthenStatus::Error);
    assert!(!done.closed, "a session is open still");
    let answer = open.receive(whole(&ask)).unwrap().send.unwrap();
    let done = Done::from(connection.receive(&answer));
    assert_eq!(read::<Reply>(&done.sent[0], SECRET).status, AuthenStatus::Pass);
    assert!(done.closed, "it was the last one");

    let mut connection = connect(&server);
    connection.receive(&session(1).first().unwrap());
    connection.receive(&bad());
    let done = Done::from(connection.receive(&session(3).first().unwrap()));
    assert_eq!(done.reason, Some(ProtocolError::Draining));
}
