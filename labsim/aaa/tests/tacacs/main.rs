//! TACACS+ client and server against each other, against published packets, and against garbage.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod drivers;
mod faults;
mod garbage;
mod known_answers;
mod logins;
mod probes;
mod requests;
mod shared;

use ipnet::IpNet;
use labsim_aaa::Secret;
use labsim_aaa::tacacs::body::Body;
use labsim_aaa::tacacs::client::{ClientError, Login, LoginSession, Method, Options, Session};
use labsim_aaa::tacacs::header::{Header, MinorVersion, Sequence, SessionId};
use labsim_aaa::tacacs::log::LogEntry;
use labsim_aaa::tacacs::packet::{EncryptedPacket, PacketReader, encrypt};
use labsim_aaa::tacacs::server::{Action, Connection, Server};
use labsim_aaa::tacacs::{ProtocolError, codes::PacketType};
use std::collections::BTreeMap;
use std::net::SocketAddr;

const SECRET: &str = "shared";

fn peer() -> SocketAddr {
    "192.168.11.201:61067".parse().unwrap()
}

fn local() -> SocketAddr {
    "172.16.4.99:49".parse().unwrap()
}

/// Knows the document's client network, and the user `violet` with the password `indigo`.
fn server() -> Server {
    let clients: Vec<IpNet> = vec!["192.168.11.0/24".parse().unwrap()];
    let users = BTreeMap::from([("violet".to_owned(), Secret::new("indigo"))]);
    Server::new(Secret::new(SECRET), clients, users)
}

fn connect(server: &Server) -> Connection<'_> {
    Connection::accept(server, peer(), local()).unwrap()
}

fn options() -> Options {
    Options::new(Secret::new(SECRET))
}

fn login(user: &str, password: &str, method: Method) -> Login {
    Login::new(user, Secret::new(password), method)
}

fn ascii(user: &str, password: &str) -> LoginSession {
    LoginSession::new(login(user, password, Method::ASCII), SessionId(1), &options())
}

fn first_header(kind: PacketType, minor: MinorVersion) -> Header {
    Header { minor, kind, sequence: Sequence::FIRST, flags: 0, session: SessionId(1), length: 0 }
}

/// A first packet with the right secret.
fn packet<B: Body>(minor: MinorVersion, body: &B) -> Vec<u8> {
    encrypt(first_header(B::TYPE, minor), body, &Secret::new(SECRET)).unwrap()
}

fn whole(mut bytes: &[u8]) -> EncryptedPacket {
    let packet = PacketReader::default().next_packet(&mut bytes).unwrap().unwrap();
    assert!(bytes.is_empty(), "more than one packet");
    packet
}

fn read<B: Body>(bytes: &[u8], secret: &str) -> B {
    whole(bytes).decrypt(&Secret::new(secret)).unwrap().decode().unwrap()
}

/// What the server did, sorted by kind.
#[derive(Debug, Default)]
struct Done {
    sent: Vec<Vec<u8>>,
    log: Vec<LogEntry>,
    closed: bool,
    reason: Option<ProtocolError>,
}

impl From<Vec<Action>> for Done {
    fn from(actions: Vec<Action>) -> Self {
        let mut done = Self::default();
        for action in actions {
            assert!(!done.closed, "an action after closing");
            match action {
                Action::Send(packet) => done.sent.push(packet),
                Action::Log(entry) => done.log.push(entry),
                Action::Close(reason) => {
                    done.closed = true;
                    done.reason = reason;
                }
            }
        }
        done
    }
}

/// What a whole session was.
#[derive(Debug)]
struct Talk<O> {
    outcome: Result<O, ClientError>,
    packets: Vec<Vec<u8>>,
    log: Vec<LogEntry>,
    closed: bool,
}

impl<O> Talk<O> {
    fn sizes(&self) -> Vec<usize> {
        self.packets.iter().map(Vec::len).collect()
    }

    fn lines(&self) -> Vec<String> {
        self.log.iter().map(LogEntry::to_string).collect()
    }
}

/// Runs a client's session on a server's connection until one of them has nothing to say.
fn talk<P: Session>(mut session: P, connection: &mut Connection<'_>) -> Talk<P::Outcome> {
    let mut to_server = session.first().unwrap();
    let mut talk = Talk {
        outcome: Err(ClientError::Closed),
        packets: Vec::new(),
        log: Vec::new(),
        closed: false,
    };
    loop {
        let done = Done::from(connection.receive(&to_server));
        talk.packets.push(to_server);
        talk.log.extend(done.log);
        talk.closed = done.closed;
        let Some(reply) = done.sent.first() else { return talk };
        assert_eq!(done.sent.len(), 1, "one answer a packet");
        talk.packets.push(reply.clone());
        match session.receive(whole(reply)) {
            Err(error) => {
                talk.outcome = Err(error);
                return talk;
            }
            Ok(step) => {
                let over = step.outcome.is_some();
                if let Some(outcome) = step.outcome {
                    talk.outcome = Ok(outcome);
                }
                match step.send {
                    Some(packet) => to_server = packet,
                    None if over => return talk,
                    None => unreachable!("a step neither sends nor ends"),
                }
            }
        }
    }
}
