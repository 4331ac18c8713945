//! One probe: a kernel socket, a request, and a reply in time.

mod icmp;
mod radius;
mod tacacs;
mod tcp;

use crate::probe_sources::{SourceRegistry, own_address};
use crate::tasks::MonitoredMember;
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

/// What all probes share.
#[derive(Debug, Default)]
pub(crate) struct ProbeContext {
    pub(crate) registry: SourceRegistry,
    /// The firewall mark of transparent probes' sockets, if packets are redirected.
    pub(crate) mark: Cell<Option<u32>>,
}

/// Why a probe failed, other than by a timeout.
#[derive(Debug)]
enum Failure {
    /// A socket error.
    Io(io::Error),
    /// The reply is invalid.
    InvalidReply(String),
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
                ErrorKind::ConnectionRefused => f.write_str("connection refused"),
                ErrorKind::ConnectionReset => f.write_str("the connection was reset"),
                ErrorKind::HostUnreachable => f.write_str("host unreachable"),
                ErrorKind::NetworkUnreachable => f.write_str("no route"),
                ErrorKind::PermissionDenied => write!(f, "{error}; it needs CAP_NET_RAW"),
                _ => write!(f, "{error}"),
            },
            Self::InvalidReply(what) => f.write_str(what),
        }
    }
}

/// One target of a member's probe.
struct ProbeTarget<'a> {
    member: &'a MonitoredMember,
    context: &'a ProbeContext,
    address: SocketAddr,
    /// The source address; the port is 0.
    from: SocketAddr,
    /// A limit for clients that require one, longer than the probe's own timeout.
    limit: Duration,
}

impl ProbeTarget<'_> {
    /// Marks a socket whose packets are to go through the tunnel.
    fn mark(&self, socket: &impl AsFd) -> io::Result<()> {
        if self.member.monitor.transparent {
            let mark =
                self.context.mark.get().ok_or_else(|| io::Error::other("nothing is redirected"))?;
            setsockopt(socket, sockopt::Mark, &mark)?;
        }
        Ok(())
    }

    /// Registers the source of this probe; call it before anything is sent from there.
    fn register(&self, protocol: u8, source: SocketAddr) {
        self.context.registry.register(protocol, source, &self.member.id);
    }
}

/// Probes every target of a member, one after the other, within the monitor's timeout. Returns the
/// last reply, or the first failure, in words.
pub(crate) async fn probe(
    member: &Rc<MonitoredMember>,
    context: &ProbeContext,
) -> Result<String, String> {
    let limit = member.monitor.timeout;
    let deadline = Instant::now() + limit;
    let mut reply = String::new();
    for target in &member.targets {
        let name = match member.monitor.kind {
            MonitorKind::Icmp => target.ip().to_string(),
            _ => target.to_string(),
        };
        match timeout_at(deadline, ask(member, context, *target)).await {
            Ok(Ok(text)) => reply = text,
            Ok(Err(failure)) => return Err(format!("{name}: {failure}")),
            Err(_) => return Err(format!("{name}: no answer within {limit:?}")),
        }
    }
    Ok(reply)
}

async fn ask(
    member: &MonitoredMember,
    context: &ProbeContext,
    address: SocketAddr,
) -> Result<String, Failure> {
    let from = SocketAddr::new(own_address(member.id.member.ip())?, 0);
    // The probe's own deadline comes first, and its message names the configured time.
    let limit = member.monitor.timeout + Duration::from_secs(1);
    let target = ProbeTarget { member, context, address, from, limit };
    match member.monitor.kind {
        MonitorKind::Tcp => tcp::connect(&target).await.map(|_| "connected".to_owned()),
        MonitorKind::Tacacs => tacacs::ask(&target).await,
        MonitorKind::Radius => radius::ask(&target).await,
        MonitorKind::Icmp => icmp::ask(&target).await,
    }
}
