//! Bytes as TACACS+ bodies, as a client's stream to the server, and as the server's reply to a
//! client.
#![no_main]
#![allow(clippy::unwrap_used)]

use labsim_aaa::Secret;
use labsim_aaa::tacacs::body::Body;
use labsim_aaa::tacacs::client::{Login, LoginSession, Method, Options, Session};
use labsim_aaa::tacacs::header::SessionId;
use labsim_aaa::tacacs::packet::PacketReader;
use labsim_aaa::tacacs::server::{Action, Connection, Server};
use labsim_aaa::tacacs::{accounting, authentication, authorization};
use std::collections::BTreeMap;

const SECRET: &str = "tacacs-test";

/// The first byte selects the reader, the second the size of the pieces in which a stream arrives.
fn read(bytes: &[u8]) {
    let [reader, size, bytes @ ..] = bytes else { return };
    match reader {
        0 => drop(authentication::Start::decode(bytes)),
        1 => drop(authentication::Reply::decode(bytes)),
        2 => drop(authentication::Continue::decode(bytes)),
        3 => drop(authorization::Request::decode(bytes)),
        4 => drop(authorization::Reply::decode(bytes)),
        5 => drop(accounting::Request::decode(bytes)),
        6 => drop(accounting::Reply::decode(bytes)),
        7 => client(bytes),
        _ => server(bytes, usize::from(*size).max(1)),
    }
}

fn server(bytes: &[u8], size: usize) {
    let users = BTreeMap::from([("violet".to_owned(), Secret::new("indigo"))]);
    let server = Server::new(Secret::new(SECRET), vec!["0.0.0.0/0".parse().unwrap()], users);
    let (peer, local) = ("192.0.2.1:1024".parse().unwrap(), "192.0.2.2:49".parse().unwrap());
    let mut connection = Connection::accept(&server, peer, local).unwrap();
    let mut closed = false;
    for piece in bytes.chunks(size) {
        for action in connection.receive(piece) {
            assert!(!closed, "an action after closing");
            closed = matches!(action, Action::Close(_));
        }
    }
    let closes = connection.handle_eof().iter().any(|action| matches!(action, Action::Close(_)));
    assert!(closed != closes, "closed {} times", 2 * u8::from(closed));
}

fn client(mut bytes: &[u8]) {
    let login = Login::new("violet", Secret::new("indigo"), Method::ASCII);
    let options = Options::new(Secret::new(SECRET));
    let mut session = LoginSession::new(login, SessionId(0x1d29_b608), &options);
    session.first().unwrap();
    let mut reader = PacketReader::default();
    while let Ok(Some(packet)) = reader.next_packet(&mut bytes) {
        if session.receive(packet).is_err() {
            return;
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read(bytes));
