//! The drivers over sockets without a network, the clock stopped.

use super::*;
use labsim_aaa::log::LogOutcome;
use labsim_aaa::radius::client::{ClientError, DropReason, DroppedReplies, run};
use labsim_aaa::radius::datagram::{Datagrams, Received, ReplySocket};
use labsim_aaa::radius::server::{ReplySource, serve};
use std::io;
use std::net::IpAddr;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

#[derive(Debug, Clone)]
struct Datagram {
    bytes: Vec<u8>,
    from: SocketAddr,
    to: SocketAddr,
}

/// A socket's two directions. The numbers in `lost` are lost on the way out, counted from 0.
struct Socket {
    address: SocketAddr,
    sender: UnboundedSender<Datagram>,
    receiver: UnboundedReceiver<Datagram>,
    sent: usize,
    lost: Vec<usize>,
    broken: bool,
}

impl Socket {
    fn put(&mut self, bytes: &[u8], from: SocketAddr, to: SocketAddr) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("no route"));
        }
        let lost = self.lost.contains(&self.sent);
        self.sent += 1;
        if !lost {
            // Nobody may be there any more; datagrams do not tell.
            let _ = self.sender.send(Datagram { bytes: bytes.to_vec(), from, to });
        }
        Ok(())
    }

    async fn take(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        let datagram = self.receiver.recv().await;
        let datagram = datagram.ok_or_else(|| io::Error::other("the wire was cut"))?;
        let length = datagram.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram.bytes[..length]);
        Ok(datagram)
    }
}

impl Datagrams for Socket {
    async fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.put(bytes, self.address, to)
    }

    async fn recv_from(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Datagram { bytes, from, .. } = self.take(buffer).await?;
        Ok((bytes.len().min(buffer.len()), from))
    }
}

impl ReplySocket for Socket {
    async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let Datagram { bytes, from, to } = self.take(buffer).await?;
        Ok(Received { length: bytes.len().min(buffer.len()), peer: from, local: to })
    }

    async fn send(&mut self, bytes: &[u8], to: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
        let from = SocketAddr::new(from.unwrap_or(self.address.ip()), self.address.port());
        self.put(bytes, from, to)
    }
}

fn real_server() -> SocketAddr {
    "10.1.1.51:1812".parse().unwrap()
}

/// The client's socket and the real server's.
fn pair() -> (Socket, Socket) {
    let (to_server, from_client) = unbounded_channel();
    let (to_client, from_server) = unbounded_channel();
    let socket = |address, sender, receiver| Socket {
        address,
        sender,
        receiver,
        sent: 0,
        lost: Vec::new(),
        broken: false,
    };
    (socket(peer(), to_server, from_server), socket(real_server(), to_client, from_client))
}

