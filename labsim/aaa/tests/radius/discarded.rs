//! Which requests the server drops in silence, and what its log says about them.

use super::*;
use labsim_aaa::log::{LogKind, LogOutcome};
use labsim_aaa::radius::accounting::AcctStatusType;
use labsim_aaa::radius::attribute::{Attribute, AttributeType};
use labsim_aaa::radius::authenticator::accounting_request;
use labsim_aaa::radius::client::AccountingRequest;
use labsim_aaa::radius::packet::Packet;
use labsim_aaa::radius::{Code, PacketError};

/// What the server makes of a request without a history.
fn once(server: &Server, service: Service, request: &[u8], from: SocketAddr) -> Answer {
    Endpoint::new(server, service).handle(request, from, vip(), at(0))
}

#[track_caller]
fn is_discarded(answer: &Answer, kind: LogKind, detail: &str) {
    assert_eq!(answer.reply, None);
    assert_eq!((answer.log.kind, answer.log.outcome), (kind, LogOutcome::Discarded));
    assert_eq!(answer.log.detail, detail);
}

fn wrong_secret(options: Options) -> Options {
    Options { secret: Secret::new("other"), ..options }
}

fn request(options: &Options) -> Vec<u8> {
    session(&login("violet", "indigo", Method::Pap), options).request().to_vec()
}

fn access_request(attributes: Vec<Attribute>) -> Vec<u8> {
    let RequestId { identifier, authenticator } = number(1);
    let code = Code::AccessRequest;
    Packet { code, identifier, authenticator, attributes }.encode().unwrap()
}

fn user() -> Attribute {
    Attribute::new(AttributeType::USER_NAME, "violet").unwrap()
}

#[test]
fn an_unknown_client_is_not_answered_but_written_down() {
    let snat = "10.1.1.4:61067".parse().unwrap();
    let answer = once(&server(), Service::Authentication, &request(&options()), snat);
    let detail = "the source address is not among the server's clients";
    is_discarded(&answer, LogKind::Refused, detail);
    assert_eq!(
        answer.log.to_string(),
        format!("10.1.1.4:61067 -> 172.16.4.99:1812 refused discarded: {detail}")
    );
}

#[test]
fn what_an_ipv6_socket_shows_as_a_mapped_address_is_the_ipv4_address() {
    let mapped = |address: &str| address.parse().unwrap();
    let (peer, vip) =
        (mapped("[::ffff:192.168.11.201]:61067"), mapped("[::ffff:172.16.4.99]:1812"));
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let answer = endpoint.handle(&request(&options()), peer, vip, at(0));
    assert_eq!(answer.log.outcome, LogOutcome::Pass);
    assert_eq!((answer.log.client, answer.log.local), (super::peer(), super::vip()));
}

#[test]
fn a_wrong_secret_shows_in_the_message_authenticator() {
    let detail = "the Message-Authenticator is wrong: the shared secrets differ, most likely";
    for server in [server(), lenient()] {
        let request = request(&wrong_secret(options()));
        let answer = once(&server, Service::Authentication, &request, peer());
        is_discarded(&answer, LogKind::Authentication, detail);
        assert_eq!(answer.log.user.as_deref(), Some("violet"));
    }
    let status =
        Session::status(Service::Authentication, vip(), number(1), &wrong_secret(options()));
    let request = status.unwrap().request().to_vec();
    let answer = once(&server(), Service::Authentication, &request, peer());
    is_discarded(&answer, LogKind::Status, detail);
}

#[test]
fn without_a_message_authenticator_a_wrong_secret_is_a_wrong_password() {
    let request = request(&wrong_secret(old()));
    let answer = once(&lenient(), Service::Authentication, &request, peer());
    let reply = Packet::decode(&answer.reply.unwrap()).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(answer.log.outcome, LogOutcome::Fail);
    assert_eq!(
        answer.log.detail,
        "PAP login: the password is not text, so the shared secrets differ, most likely"
    );
}

#[test]
fn an_old_clients_login_is_discarded_where_message_authenticators_are_required() {
    let request = request(&old());
    let answer = once(&server(), Service::Authentication, &request, peer());
    let detail = "the request has no Message-Authenticator, and the server requires one";
    is_discarded(&answer, LogKind::Authentication, detail);
    let answer = once(&lenient(), Service::Authentication, &request, peer());
    assert_eq!(answer.log.outcome, LogOutcome::Pass);
}

#[test]
fn eap_and_status_server_need_a_message_authenticator_in_any_case() {
    let detail = "the request has no Message-Authenticator, and the server requires one";
    let eap = Attribute::new(AttributeType::EAP_MESSAGE, [2, 1, 0, 4]).unwrap();
    let mut request = access_request(vec![user(), eap]);
    let answer = once(&lenient(), Service::Authentication, &request, peer());
    is_discarded(&answer, LogKind::Authentication, detail);
    request = access_request(Vec::new());
    request[0] = u8::from(Code::StatusServer);
    let answer = once(&lenient(), Service::Authentication, &request, peer());
    is_discarded(&answer, LogKind::Status, detail);
}

#[test]
fn a_record_under_another_secret_is_discarded() {
    let account = AccountingRequest::new(AcctStatusType::Start, "violet", "s");
    let session =
        Session::accounting(&account, vip(), number(1), &wrong_secret(options())).unwrap();
    let answer = once(&server(), Service::Accounting, session.request(), peer());
    let detail = "the request's authenticator is wrong: the shared secrets differ, most likely";
    is_discarded(&answer, LogKind::Accounting, detail);
}

