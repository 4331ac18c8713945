//! What breaks the protocol, sans I/O: each ends in ERROR or a closed connection, and is named.

use super::*;
use labsim_aaa::tacacs::accounting;
use labsim_aaa::tacacs::authentication::Reply;
use labsim_aaa::tacacs::authorization;
use labsim_aaa::tacacs::codes::{AcctStatus, AuthenStatus, AuthorStatus};
use labsim_aaa::tacacs::header::FLAG_UNENCRYPTED;
use labsim_aaa::tacacs::log::{LogKind, LogOutcome};
use labsim_aaa::tacacs::{BodyError, HeaderError};

fn start() -> Vec<u8> {
    ascii("violet", "indigo").first().unwrap()
}

/// Feeds one connection, and expects that it is closed without an answer.
fn closed_by(bytes: &[u8]) -> ProtocolError {
    let done = Done::from(connect(&server()).receive(bytes));
    assert!(done.sent.is_empty() && done.closed);
    let [entry] = done.log.as_slice() else { panic!("one entry: {:?}", done.log) };
    assert_eq!((entry.kind, entry.outcome), (LogKind::ProtocolError, LogOutcome::Closed));
    assert_eq!(entry.detail, done.reason.unwrap().to_string());
    done.reason.unwrap()
}

#[test]
fn differing_secrets_are_answered_with_error_and_named_at_both_ends() {
    let options = Options::new(Secret::new("other"));
    let login = login("violet", "indigo", Method::ASCII);
    let talk = talk(LoginSession::new(login, SessionId(1), &options), &mut connect(&server()));
    // What the server sent is an ERROR for whoever has its secret.
    assert_eq!(read::<Reply>(&talk.packets[1], SECRET).status, AuthenStatus::Error);
    assert_eq!(
        (talk.log[0].kind, talk.log[0].outcome),
        (LogKind::ProtocolError, LogOutcome::Error)
    );
    assert!(talk.log[0].detail.contains("secrets differ"));
    assert!(talk.closed);
    let error = talk.outcome.unwrap_err();
    assert!(matches!(
        error,
        ClientError::Unreadable(ProtocolError::Body(BodyError::Lengths { .. }))
    ));
    assert!(error.to_string().contains("secrets differ"));
}

#[test]
fn an_unreadable_body_is_answered_in_the_manner_of_its_type() {
    let garbled = |kind: u8| {
        let mut bytes = start();
        bytes[1] = kind;
        let at = bytes.len() - 1;
        bytes.truncate(at);
        bytes[11] -= 1;
        Done::from(connect(&server()).receive(&bytes)).sent.remove(0)
    };
    assert_eq!(read::<Reply>(&garbled(1), SECRET).status, AuthenStatus::Error);
    assert_eq!(read::<authorization::Reply>(&garbled(2), SECRET).status, AuthorStatus::Error);
    assert_eq!(read::<accounting::Reply>(&garbled(3), SECRET).status, AcctStatus::Error);
}

#[test]
fn an_unreadable_continue_is_answered_with_error() {
    let server = server();
    let mut connection = connect(&server);
    let mut session = ascii("violet", "indigo");
    let ask = Done::from(connection.receive(&session.first().unwrap())).sent.remove(0);
    let mut answer = session.receive(whole(&ask)).unwrap().send.unwrap();
    answer[12] ^= 0x80;
    let done = Done::from(connection.receive(&answer));
    assert_eq!(read::<Reply>(&done.sent[0], SECRET).status, AuthenStatus::Error);
    assert!(done.closed);
}

#[test]
fn a_packet_in_clear_is_refused_by_both_ends() {
    let mut bytes = start();
    bytes[3] |= FLAG_UNENCRYPTED;
    assert_eq!(closed_by(&bytes), ProtocolError::Unencrypted);

    let mut session = ascii("violet", "indigo");
    let first = session.first().unwrap();
    let mut reply = Done::from(connect(&server()).receive(&first)).sent.remove(0);
    reply[3] |= FLAG_UNENCRYPTED;
    let error = session.receive(whole(&reply)).unwrap_err();
    assert_eq!(error, ClientError::Unreadable(ProtocolError::Unencrypted));
}

#[test]
fn a_session_that_does_not_begin_with_one_is_refused() {
    for number in [2, 3, 254, 255] {
        let mut bytes = start();
        bytes[2] = number;
        let expected = ProtocolError::Sequence { expected: 1, got: number };
        assert_eq!(closed_by(&bytes), expected);
    }
}

#[test]
fn a_repeated_or_skipped_number_ends_the_connection() {
    for number in [1, 2, 4, 5] {
        let server = server();
        let mut connection = connect(&server);
        let mut session = ascii("violet", "indigo");
        let ask = Done::from(connection.receive(&session.first().unwrap())).sent.remove(0);
        let mut answer = session.receive(whole(&ask)).unwrap().send.unwrap();
        answer[2] = number;
        let done = Done::from(connection.receive(&answer));
        assert_eq!(done.reason, Some(ProtocolError::Sequence { expected: 3, got: number }));
        assert!(done.sent.is_empty() && done.closed);
    }
}