/// Runs the session against the server, until the client is done.
async fn meet(
    session: &mut Session,
    (mut ours, mut theirs): (Socket, Socket),
    source: ReplySource,
) -> (RequestOutcome, Vec<LogOutcome>, Duration) {
    let (server, started) = (server(), Instant::now());
    let mut log = Vec::new();
    let mut write = |entry: LogEntry| log.push(entry);
    let outcome = tokio::select! {
        biased;
        outcome = run(&mut ours, session) => outcome,
        error = serve(&mut theirs, &server, Service::Authentication, source, &mut write) => {
            panic!("the server ended: {error}")
        }
    };
    (outcome, log.into_iter().map(|entry| entry.outcome).collect(), started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_login_takes_no_time() {
    let mut session = violet(Method::Pap);
    let (outcome, log, time) = meet(&mut session, pair(), ReplySource::Received).await;
    assert_eq!((outcome, log, time), (accept(), vec![LogOutcome::Pass], Duration::ZERO));
    assert!(session.dropped().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_without_packet_info_answers_from_its_own_address_and_the_client_drops_it() {
    let mut session = violet(Method::Pap);
    let (outcome, log, time) = meet(&mut session, pair(), ReplySource::Kernel).await;
    let dropped =
        vec![DroppedReplies { reason: DropReason::WrongSource, from: real_server(), count: 4 }];
    assert_eq!(outcome, RequestOutcome::Timeout { server: vip(), attempts: 4, dropped });
    // The login was granted once all the same; the rest is repetition.
    assert_eq!(
        log,
        [LogOutcome::Pass, LogOutcome::Repeated, LogOutcome::Repeated, LogOutcome::Repeated]
    );
    assert_eq!(time, at(30));
}

#[tokio::test(start_paused = true)]
async fn lost_requests_are_sent_again() {
    let (mut ours, theirs) = pair();
    ours.lost = vec![0, 1];
    let mut session = violet(Method::Pap);
    let (outcome, log, time) = meet(&mut session, (ours, theirs), ReplySource::Received).await;
    assert_eq!((outcome, log, time), (accept(), vec![LogOutcome::Pass], at(2 + 4)));
    assert_eq!(session.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_sent_again_and_nothing_is_done_twice() {
    let (ours, mut theirs) = pair();
    theirs.lost = vec![0];
    let mut session = violet(Method::Pap);
    let (outcome, log, time) = meet(&mut session, (ours, theirs), ReplySource::Received).await;
    assert_eq!((outcome, time), (accept(), at(2)));
    assert_eq!(log, [LogOutcome::Pass, LogOutcome::Repeated]);
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_socket_fails_says_so() {
    let (mut ours, theirs) = pair();
    ours.broken = true;
    let outcome = run(&mut ours, &mut violet(Method::Pap)).await;
    assert_eq!(outcome, RequestOutcome::NoResult(ClientError::Io("no route".to_owned())));
    let (mut ours, other) = pair();
    drop((theirs, other));
    let outcome = run(&mut ours, &mut violet(Method::Pap)).await;
    assert_eq!(outcome, RequestOutcome::NoResult(ClientError::Io("the wire was cut".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_cannot_be_sent_is_written_down_and_the_server_goes_on() {
    let (mut ours, mut theirs) = pair();
    theirs.broken = true;
    for identifier in [1, 2] {
        let login = login("violet", "indigo", Method::Pap);
        let session = Session::login(&login, vip(), number(identifier), &options()).unwrap();
        ours.send_to(session.request(), vip()).await.unwrap();
    }
    drop(ours);
    let server = server();
    let mut log = Vec::new();
    let mut write = |entry: LogEntry| log.push(entry);
    let (service, source) = (Service::Authentication, ReplySource::Received);
    let error = serve(&mut theirs, &server, service, source, &mut write).await;
    assert_eq!(error.to_string(), "the wire was cut");
    let outcomes: Vec<LogOutcome> = log.iter().map(|entry| entry.outcome).collect();
    assert_eq!(
        outcomes,
        [LogOutcome::Pass, LogOutcome::Error, LogOutcome::Pass, LogOutcome::Error]
    );
    assert_eq!(log[1].detail, "the reply could not be sent: no route");
    assert_eq!((log[1].client, log[1].local), (peer(), vip()));
}

#[tokio::test(start_paused = true)]
async fn a_line_is_there_before_the_client_has_its_reply() {
    let (mut ours, mut theirs) = pair();
    let session = violet(Method::Pap);
    ours.send_to(session.request(), vip()).await.unwrap();
    let server = server();
    let mut replies_at_line = None;
    let mut write = |_: LogEntry| replies_at_line = Some(ours.receiver.len());
    let (service, source) = (Service::Authentication, ReplySource::Received);
    let served = serve(&mut theirs, &server, service, source, &mut write);
    assert!(tokio::time::timeout(at(1), served).await.is_err(), "a server does not end");
    assert_eq!(replies_at_line, Some(0));
    assert_eq!(ours.receiver.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_datagram_longer_than_any_packet_is_read_as_far_as_it_counts() {
    let (mut ours, theirs) = pair();
    let mut request = violet(Method::Pap).request().to_vec();
    request.resize(9000, 0);
    ours.send_to(&request, vip()).await.unwrap();
    let mut session = violet(Method::Pap);
    let (outcome, log, _) = meet(&mut session, (ours, theirs), ReplySource::Received).await;
    assert_eq!((outcome, log[0]), (accept(), LogOutcome::Pass));
}
