//! One probe: sockets of the kernel's, a question, an answer in time.

mod icmp;
mod radius;
mod tacacs;
mod tcp;

use crate::origin::{Registry, own_address};
use crate::watch::Job;
use labsim_forwarder::MonitorKind;
use nix::sys::socket::{setsockopt, sockopt};
use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What every probe needs.
#[derive(Debug, Default)]
pub(crate) struct Means {
    pub(crate) registry: Registry,
    /// The mark of transparent probes' sockets, if packets are diverted.
    pub(crate) mark: Cell<Option<u32>>,
}

/// Why a probe failed, beside that it was late.
#[derive(Debug)]
enum Failure {
    /// A socket said so.
    Io(io::Error),
    /// What came is no answer.
    Wrong(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused => f.write_str("nobody listens (refused)"),
                ErrorKind::ConnectionReset => f.write_str("the connection was reset"),
                ErrorKind::HostUnreachable => f.write_str("the host cannot be reached"),
                ErrorKind::NetworkUnreachable => f.write_str("there is no route"),
                ErrorKind::PermissionDenied => write!(f, "{error}; it needs CAP_NET_RAW"),
                _ => write!(f, "{error}"),
            },
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

/// Where one target is asked from.
struct Asking<'a> {
    job: &'a Job,
    means: &'a Means,
    target: SocketAddr,
    /// The own address that it is asked from.
    from: SocketAddr,
    /// Longer than the time for it, for clients that want a limit of their own.
    limit: Duration,
}

impl Asking<'_> {
    /// Marks a socket whose packets are to go through the tunnel.
    fn mark(&self, socket: &impl AsFd) -> io::Result<()> {
        if self.job.monitor.transparent {
            let mark =
                self.means.mark.get().ok_or_else(|| io::Error::other("nothing is diverted"))?;
            setsockopt(socket, sockopt::Mark, &mark)?;
        }
        Ok(())
    }

    /// Has it known whose this origin is; before anything is sent from it.
    fn note(&self, protocol: u8, origin: SocketAddr) {
        self.means.registry.note(protocol, origin, &self.job.member);
    }
}

/// Asks every target of a member, one after the other, within the monitor's timeout. Says what was
/// answered, or what was wrong.
pub(crate) async fn probe(job: &Rc<Job>, means: &Means) -> Result<String, String> {
    let limit = job.monitor.timeout;
    let deadline = Instant::now() + limit;
    let mut said = String::new();
    for target in &job.targets {
        let shown = match job.monitor.kind {
            MonitorKind::Icmp => target.ip().to_string(),
            _ => target.to_string(),
        };
        match timeout_at(deadline, ask(job, means, *target)).await {
            Ok(Ok(answer)) => said = answer,
            Ok(Err(failure)) => return Err(format!("{shown}: {failure}")),
            Err(_) => return Err(format!("{shown}: no answer within {limit:?}")),
        }
    }
    Ok(said)
}

async fn ask(job: &Job, means: &Means, target: SocketAddr) -> Result<String, Failure> {
    let from = SocketAddr::new(own_address(job.member.member.ip())?, 0);
    // The probe's own deadline comes first, and tells the time that was meant.
    let limit = job.monitor.timeout + Duration::from_secs(1);
    let asking = Asking { job, means, target, from, limit };
    match job.monitor.kind {
        MonitorKind::Tcp => tcp::connect(&asking).await.map(|_| "connected".to_owned()),
        MonitorKind::Tacacs => tacacs::ask(&asking).await,
        MonitorKind::Radius => radius::ask(&asking).await,
        MonitorKind::Icmp => icmp::ask(&asking).await,
    }
}
