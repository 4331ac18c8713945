//! Clients and servers over a stream, and both against bytes that nobody expects.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use labsim_model::server_log::LogEntry;
use labsim_model::{BytesAnswer, Close, HttpAnswer, Payload, TcpForm, UdpForm};
use labsim_services::client::{ExchangeError, Requests, Rounds, exchange, get};
use labsim_services::server::{answer_datagram, serve_connection};
use labsim_services::{dns, http};
use proptest::prelude::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

fn ends() -> (SocketAddr, SocketAddr) {
    ("192.0.2.1:1024".parse().unwrap(), "192.0.2.2:80".parse().unwrap())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What a client sees of a server, and what the server logs.
fn between<T>(form: &TcpForm, client: impl AsyncFnOnce(DuplexStream) -> T) -> (T, Vec<String>) {
    run(async {
        let (near, far) = duplex(4096);
        let mut log: Vec<String> = Vec::new();
        let mut write = |entry: LogEntry| log.push(entry.to_string());
        let serving = serve_connection(far, ends(), form, "rs1", &mut write);
        let (seen, _) = tokio::join!(client(near), serving);
        (seen, log)
    })
}

fn rounds<'a>(send: &'a Payload, receive: &'a Payload, number: u32) -> Rounds<'a> {
    Rounds { send, receive, rounds: number, close: Close::Fin }
}

async fn exchanged(stream: DuplexStream, rounds: Rounds<'_>) -> Result<u32, ExchangeError> {
    let mut answers = 0;
    exchange(stream, rounds, &mut |_| answers += 1).await?;
    Ok(answers)
}

fn requests<'a>(body: Option<&'a Payload>, number: u32) -> Requests<'a> {
    Requests { path: "/", host: "www", status: 200, body, rounds: number }
}

async fn got(stream: DuplexStream, requests: Requests<'_>) -> Result<u64, ExchangeError> {
    get(stream, requests, &mut |_| {}).await
}

#[test]
fn much_is_echoed_while_it_is_sent_and_several_rounds_are_one_connection() {
    let all = Payload::Bytes(300_000);
    let (answers, log) =
        between(&TcpForm::Echo, async |stream| exchanged(stream, rounds(&all, &all, 3)).await);
    assert_eq!(answers.unwrap(), 3);
    assert_eq!(log, ["192.0.2.1:1024 -> 192.0.2.2:80 request PASS: bytes, sent back"]);
}

#[test]
fn a_fixed_answer_comes_once_the_request_is_whole() {
    let form = TcpForm::Bytes(BytesAnswer {
        request: 10,
        answer: Payload::Text("pong".to_owned()),
        close: false,
    });
    let (send, receive) = (Payload::Bytes(10), Payload::Text("pong".to_owned()));
    let (answers, _) =
        between(&form, async |stream| exchanged(stream, rounds(&send, &receive, 2)).await);
    assert_eq!(answers.unwrap(), 2);
    let wrong = Payload::Text("ping".to_owned());
    let (error, _) =
        between(&form, async |stream| exchanged(stream, rounds(&send, &wrong, 1)).await);
    assert!(matches!(error, Err(ExchangeError::Differs { at: 1, round: 1 })), "{error:?}");
    let more = Payload::Text("pon".to_owned());
    let (error, _) =
        between(&form, async |stream| exchanged(stream, rounds(&send, &more, 1)).await);
    assert!(matches!(error, Err(ExchangeError::More { expected: 3 })), "{error:?}");
}

#[test]
fn a_server_greets_and_closes_if_it_is_told_to() {
    let greeting = Payload::Text("220 ready\r\n".to_owned());
    let form = TcpForm::Bytes(BytesAnswer { request: 0, answer: greeting.clone(), close: true });
    let (seen, log) = between(&form, async |mut stream: DuplexStream| {
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        seen
    });
    assert_eq!(seen, greeting.bytes());
    assert_eq!(log.len(), 1);
}

#[test]
fn a_page_is_the_servers_name_or_what_it_is_given() {
    let (name, log) = between(&TcpForm::Http(HttpAnswer::default()), async |stream| {
        got(stream, requests(Some(&Payload::Text("rs1\n".to_owned())), 1)).await
    });
    assert_eq!(name.unwrap(), 4);
    assert_eq!(log, ["192.0.2.1:1024 -> 192.0.2.2:80 request PASS: GET / of www: 200"]);
    let body = Payload::Bytes(100_000);
    let form = TcpForm::Http(HttpAnswer { body: Some(body.clone()), ..HttpAnswer::default() });
    let (size, log) = between(&form, async |stream| got(stream, requests(Some(&body), 3)).await);
    assert_eq!((size.unwrap(), log.len()), (100_000, 3));
    let longer = Payload::Bytes(100_001);
    let (error, _) = between(&form, async |stream| got(stream, requests(Some(&longer), 1)).await);
    assert!(
        matches!(error, Err(ExchangeError::Length { came: 100_000, expected: 100_001 })),
        "{error:?}"
    );
}

#[test]
fn another_host_is_not_found() {
    let host = Some("www.example.org".to_owned());
    let form = TcpForm::Http(HttpAnswer { host, ..HttpAnswer::default() });
    let (error, log) = between(&form, async |stream| got(stream, requests(None, 1)).await);
    assert!(matches!(error, Err(ExchangeError::Status { came: 404, expected: 200 })), "{error:?}");
    assert_eq!(log.len(), 1);
}

#[test]
fn a_request_that_cannot_be_read_is_refused_and_the_connection_ends() {
    let form = TcpForm::Http(HttpAnswer::default());
    let (seen, log) = between(&form, async |mut stream: DuplexStream| {
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        String::from_utf8(seen).unwrap()
    });
    assert!(seen.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{seen}");
    assert!(log[0].ends_with("request ERROR: the request does not have one Host"), "{log:?}");
}

#[test]
fn a_server_that_closes_too_early_is_told_from_one_that_answers_wrongly() {
    let form = TcpForm::Bytes(BytesAnswer { answer: Payload::Bytes(3), close: true, request: 1 });
    let (send, receive) = (Payload::Bytes(1), Payload::Bytes(5));
    let (error, _) =
        between(&form, async |stream| exchanged(stream, rounds(&send, &receive, 1)).await);
    let expected = "the server closed the connection after 3 of 5 bytes of round 1";
    assert_eq!(error.unwrap_err().to_string(), expected);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = http::read_request(&bytes);
        let _ = http::read_response(&bytes);
        let _ = dns::read_response(&bytes);
        let _ = answer_datagram(&UdpForm::Dns([].into()), &bytes, ends());
        let _ = answer_datagram(&UdpForm::Syslog, &bytes, ends());
    }
}
