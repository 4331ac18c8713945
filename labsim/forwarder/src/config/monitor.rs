//! How a pool's members are watched: `none`, `tcp`, `tacacs`, `radius`, `icmp`, or a map with one of
//! the four and its options: `{tacacs: {secret: s, transparent: true, interval: 200ms}}`.

use super::form::Form;
use super::time::Time;
use super::{Config, IpProtocol, Pool, Secret, VirtualServer};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::net::SocketAddr;
use std::time::Duration;

/// F5's interval.
const INTERVAL: Duration = Duration::from_secs(5);
/// The longest that a probe waits unless it is said: with the other defaults a member that falls
/// silent is down 3 · 5 s + 1 s after its last answer, which is F5's timeout of 16 s.
const TIMEOUT: Duration = Duration::from_secs(1);
/// F5 takes a member back with its first answer.
const RISE: u16 = 1;
/// As many intervals as F5's timeout lasts; HAProxy's `fall` too.
const FALL: u16 = 3;

/// A pool's monitor.
///
/// A probe of each member begins every `interval` and has `timeout` to succeed. The first one
/// decides by itself whether the member is up (as HAProxy's does); from then on `fall` failures in
/// a row take it out of the schedule, and `rise` successes in a row bring it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// What a probe asks.
    pub kind: MonitorKind,
    /// From the beginning of one probe to that of the next; 5 s by default, as F5's.
    pub interval: Duration,
    /// How long a probe may take, all targets of it together; no longer than the interval. By
    /// default 1 s, or the interval if that is shorter.
    pub timeout: Duration,
    /// Successes in a row that bring a member back; 1 by default, as F5's.
    pub rise: u16,
    /// Failures in a row that take a member out; 3 by default.
    pub fall: u16,
    /// Probes go through the pool's tunnel to the VIP and port of each virtual server that uses the
    /// pool, the same way as clients' packets. No other monitor notices a missing VIP.
    pub transparent: bool,
    /// The port that is probed instead of the member's, or of the virtual server's.
    pub port: Option<u16>,
    /// What the servers share with their clients: TACACS+ and RADIUS need it.
    pub secret: Option<Secret>,
}

/// What a monitor's probe asks, and what counts as an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MonitorKind {
    /// A TCP connection is made, and reset.
    Tcp,
    /// The beginning of an ASCII login (RFC 8907 5): any reply but ERROR.
    Tacacs,
    /// A Status-Server request (RFC 5997): an Access-Accept, or on an accounting port an
    /// Accounting-Response.
    Radius,
    /// An ICMP echo request: its reply. It says nothing about the service.
    Icmp,
}

impl MonitorKind {
    const ALL: [Self; 4] = [Self::Tcp, Self::Tacacs, Self::Radius, Self::Icmp];

    /// The word of a configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tacacs => "tacacs",
            Self::Radius => "radius",
            Self::Icmp => "icmp",
        }
    }

    /// The protocol of the virtual servers that it can stand for; `None`: of any.
    pub(super) const fn protocol(self) -> Option<IpProtocol> {
        match self {
            Self::Tcp | Self::Tacacs => Some(IpProtocol::Tcp),
            Self::Radius => Some(IpProtocol::Udp),
            Self::Icmp => None,
        }
    }

    /// Whether it asks in the servers' own protocol, which needs their secret.
    pub(super) const fn needs_secret(self) -> bool {
        matches!(self, Self::Tacacs | Self::Radius)
    }
}

/// What becomes of the flows of a member that went down, in F5's words (`service-down-action`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOnDown {
    /// They stay with it until they end.
    #[default]
    None,
    /// They end at once: TCP's ends are each sent a RST.
    Reset,
    /// The next packet of each goes to another member. Under Direct Server Return that one knows
    /// nothing of the connection and answers with RST; UDP gains by it.
    Reselect,
}

/// One member and what its monitor probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched<'a> {
    /// The pool's name.
    pub pool: &'a str,
    /// The member.
    pub member: SocketAddr,
    /// The pool's monitor.
    pub monitor: &'a Monitor,
    /// What has to answer, all of it; in order, each once. With ICMP ports mean nothing.
    pub targets: Vec<SocketAddr>,
}

