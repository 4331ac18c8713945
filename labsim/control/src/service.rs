//! The threads that wait for requests: one for each stream, and a few for clients of sockets.

use crate::connections::{ConnectionLimit, Connections, MAX_CLIENTS};
use crate::line::{self, Line};
use crate::protocol::Answer;
use crate::{Listener, Operator, http};
use nix::sys::signal::{SigSet, Signal};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a client may stay silent, or take to receive an answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after an error of accept(2): the process has no descriptor left, for example.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
/// At most one warning about errors of accept(2) in this time.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Waits for SIGHUP, which it blocks.
#[derive(Debug)]
pub struct SighupListener(SigSet);

impl SighupListener {
    /// Blocks the signal in order to wait for it. Call this while the process has one thread.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn block() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGHUP);
        signals.thread_block()?;
        Ok(Self(signals))
    }

    /// Runs `work` on a thread of its own each time the signal arrives.
    ///
    /// # Errors
    /// The kernel refuses a thread.
    pub fn on_signal(self, mut work: impl FnMut() + Send + 'static) -> io::Result<()> {
        spawn("sighup", move || {
            while self.0.wait().is_ok() {
                tracing::info!("SIGHUP received");
                work();
            }
        })
    }
}

/// Serves the requests of a stream, and stops the forwarder at the stream's end.
///
/// # Errors
/// The kernel refuses a thread.
pub fn serve_stream(
    operator: Arc<Operator>,
    input: impl io::Read + Send + 'static,
    mut output: impl Write + Send + 'static,
) -> io::Result<()> {
    spawn("requests", move || {
        let result = serve_requests(&operator, &mut BufReader::new(input), &mut output);
        if let Err(error) = result {
            tracing::warn!(%error, "the stream of requests failed; the forwarder stops");
        }
        operator.stop();
    })
}

/// Serves the clients of a control socket.
///
/// # Errors
/// The kernel refuses a thread.
pub fn serve_listener(operator: Arc<Operator>, listener: Listener) -> io::Result<()> {
    let limit = ConnectionLimit::default();
    let mut errors = AcceptErrors::new("control");
    spawn("control", move || {
        loop {
            let client = match listener.accept() {
                Ok(Some(client)) => client,
                Ok(None) => {
                    tracing::warn!("a client of another user was rejected");
                    continue;
                }
                Err(error) => {
                    errors.report(&error);
                    continue;
                }
            };
            let Some(permit) = limit.acquire() else {
                tracing::warn!(clients = MAX_CLIENTS, "a client was rejected: too many clients");
                let many = format!("{MAX_CLIENTS} clients are connected; try again");
                let _ = client.set_write_timeout(Some(ACCEPT_RETRY_DELAY));
                let _ = line::write(&mut &client, &Answer::refused(many));
                continue;
            };
            let operator = Arc::clone(&operator);
            let started = spawn("client", move || {
                if let Err(error) = serve_client(&operator, &client) {
                    tracing::debug!(%error, "a client's connection failed");
                }
                drop(permit);
            });
            if let Err(error) = started {
                errors.report(&error);
            }
        }
    })
}

/// Serves `GET /metrics` over HTTP.
///
/// # Errors
/// The kernel refuses a thread.
pub fn serve_metrics(operator: Arc<Operator>, listener: TcpListener) -> io::Result<()> {
    serve_http(listener, move || operator.metrics())
}

/// Serves `GET /metrics` with this text; `None` answers 503.
fn serve_http(
    listener: TcpListener,
    metrics: impl Fn() -> Option<String> + Send + Sync + 'static,
) -> io::Result<()> {
    let connections = Connections::default();
    let metrics = Arc::new(metrics);
    let mut errors = AcceptErrors::new("metrics");
    spawn("metrics", move || {
        loop {
            let client = match listener.accept() {
                Ok((client, _)) => connections.admit(client),
                Err(error) => {
                    errors.report(&error);
                    continue;
                }
            };
            let metrics = Arc::clone(&metrics);
            let started = spawn("scrape", move || {
                if let Err(error) = http::serve(client.stream(), || metrics()) {
                    tracing::debug!(%error, "a scrape failed");
                }
            });
            if let Err(error) = started {
                errors.report(&error);
            }
        }
    })
}

fn serve_client(operator: &Operator, client: &UnixStream) -> io::Result<()> {
    client.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    client.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    serve_requests(operator, &mut BufReader::new(client), &mut &*client)
}

/// Serves requests until the stream ends.
fn serve_requests(
    operator: &Operator,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<()> {
    loop {
        let answer = match line::read(input)? {
            Line::Request(request) => operator.handle(&request),
            Line::Malformed(reason) => Answer::refused(reason),
            Line::End => return Ok(()),
        };
        line::write(output, &answer)?;
    }
}

/// Errors of accepting clients: a bounded number of warnings, and a pause after each error.
struct AcceptErrors {
    listener: &'static str,
    warned: Option<Instant>,
    suppressed: u64,
}

impl AcceptErrors {
    const fn new(listener: &'static str) -> Self {
        Self { listener, warned: None, suppressed: 0 }
    }

    fn report(&mut self, error: &io::Error) {
        let Self { listener, warned, suppressed } = self;
        if warned.is_none_or(|before| before.elapsed() >= ACCEPT_WARNING_INTERVAL) {
            tracing::warn!(listener, %error, suppressed, "cannot accept a client");
            (*warned, *suppressed) = (Some(Instant::now()), 0);
        } else {
            *suppressed += 1;
        }
        std::thread::sleep(ACCEPT_RETRY_DELAY);
    }
}

/// Starts a detached thread, which ends with the process.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(work).map(|_: JoinHandle<()>| ())
}

#[cfg(test)]
mod tests {
    use super::serve_http;
    use crate::connections::MAX_CLIENTS;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    #[test]
    fn slow_clients_do_not_keep_a_scrape_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        serve_http(listener, || Some("# EOF\n".to_owned())).unwrap();
        let slow = || {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"GET /metrics").unwrap();
            client
        };
        let mut clients: Vec<TcpStream> = (0..3 * MAX_CLIENTS).map(|_| slow()).collect();
        let started = Instant::now();
        for _ in 0..3 {
            let mut scrape = TcpStream::connect(address).unwrap();
            scrape.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
            let mut text = String::new();
            scrape.read_to_string(&mut text).unwrap();
            assert!(text.ends_with("\r\n\r\n# EOF\n"), "{text}");
        }
        // A slow one has 5 s.
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        // The oldest was closed without an answer.
        let mut rest = Vec::new();
        let _ = clients[0].read_to_end(&mut rest);
        assert!(rest.is_empty(), "{rest:?}");
    }
}
