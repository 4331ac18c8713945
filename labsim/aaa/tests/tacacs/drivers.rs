//! The drivers over streams without a network, the clock stopped.

use super::*;
use labsim_aaa::tacacs::HeaderError;
use labsim_aaa::tacacs::authentication::Reply;
use labsim_aaa::tacacs::client::{self, ConnectionEnd, Event, LoginOutcome, SessionResult};
use labsim_aaa::tacacs::codes::AuthenStatus;
use labsim_aaa::tacacs::header::FLAG_SINGLE_CONNECT;
use labsim_aaa::tacacs::log::{LogKind, LogOutcome};
use labsim_aaa::tacacs::server::{Error, serve_connection};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::time::Instant;

/// A stream that notes how long each write was.
struct Noted {
    stream: DuplexStream,
    writes: Vec<usize>,
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Noted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.push(bytes.len());
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Two ends of a stream that carries at most `piece` bytes at once.
fn pair(piece: usize) -> (Noted, Noted) {
    let (left, right) = duplex(piece);
    let noted = |stream| Noted { stream, writes: Vec::new() };
    (noted(left), noted(right))
}

/// Serves one connection, and gives what was logged.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, server: &Server) -> Served {
    let mut log = Vec::new();
    let result =
        serve_connection(stream, peer(), local(), server, &mut |entry| log.push(entry)).await;
    Served { result, log }
}

struct Served {
    result: Result<(), Error>,
    log: Vec<LogEntry>,
}

fn violet() -> Login {
    login("violet", "indigo", Method::ASCII)
}

async fn log_in(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    options: &Options,
) -> SessionResult<LoginOutcome> {
    client::login(stream, options, &violet()).await
}

fn passed() -> SessionResult<LoginOutcome> {
    let outcome = LoginOutcome::Pass { message: String::new() };
    SessionResult { outcome, end: ConnectionEnd::ServerClosed }
}

#[tokio::test(start_paused = true)]
async fn each_packet_of_a_login_is_one_write() {
    let (mut ours, mut theirs) = pair(4096);
    let (options, server) = (options(), server());
    let started = Instant::now();
    let (finished, served) = tokio::join!(log_in(&mut ours, &options), async {
        let served = serve(&mut theirs, &server).await;
        theirs.shutdown().await.unwrap();
        served
    });
    assert_eq!(finished, passed());
    served.result.unwrap();
    assert_eq!(ours.writes, [26, 23]);
    assert_eq!(theirs.writes, [28, 18]);
    assert_eq!(started.elapsed(), Duration::ZERO, "nothing waits for time to pass");
}

