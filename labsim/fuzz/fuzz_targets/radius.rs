//! Bytes as RADIUS packets: on their own, as requests to the server, and as a reply to a client.
#![no_main]
#![allow(clippy::unwrap_used)]

use labsim_aaa::Secret;
use labsim_aaa::radius::Service;
use labsim_aaa::radius::client::{Login, Method, Options, RequestId, Session};
use labsim_aaa::radius::packet::{Authenticator, Packet, packet_bytes};
use labsim_aaa::radius::server::{Endpoint, Server};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The first byte selects the reader.
fn read(bytes: &[u8]) {
    let [reader, bytes @ ..] = bytes else { return };
    match reader {
        0 => packet(bytes),
        1 => client(bytes),
        2 => server(bytes, Service::Accounting, true),
        3 => server(bytes, Service::Authentication, false),
        _ => server(bytes, Service::Authentication, true),
    }
}

fn packet(bytes: &[u8]) {
    if let Ok(packet) = Packet::decode(bytes) {
        assert_eq!(
            packet.encode().unwrap(),
            packet_bytes(bytes).unwrap(),
            "written as it was read"
        );
    }
}

fn server(bytes: &[u8], service: Service, require_message_authenticator: bool) {
    let users = BTreeMap::from([("violet".to_owned(), Secret::new("indigo"))]);
    let clients = vec!["0.0.0.0/0".parse().unwrap()];
    let server = Server {
        require_message_authenticator,
        ..Server::new(Secret::new("radius-test"), clients, users)
    };
    let (peer, local) = (address("192.168.11.201:61067"), address("172.16.4.99:1812"));
    let answer = Endpoint::new(&server, service).handle(bytes, peer, local, Duration::ZERO);
    if let Some(reply) = answer.reply {
        assert!(reply.len() <= bytes.len() + 18, "the reply amplifies");
    }
}

fn client(bytes: &[u8]) {
    // Of the request that the seed's reply answers.
    let vip = address("172.16.4.99:1812");
    let id = RequestId {
        identifier: 0x1b,
        authenticator: Authenticator(0x632c_b543_72d9_8870_39a1_0dd8_ef50_c511_u128.to_be_bytes()),
    };
    let login = Login::new("violet", Secret::new("indigo"), Method::Pap);
    let options = Options::new(Secret::new("radius-test"));
    let mut session = Session::login(&login, vip, id, &options).unwrap();
    let _ = session.receive(bytes, vip);
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read(bytes));
