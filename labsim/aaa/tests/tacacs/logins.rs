//! Logins of every method, sans I/O.

use super::*;
use labsim_aaa::tacacs::authentication::{Continue, Reply, Start};
use labsim_aaa::tacacs::client::LoginOutcome;
use labsim_aaa::tacacs::codes::{
    Action as Authen, AuthenService, AuthenStatus, AuthenType, REPLY_FLAG_NOECHO,
};
use labsim_aaa::tacacs::log::{LogKind, LogOutcome};

fn pass() -> Result<LoginOutcome, ClientError> {
    Ok(LoginOutcome::Pass { message: String::new() })
}

fn fail() -> Result<LoginOutcome, ClientError> {
    Ok(LoginOutcome::Fail { message: String::new() })
}

fn talk_as(user: &str, password: &str, method: Method) -> Talk<LoginOutcome> {
    let session = LoginSession::new(login(user, password, method), SessionId(1), &options());
    talk(session, &mut connect(&server()))
}

#[test]
fn an_ascii_login_has_the_packets_of_the_documents_captures() {
    let talk = talk_as("violet", "indigo", Method::ASCII);
    assert_eq!(talk.outcome, pass());
    assert_eq!(talk.sizes(), [26, 28, 23, 18]);
    assert!(talk.closed, "the server closes right after its last reply");
    assert_eq!(
        talk.lines(),
        ["192.168.11.201:61067 -> 172.16.4.99:49 authentication PASS user `violet`: ASCII login"]
    );

    let start: Start = read(&talk.packets[0], SECRET);
    assert_eq!(start.user, "violet");
    assert_eq!((start.port, start.remote_address), (String::new(), String::new()));
    let ask: Reply = read(&talk.packets[1], SECRET);
    assert_eq!((ask.status, ask.flags), (AuthenStatus::GetPass, REPLY_FLAG_NOECHO));
    assert_eq!(ask.message, "Password: ");
    let answer: Continue = read(&talk.packets[2], SECRET);
    assert_eq!(answer.user_message, Secret::new("indigo"));
    let last: Reply = read(&talk.packets[3], SECRET);
    assert_eq!(last, Reply::new(AuthenStatus::Pass, ""));
}

