//! Authorization and accounting, sans I/O.

use super::*;
use labsim_aaa::tacacs::accounting::{self, Record};
use labsim_aaa::tacacs::authorization::{self, Origin};
use labsim_aaa::tacacs::client::{
    Account, AccountingOutcome, AccountingSession, AuthorizationOutcome, AuthorizationSession,
    Authorize,
};
use labsim_aaa::tacacs::codes::{AcctStatus, AuthorStatus};
use labsim_aaa::tacacs::log::{Kind, MAX_DETAIL, Outcome};

fn ask(user: &str, arguments: Vec<String>) -> Talk<AuthorizationOutcome> {
    let question = Authorize { origin: Origin::of(user), arguments };
    talk(AuthorizationSession::new(question, SessionId(2), &options()), &mut connect(&server()))
}

fn tell(user: &str, record: Record) -> Talk<AccountingOutcome> {
    let arguments = vec!["task_id=7".to_owned(), "service=shell".to_owned()];
    let account = Account { record, origin: Origin::of(user), arguments };
    talk(AccountingSession::new(account, SessionId(3), &options()), &mut connect(&server()))
}

#[test]
fn a_known_user_is_allowed_and_the_arguments_stay_as_they_are() {
    let talk = ask("violet", vec!["service=shell".to_owned(), "cmd=show".to_owned()]);
    let expected = AuthorizationOutcome::Pass {
        replace: false,
        arguments: Vec::new(),
        message: String::new(),
    };
    assert_eq!(talk.outcome, Ok(expected));
    assert_eq!(
        talk.lines(),
        ["192.168.11.201:61067 -> 172.16.4.99:49 authorization PASS user `violet`: \
          service=shell cmd=show"]
    );
    assert!(talk.closed);
}

#[test]
fn an_unknown_user_is_not_allowed() {
    let talk = ask("indigo", vec!["service=shell".to_owned()]);
    assert_eq!(talk.outcome, Ok(AuthorizationOutcome::Fail { message: String::new() }));
    assert_eq!(talk.log[0].outcome, Outcome::Fail);
}

#[test]
fn every_kind_of_record_is_written_down() {
    for record in [Record::Start, Record::Stop, Record::Watchdog, Record::Update] {
        let talk = tell("violet", record);
        assert_eq!(talk.outcome, Ok(AccountingOutcome::Success { message: String::new() }));
        let [entry] = talk.log.as_slice() else { panic!("one entry a record") };
        assert_eq!((entry.kind, entry.client), (Kind::Accounting, peer()));
        assert_eq!(entry.detail, format!("{record} task_id=7 service=shell"));
    }
}

#[test]
fn the_largest_request_is_recorded_in_a_bounded_line() {
    let arguments = vec!["x".repeat(255); 255];
    let account = Account { record: Record::Stop, origin: Origin::of("violet"), arguments };
    let mut session = AccountingSession::new(account, SessionId(3), &options());
    assert_eq!(session.first().unwrap().len(), 12 + 9 + 255 + 6 + 255 * 255);

    let mut server = server();
    server.max_body = 9 + 255 + 6 + 255 * 255;
    let talk = talk(session, &mut connect(&server));
    assert!(matches!(talk.outcome, Ok(AccountingOutcome::Success { .. })));
    assert_eq!(talk.log[0].detail.len(), MAX_DETAIL);
}

#[test]
fn a_record_that_is_start_and_stop_at_once_is_an_error() {
    let request =
        accounting::Request { flags: 0x06, origin: Origin::of("violet"), arguments: Vec::new() };
    let done = Done::from(connect(&server()).receive(&packet(MinorVersion::Default, &request)));
    let reply: accounting::Reply = read(&done.sent[0], SECRET);
    assert_eq!(reply.status, AcctStatus::Error);
    assert!(reply.message.contains("0x06"));
    assert_eq!(done.log[0].outcome, Outcome::Error);
}

#[test]
fn a_client_reads_every_authorization_status_as_the_rfc_says() {
    let arguments = vec!["priv-lvl=15".to_owned()];
    let pass = |replace| AuthorizationOutcome::Pass {
        replace,
        arguments: arguments.clone(),
        message: "why".to_owned(),
    };
    for (status, outcome) in [
        (AuthorStatus::PassAdd, pass(false)),
        (AuthorStatus::PassReplace, pass(true)),
        (AuthorStatus::Fail, AuthorizationOutcome::Fail { message: "why".to_owned() }),
        (AuthorStatus::Follow, AuthorizationOutcome::Fail { message: "why".to_owned() }),
        (AuthorStatus::Error, AuthorizationOutcome::Error { message: "why".to_owned() }),
    ] {
        let question = Authorize { origin: Origin::of("violet"), arguments: Vec::new() };
        let mut session = AuthorizationSession::new(question, SessionId(2), &options());
        let header = whole(&session.first().unwrap()).header.answer().unwrap();
        let reply = authorization::Reply {
            arguments: arguments.clone(),
            ..authorization::Reply::new(status, "why")
        };
        let reply = seal(header, &reply, &Secret::new(SECRET)).unwrap();
        assert_eq!(session.receive(whole(&reply)).unwrap().outcome, Some(outcome));
    }
}
