//! What a load balancer's configuration says of a connection's network, for what its packets do not show.

use crate::network::Carriage;
use labsim_explain::{ConnectionReport, Protocol, Trace};
use labsim_import::balancer::{Member, Own, Setting, Virtual};
use labsim_model::{MonitorKind, TunnelProtocol};
use std::net::IpAddr;

/// Members that are named at most.
const MAX_MEMBERS: usize = 8;

/// What a configuration says of how a virtual server treats flows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Keys of the virtual server and their values.
    pub(crate) profile: Vec<(String, String)>,
    /// Keys of the pool, each after a comma.
    pub(crate) pool: String,
    /// Where they are written, in sentences.
    pub(crate) notes: Vec<String>,
}

/// The virtual server that was asked, and the load balancer's own addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured<'a> {
    one: &'a Virtual,
    own: &'a [Own],
}

impl<'a> Configured<'a> {
    /// Of the virtual server that the client asked; `None` if no configuration has it.
    pub(crate) fn new(trace: &'a Trace, connection: &ConnectionReport) -> Option<Self> {
        let configuration = &trace.configuration;
        let one = configuration.virtual_server(connection.server, connection.protocol)?;
        let has_it = |it: &&labsim_import::balancer::Balancer| it.virtuals.contains(one);
        let balancer = configuration.balancers.iter().find(has_it)?;
        Some(Self { one, own: &balancer.own })
    }

    /// The first member.
    fn member(&self) -> Option<&'a Member> {
        self.one.members.first()
    }

    /// The server's address, and where it is written: of the family of `other`, unless a tunnel may be of any.
    pub(crate) fn server(&self, is_tunnel: bool, other: IpAddr) -> Option<(IpAddr, String)> {
        let is_alike = |it: &&Member| it.address.is_ipv4() == other.is_ipv4();
        let alike = self.one.members.iter().find(is_alike);
        let member = alike.or_else(|| self.member().filter(|_| is_tunnel))?;
        let which = if self.one.members.len() == 1 { "the member" } else { "the first member" };
        Some((member.address, format!("{which} of {} is taken ({})", self.one.what, member.line)))
    }

    /// The load balancer's own address of a family, and where it is written.
    pub(crate) fn balancer(&self, is_ipv4: bool) -> Option<(IpAddr, String)> {
        let own = self.own.iter().find(|it| it.address.is_ipv4() == is_ipv4)?;
        Some((own.address, format!("the configuration's is taken ({})", own.line)))
    }

    /// How packets come to the server, and where it is written.
    pub(crate) fn carriage(&self) -> Option<(Carriage, String)> {
        let member = self.member()?;
        let (carriage, line) = match member.tunnel {
            Some(tunnel) => {
                let carriage = match tunnel {
                    TunnelProtocol::Ipip => Carriage::Ipip,
                    TunnelProtocol::Gre(_) => Carriage::Gre,
                    TunnelProtocol::Gue(_) => Carriage::Gue,
                };
                (carriage, &member.tunnel_line)
            }
            None if self.one.source_translation.0 => {
                (Carriage::Translated { source: true }, &self.one.source_translation.1)
            }
            None if self.one.destination_translation.0 => {
                (Carriage::Translated { source: false }, &self.one.destination_translation.1)
            }
            None => (Carriage::Direct, &member.line),
        };
        let how = match carriage {
            Carriage::Ipip => "in IPIP",
            Carriage::Gre => "in GRE",
            Carriage::Gue => "in GUE",
            Carriage::Direct => "as they are",
            Carriage::Translated { source: true } => "with translated addresses",
            Carriage::Translated { source: false } => "with a translated destination",
        };
        Some((carriage, format!("{how}, as {} says ({line})", self.one.what)))
    }

    /// The port that packets have at the server, if that is another one than clients ask.
    pub(crate) fn member_port(&self, asked: u16) -> Option<(u16, String)> {
        let member = self.member()?;
        let port = member.port.filter(|port| *port != asked && self.one.translates_port)?;
        Some((port, format!("the member has port {port} ({})", member.line)))
    }

    /// The keys of the virtual server and of its pool, and where they are written. A monitor that nothing in the lab
    /// would answer is left out: `port` is the server's.
    pub(crate) fn settings(&self, protocol: Protocol, port: u16) -> Settings {
        let Virtual { what, profile, pool, monitor, .. } = self.one;
        let mut settings = Settings::default();
        let mut note = |of: &str, it: &Setting| {
            settings
                .notes
                .push(format!("{of} {} is {}, as {what} has it ({})", it.key, it.value, it.line));
        };
        profile.iter().for_each(|it| note("the virtual server's", it));
        pool.iter().for_each(|it| note("the pool's", it));
        settings.profile = profile.iter().map(|it| (it.key.clone(), it.value.clone())).collect();
        settings.pool = pool.iter().map(|it| format!(", {}: {}", it.key, it.value)).collect();
        if let Some((monitor, written)) = monitor {
            let is_answered = match monitor.kind {
                MonitorKind::Icmp => true,
                MonitorKind::Tcp => {
                    protocol == Protocol::Tcp && monitor.port.is_none_or(|it| it == port)
                }
                // They need a secret.
                MonitorKind::Tacacs | MonitorKind::Radius => false,
            };
            if is_answered && !monitor.transparent {
                settings.pool.push_str(&format!(", monitor: {}", written.value));
                settings.notes.push(format!(
                    "the pool has the monitor {}, as {what} has it ({})",
                    written.value, written.line
                ));
            } else {
                settings.notes.push(format!(
                    "the pool has no monitor: that of {what} ({}) asks what the lab's server may not answer",
                    written.line
                ));
            }
        }
        settings
    }

    /// The members beside the lab's server, and where they are written.
    pub(crate) fn further_members(&self, server: IpAddr) -> Option<String> {
        let others = || self.one.members.iter().filter(|it| it.address != server);
        let names: Vec<String> =
            others().map(|it| format!("{} ({})", it.address, it.line)).take(MAX_MEMBERS).collect();
        let more = others().count() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| {
            format!("the pool's further members are not in the lab: {}{more}", names.join(", "))
        })
    }

    /// After how many seconds without a packet a flow is forgotten, and by which virtual server.
    pub(crate) fn idle_timeout(&self) -> Option<String> {
        let seconds = self.one.idle_timeout?;
        Some(format!(
            "{} ({}) forgets a flow after {seconds} s, by its configuration or its vendor's default",
            self.one.what, self.one.line
        ))
    }
}