#[test]
fn a_record_of_an_unknown_kind_is_discarded() {
    for number in [0, 4, 9, u32::MAX] {
        let status = Attribute::integer(AttributeType::ACCT_STATUS_TYPE, number);
        let session = Attribute::new(AttributeType::ACCT_SESSION_ID, "s").unwrap();
        let answer = record(vec![status, session]);
        is_discarded(&answer, LogKind::Accounting, "the record has no known Acct-Status-Type");
    }
    // One that is known is not.
    let status = Attribute::integer(AttributeType::ACCT_STATUS_TYPE, 1);
    let session = Attribute::new(AttributeType::ACCT_SESSION_ID, "s\n").unwrap();
    let answer = record(vec![status, session]);
    assert!(answer.reply.is_some());
    assert_eq!(answer.log.detail, "start, session `s\\n`");
}

/// A genuine Accounting-Request with these attributes, served.
fn record(attributes: Vec<Attribute>) -> Answer {
    let (code, authenticator) = (Code::AccountingRequest, Authenticator::default());
    let mut packet = Packet { code, identifier: 1, authenticator, attributes };
    packet.authenticator = accounting_request(&packet.encode().unwrap(), &Secret::new(SECRET));
    once(&server(), Service::Accounting, &packet.encode().unwrap(), peer())
}

#[test]
fn a_record_with_a_message_authenticator_is_checked_by_it() {
    let status = Attribute::integer(AttributeType::ACCT_STATUS_TYPE, 1);
    let session = Attribute::new(AttributeType::ACCT_SESSION_ID, "s").unwrap();
    let wrong = Attribute::new(AttributeType::MESSAGE_AUTHENTICATOR, [0; 16]).unwrap();
    let answer = record(vec![status, session, wrong]);
    let detail = "the Message-Authenticator is wrong: the shared secrets differ, most likely";
    is_discarded(&answer, LogKind::Accounting, detail);
}

#[test]
fn what_belongs_to_the_other_port_is_discarded() {
    let answer = once(&server(), Service::Accounting, &request(&options()), peer());
    let detail = "a packet Access-Request has no place on the accounting port";
    is_discarded(&answer, LogKind::ProtocolError, detail);
    let account = AccountingRequest::new(AcctStatusType::Start, "violet", "s");
    let session = Session::accounting(&account, vip(), number(1), &options()).unwrap();
    let answer = once(&server(), Service::Authentication, session.request(), peer());
    let detail = "a packet Accounting-Request has no place on the authentication port";
    is_discarded(&answer, LogKind::ProtocolError, detail);
    let reply = reply_to(&violet(Method::Pap), &server());
    let answer = once(&server(), Service::Authentication, &reply, peer());
    let detail = "a packet Access-Accept has no place on the authentication port";
    is_discarded(&answer, LogKind::ProtocolError, detail);
}

#[test]
fn what_is_not_radius_is_discarded() {
    let mut cut = request(&options());
    cut.pop();
    let (announced, received) = (cut.len() + 1, cut.len());
    let mut attribute = request(&options());
    let end = attribute.len() - 6 - 2;
    assert_eq!(attribute[end], AttributeType::NAS_IDENTIFIER.0);
    attribute[end + 1] += 1;
    for (datagram, error) in [
        (b"garbage".to_vec(), PacketError::Short(7)),
        (vec![0; 20], PacketError::Length(0)),
        ([[1, 1, 0x10, 1].as_slice(), &[0; 5000]].concat(), PacketError::Length(4097)),
        (cut, PacketError::Truncated { announced, received }),
        (attribute, PacketError::Attribute { at: end }),
    ] {
        let answer = once(&server(), Service::Authentication, &datagram, peer());
        is_discarded(&answer, LogKind::ProtocolError, &error.to_string());
    }
}

#[test]
fn padding_behind_a_request_is_ignored() {
    let mut request = request(&options());
    request.extend_from_slice(&[0xff; 100]);
    let answer = once(&server(), Service::Authentication, &request, peer());
    assert_eq!(answer.log.outcome, LogOutcome::Pass);
}

#[test]
fn a_login_that_lacks_something_is_rejected() {
    let hidden = |length| Attribute::new(AttributeType::USER_PASSWORD, vec![1; length]).unwrap();
    let chap = |length| Attribute::new(AttributeType::CHAP_PASSWORD, vec![1; length]).unwrap();
    for (attributes, detail) in [
        (vec![], "the request names no user"),
        (vec![user()], "the request has neither a PAP nor a CHAP password"),
        (vec![user(), hidden(16), chap(17)], "the request has a PAP and a CHAP password"),
        (vec![user(), hidden(15)], "PAP login: the hidden password is not in whole blocks"),
        (vec![user(), chap(16)], "CHAP login: the response has not 16 bytes"),
        (vec![user(), chap(0)], "CHAP login: the response has not 16 bytes"),
    ] {
        let request = access_request(attributes);
        let answer = once(&lenient(), Service::Authentication, &request, peer());
        assert_eq!(Packet::decode(&answer.reply.unwrap()).unwrap().code, Code::AccessReject);
        assert_eq!((answer.log.outcome, answer.log.detail.as_str()), (LogOutcome::Fail, detail));
    }
}

#[test]
fn a_request_that_leaves_the_reply_no_place_is_discarded() {
    let states = vec![Attribute::new(AttributeType::PROXY_STATE, [1; 253]).unwrap(); 15];
    let mut attributes = states.clone();
    attributes.push(Attribute::new(AttributeType::PROXY_STATE, [1; 249]).unwrap());
    let request = access_request(attributes);
    assert_eq!(request.len(), 4096);
    let answer = once(&lenient(), Service::Authentication, &request, peer());
    is_discarded(
        &answer,
        LogKind::Authentication,
        "there is no reply to this request: the packet would have 4114 bytes, and RADIUS carries \
         at most 4096",
    );
    assert!(
        once(&lenient(), Service::Authentication, &access_request(states), peer()).reply.is_some()
    );
}
