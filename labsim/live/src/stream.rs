//! Answers to a client while work is done for it.

use crate::protocol::{Answer, Versioned};
use std::cell::{Cell, RefCell};
use std::io;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::Notify;

/// Bytes that wait for a client at most. One that reads nothing for so long is gone.
const MOST: usize = 16 << 20;
/// Bytes of a write at most.
const CHUNK: usize = 64 << 10;

/// Answers that wait for the client.
#[derive(Default)]
pub(crate) struct AnswerStream {
    waiting: RefCell<Vec<u8>>,
    added: Notify,
    overflowed: Cell<bool>,
}

impl AnswerStream {
    /// Adds an answer; it is written by [`Self::write_until_gone`] and [`Self::finish`].
    pub(crate) fn push(&self, answer: Answer) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < MOST
            && serde_json::to_writer(&mut *waiting, &Versioned::new(answer)).is_ok()
        {
            waiting.push(b'\n');
        } else {
            self.overflowed.set(true);
        }
        self.added.notify_one();
    }

    /// Writes what is added. Returns when the client is gone, or does not read.
    pub(crate) async fn write_until_gone(&self, client: &UnixStream) {
        tokio::select! {
            () = gone(client) => {}
            _ = self.write(client) => {}
        }
    }

    /// Writes the rest, and closes the connection.
    pub(crate) async fn finish(&self, mut client: UnixStream) -> io::Result<()> {
        while !self.waiting.borrow().is_empty() {
            self.write_some(&client).await?;
        }
        client.shutdown().await
    }

    async fn write(&self, client: &UnixStream) -> io::Result<()> {
        loop {
            if self.overflowed.get() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            if self.waiting.borrow().is_empty() {
                self.added.notified().await;
            } else {
                self.write_some(client).await?;
            }
        }
    }

    async fn write_some(&self, client: &UnixStream) -> io::Result<()> {
        client.writable().await?;
        let mut waiting = self.waiting.borrow_mut();
        let end = waiting.len().min(CHUNK);
        match client.try_write(waiting.get(..end).unwrap_or_default()) {
            Ok(written) => drop(waiting.drain(..written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Returns when a client has closed its connection. It has nothing more to say: whatever can be read is
/// its end.
pub(crate) async fn gone(client: &UnixStream) {
    while client.readable().await.is_ok() {
        match client.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::AsyncReadExt as _;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_was_added_arrives_in_order_and_to_its_end() {
        let stream = AnswerStream::default();
        let (client, mut reader) = UnixStream::pair().unwrap();
        for number in 0..20_000 {
            stream.push(Answer::Failed(number.to_string()));
        }
        stream.push(Answer::Done);
        let mut text = String::new();
        let (finished, read) =
            tokio::join!(stream.finish(client), reader.read_to_string(&mut text));
        assert!(finished.is_ok() && read.is_ok());
        assert_eq!(text.lines().count(), 20_001);
        assert!(text.lines().nth(19_999).unwrap().contains("19999"));
        assert!(text.ends_with("\"Done\"}\n"));
    }

    #[tokio::test]
    async fn a_client_that_leaves_or_never_reads_is_gone() {
        let stream = AnswerStream::default();
        let (client, reader) = UnixStream::pair().unwrap();
        let waits = timeout(Duration::from_millis(20), stream.write_until_gone(&client)).await;
        assert!(waits.is_err(), "it is there");
        drop(reader);
        timeout(SOON, stream.write_until_gone(&client)).await.unwrap();
        let (client, _reader) = UnixStream::pair().unwrap();
        let text = "x".repeat(1 << 20);
        for _ in 0..17 {
            stream.push(Answer::Failed(text.clone()));
        }
        timeout(SOON, stream.write_until_gone(&client)).await.unwrap();
        assert!(stream.waiting.borrow().len() <= MOST + text.len() * 2);
    }
}
