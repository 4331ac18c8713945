//! Authorization and accounting at the server, sans I/O.

use super::*;
use labsim_aaa::tacacs::accounting::{self, RecordKind};
use labsim_aaa::tacacs::authorization::{self, Origin};
use labsim_aaa::tacacs::codes::{AcctStatus, AuthorStatus};
use labsim_aaa::tacacs::log::{LogKind, LogOutcome, MAX_DETAIL};
use labsim_aaa::tacacs::server::Service;
use std::collections::BTreeMap;

/// What the server does about one request, and its reply.
fn request<R: Body>(server: &Server, request: &impl Body) -> (Done, R) {
    let done = Done::from(connect(server).receive(&packet(MinorVersion::Default, request)));
    assert_eq!(done.sent.len(), 1, "one reply a request");
    let reply = read(&done.sent[0], SECRET);
    (done, reply)
}

fn ask(user: &str, arguments: &[&str]) -> (Done, authorization::Reply) {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    request(&server(), &authorization::Request { origin: Origin::of(user), arguments })
}

fn account(flags: u8) -> (Done, accounting::Reply) {
    let arguments = vec!["task_id=7".to_owned(), "service=shell".to_owned()];
    request(&server(), &accounting::Request { flags, origin: Origin::of("violet"), arguments })
}

#[test]
fn a_known_user_is_allowed_and_the_arguments_stay_as_they_are() {
    let (done, reply) = ask("violet", &["service=shell", "cmd=show"]);
    assert_eq!(reply, authorization::Reply::new(AuthorStatus::PassAdd, ""));
    assert_eq!(
        done.log[0].to_string(),
        "192.168.11.201:61067 -> 172.16.4.99:49 authorization PASS user `violet`: \
         service=shell cmd=show"
    );
    assert_eq!(done.log.len(), 1);
    assert!(done.closed);
}

#[test]
fn a_user_with_services_gets_their_attributes_and_no_other_service() {
    let mut server = server();
    let shell = Service { arguments: vec!["priv-lvl=15".to_owned()], replace: false };
    let ppp = Service { arguments: vec!["addr*10.0.0.1".to_owned()], replace: true };
    let services = BTreeMap::from([("shell".to_owned(), shell), ("ppp".to_owned(), ppp)]);
    server.services.insert("violet".to_owned(), services);
    let ask = |arguments: &[&str]| {
        let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        let body = authorization::Request { origin: Origin::of("violet"), arguments };
        let (_, reply): (_, authorization::Reply) = request(&server, &body);
        (reply.status, reply.arguments.join(" "))
    };
    let added = (AuthorStatus::PassAdd, "priv-lvl=15".to_owned());
    assert_eq!(ask(&["service=shell", "cmd="]), added);
    let replaced = (AuthorStatus::PassReplace, "addr*10.0.0.1".to_owned());
    assert_eq!(ask(&["protocol=ip", "service*ppp"]), replaced);
    assert_eq!(ask(&["service=junos-exec"]), (AuthorStatus::Fail, String::new()));
    assert_eq!(ask(&["cmd=show"]), (AuthorStatus::Fail, String::new()));
}

#[test]
fn an_unknown_user_is_not_allowed() {
    let (done, reply) = ask("indigo", &["service=shell"]);
    assert_eq!(reply, authorization::Reply::new(AuthorStatus::Fail, ""));
    assert_eq!(done.log[0].outcome, LogOutcome::Fail);
}

#[test]
fn every_kind_of_record_is_written_down() {
    for record in [RecordKind::Start, RecordKind::Stop, RecordKind::Watchdog, RecordKind::Update] {
        let (done, reply) = account(record.flags());
        assert_eq!(reply, accounting::Reply::new(AcctStatus::Success, ""));
        let [entry] = done.log.as_slice() else { panic!("one entry a record") };
        assert_eq!((entry.kind, entry.client), (LogKind::Accounting, peer()));
        assert_eq!(entry.detail, format!("{record} task_id=7 service=shell"));
    }
}

#[test]
fn the_largest_request_is_recorded_in_a_bounded_line() {
    let largest = accounting::Request {
        flags: RecordKind::Stop.flags(),
        origin: Origin::of("violet"),
        arguments: vec!["x".repeat(255); 255],
    };
    let length = 9 + 255 + 6 + 255 * 255;
    assert_eq!(packet(MinorVersion::Default, &largest).len(), 12 + length);
    let mut server = server();
    server.max_body = u32::try_from(length).unwrap();
    let (done, reply) = request::<accounting::Reply>(&server, &largest);
    assert_eq!(reply.status, AcctStatus::Success);
    assert_eq!(done.log[0].detail.len(), MAX_DETAIL);
}

#[test]
fn a_record_that_is_start_and_stop_at_once_is_an_error() {
    let (done, reply) = account(0x06);
    assert_eq!(reply.status, AcctStatus::Error);
    assert!(reply.message.contains("0x06"));
    assert_eq!(done.log[0].outcome, LogOutcome::Error);
}
