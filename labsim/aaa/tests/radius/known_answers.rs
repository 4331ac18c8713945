//! The packets of RFC 2865, section 7, and RFC 5997, section 6, byte for byte.

use super::*;
use labsim_aaa::radius::attribute::{Attribute, AttributeType};
use labsim_aaa::radius::authenticator::{
    MessageAuthenticator, accounting_request, check_message, response,
};
use labsim_aaa::radius::client::{AccountingRequest, Nas};
use labsim_aaa::radius::packet::Packet;
use labsim_aaa::radius::{Code, accounting::AcctStatusType, password};

/// The secret of all examples.
const EXAMPLES: &str = "xyzzy5461";

// RFC 2865, section 7.1: nemo, by PAP.
const PAP: &str = "
    01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d
    93 d4 13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03";
const PAP_ACCEPT: &str = "
    02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00
    0e 06 c0 a8 01 03";

// RFC 2865, section 7.2: flopsy, by CHAP.
const CHAP: &str = "
    01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2 01 08 66 6c 6f 70 73 79 03 13 16 e9
    75 57 c3 16 18 58 95 f2 93 ff 63 44 07 72 75 04 06 c0 a8 01 10 05 06 00 00 00 14 06 06 00 00 00
    02 07 06 00 00 00 01";
const CHAP_ACCEPT: &str = "
    02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4 06 06 00 00 00 02 07 06 00 00 00 01
    08 06 ff ff ff fe 0a 06 00 00 00 02 0d 06 00 00 00 01 0c 06 00 00 05 dc";

// RFC 5997, section 6.1: the authentication port; section 6.2: the accounting port.
const STATUS: &str = "
    0c da 00 26 8a 54 f4 68 6f b3 94 c5 28 66 e3 02 18 5d 06 23 50 12 5a 66 5e 2e 1e 84 11 f3 e2 43
    82 20 97 c8 4f a3";
const STATUS_ACCEPT: &str = "02 da 00 14 ef 0d 55 2a 4b f2 d6 93 ec 2b 6f e8 b5 41 1d 66";
const STATUS_ACCOUNTING: &str = "
    0c b3 00 26 92 5f 6b 66 dd 5f ed 57 1f cb 1d b7 ad 38 82 60 50 12 e8 d6 ea bd a9 10 87 5c d9 1f
    da de 26 36 78 58";
const STATUS_RECORDED: &str = "05 b3 00 14 0f 6f 92 14 5f 10 7e 2f 50 4e 86 0a 48 60 66 9c";

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn secret() -> Secret {
    Secret::new(EXAMPLES)
}

/// The server of the examples; its clients do not send Message-Authenticators.
fn rfc_server(user: &str) -> Server {
    let users = BTreeMap::from([(user.to_owned(), Secret::new("arctangent"))]);
    let server = Server::new(secret(), vec!["192.168.1.16/32".parse().unwrap()], users);
    Server { require_message_authenticator: false, ..server }
}

/// A client of the examples.
fn rfc_options() -> Options {
    Options {
        nas: Nas::Address("192.168.1.16".parse().unwrap()),
        message_authenticator: false,
        require_message_authenticator: false,
        ..Options::new(secret())
    }
}

fn numbers(request: &str) -> RequestId {
    let Packet { identifier, authenticator, .. } = Packet::decode(&bytes(request)).unwrap();
    RequestId { identifier, authenticator }
}

#[test]
fn every_packet_of_the_rfcs_is_read_and_written_byte_for_byte() {
    for hex in [PAP, PAP_ACCEPT, CHAP, CHAP_ACCEPT, STATUS, STATUS_ACCEPT, STATUS_ACCOUNTING] {
        let bytes = bytes(hex);
        assert_eq!(Packet::decode(&bytes).unwrap().encode().unwrap(), bytes);
    }
}

#[test]
fn nemos_password_comes_out_of_its_hiding_place() {
    let request = Packet::decode(&bytes(PAP)).unwrap();
    let hidden = request.first(AttributeType::USER_PASSWORD).unwrap().value();
    let revealed = password::reveal(hidden, &secret(), request.authenticator);
    assert_eq!(revealed, Some(Secret::new("arctangent")));
}

#[test]
fn a_pap_login_has_the_bytes_of_the_rfc() {
    let mut login = login("nemo", "arctangent", Method::Pap);
    login.attributes.push(Attribute::integer(AttributeType::NAS_PORT, 3));
    let session = Session::login(&login, vip(), numbers(PAP), &rfc_options()).unwrap();
    assert_eq!(session.request(), bytes(PAP));
}