#[test]
fn sequence_numbers_are_odd_from_the_client_and_even_from_the_server() {
    let talk = talk_as("violet", "indigo", Method::ASCII);
    let numbers: Vec<u8> =
        talk.packets.iter().map(|bytes| whole(bytes).header.sequence.get()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn a_server_asks_for_a_user_that_start_does_not_name() {
    let talk = talk_as("violet", "indigo", Method::Ascii { user_in_start: false });
    assert_eq!(talk.outcome, pass());
    assert_eq!(talk.packets.len(), 6);
    let ask: Reply = read(&talk.packets[1], SECRET);
    assert_eq!((ask.status, ask.flags), (AuthenStatus::GetUser, 0));
    assert_eq!(talk.log[0].user.as_deref(), Some("violet"));
}

#[test]
fn a_user_is_asked_for_three_times_and_no_more() {
    let server = server();
    let mut connection = connect(&server);
    let mut session = LoginSession::new(
        login("", "", Method::Ascii { user_in_start: false }),
        SessionId(1),
        &options(),
    );
    let mut header = whole(&session.first().unwrap()).header;
    let mut done = Done::from(connection.receive(&session.first().unwrap()));
    for _ in 0..3 {
        assert_eq!(read::<Reply>(&done.sent[0], SECRET).status, AuthenStatus::GetUser);
        header = header.answer().unwrap().answer().unwrap();
        let empty = encrypt(header, &Continue::default(), &Secret::new(SECRET)).unwrap();
        done = connection.receive(&empty).into();
    }
    assert_eq!(read::<Reply>(&done.sent[0], SECRET).status, AuthenStatus::Fail);
    assert!(done.closed);
}

#[test]
fn pap_and_chap_logins_are_one_packet_each_way() {
    for (method, detail) in [(Method::Pap, "PAP login"), (Method::chap().unwrap(), "CHAP login")] {
        let talk = talk_as("violet", "indigo", method);
        assert_eq!(talk.outcome, pass());
        assert_eq!(talk.packets.len(), 2);
        assert_eq!(talk.log[0].detail, detail);
        assert!(talk.packets.iter().all(|bytes| bytes[0] == 0xc1), "minor version one");
    }
}

#[test]
fn a_wrong_password_fails_with_every_method() {
    for method in [Method::ASCII, Method::Pap, Method::chap().unwrap()] {
        for password in ["indigp", "indig", "indigoo", ""] {
            let talk = talk_as("violet", password, method.clone());
            assert_eq!(talk.outcome, fail(), "{method:?} {password}");
            assert_eq!(
                (talk.log[0].kind, talk.log[0].outcome),
                (LogKind::Authentication, LogOutcome::Fail)
            );
            assert!(!talk.lines().concat().contains("indig"), "no password is written down");
        }
    }
}

#[test]
fn an_unknown_user_is_asked_for_a_password_all_the_same() {
    let unknown = talk_as("indigo", "violet", Method::ASCII);
    assert_eq!(unknown.outcome, fail());
    assert_eq!(unknown.sizes(), [26, 28, 23, 18]);
    for method in [Method::Pap, Method::chap().unwrap()] {
        assert_eq!(talk_as("nobody", "", method).outcome, fail());
    }
}

#[test]
fn a_chap_challenge_is_hashed_as_rfc_1994_says() {
    // Computed apart with Python's hashlib: md5(b"\x07" + b"indigo" + b"challenge").
    let response = *b"\x0a\x1b\x9b\x51\xf6\x6c\x46\x5b\xd6\xd5\x21\x63\x8c\x11\xbe\x2c";
    let chap = Method::Chap { id: 7, challenge: b"challenge".to_vec() };
    let talk = talk_as("violet", "indigo", chap);
    let start: Start = read(&talk.packets[0], SECRET);
    assert_eq!(start.data.expose(), [b"\x07challenge".as_slice(), &response].concat());
    assert_eq!(talk.outcome, pass());
}

#[test]
fn a_short_chap_challenge_is_refused_by_both_ends() {
    let short = Method::Chap { id: 7, challenge: vec![0; 7] };
    let mut session = LoginSession::new(login("violet", "indigo", short), SessionId(1), &options());
    assert_eq!(session.first(), Err(ClientError::Challenge(7)));

    // md5(b"\x07" + b"indigo" + b"seven b") would be right; the challenge is too short.
    for data in [[&b"\x07seven b"[..], &[0; 16]].concat(), vec![7; 16], vec![]] {
        let done = start_with(AuthenType::Chap, MinorVersion::One, data);
        assert_eq!(read::<Reply>(&done.sent[0], SECRET).status, AuthenStatus::Fail);
        assert_eq!(done.log[0].detail, "CHAP login with a challenge below 8 bytes");
    }
}

fn start() -> Start {
    Start {
        action: Authen::Login,
        privilege: 1,
        authen_type: AuthenType::Ascii,
        service: AuthenService::Login,
        user: "violet".to_owned(),
        port: String::new(),
        remote_address: String::new(),
        data: Secret::default(),
    }
}

fn start_with(authen_type: AuthenType, minor: MinorVersion, data: Vec<u8>) -> Done {
    let start = Start { authen_type, data: Secret::new(data), ..start() };
    connect(&server()).receive(&packet(minor, &start)).into()
}

#[test]
fn what_the_server_does_not_offer_is_answered_with_fail() {
    let starts = [
        Start { action: Authen::ChangePassword, ..start() },
        Start { action: Authen::Unknown(9), ..start() },
        Start { service: AuthenService::Enable, ..start() },
        Start { authen_type: AuthenType::MsChapV2, ..start() },
        Start { authen_type: AuthenType::Unknown(0x77), ..start() },
    ];
    for start in starts {
        let done = Done::from(connect(&server()).receive(&packet(MinorVersion::Default, &start)));
        let reply: Reply = read(&done.sent[0], SECRET);
        assert_eq!(reply.status, AuthenStatus::Fail, "{start:?}");
        assert!(done.closed && !reply.message.is_empty());
    }
}

#[test]
fn a_login_type_with_the_wrong_minor_version_is_an_error() {
    for (kind, minor) in [
        (AuthenType::Ascii, MinorVersion::One),
        (AuthenType::Pap, MinorVersion::Default),
        (AuthenType::Chap, MinorVersion::Default),
    ] {
        let done = start_with(kind, minor, b"indigo".to_vec());
        assert_eq!(read::<Reply>(&done.sent[0], SECRET).status, AuthenStatus::Error, "{kind:?}");
        assert_eq!(done.log[0].outcome, LogOutcome::Error);
    }
}

#[test]
fn a_client_that_gives_up_gets_no_reply() {
    let server = server();
    let mut connection = connect(&server);
    let start = ascii("violet", "indigo").first().unwrap();
    assert_eq!(connection.receive(&start).len(), 1);
    let header = whole(&start).header.answer().unwrap().answer().unwrap();
    let abort = Continue { data: b"enough".to_vec(), flags: 1, ..Continue::default() };
    let abort = encrypt(header, &abort, &Secret::new(SECRET)).unwrap();
    let done = Done::from(connection.receive(&abort));
    assert!(done.sent.is_empty() && done.closed);
    assert_eq!(done.log[0].outcome, LogOutcome::Abandoned);
    assert_eq!(done.log[0].user.as_deref(), Some("violet"));
    assert!(done.log[0].detail.ends_with("enough"));
}

/// What a client does when it is asked for something.
fn asked(
    session: &mut LoginSession,
    header: &mut Header,
    status: AuthenStatus,
) -> (Continue, bool) {
    *header = header.answer().unwrap();
    let reply = encrypt(*header, &Reply::new(status, "?"), &Secret::new(SECRET)).unwrap();
    *header = header.answer().unwrap();
    let step = session.receive(whole(&reply)).unwrap();
    let failed = matches!(step.outcome, Some(LoginOutcome::Fail { .. }));
    (read(&step.send.unwrap(), SECRET), failed)
}

#[test]
fn a_client_gives_its_user_and_its_password_once_and_then_gives_up() {
    for (status, text) in [(AuthenStatus::GetUser, "violet"), (AuthenStatus::GetPass, "indigo")] {
        let method = Method::Ascii { user_in_start: false };
        let login = login("violet", "indigo", method);
        let mut session = LoginSession::new(login, SessionId(1), &options());
        let mut header = whole(&session.first().unwrap()).header;
        let (answer, failed) = asked(&mut session, &mut header, status);
        assert_eq!((answer.user_message, answer.flags), (Secret::new(text), 0));
        assert!(!failed);
        let (abort, failed) = asked(&mut session, &mut header, status);
        assert_eq!((abort.flags, abort.user_message.is_empty()), (1, true));
        assert!(failed);
    }
}

#[test]
fn a_client_gives_nothing_that_its_login_does_not_call_for() {
    for (method, status) in [
        (Method::Pap, AuthenStatus::GetPass),
        (Method::chap().unwrap(), AuthenStatus::GetPass),
        (Method::Pap, AuthenStatus::GetUser),
        (Method::ASCII, AuthenStatus::GetUser),
        (Method::ASCII, AuthenStatus::GetData),
    ] {
        let login = login("violet", "indigo", method.clone());
        let mut session = LoginSession::new(login, SessionId(1), &options());
        let mut header = whole(&session.first().unwrap()).header;
        let (abort, failed) = asked(&mut session, &mut header, status);
        assert_eq!(
            (abort.flags, abort.user_message.is_empty()),
            (1, true),
            "{method:?} {status:?}"
        );
        assert!(failed);
    }
}

#[test]
fn a_client_reads_every_final_status_as_the_rfc_says() {
    for (status, shown) in [
        (AuthenStatus::Pass, "PASS: why"),
        (AuthenStatus::Fail, "FAIL: why"),
        (AuthenStatus::Restart, "FAIL: why"),
        (AuthenStatus::Follow, "FAIL: why"),
        (AuthenStatus::Error, "ERROR: why"),
    ] {
        let mut session = ascii("violet", "indigo");
        let header = whole(&session.first().unwrap()).header.answer().unwrap();
        let reply = encrypt(header, &Reply::new(status, "why"), &Secret::new(SECRET)).unwrap();
        let step = session.receive(whole(&reply)).unwrap();
        assert_eq!(step.outcome.unwrap().to_string(), shown);
        assert_eq!(step.send, None);
    }
}

#[test]
fn a_field_that_is_too_long_is_not_sent() {
    let mut session = ascii(&"v".repeat(256), "indigo");
    assert!(matches!(session.first(), Err(ClientError::Request(_))));
}
