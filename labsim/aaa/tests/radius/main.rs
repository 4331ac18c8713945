//! RADIUS client and server against each other, against the RFCs' packets, and against garbage.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod discarded;
mod drivers;
mod dropped;
mod garbage;
mod known_answers;
mod logins;
mod repeated;
mod retransmission;

use ipnet::IpNet;
use labsim_aaa::Secret;
use labsim_aaa::log::LogEntry;
use labsim_aaa::radius::Service;
use labsim_aaa::radius::client::{
    Login, Method, Options, RequestId, RequestOutcome, Session, Step,
};
use labsim_aaa::radius::packet::Authenticator;
use labsim_aaa::radius::server::{Answer, Endpoint, Server};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const SECRET: &str = "shared";

fn peer() -> SocketAddr {
    "192.168.11.201:61067".parse().unwrap()
}

/// The VIP, where the client sends its requests.
fn vip() -> SocketAddr {
    "172.16.4.99:1812".parse().unwrap()
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Knows the document's client network, and the user `violet` with the password `indigo`.
fn server() -> Server {
    let clients: Vec<IpNet> = vec!["192.168.11.0/24".parse().unwrap()];
    let users = BTreeMap::from([("violet".to_owned(), Secret::new("indigo"))]);
    Server::new(Secret::new(SECRET), clients, users)
}

/// A server that takes old clients as well.
fn lenient() -> Server {
    Server { require_message_authenticator: false, ..server() }
}

fn options() -> Options {
    Options::new(Secret::new(SECRET))
}

/// An old client, without Message-Authenticators.
fn old() -> Options {
    Options { message_authenticator: false, require_message_authenticator: false, ..options() }
}

fn number(identifier: u8) -> RequestId {
    RequestId { identifier, authenticator: Authenticator([identifier.wrapping_mul(7); 16]) }
}

fn login(user: &str, password: &str, method: Method) -> Login {
    Login::new(user, Secret::new(password), method)
}

fn session(login: &Login, options: &Options) -> Session {
    Session::login(login, vip(), number(1), options).unwrap()
}

fn violet(method: Method) -> Session {
    session(&login("violet", "indigo", method), &options())
}

/// What an endpoint does about a request that came from the client to the VIP.
fn ask(endpoint: &mut Endpoint<'_>, request: &[u8]) -> Answer {
    endpoint.handle(request, peer(), vip(), at(0))
}

/// A session's request, served by a fresh endpoint; and what the session makes of the reply.
fn talk(
    session: &mut Session,
    server: &Server,
    service: Service,
) -> (Option<RequestOutcome>, LogEntry) {
    assert_eq!(session.advance(at(0)), Step::Send);
    let answer = ask(&mut Endpoint::new(server, service), session.request());
    let outcome = answer.reply.and_then(|reply| session.receive(&reply, session.server()));
    (outcome, answer.log)
}

/// The login's genuine reply.
fn reply_to(session: &Session, server: &Server) -> Vec<u8> {
    let answer = ask(&mut Endpoint::new(server, Service::Authentication), session.request());
    answer.reply.unwrap()
}

fn accept() -> RequestOutcome {
    RequestOutcome::Accept { message: String::new() }
}

fn reject() -> RequestOutcome {
    RequestOutcome::Reject { message: String::new() }
}