#[test]
fn a_session_does_not_change_its_type() {
    let server = server();
    let mut connection = connect(&server);
    connection.receive(&start());
    let mut bytes = start();
    bytes[1..3].copy_from_slice(&[2, 3]);
    let done = Done::from(connection.receive(&bytes));
    assert!(matches!(done.reason, Some(ProtocolError::Type { .. })));
}

#[test]
fn a_length_of_4_gib_closes_the_connection_before_a_byte_of_it_comes() {
    let mut bytes = start();
    bytes[8..12].fill(0xff);
    let error = closed_by(&bytes[..12]);
    let expected = HeaderError::TooLong { length: u32::MAX, max: 65_536 };
    assert_eq!(error, ProtocolError::Header(expected));
}

#[test]
fn a_connection_that_ends_inside_a_packet_is_named() {
    for received in [1, 11, 12, 25] {
        let server = server();
        let mut connection = connect(&server);
        assert_eq!(connection.receive(&start()[..received]), []);
        let done = Done::from(connection.handle_eof());
        assert_eq!(done.reason, Some(ProtocolError::Truncated { received }));
        assert_eq!(done.log.len(), 1);
    }
}

#[test]
fn a_connection_without_a_byte_ends_without_an_entry() {
    let done = Done::from(connect(&server()).handle_eof());
    assert!(done.closed && done.log.is_empty());
}

#[test]
fn a_client_that_leaves_a_login_is_written_down() {
    let server = server();
    let mut connection = connect(&server);
    connection.receive(&start());
    let done = Done::from(connection.handle_eof());
    let [entry] = done.log.as_slice() else { panic!("one entry") };
    assert_eq!((entry.kind, entry.outcome), (LogKind::Authentication, LogOutcome::Abandoned));
    assert_eq!(entry.user.as_deref(), Some("violet"));
}

#[test]
fn after_closing_nothing_is_taken() {
    let server = server();
    let mut connection = connect(&server);
    connection.receive(b"GET / HTTP/1.1\r\n");
    assert_eq!(connection.receive(&start()), []);
    assert_eq!(connection.handle_eof(), []);
    assert_eq!(connection.handle_timeout(), []);
}

#[test]
fn another_protocol_is_named() {
    let error = closed_by(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(error, ProtocolError::Header(HeaderError::Version(b'G')));
    assert!(error.to_string().contains("something else"));
}

#[test]
fn a_client_from_an_unknown_address_is_refused() {
    let server = server();
    let snat: SocketAddr = "10.1.1.1:40000".parse().unwrap();
    let entry = Connection::accept(&server, snat, local()).unwrap_err();
    assert_eq!(
        (entry.kind, entry.outcome, entry.client),
        (LogKind::Refused, LogOutcome::Closed, snat)
    );
    assert_eq!(
        entry.to_string(),
        "10.1.1.1:40000 -> 172.16.4.99:49 refused closed: \
         the source address is not among the server's clients"
    );
}

#[test]
fn an_ipv4_client_of_an_ipv6_socket_is_shown_by_its_ipv4_address() {
    let server = server();
    let mapped: SocketAddr = "[::ffff:192.168.11.201]:61067".parse().unwrap();
    let mut connection = Connection::accept(&server, mapped, local()).unwrap();
    let talk = talk(ascii("violet", "indigo"), &mut connection);
    assert_eq!(talk.log[0].client, peer());
}

/// A reply that is right but for one byte of its header.
fn changed_reply(at: usize, value: u8) -> ClientError {
    let mut session = ascii("violet", "indigo");
    let first = session.first().unwrap();
    let mut reply = Done::from(connect(&server()).receive(&first)).sent.remove(0);
    reply[at] = value;
    session.receive(whole(&reply)).unwrap_err()
}

#[test]
fn a_client_takes_only_the_answer_to_its_packet() {
    let unreadable = |error| match error {
        ClientError::Unreadable(error) => error,
        other => panic!("{other}"),
    };
    let sequence = unreadable(changed_reply(2, 4));
    assert_eq!(sequence, ProtocolError::Sequence { expected: 2, got: 4 });
    assert!(matches!(unreadable(changed_reply(1, 2)), ProtocolError::Type { .. }));
    assert!(matches!(unreadable(changed_reply(7, 9)), ProtocolError::Session { .. }));
}

#[test]
fn a_status_that_the_rfc_does_not_know_is_unreadable() {
    let mut session = ascii("violet", "indigo");
    let header = whole(&session.first().unwrap()).header.answer().unwrap();
    let reply = Reply::new(AuthenStatus::Unknown(0x55), "");
    let reply = encrypt(header, &reply, &Secret::new(SECRET)).unwrap();
    let error = session.receive(whole(&reply)).unwrap_err();
    assert_eq!(error, ClientError::Unreadable(ProtocolError::Status(0x55)));
}
