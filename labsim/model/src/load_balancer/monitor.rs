//! How a pool's members are monitored: `none`, `tcp`, `tacacs`, `radius`, `icmp`, or a map with one of
//! the four and its options: `{tacacs: {secret: s, transparent: true, interval: 200ms}}`.

use super::time::Time;
use super::{IpProtocol, LoadBalancer, Pool, VirtualServer};
use crate::Secret;
use labsim_yaml::{FromYaml, short_forms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// F5's interval.
const INTERVAL: Duration = Duration::from_secs(5);
/// The default timeout of a probe: with the other defaults a member that stops answering
/// is down 3 · 5 s + 1 s after its last answer, which is F5's timeout of 16 s.
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
    /// pool, the same way as clients' packets. Only a transparent monitor detects a missing VIP.
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

    /// The protocol of the virtual servers that it can probe; `None`: any.
    pub(crate) const fn protocol(self) -> Option<IpProtocol> {
        match self {
            Self::Tcp | Self::Tacacs => Some(IpProtocol::Tcp),
            Self::Radius => Some(IpProtocol::Udp),
            Self::Icmp => None,
        }
    }

    /// Whether it asks in the servers' own protocol, which needs their secret.
    #[must_use]
    pub const fn needs_secret(self) -> bool {
        matches!(self, Self::Tacacs | Self::Radius)
    }
}

/// What happens to the flows of a member that goes down, in F5's words (`service-down-action`).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActionOnDown {
    /// They remain with it until they end.
    #[default]
    None,
    /// They end at once: TCP's ends are each sent a RST.
    Reset,
    /// The next packet of each goes to another member. Under Direct Server Return that
    /// one does not know the connection and answers with RST; it helps UDP.
    Reselect,
}

/// One member and what its monitor probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitoredMember<'a> {
    /// The pool's name.
    pub pool: &'a str,
    /// The member.
    pub member: SocketAddr,
    /// The pool's monitor.
    pub monitor: &'a Monitor,
    /// What has to answer, all of it; in order, each once. With ICMP ports mean nothing.
    pub targets: Vec<SocketAddr>,
}

impl LoadBalancer {
    /// Every member that is monitored, pools in their order.
    #[must_use]
    pub fn monitored_members(&self) -> Vec<MonitoredMember<'_>> {
        let members = self.pools.iter().filter_map(|(name, pool)| {
            let monitor = pool.monitor.as_ref()?;
            let vips: Vec<SocketAddr> = self.vips_of(name, monitor);
            Some(pool.members.iter().map(move |member| MonitoredMember {
                pool: name,
                member: member.address,
                monitor,
                targets: match monitor.transparent {
                    true => vips.clone(),
                    false => vec![with_port(member.address, monitor.port)],
                },
            }))
        });
        members.flatten().collect()
    }

    /// VIPs and ports that a transparent monitor of that pool probes.
    fn vips_of(&self, pool: &str, monitor: &Monitor) -> Vec<SocketAddr> {
        let servers = self.servers_of(pool, monitor);
        let vips = servers.map(|(_, server)| match monitor.kind {
            MonitorKind::Icmp => SocketAddr::new(server.destination.ip(), 0),
            _ => {
                let port = monitor.port.or(server.destination.port());
                SocketAddr::new(server.destination.ip(), port.unwrap_or_default())
            }
        });
        let mut vips: Vec<SocketAddr> = vips.collect();
        vips.sort_unstable();
        vips.dedup();
        vips
    }

    /// The virtual servers whose VIPs a transparent monitor of that pool probes.
    pub(crate) fn servers_of<'a>(
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
    /// What happens to the flows of this pool's members when they go down; [`ActionOnDown::None`]
    /// without a monitor.
    #[must_use]
    pub fn on_down(&self) -> ActionOnDown {
        self.monitor.as_ref().map_or(ActionOnDown::None, |_| self.action_on_down)
    }
}

fn with_port(address: SocketAddr, port: Option<u16>) -> SocketAddr {
    SocketAddr::new(address.ip(), port.unwrap_or(address.port()))
}

/// A monitor's options as they are written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "MonitorOptions")]
pub(crate) struct Options {
    /// From the beginning of one probe to that of the next: seconds, or such as `200ms`; 10 ms to a
    /// day, 5 s by default, as F5's.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Time>,
    /// How long a probe may take, all targets of it together; up to the interval, 1 s by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Time>,
    /// Successes in a row that bring a member back, 1 to 1000; 1 by default. The first probe of all
    /// decides by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    rise: Option<u16>,
    /// Failures in a row that take a member out, 1 to 1000; 3 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    fall: Option<u16>,
    /// Whether probes go through the pool's tunnel to the VIP and port of its virtual servers, as
    /// clients' packets do; `false` by default. Only a transparent monitor detects a missing VIP.
    transparent: bool,
    /// Another port than the member's, or the virtual server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// What the servers share with their clients, for `tacacs` and `radius`. In a scenario that of
    /// its servers by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
}
/// A monitor as it is written: a word, or a map of one word with options.
#[derive(Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = short_forms::<Self>)]
pub(super) enum MonitorForm {
    /// The members are not monitored.
    None,
    /// A TCP connection is made, and reset.
    #[yaml(bare)]
    Tcp(Options),
    /// The beginning of a TACACS+ login: any reply but ERROR is an answer.
    #[yaml(bare)]
    Tacacs(Options),
    /// A RADIUS Status-Server request (RFC 5997).
    #[yaml(bare)]
    Radius(Options),
    /// An ICMP echo request, which does not test the service.
    #[yaml(bare)]
    Icmp(Options),
}

impl From<MonitorForm> for Option<Monitor> {
    fn from(form: MonitorForm) -> Self {
        let (kind, options) = match form {
            MonitorForm::None => return None,
            MonitorForm::Tcp(options) => (MonitorKind::Tcp, options),
            MonitorForm::Tacacs(options) => (MonitorKind::Tacacs, options),
            MonitorForm::Radius(options) => (MonitorKind::Radius, options),
            MonitorForm::Icmp(options) => (MonitorKind::Icmp, options),
        };
        let Options { interval, timeout, rise, fall, transparent, port, secret } = options;
        let interval = interval.map_or(INTERVAL, |time| time.0);
        Some(Monitor {
            kind,
            interval,
            timeout: timeout.map_or(TIMEOUT.min(interval), |time| time.0),
            rise: rise.unwrap_or(RISE),
            fall: fall.unwrap_or(FALL),
            transparent,
            port,
            secret,
        })
    }
}

/// A pool's monitor as a serde value.
pub(super) mod as_form {
    use super::{Monitor, MonitorForm, MonitorKind, Options, Time};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        monitor: &Option<Monitor>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Some(monitor) = monitor else { return MonitorForm::None.serialize(serializer) };
        let options = Options {
            interval: Some(Time(monitor.interval)),
            timeout: Some(Time(monitor.timeout)),
            rise: Some(monitor.rise),
            fall: Some(monitor.fall),
            transparent: monitor.transparent,
            port: monitor.port,
            secret: monitor.secret.clone(),
        };
        let form = match monitor.kind {
            MonitorKind::Tcp => MonitorForm::Tcp,
            MonitorKind::Tacacs => MonitorForm::Tacacs,
            MonitorKind::Radius => MonitorForm::Radius,
            MonitorKind::Icmp => MonitorForm::Icmp,
        };
        form(options).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Monitor>, D::Error> {
        MonitorForm::deserialize(deserializer).map(Into::into)
    }
}