#[test]
fn a_chap_login_has_the_bytes_of_the_rfc() {
    let mut login = login("flopsy", "arctangent", Method::Chap { id: 0x16, challenge: None });
    let more =
        [(AttributeType::NAS_PORT, 20), (AttributeType::SERVICE_TYPE, 2), (AttributeType(7), 1)];
    login.attributes = more.map(|(kind, value)| Attribute::integer(kind, value)).to_vec();
    let session = Session::login(&login, vip(), numbers(CHAP), &rfc_options()).unwrap();
    assert_eq!(session.request(), bytes(CHAP));
}

#[test]
fn the_replies_of_the_rfc_count() {
    let login = login("nemo", "arctangent", Method::Pap);
    for (request, reply) in [(PAP, PAP_ACCEPT), (CHAP, CHAP_ACCEPT)] {
        let mut session = Session::login(&login, vip(), numbers(request), &rfc_options()).unwrap();
        assert_eq!(session.receive(&bytes(reply), vip()), Some(accept()));
    }
}

#[test]
fn the_server_accepts_the_logins_of_the_rfc() {
    let peer = "192.168.1.16:1024".parse().unwrap();
    for (request, user) in [(PAP, "nemo"), (CHAP, "flopsy")] {
        let server = rfc_server(user);
        let mut endpoint = Endpoint::new(&server, Service::Authentication);
        let answer = endpoint.handle(&bytes(request), peer, vip(), at(0));
        let reply = Packet::decode(&answer.reply.unwrap()).unwrap();
        assert_eq!(reply.code, Code::AccessAccept, "{}", answer.log);
    }
}

#[test]
fn the_message_authenticators_of_rfc_5997_are_right() {
    for hex in [STATUS, STATUS_ACCOUNTING] {
        let bytes = bytes(hex);
        let own = Packet::decode(&bytes).unwrap().authenticator;
        assert_eq!(check_message(&bytes, own, &secret()), MessageAuthenticator::Right);
        assert_eq!(check_message(&bytes, own, &Secret::new("x")), MessageAuthenticator::Wrong);
    }
}

#[test]
fn the_replies_of_rfc_5997_count_as_signs_of_life() {
    let sides = [
        (Service::Authentication, STATUS, STATUS_ACCEPT),
        (Service::Accounting, STATUS_ACCOUNTING, STATUS_RECORDED),
    ];
    for (service, request, reply) in sides {
        let mut session = Session::status(service, vip(), numbers(request), &options()).unwrap();
        assert_eq!(session.receive(&bytes(reply), vip()), None, "the secret is another one");
        let mut session =
            Session::status(service, vip(), numbers(request), &rfc_options()).unwrap();
        assert_eq!(session.receive(&bytes(reply), vip()), Some(RequestOutcome::StatusOk));
    }
}

#[test]
fn the_server_answers_the_questions_of_rfc_5997() {
    let peer = "192.168.1.16:1024".parse().unwrap();
    let server = rfc_server("nemo");
    let mut endpoint = Endpoint::new(&server, Service::Accounting);
    let answer = endpoint.handle(&bytes(STATUS_ACCOUNTING), peer, vip(), at(0));
    assert_eq!(answer.reply, Some(bytes(STATUS_RECORDED)));
    // Here the reply has a Message-Authenticator, which the RFC's example has not.
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let reply = endpoint.handle(&bytes(STATUS), peer, vip(), at(0)).reply.unwrap();
    let own = Packet::decode(&bytes(STATUS)).unwrap().authenticator;
    assert_eq!(check_message(&reply, own, &secret()), MessageAuthenticator::Right);
}

#[test]
fn an_accounting_request_is_a_digest_with_zeros_for_its_authenticator() {
    let account = AccountingRequest::new(AcctStatusType::Start, "nemo", "s");
    let session = Session::accounting(&account, vip(), numbers(PAP), &rfc_options()).unwrap();
    let packet = Packet::decode(session.request()).unwrap();
    assert_eq!(accounting_request(session.request(), &secret()), packet.authenticator);
    // RFC 2866, section 3: the same as a reply to a request whose authenticator is all zeros.
    let zeros = Authenticator::default();
    assert_eq!(response(session.request(), zeros, &secret()), packet.authenticator);
    assert_ne!(accounting_request(session.request(), &Secret::new("x")), packet.authenticator);
}
