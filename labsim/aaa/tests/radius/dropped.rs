//! Which replies the client drops, and what it says about them.

use super::*;
use labsim_aaa::radius::Code;
use labsim_aaa::radius::attribute::{Attribute, AttributeType};
use labsim_aaa::radius::authenticator::response;
use labsim_aaa::radius::client::{DropReason, DroppedReplies, MAX_DROPPED};
use labsim_aaa::radius::packet::Packet;

fn real_server() -> SocketAddr {
    "10.1.1.51:1812".parse().unwrap()
}

/// A reply without a Message-Authenticator, genuine otherwise.
fn plain(session: &Session, code: Code, attributes: Vec<Attribute>) -> Vec<u8> {
    let Packet { identifier, authenticator, .. } = Packet::decode(session.request()).unwrap();
    let mut reply = Packet { code, identifier, authenticator, attributes };
    let bytes = reply.encode().unwrap();
    reply.authenticator = response(&bytes, authenticator, &Secret::new(SECRET));
    reply.encode().unwrap()
}

#[track_caller]
fn is_dropped(session: &mut Session, reply: &[u8], from: SocketAddr, reason: DropReason) {
    assert_eq!(session.receive(reply, from), None);
    assert_eq!(session.dropped(), [DroppedReplies { reason, from, count: 1 }]);
}

#[test]
fn a_genuine_reply_from_another_address_or_port_is_dropped() {
    let genuine = reply_to(&violet(Method::Pap), &server());
    let other_port = "172.16.4.99:1813".parse().unwrap();
    for from in [real_server(), other_port] {
        let mut session = violet(Method::Pap);
        is_dropped(&mut session, &genuine, from, DropReason::WrongSource);
        assert_eq!(session.receive(&genuine, vip()), Some(accept()), "the right one counts still");
    }
    let mapped = "[::ffff:172.16.4.99]:1812".parse().unwrap();
    assert_eq!(violet(Method::Pap).receive(&genuine, mapped), Some(accept()));
}

#[test]
fn what_is_not_radius_is_dropped() {
    let genuine = reply_to(&violet(Method::Pap), &server());
    let cut = &genuine[..genuine.len() - 1];
    for garbage in [b"".as_slice(), b"garbage", &[0; 20], cut] {
        is_dropped(&mut violet(Method::Pap), garbage, vip(), DropReason::Malformed);
    }
}

#[test]
fn a_reply_to_another_request_is_dropped() {
    let options = options();
    let login = login("violet", "indigo", Method::Pap);
    let other = Session::login(&login, vip(), number(2), &options).unwrap();
    let reply = reply_to(&other, &server());
    is_dropped(&mut session(&login, &options), &reply, vip(), DropReason::WrongIdentifier);
    // The same identifier, another request authenticator.
    let again = RequestId { identifier: 1, ..number(2) };
    let other = Session::login(&login, vip(), again, &options).unwrap();
    let reply = reply_to(&other, &server());
    is_dropped(&mut session(&login, &options), &reply, vip(), DropReason::WrongAuthenticator);
}

#[test]
fn a_reply_of_another_kind_is_dropped() {
    for code in [Code::AccountingResponse, Code::AccessRequest, Code::StatusServer, Code::Other(9)]
    {
        let mut session = session(&login("violet", "indigo", Method::Pap), &old());
        let reply = plain(&session, code, Vec::new());
        is_dropped(&mut session, &reply, vip(), DropReason::WrongCode);
    }
}

#[test]
fn a_reply_under_another_secret_is_dropped() {
    // The server's secret for this client is another one, and old clients' requests do not show it.
    let mut server = lenient();
    server.clients[0].secret = Secret::new("other");
    let mut session = session(&login("violet", "indigo", Method::Pap), &old());
    let reply = reply_to(&session, &server);
    is_dropped(&mut session, &reply, vip(), DropReason::WrongAuthenticator);
}

#[test]
fn a_reply_whose_message_authenticator_is_missing_is_dropped_if_one_is_required() {
    let mut strict = violet(Method::Pap);
    let reply = plain(&strict, Code::AccessAccept, Vec::new());
    is_dropped(&mut strict, &reply, vip(), DropReason::NoMessageAuthenticator);
    let options = Options { require_message_authenticator: false, ..options() };
    let mut lenient = session(&login("violet", "indigo", Method::Pap), &options);
    assert_eq!(lenient.receive(&reply, vip()), Some(accept()));
}

#[test]
fn a_wrong_message_authenticator_is_dropped_even_if_none_is_required() {
    for options in [options(), old()] {
        let mut session = session(&login("violet", "indigo", Method::Pap), &options);
        let kind = AttributeType::MESSAGE_AUTHENTICATOR;
        for value in [vec![0; 16], vec![0; 15], Vec::new()] {
            let wrong = Attribute::new(kind, value).unwrap();
            let reply = plain(&session, Code::AccessAccept, vec![wrong]);
            assert_eq!(session.receive(&reply, vip()), None);
        }
        let (reason, from) = (DropReason::WrongMessageAuthenticator, vip());
        assert_eq!(session.dropped(), [DroppedReplies { reason, from, count: 3 }]);
    }
}

#[test]
fn every_changed_byte_of_a_reply_is_noticed() {
    let mut session = violet(Method::Pap);
    let genuine = reply_to(&session, &server());
    for at in 0..genuine.len() {
        let mut reply = genuine.clone();
        reply[at] ^= 1;
        assert_eq!(session.receive(&reply, vip()), None, "byte {at}");
    }
    assert_eq!(session.receive(&genuine, vip()), Some(accept()));
}

#[test]
fn padding_behind_a_reply_is_ignored() {
    let mut session = violet(Method::Pap);
    let mut reply = reply_to(&session, &server());
    reply.extend_from_slice(b"padding");
    assert_eq!(session.receive(&reply, vip()), Some(accept()));
}

#[test]
fn a_challenge_is_a_reject_and_messages_are_told() {
    let message = |text: &str| Attribute::new(AttributeType::REPLY_MESSAGE, text).unwrap();
    let told = |code| {
        let mut session = session(&login("violet", "indigo", Method::Pap), &old());
        let reply = plain(&session, code, vec![message("Hello, "), message("violet")]);
        session.receive(&reply, vip()).unwrap().to_string()
    };
    assert_eq!(told(Code::AccessAccept), "ACCEPT: Hello, violet");
    assert_eq!(told(Code::AccessReject), "REJECT: Hello, violet");
    assert_eq!(told(Code::AccessChallenge), "REJECT: Hello, violet");
}

#[test]
fn a_timeout_tells_which_replies_came_and_did_not_count() {
    let mut session = violet(Method::Pap);
    let genuine = reply_to(&session, &server());
    let mut now = at(0);
    let outcome = loop {
        match session.advance(now) {
            Step::Send => assert_eq!(session.receive(&genuine, real_server()), None),
            Step::Wait(until) => now = until,
            Step::End(outcome) => break outcome,
        }
    };
    let dropped =
        vec![DroppedReplies { reason: DropReason::WrongSource, from: real_server(), count: 4 }];
    assert_eq!(outcome, RequestOutcome::Timeout { server: vip(), attempts: 4, dropped });
}

#[test]
fn the_memory_of_dropped_replies_is_bounded() {
    let mut session = violet(Method::Pap);
    for port in 1..1000 {
        assert_eq!(session.receive(b"garbage", SocketAddr::new(vip().ip(), port)), None);
    }
    assert_eq!(session.dropped().len(), MAX_DROPPED);
}
