//! `GET /metrics` over HTTP/1.1 (RFC 9112), without authentication: one request on each connection,
//! which is then closed. Prometheus needs no more, and a server library would be larger than
//! labsim's forwarder.

use crate::metrics::CONTENT_TYPE;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8192;
/// How long a client may take for its whole request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the one request of a client.
pub(crate) fn serve(
    mut client: &TcpStream,
    metrics: impl FnOnce() -> Option<String>,
) -> io::Result<()> {
    let head = read_head(client)?;
    let response = respond(&head, metrics);
    client.set_write_timeout(Some(TIMEOUT))?;
    client.write_all(response.as_bytes())?;
    client.shutdown(Shutdown::Write)
}

/// Reads the request up to its empty line, or up to the limits of length and time.
fn read_head(mut client: &TcpStream) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + TIMEOUT;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < LONGEST_HEAD && !is_complete(&head) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut buffer)? {
            0 => break,
            length => head.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(head)
}

fn is_complete(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n") || head.windows(2).any(|end| end == b"\n\n")
}

/// The response to a request's head.
fn respond(head: &[u8], metrics: impl FnOnce() -> Option<String>) -> String {
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = std::str::from_utf8(first).ok().filter(|_| is_complete(head));
    let words: Vec<&str> = first.unwrap_or_default().split_ascii_whitespace().collect();
    let [method, target, version] = words[..] else { return error_response("400 Bad Request", "") };
    if !version.starts_with("HTTP/1.") {
        return error_response("505 HTTP Version Not Supported", "");
    }
    if !matches!(method, "GET" | "HEAD") {
        return error_response("405 Method Not Allowed", "Allow: GET, HEAD\r\n");
    }
    if target.split('?').next() != Some("/metrics") {
        return error_response("404 Not Found", "");
    }
    let Some(text) = metrics() else { return error_response("503 Service Unavailable", "") };
    let length = text.len();
    let head = format!("Content-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n");
    let body = if method == "HEAD" { "" } else { &text };
    format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{body}")
}

fn error_response(status: &str, more: &str) -> String {
    let length = status.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{more}\
         Connection: close\r\n\r\n{status}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_HEAD, respond, serve};
    use proptest::prelude::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    fn status(request: &str) -> String {
        let answer = respond(request.as_bytes(), || Some("# EOF\n".to_owned()));
        answer.lines().next().unwrap().to_owned()
    }

    #[test]
    fn only_metrics_are_served() {
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK"),
            ("GET /metrics?x=1 HTTP/1.0\n\n", "HTTP/1.1 200 OK"),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK"),
            ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
            ("GET /metrics/../x HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
            ("GET /metrics HTTP/2.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"),
            ("GET /metrics\r\n\r\n", "HTTP/1.1 400 Bad Request"),
            ("GET /metrics HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request"),
            ("", "HTTP/1.1 400 Bad Request"),
        ] {
            assert_eq!(status(request), expected, "{request:?}");
        }
        let head = respond(b"HEAD /metrics HTTP/1.1\r\n\r\n", || Some("# EOF\n".to_owned()));
        assert!(head.contains("Content-Length: 6\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    /// The response to a client that sends `request` and then ends its stream.
    fn exchange(request: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(request).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let (server, _) = listener.accept().unwrap();
        serve(&server, || Some("# EOF\n".to_owned())).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_request_in_pieces_or_without_an_end_is_answered_within_bounds() {
        let text = exchange(b"GET /metrics HTTP/1.1\r\nHost: lb\r\n\r\n");
        assert!(text.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        assert!(text.ends_with("\r\n\r\n# EOF\n"), "{text}");
        assert!(exchange(&vec![b'x'; LONGEST_HEAD]).starts_with("HTTP/1.1 400"));
        assert!(exchange(b"GET").starts_with("HTTP/1.1 400"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered(head in prop::collection::vec(any::<u8>(), 0..200)) {
            assert!(respond(&head, || None).starts_with("HTTP/1.1 "));
        }
    }
}