#[tokio::test(start_paused = true)]
async fn a_login_passes_byte_by_byte() {
    let (mut ours, theirs) = pair(1);
    let (options, server) = (options(), server());
    let (finished, served) = tokio::join!(log_in(&mut ours, &options), serve(theirs, &server));
    assert_eq!(finished, passed());
    served.result.unwrap();
    assert_eq!((served.log[0].client, served.log[0].outcome), (peer(), LogOutcome::Pass));
    assert_eq!(served.log.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_caller_hears_of_every_event_in_between() {
    let (ours, theirs) = pair(4096);
    let server = server();
    let mut events = Vec::new();
    let mut connection =
        client::Connection::with_observer(ours, options(), |_: &mut Noted, event| {
            events.push(event)
        });
    let (finished, _) = tokio::join!(connection.login(violet()), serve(theirs, &server));
    assert_eq!(finished, passed());
    use Event::{Closed, Received, Sent};
    assert_eq!(events, [Sent(26), Received(28), Sent(23), Received(18), Closed]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_client_is_closed_at_once_and_told_so() {
    let (mut ours, theirs) = pair(4096);
    let (options, mut server) = (options(), server());
    server.clients.clear();
    let (finished, served) = tokio::join!(log_in(&mut ours, &options), serve(theirs, &server));
    let expected = SessionResult {
        outcome: LoginOutcome::NoResult(ClientError::Closed),
        end: ConnectionEnd::ServerClosed,
    };
    assert_eq!(finished, expected);
    assert!(matches!(served.result, Err(Error::Refused(address)) if address == peer()));
    assert_eq!(served.log[0].kind, LogKind::Refused);
}

#[tokio::test(start_paused = true)]
async fn three_sessions_share_a_connection_and_idleness_ends_it() {
    let (mut ours, theirs) = pair(7);
    let server = server();
    let options = Options { single_connection: true, ..options() };
    let client = async {
        let mut connection = client::Connection::new(&mut ours, options);
        for _ in 0..3 {
            let login = connection.login(violet()).await;
            assert_eq!(login.end, ConnectionEnd::Shared);
            assert_eq!(login.outcome.to_string(), "PASS");
        }
        // The server's deadline passes, and it closes.
        let started = Instant::now();
        assert_eq!(ours.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(started.elapsed().as_secs(), server.deadline.as_secs());
    };
    let ((), served) = tokio::join!(client, serve(theirs, &server));
    served.result.unwrap();
    let kinds: Vec<LogKind> = served.log.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [LogKind::Authentication; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_shared_is_used_up_after_one_session() {
    let (ours, theirs) = pair(4096);
    let mut server = server();
    server.single_connection = false;
    let options = Options { single_connection: true, ..options() };
    let mut connection = client::Connection::new(ours, options);
    let (finished, _) = tokio::join!(connection.login(violet()), serve(theirs, &server));
    assert_eq!(finished, passed());
    let again = connection.login(violet()).await;
    assert_eq!(again.outcome, LoginOutcome::NoResult(ClientError::UsedUp));
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_closed_at_the_deadline() {
    let (ours, theirs) = pair(4096);
    let server = server();
    let started = Instant::now();
    let served = serve(theirs, &server).await;
    assert_eq!(started.elapsed().as_secs(), server.deadline.as_secs());
    assert!(matches!(served.result, Err(Error::Silent(_))));
    assert_eq!(served.log[0].detail, "no whole packet came in time");
    drop(ours);
}

#[tokio::test(start_paused = true)]
async fn dripping_bytes_does_not_prolong_the_deadline() {
    let (mut ours, theirs) = pair(4096);
    let server = server();
    let start = ascii("violet", "indigo").first().unwrap();
    let drip = async {
        for byte in start.chunks(1) {
            tokio::time::sleep(server.deadline / 4).await;
            let _ = ours.write_all(byte).await;
        }
    };
    let started = Instant::now();
    let serving = async {
        let served = serve(theirs, &server).await;
        assert_eq!(started.elapsed().as_secs(), server.deadline.as_secs());
        served
    };
    let ((), served) = tokio::join!(drip, serving);
    assert!(matches!(served.result, Err(Error::Silent(_))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_silent_in_a_login_is_written_down() {
    let (mut ours, theirs) = pair(4096);
    let server = server();
    ours.write_all(&ascii("violet", "indigo").first().unwrap()).await.unwrap();
    let served = serve(theirs, &server).await;
    assert!(matches!(served.result, Err(Error::Silent(_))));
    assert_eq!(served.log[0].outcome, LogOutcome::Abandoned);
    assert_eq!(served.log.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_closed_at_the_deadline() {
    let (mut ours, theirs) = pair(27);
    let server = server();
    ours.write_all(&ascii("violet", "indigo").first().unwrap()).await.unwrap();
    let served = serve(theirs, &server).await;
    assert!(matches!(served.result, Err(Error::Silent(_))));
    assert_eq!(served.log[0].outcome, LogOutcome::Abandoned);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_answer_is_an_error_and_written_down() {
    let (mut ours, theirs) = pair(4096);
    let server = server();
    ours.write_all(&ascii("violet", "indigo").first().unwrap()).await.unwrap();
    drop(ours);
    let served = serve(theirs, &server).await;
    assert!(matches!(served.result, Err(Error::Io(_))));
    assert_eq!(served.log[0].outcome, LogOutcome::Abandoned);
}

#[tokio::test(start_paused = true)]
async fn an_oversized_packet_closes_the_connection() {
    let (mut ours, theirs) = pair(4096);
    let server = server();
    ours.write_all(b"\xc0\x01\x01\x00\x00\x00\x00\x07\xff\xff\xff\xff").await.unwrap();
    let served = serve(theirs, &server).await;
    let Err(Error::Protocol(ProtocolError::Header(error))) = served.result else { panic!() };
    assert!(matches!(error, HeaderError::TooLong { length: u32::MAX, .. }));
    assert_eq!(ours.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn differing_secrets_are_an_unreadable_reply() {
    let (ours, theirs) = pair(4096);
    let server = server();
    let options = Options::new(Secret::new("other"));
    let (finished, served) = tokio::join!(log_in(ours, &options), serve(theirs, &server));
    assert!(matches!(finished.outcome, LoginOutcome::NoResult(ClientError::Unreadable(_))));
    assert!(matches!(served.result, Err(Error::Protocol(ProtocolError::Body(_)))));
    assert_eq!(served.log[0].outcome, LogOutcome::Error);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_a_timeout() {
    let (ours, theirs) = pair(4096);
    let options = options();
    let started = Instant::now();
    let finished = log_in(ours, &options).await;
    assert_eq!(started.elapsed().as_secs(), options.deadline.as_secs());
    let error = ClientError::Timeout(options.deadline);
    assert_eq!(
        finished,
        SessionResult { outcome: LoginOutcome::NoResult(error), end: ConnectionEnd::Open }
    );
    drop(theirs);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_close_neither_spoils_the_result_nor_takes_the_whole_time() {
    let (ours, mut theirs) = pair(4096);
    let (options, server) = (options(), server());
    let started = Instant::now();
    let (finished, _) = tokio::join!(log_in(ours, &options), serve(&mut theirs, &server));
    let outcome = LoginOutcome::Pass { message: String::new() };
    assert_eq!(finished, SessionResult { outcome, end: ConnectionEnd::Open });
    assert_eq!(started.elapsed().as_secs(), options.close_wait.as_secs(), "not the deadline");
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_a_closed_connection_and_another_failure_is_told() {
    for (kind, expected) in [
        (io::ErrorKind::ConnectionReset, ClientError::Closed),
        (io::ErrorKind::NetworkUnreachable, ClientError::Io("network unreachable".to_owned())),
    ] {
        let first = ascii("violet", "indigo").first().unwrap();
        let stream = tokio_test::io::Builder::new().write(&first).read_error(kind.into()).build();
        let mut connection = client::Connection::new(stream, options());
        let finished = connection.run(ascii("violet", "indigo")).await;
        assert_eq!(finished.outcome, LoginOutcome::NoResult(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_did_not_offer_to_share_does_not_share() {
    let first = ascii("violet", "indigo").first().unwrap();
    let header = Header { flags: FLAG_SINGLE_CONNECT, ..whole(&first).header.answer().unwrap() };
    let pass = Reply::new(AuthenStatus::Pass, "");
    let pass = encrypt(header, &pass, &Secret::new(SECRET)).unwrap();
    let stream = tokio_test::io::Builder::new().write(&first).read(&pass).build();
    let mut connection = client::Connection::new(stream, options());
    assert_eq!(connection.run(ascii("violet", "indigo")).await, passed());
}
