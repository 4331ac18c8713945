//! Logins, records and signs of life, from the client's request to its outcome.

use super::*;
use labsim_aaa::log::{LogKind, LogOutcome};
use labsim_aaa::radius::accounting::AcctStatusType;
use labsim_aaa::radius::attribute::{Attribute, AttributeType};
use labsim_aaa::radius::client::{AccountingRequest, ClientError, DropReason};
use labsim_aaa::radius::packet::Packet;
use labsim_aaa::radius::{Code, EncodeError};

fn methods() -> [Method; 3] {
    let challenge = Some(b"sixteen bytes..!".to_vec());
    [Method::Pap, Method::CHAP, Method::Chap { id: 9, challenge }]
}

#[test]
fn the_right_password_is_accepted_with_every_method() {
    for method in methods() {
        let (outcome, log) = talk(&mut violet(method.clone()), &server(), Service::Authentication);
        assert_eq!(outcome, Some(accept()), "{method:?}: {log}");
        let kind = if method == Method::Pap { "PAP" } else { "CHAP" };
        assert_eq!(
            log.to_string(),
            format!(
                "192.168.11.201:61067 -> 172.16.4.99:1812 authentication PASS user `violet`: \
                 {kind} login"
            )
        );
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_rejected_with_every_method() {
    for method in methods() {
        for (user, password) in [("violet", "wrong!"), ("nobody", "indigo"), ("nobody", "")] {
            let mut session = session(&login(user, password, method.clone()), &options());
            let (outcome, log) = talk(&mut session, &server(), Service::Authentication);
            assert_eq!(outcome, Some(reject()));
            assert_eq!((log.kind, log.outcome), (LogKind::Authentication, LogOutcome::Fail));
            assert_eq!(log.user.as_deref(), Some(user));
        }
    }
}

#[test]
fn a_password_of_128_bytes_passes_and_a_longer_one_cannot_be_sent() {
    let long = "x".repeat(128);
    let mut server = server();
    server.users.insert("violet".to_owned(), Secret::new(long.as_bytes()));
    let mut right = session(&login("violet", &long, Method::Pap), &options());
    let (outcome, _) = talk(&mut right, &server, Service::Authentication);
    assert_eq!(outcome, Some(accept()));
    let longer = login("violet", &format!("{long}y"), Method::Pap);
    let error = Session::login(&longer, vip(), number(1), &options()).unwrap_err();
    assert_eq!(error, ClientError::Request(EncodeError::Password(129)));
}

#[test]
fn what_the_protocol_cannot_carry_is_told_before_it_is_sent() {
    let error = |login: &Login| Session::login(login, vip(), number(1), &options()).unwrap_err();
    let chap = |length| Method::Chap { id: 1, challenge: Some(vec![1; length]) };
    assert_eq!(error(&login("v", "i", chap(0))), ClientError::Challenge(0));
    assert_eq!(error(&login("v", "i", chap(254))), ClientError::Challenge(254));
    let user = "u".repeat(254);
    let kind = AttributeType::USER_NAME;
    let too_long = EncodeError::Attribute { kind, length: 254 };
    assert_eq!(error(&login(&user, "i", Method::Pap)), ClientError::Request(too_long));
    let mut large = login("violet", "indigo", Method::Pap);
    large.attributes = vec![Attribute::new(AttributeType::CLASS, [0; 253]).unwrap(); 16];
    assert!(matches!(error(&large), ClientError::Request(EncodeError::Packet(4097..))));
}

#[test]
fn a_reply_has_its_message_authenticator_in_front_and_then_the_proxy_states() {
    let mut login = login("violet", "wrong!", Method::Pap);
    let state = |text: &str| Attribute::new(AttributeType::PROXY_STATE, text).unwrap();
    login.attributes = vec![state("one"), state("two")];
    let session = session(&login, &options());
    let server = server();
    let answer = ask(&mut Endpoint::new(&server, Service::Authentication), session.request());
    let reply = Packet::decode(&answer.reply.unwrap()).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(reply.attributes[0].kind(), AttributeType::MESSAGE_AUTHENTICATOR);
    assert_eq!(reply.attributes[1..], login.attributes);
}

#[test]
fn what_a_server_says_is_cut_into_attributes_between_characters() {
    let text = format!("{}é{}", "a".repeat(252), "b".repeat(300));
    let mut server = server();
    server.reply_message.clone_from(&text);
    let session = violet(Method::Pap);
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let reply = ask(&mut endpoint, session.request()).reply.unwrap();
    let reply = Packet::decode(&reply).unwrap();
    let lengths: Vec<_> =
        reply.all(AttributeType::REPLY_MESSAGE).map(|part| part.value().len()).collect();
    assert_eq!(lengths, [252, 253, 49]);
    assert_eq!(reply.text(AttributeType::REPLY_MESSAGE), text);
    let mut session = Session::accounting(
        &AccountingRequest::new(AcctStatusType::Start, "violet", "s-7"),
        vip(),
        number(1),
        &options(),
    )
    .unwrap();
    let (outcome, _) = talk(&mut session, &server, Service::Accounting);
    assert_eq!(outcome, Some(RequestOutcome::AccountingOk), "a record's answer says nothing");
}

#[test]
fn a_login_has_its_message_authenticator_in_front() {
    let request = Packet::decode(violet(Method::Pap).request()).unwrap();
    assert_eq!(request.attributes[0].kind(), AttributeType::MESSAGE_AUTHENTICATOR);
}

#[test]
fn every_kind_of_record_is_answered_and_written_down() {
    for record in [
        AcctStatusType::Start,
        AcctStatusType::Stop,
        AcctStatusType::Interim,
        AcctStatusType::On,
        AcctStatusType::Off,
    ] {
        let mut account = AccountingRequest::new(record, "violet", "s-7");
        account.attributes.push(Attribute::integer(AttributeType::ACCT_SESSION_TIME, 12));
        let mut session = Session::accounting(&account, vip(), number(1), &options()).unwrap();
        let (outcome, log) = talk(&mut session, &server(), Service::Accounting);
        assert_eq!(outcome, Some(RequestOutcome::AccountingOk), "{log}");
        assert_eq!((log.kind, log.outcome), (LogKind::Accounting, LogOutcome::Pass));
        assert_eq!(log.user.as_deref(), Some("violet"));
        assert_eq!(log.detail, format!("{record}, session `s-7`, 12 s"));
    }
}

#[test]
fn a_record_may_have_a_message_authenticator() {
    let mut account = AccountingRequest::new(AcctStatusType::Start, "violet", "s-7");
    let place = Attribute::new(AttributeType::MESSAGE_AUTHENTICATOR, [0; 16]).unwrap();
    account.attributes.push(place);
    let mut session = Session::accounting(&account, vip(), number(1), &options()).unwrap();
    let sent = Packet::decode(session.request()).unwrap();
    assert_ne!(sent.attributes.last().unwrap().value(), [0; 16]);
    let (outcome, log) = talk(&mut session, &server(), Service::Accounting);
    assert_eq!(outcome, Some(RequestOutcome::AccountingOk), "{log}");
}

#[test]
fn a_record_without_a_session_is_not_answered() {
    let mut session = Session::accounting(
        &AccountingRequest::new(AcctStatusType::Start, "violet", ""),
        vip(),
        number(1),
        &options(),
    )
    .unwrap();
    let (outcome, log) = talk(&mut session, &server(), Service::Accounting);
    assert_eq!(outcome, None);
    assert_eq!(log.outcome, LogOutcome::Discarded);
    assert_eq!(log.detail, "start: the record has no Acct-Session-Id");
}

#[test]
fn a_server_says_that_it_is_alive_on_both_ports() {
    for service in [Service::Authentication, Service::Accounting] {
        let mut session = Session::status(service, vip(), number(1), &options()).unwrap();
        let (outcome, log) = talk(&mut session, &server(), service);
        assert_eq!(outcome, Some(RequestOutcome::StatusOk));
        assert_eq!((log.kind, log.outcome), (LogKind::Status, LogOutcome::Pass));
    }
}

#[test]
fn a_sign_of_life_of_the_other_service_does_not_count() {
    let mut session = Session::status(Service::Accounting, vip(), number(1), &options()).unwrap();
    let (outcome, _) = talk(&mut session, &server(), Service::Authentication);
    assert_eq!(outcome, None);
    assert_eq!(session.dropped()[0].reason, DropReason::WrongCode);
}
