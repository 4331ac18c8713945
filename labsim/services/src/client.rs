//! What clients do with a connection: rounds of bytes, HTTP requests.

use crate::CHUNK;
use crate::http::{self, HttpError, MAX_HEAD};
use crate::server::write;
use labsim_model::{Close, Payload};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Why an exchange did not end as it has to.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server closed it too early.
    #[error("the server closed the connection after {came} of {expected} bytes of round {round}")]
    Closed {
        /// Bytes that came.
        came: u64,
        /// Bytes that have to come.
        expected: u64,
        /// The round, from 1 on.
        round: u32,
    },
    /// Another byte came than has to.
    #[error("byte {at} of the answer of round {round} is not the expected one")]
    Differs {
        /// Its place in the answer, from 0 on.
        at: u64,
        /// The round, from 1 on.
        round: u32,
    },
    /// The server sent more than has to come back.
    #[error("the server sent more than the expected {expected} bytes")]
    More {
        /// Bytes that have to come.
        expected: u64,
    },
    /// The body has another length than it has to.
    #[error("the body has {came} bytes instead of {expected}")]
    Length {
        /// Bytes that came.
        came: u64,
        /// Bytes that have to come.
        expected: u64,
    },
    /// The answer is no HTTP.
    #[error("the answer cannot be read: {0}")]
    Http(#[from] HttpError),
    /// Another status came.
    #[error("the server answered with status {came} instead of {expected}")]
    Status {
        /// What came.
        came: u16,
        /// What has to come.
        expected: u16,
    },
}

/// Rounds of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Rounds<'a> {
    /// What is sent in each.
    pub send: &'a Payload,
    /// What has to come back in each.
    pub receive: &'a Payload,
    /// How many.
    pub rounds: u32,
    /// Who closes the connection. After [`Close::Reset`] the caller has to reset it.
    pub close: Close,
}

/// Runs the rounds, and ends the connection. `answered` is called after each answer.
///
/// # Errors
/// The connection ended, or something else came back.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    rounds: Rounds<'_>,
    answered: &mut impl FnMut(&mut S),
) -> Result<(), ExchangeError> {
    for round in 1..=rounds.rounds {
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let sending = async {
            write(&mut writer, rounds.send).await?;
            Ok::<_, ExchangeError>(writer.flush().await?)
        };
        tokio::try_join!(sending, receive(&mut reader, rounds.receive, round))?;
        answered(&mut stream);
    }
    match rounds.close {
        Close::Reset => Ok(()),
        Close::Fin => {
            stream.shutdown().await?;
            end(&mut stream, rounds.receive.len()).await
        }
        Close::Server => {
            end(&mut stream, rounds.receive.len()).await?;
            Ok(stream.shutdown().await?)
        }
    }
}

/// Reads an answer, and nothing after it.
async fn receive<S: AsyncRead + Unpin>(
    stream: &mut S,
    payload: &Payload,
    round: u32,
) -> Result<(), ExchangeError> {
    let (mut came, expected) = (0, payload.len());
    let mut buffer = vec![0; CHUNK];
    while came < expected {
        let most = CHUNK.min(usize::try_from(expected - came).unwrap_or(CHUNK));
        let length = stream.read(buffer.get_mut(..most).unwrap_or_default()).await?;
        if length == 0 {
            return Err(ExchangeError::Closed { came, expected, round });
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        if let Some(at) = payload.differs(came, bytes) {
            return Err(ExchangeError::Differs { at, round });
        }
        came += length as u64;
    }
    Ok(())
}

/// Waits for the server's end of the connection.
async fn end<S: AsyncRead + Unpin>(stream: &mut S, expected: u64) -> Result<(), ExchangeError> {
    match stream.read(&mut [0; 1]).await? {
        0 => Ok(()),
        _ => Err(ExchangeError::More { expected }),
    }
}

/// HTTP requests on one connection.
#[derive(Debug, Clone, Copy)]
pub struct Requests<'a> {
    /// The path, with its query.
    pub path: &'a str,
    /// The Host.
    pub host: &'a str,
    /// The status that has to come back.
    pub status: u16,
    /// The body that has to come back, if it matters.
    pub body: Option<&'a Payload>,
    /// How many; the last one asks the server to close.
    pub rounds: u32,
}

/// Most bytes of a body that are read.
const MAX_BODY: u64 = 1 << 30;

/// Sends the requests one after the other. Returns the size of the last body in bytes.
///
/// # Errors
/// The connection ended, or something else came back.
pub async fn get<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    requests: Requests<'_>,
    answered: &mut impl FnMut(&mut S),
) -> Result<u64, ExchangeError> {
    let mut input = Vec::new();
    let mut size = 0;
    for round in 1..=requests.rounds {
        let is_last = round == requests.rounds;
        let request = http::write_request(requests.path, requests.host, is_last);
        stream.write_all(&request).await?;
        let (head, end) = loop {
            if let Some(found) = http::read_response(&input)? {
                break found;
            }
            let mut buffer = vec![0; MAX_HEAD];
            let length = stream.read(&mut buffer).await?;
            if length == 0 {
                return Err(ExchangeError::Closed { came: input.len() as u64, expected: 1, round });
            }
            input.extend(buffer.get(..length).unwrap_or_default());
        };
        input.drain(..end);
        if head.status != requests.status {
            let (came, expected) = (head.status, requests.status);
            return Err(ExchangeError::Status { came, expected });
        }
        size = body(&mut stream, &mut input, head.length, requests.body, round).await?;
        answered(&mut stream);
        if head.close && !is_last {
            return Err(ExchangeError::Closed { came: 0, expected: 1, round: round + 1 });
        }
    }
    // The server closes first, as it was asked to.
    if !input.is_empty() {
        return Err(ExchangeError::More { expected: size });
    }
    end(&mut stream, size).await?;
    stream.shutdown().await?;
    Ok(size)
}

/// Reads a body of which `input` holds the beginning, and leaves in it what follows.
async fn body<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut Vec<u8>,
    length: Option<u64>,
    wanted: Option<&Payload>,
    round: u32,
) -> Result<u64, ExchangeError> {
    let most = length.unwrap_or(MAX_BODY);
    let mut came: u64 = 0;
    loop {
        let left = usize::try_from(most - came).unwrap_or(usize::MAX);
        let piece: Vec<u8> = input.drain(..input.len().min(left)).collect();
        if let Some(at) = wanted.and_then(|wanted| wanted.differs(came, &piece)) {
            return Err(ExchangeError::Differs { at, round });
        }
        came += piece.len() as u64;
        if came == most {
            break;
        }
        let mut buffer = vec![0; CHUNK];
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            match length {
                Some(expected) => return Err(ExchangeError::Closed { came, expected, round }),
                None => break,
            }
        }
        input.extend(buffer.get(..read).unwrap_or_default());
    }
    match wanted {
        Some(wanted) if wanted.len() != came => {
            Err(ExchangeError::Length { came, expected: wanted.len() })
        }
        _ => Ok(came),
    }
}
