//! Packets of real devices: an SSH login's authentication, authorization and accounting with the
//! secret `test`, as they stand in Scapy's regression tests (test/contrib/tacacs.uts, the samples
//! named «SSH connection sample»). Each is compared byte for byte.

use super::*;
use labsim_aaa::tacacs::accounting;
use labsim_aaa::tacacs::authentication::{Continue, Reply, Start};
use labsim_aaa::tacacs::authorization;
use labsim_aaa::tacacs::codes::{AcctStatus, AuthenMethod, AuthenStatus, AuthorStatus};
use std::collections::BTreeMap;

const START: &[u8] = b"\xc0\x01\x01\x00\x90}\xd0\x86\x00\x00\x00\x1c\x05\x00POza\xed\xee}\xa5R\xd3Vu+\xbb'\xae\x98\xaa\x1a\x9d\x17=\x90\xd2\x07q";
const GETPASS: &[u8] =
    b"\xc0\x01\x02\x00\x90}\xd0\x86\x00\x00\x00\x10*\x0c\x1d\xa0\xa2[xE\x0b\t/s\xee\x8b\xd3o";
const CONTINUE: &[u8] = b"\xc0\x01\x03\x00\x90}\xd0\x86\x00\x00\x00\t\xec8\xc1\x8d\xcc\xec(\xacT";
const AUTHOR_REQUEST: &[u8] = b"\xc0\x02\x01\x00\x00\x02\x10T\x00\x00\x00/\xdd\xe0\xe8\xea\xba\xca$Y\xf7\x00\xc2Hh\xed\x03\x1eK84\x10\xb9h\xd7@\x0e\xd5\x13\xf0\xfaA\xfa\xbe;\x01\x82\xecl\xf9\xc6\xa0Z6\x98j\xfd\\9";
const AUTHOR_REPLY: &[u8] = b"\xc0\x02\x02\x00R\xf2\x0e\xf4\x00\x00\x00\x14\xce^Xp~Z\x9b^\xd8Y\xc9\"\xf5\xb0&\xe5Ji\xa8\x15";
const ACCT_REQUEST: &[u8] = b"\xc0\x03\x01\x00\xb6[CL\x00\x00\x00C\x1d\xfb\x81\xd52\xfb\x06\x8b\t\xb9\x0c87\xd3 i\x05\xb5|\x9f\x01l\xbf/\xd3\rc\x0f\nDr\xc0\xc9.\x88@*(S\xfeA\xd4\x19wFj=\xc3\x9f\x00!D\xbe$E\x04\x0e\xe75\x99\xd6\r\x0f\x16\xc7\x1d\xc2";
const ACCT_REPLY: &[u8] = b"\xc0\x03\x02\x00\xb6[CL\x00\x00\x00\x05\xf4\x0f\xad,o";

/// Reads a packet, and checks that writing it gives the same bytes.
fn known<B: Body>(bytes: &[u8]) -> B {
    let header = whole(bytes).header;
    let body: B = read(bytes, "test");
    assert_eq!(encrypt(header, &body, &Secret::new("test")).unwrap(), bytes);
    body
}

#[test]
fn the_packets_of_a_real_login_are_read_and_written() {
    let start: Start = known(START);
    assert_eq!((start.user.as_str(), start.port.as_str()), ("scapy", "tty2"));
    assert_eq!(start.remote_address, "172.10.10.1");
    let ask: Reply = known(GETPASS);
    assert_eq!((ask.status, ask.flags), (AuthenStatus::GetPass, 1));
    assert_eq!(ask.message, "Password: ");
    let answer: Continue = known(CONTINUE);
    assert_eq!(answer.user_message, Secret::new("pass"));
}

#[test]
fn our_client_sends_the_packets_of_a_real_client() {
    let login = Login {
        port: "tty2".to_owned(),
        remote_address: "172.10.10.1".to_owned(),
        ..login("scapy", "pass", Method::ASCII)
    };
    let options = Options::new(Secret::new("test"));
    let mut session = LoginSession::new(login, SessionId(0x907d_d086), &options);
    assert_eq!(session.first().unwrap(), START);
    assert_eq!(session.receive(whole(GETPASS)).unwrap().send.unwrap(), CONTINUE);
}

#[test]
fn our_server_answers_as_a_real_server() {
    let users = BTreeMap::from([("scapy".to_owned(), Secret::new("pass"))]);
    let server = Server::new(Secret::new("test"), vec!["0.0.0.0/0".parse().unwrap()], users);
    let mut connection = connect(&server);
    assert_eq!(Done::from(connection.receive(START)).sent, [GETPASS]);
    let done = Done::from(connection.receive(CONTINUE));
    assert_eq!(read::<Reply>(&done.sent[0], "test").status, AuthenStatus::Pass);
}

#[test]
fn the_packets_of_a_real_authorization_are_read_and_written() {
    let request: authorization::Request = known(AUTHOR_REQUEST);
    assert_eq!(request.origin.method, AuthenMethod::TacacsPlus);
    assert_eq!(request.arguments, ["service=shell", "cmd*"]);
    let reply: authorization::Reply = known(AUTHOR_REPLY);
    assert_eq!(reply.status, AuthorStatus::PassAdd);
    assert_eq!(reply.arguments, ["priv-lvl=15", "a"]);
}

#[test]
fn the_packets_of_a_real_accounting_are_read_and_written() {
    let request: accounting::Request = known(ACCT_REQUEST);
    assert_eq!((request.flags, request.origin.privilege), (2, 15));
    assert_eq!(request.arguments, ["task_id=24", "timezone=CET", "service=shell"]);
    let reply: accounting::Reply = known(ACCT_REPLY);
    assert_eq!(reply.status, AcctStatus::Success);
}