impl Config {
    /// Every member that is watched, pools in their order.
    #[must_use]
    pub fn watched(&self) -> Vec<Watched<'_>> {
        let watched = self.pools.iter().filter_map(|(name, pool)| {
            let monitor = pool.monitor.as_ref()?;
            let vips: Vec<SocketAddr> = self.vips_of(name, monitor);
            Some(pool.members.iter().map(move |member| Watched {
                pool: name,
                member: member.address,
                monitor,
                targets: match monitor.transparent {
                    true => vips.clone(),
                    false => vec![with_port(member.address, monitor.port)],
                },
            }))
        });
        watched.flatten().collect()
    }

    /// The same without its pools' secrets, for whoever may see everything else.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        for monitor in self.pools.values_mut().filter_map(|pool| pool.monitor.as_mut()) {
            monitor.secret = None;
        }
        self
    }

    /// VIPs and ports that a transparent monitor of that pool probes.
    fn vips_of(&self, pool: &str, monitor: &Monitor) -> Vec<SocketAddr> {
        let servers = self.servers_of(pool, monitor);
        let vips = servers.map(|(_, server)| match monitor.kind {
            MonitorKind::Icmp => SocketAddr::new(server.destination.ip(), 0),
            _ => with_port(server.destination, monitor.port),
        });
        let mut vips: Vec<SocketAddr> = vips.collect();
        vips.sort_unstable();
        vips.dedup();
        vips
    }

    /// The virtual servers that a transparent monitor of that pool stands for.
    pub(super) fn servers_of<'a>(
        &'a self,
        pool: &'a str,
        monitor: &'a Monitor,
    ) -> impl Iterator<Item = (&'a String, &'a VirtualServer)> {
        self.virtual_servers.iter().filter(move |(_, server)| {
            let protocol = monitor.kind.protocol();
            server.pool == pool && protocol.is_none_or(|it| it == server.ip_protocol)
        })
    }
}

impl Pool {
    /// What becomes of the flows of this pool's members when they go down; [`ActionOnDown::None`]
    /// without a monitor.
    pub(crate) fn on_down(&self) -> ActionOnDown {
        self.monitor.as_ref().map_or(ActionOnDown::None, |_| self.action_on_down)
    }
}

fn with_port(address: SocketAddr, port: Option<u16>) -> SocketAddr {
    SocketAddr::new(address.ip(), port.unwrap_or(address.port()))
}

/// A monitor's options as they are written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rise: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fall: Option<u16>,
    transparent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
}

impl Form for Option<Monitor> {
    const EXPECTING: &'static str = "`none`, `tcp`, `tacacs`, `radius`, `icmp`, or a map with one \
                                     of the four";
    const WORDS: &'static [&'static str] = &["none", "tcp", "tacacs", "radius", "icmp"];
    const KEYS: &'static [&'static str] = &["tcp", "tacacs", "radius", "icmp"];
    type Options = Options;

    fn plain(word: &str) -> Option<Self> {
        (word == "none").then_some(None)
    }

    fn with(key: &str, options: Options) -> Option<Self> {
        let kind = MonitorKind::ALL.into_iter().find(|kind| kind.word() == key)?;
        let Options { interval, timeout, rise, fall, transparent, port, secret } = options;
        let interval = interval.map_or(INTERVAL, |time| time.0);
        Some(Some(Monitor {
            kind,
            interval,
            timeout: timeout.map_or(TIMEOUT.min(interval), |time| time.0),
            rise: rise.unwrap_or(RISE),
            fall: fall.unwrap_or(FALL),
            transparent,
            port,
            secret,
        }))
    }
}

impl Serialize for Monitor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = Options {
            interval: Some(Time(self.interval)),
            timeout: Some(Time(self.timeout)),
            rise: Some(self.rise),
            fall: Some(self.fall),
            transparent: self.transparent,
            port: self.port,
            secret: self.secret.clone(),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.kind.word(), &options)?;
        map.end()
    }
}
