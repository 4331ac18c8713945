//! A lab's ring for its clients: what it has is passed on in memory of the client's own, so that neither
//! clients nor work in the lab wait for who reads it.

use crate::desk::send;
use crate::protocol::{Answer, KeptFrames};
use crate::recording::Recording;
use labsim_lab::Lab;
use std::io::{self, PipeWriter, Write as _, pipe};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tracing::debug;

/// Keeps frames until it is dropped.
pub(crate) struct Recorder {
    /// `None` where nothing is kept.
    running: Option<Running>,
}

struct Running {
    orders: Sender<Order>,
    /// Wakes the thread, and ends it once it is closed.
    wake: PipeWriter,
    thread: JoinHandle<()>,
}

/// A client that waits for what is kept.
pub(crate) struct Order {
    /// From when on, in nanoseconds since 1970.
    pub(crate) since_ns: Option<u64>,
    pub(crate) asked: Instant,
    pub(crate) answer: oneshot::Sender<Snapshot>,
}

/// What is kept at a moment, with the memory that has the frames, or why there is nothing.
pub(crate) type Snapshot = Result<(KeptFrames, OwnedFd), String>;

impl Recorder {
    /// Keeps the last MiB of all frames of a lab from now on; nothing of 0.
    ///
    /// # Errors
    /// A node has no packet socket, or no thread can be started.
    pub(crate) fn start(lab: &Lab, keep_mib: u32) -> io::Result<Self> {
        if keep_mib == 0 {
            return Ok(Self { running: None });
        }
        let recording = Recording::new(lab, keep_mib)?;
        let (orders, receiver) = channel();
        let (woken, wake) = pipe()?;
        let thread = std::thread::Builder::new()
            .name("lab-ring".into())
            .spawn(move || recording.run(&receiver, woken))?;
        Ok(Self { running: Some(Running { orders, wake, thread }) })
    }

    /// Answers a client, while others are answered.
    pub(crate) fn answer(&self, mut client: UnixStream, since_ns: Option<u64>) {
        let asked = self.ask(since_ns);
        tokio::task::spawn_local(async move {
            let ended = || Err("the lab's ring has ended".to_owned());
            let sent = match asked.await.unwrap_or_else(|_| ended()) {
                Ok((kept, memory)) => {
                    send(&mut client, Answer::Kept(Box::new(kept)), &[memory.as_fd()]).await
                }
                Err(reason) => send(&mut client, Answer::Refused(reason), &[]).await,
            };
            if let Err(error) = sent {
                debug!(%error, "a client did not take what the ring has");
            }
        });
    }

    fn ask(&self, since_ns: Option<u64>) -> oneshot::Receiver<Snapshot> {
        let (answer, asked) = oneshot::channel();
        match &self.running {
            Some(Running { orders, wake, .. }) => {
                // Of a thread that has ended there is no answer, which the other end finds out.
                let _ = orders.send(Order { since_ns, asked: Instant::now(), answer });
                let _ = (&mut &*wake).write_all(&[0]);
            }
            None => {
                let _ = answer.send(Err(
                    "the lab keeps no packets, as it was made with `--keep 0`; `labsim capture` \
                    without --since shows them as they come"
                        .to_owned(),
                ));
            }
        }
        asked
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(Running { orders, wake, thread }) = self.running.take() {
            drop((orders, wake));
            let _ = thread.join();
        }
    }
}
