//! What a server does with a connection.

use super::entry;
use crate::CHUNK;
use crate::http::{self, HttpError, MAX_HEAD};
use labsim_model::server_log::{LogEntry, LogKind, LogOutcome};
use labsim_model::{BytesAnswer, HttpAnswer, Payload, TcpForm};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Serves a connection from `peer` to `local` to its end. `name` is the server's node; a line is logged
/// before the client can see the answer that it is about.
///
/// # Errors
/// The connection broke.
pub async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    (peer, local): (SocketAddr, SocketAddr),
    form: &TcpForm,
    name: &str,
    log: &mut impl FnMut(LogEntry),
) -> io::Result<()> {
    let mut log = |how, detail: &str| log(entry((peer, local), how, detail));
    match form {
        TcpForm::Echo => echo(&mut stream, &mut log).await?,
        TcpForm::Discard => discard(&mut stream, &mut log).await?,
        TcpForm::Bytes(answer) => fixed(&mut stream, answer, &mut log).await?,
        TcpForm::Http(answer) => http(&mut stream, answer, name, &mut log).await?,
    }
    stream.shutdown().await
}

type How = (LogKind, LogOutcome);
const PASS: How = (LogKind::Request, LogOutcome::Pass);

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    log: &mut impl FnMut(How, &str),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut is_first = true;
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if std::mem::take(&mut is_first) {
            log(PASS, "bytes, sent back");
        }
        stream.write_all(buffer.get(..length).unwrap_or_default()).await?;
    }
}

async fn discard<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    log: &mut impl FnMut(How, &str),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut is_first = true;
    while stream.read(&mut buffer).await? > 0 {
        if std::mem::take(&mut is_first) {
            log(PASS, "bytes, not answered");
        }
    }
    Ok(())
}

async fn fixed<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    answer: &BytesAnswer,
    log: &mut impl FnMut(How, &str),
) -> io::Result<()> {
    let said = || format!("answered with {}", answer.answer.size());
    if answer.request == 0 {
        log(PASS, &said());
        write(stream, &answer.answer).await?;
        if answer.close {
            return Ok(());
        }
        let mut buffer = vec![0; CHUNK];
        while stream.read(&mut buffer).await? > 0 {}
        return Ok(());
    }
    let mut buffer = vec![0; CHUNK];
    let mut waiting: u64 = 0;
    let mut is_first = true;
    let request = u64::from(answer.request);
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        waiting += length as u64;
        while waiting >= request {
            waiting -= request;
            if std::mem::take(&mut is_first) {
                log(PASS, &said());
            }
            write(stream, &answer.answer).await?;
            if answer.close {
                return Ok(());
            }
        }
    }
}

/// Sends a payload.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    payload: &Payload,
) -> io::Result<()> {
    let mut sent = 0;
    let mut chunk = Vec::with_capacity(CHUNK);
    while sent < payload.len() {
        chunk.clear();
        payload.write(sent, CHUNK, &mut chunk);
        stream.write_all(&chunk).await?;
        sent += chunk.len() as u64;
    }
    Ok(())
}

async fn http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    answer: &HttpAnswer,
    name: &str,
    log: &mut impl FnMut(How, &str),
) -> io::Result<()> {
    let own = Payload::Text(format!("{name}\n"));
    let body = answer.body.as_ref().unwrap_or(&own);
    let mut input = Vec::new();
    loop {
        let (request, end) = match http::read_request(&input) {
            Ok(Some(found)) => found,
            Ok(None) => {
                let mut buffer = vec![0; MAX_HEAD];
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    return Ok(());
                }
                input.extend(buffer.get(..length).unwrap_or_default());
                continue;
            }
            Err(error) => return refuse(stream, error, log).await,
        };
        input.drain(..end);
        let is_head = request.method == "HEAD";
        let known = answer.host.as_ref();
        let status = if request.method != "GET" && !is_head {
            405
        } else if known.is_some_and(|host| !host.eq_ignore_ascii_case(&request.host)) {
            404
        } else {
            answer.status
        };
        let empty = Payload::Bytes(0);
        let body = if status == answer.status { body } else { &empty };
        // What follows a body that is not read could be taken for another request.
        let close = request.close || request.length > 0;
        let detail = format!(
            "{} {} of {}: {status}",
            request.method,
            request.target,
            if request.host.is_empty() { "no host" } else { &request.host }
        );
        log(PASS, &detail);
        let mut head = http::write_response(status, body.len(), close);
        let with_body = !is_head && http::has_body(status);
        // A short body goes out in the head's segment, as servers do.
        let first = if with_body { CHUNK.saturating_sub(head.len()) } else { 0 };
        body.write(0, first, &mut head);
        stream.write_all(&head).await?;
        let mut sent = first as u64;
        while with_body && sent < body.len() {
            let mut chunk = Vec::with_capacity(CHUNK);
            body.write(sent, CHUNK, &mut chunk);
            stream.write_all(&chunk).await?;
            sent += chunk.len() as u64;
        }
        if close {
            return Ok(());
        }
    }
}

async fn refuse<S: AsyncWrite + Unpin>(
    stream: &mut S,
    error: HttpError,
    log: &mut impl FnMut(How, &str),
) -> io::Result<()> {
    log((LogKind::Request, LogOutcome::Error), &error.to_string());
    stream.write_all(&http::write_response(400, 0, true)).await
}
