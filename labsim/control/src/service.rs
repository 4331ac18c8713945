//! The threads that wait for requests: one a stream, and a few for clients that come.

use crate::line::{self, Line};
use crate::protocol::Answer;
use crate::{Listener, Operator, http};
use nix::sys::signal::{SigSet, Signal};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Clients of a socket at a time.
const CLIENTS: usize = 8;
/// How long a client may say nothing, or take nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// After the kernel refused to hand over a client: it has no descriptor left, for one.
const PAUSE: Duration = Duration::from_millis(100);

/// SIGHUP, which is taken from here on.
#[derive(Debug)]
pub struct Hangups(SigSet);

impl Hangups {
    /// Call it while the process has one thread: it blocks the signal in order to wait for it.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn take() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGHUP);
        signals.thread_block()?;
        Ok(Self(signals))
    }

    /// Does `work` each time it comes.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn each(self, mut work: impl FnMut() + Send + 'static) -> io::Result<()> {
        thread("hangup", move || {
            while self.0.wait().is_ok() {
                work();
            }
        })
    }
}

/// Answers the requests that a stream brings, and ends the forwarder when it ends.
///
/// # Errors
/// There is no thread for it.
pub fn serve_stream(
    operator: Arc<Operator>,
    input: impl io::Read + Send + 'static,
    mut output: impl Write + Send + 'static,
) -> io::Result<()> {
    thread("requests", move || {
        let _ = converse(&operator, &mut BufReader::new(input), &mut output);
        operator.stop();
    })
}

/// Answers the clients of a control socket.
///
/// # Errors
/// There is no thread for it.
pub fn serve_listener(operator: Arc<Operator>, listener: Listener) -> io::Result<()> {
    let room = Room::default();
    thread("control", move || {
        loop {
            match listener.accept() {
                Ok(Some(client)) => {
                    let Some(place) = room.enter() else {
                        let many = format!("{CLIENTS} clients are connected; try again");
                        let _ = client.set_write_timeout(Some(PAUSE));
                        let _ = line::write(&mut &client, &Answer::refused(many));
                        continue;
                    };
                    let operator = Arc::clone(&operator);
                    // Without a thread the client is sent away.
                    let _ = thread("client", move || {
                        let _ = one_client(&operator, &client);
                        drop(place);
                    });
                }
                // Neither its own nor root's.
                Ok(None) => {}
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    })
}

/// Answers `GET /metrics`.
///
/// # Errors
/// There is no thread for it.
pub fn serve_metrics(operator: Arc<Operator>, listener: TcpListener) -> io::Result<()> {
    let room = Room::default();
    thread("metrics", move || {
        loop {
            let Ok((client, _)) = listener.accept() else {
                std::thread::sleep(PAUSE);
                continue;
            };
            // One too many is sent away by closing.
            let Some(place) = room.enter() else { continue };
            let operator = Arc::clone(&operator);
            let _ = thread("scrape", move || {
                let _ = http::answer(&client, || operator.metrics());
                drop(place);
            });
        }
    })
}

fn one_client(operator: &Operator, client: &UnixStream) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    converse(operator, &mut BufReader::new(client), &mut &*client)
}

/// Until the stream ends, or brings what cannot be followed.
fn converse(
    operator: &Operator,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<()> {
    loop {
        let answer = match line::read(input)? {
            Line::Request(request) => operator.answer(&request),
            Line::Nonsense(why) => Answer::refused(why),
            Line::End => return Ok(()),
        };
        line::write(output, &answer)?;
    }
}

/// How many may still come.
#[derive(Debug, Clone, Default)]
struct Room(Arc<AtomicUsize>);

/// Somebody's place; dropping it makes room.
struct Place(Room);

impl Room {
    fn enter(&self) -> Option<Place> {
        let enter = |taken: usize| (taken < CLIENTS).then_some(taken + 1);
        let entered = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter);
        entered.is_ok().then(|| Place(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts a thread that nobody waits for: it ends with the process.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(work).map(|_: JoinHandle<()>| ())
}
