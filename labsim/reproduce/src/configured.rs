//! What a load balancer's configuration says of a connection's network, for what its packets do not show.

use crate::members::{Balancing, Members};
use crate::network::Carriage;
use crate::service::Service;
use labsim_explain::{ConnectionReport, Trace};
use labsim_import::balancer::{Member, Own, Setting, Virtual};
use labsim_model::{MonitorKind, TunnelProtocol};
use std::net::IpAddr;

/// What a configuration says of how a virtual server treats flows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Keys of the virtual server and their values.
    pub(crate) profile: Vec<(String, String)>,
    /// Keys of the pool, each after a comma.
    pub(crate) pool: String,
    /// The pool's monitor as YAML on one line, if it has one.
    pub(crate) monitor: Option<String>,
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

    /// The first member that takes connections, or else the first.
    fn member(&self) -> Option<&'a Member> {
        let members = &self.one.members;
        members.iter().find(|it| it.takes_new_flows()).or(members.first())
    }

    /// The server's address, and where it is written: of the family of `other`, unless a tunnel may be of any.
    pub(crate) fn server(&self, is_tunnel: bool, other: IpAddr) -> Option<(IpAddr, String)> {
        let is_alike = |it: &&Member| it.address.is_ipv4() == other.is_ipv4();
        let mut alike = self.one.members.iter().filter(is_alike);
        let first = self.one.members.iter().find(is_alike);
        let taking = alike.find(|it| it.takes_new_flows()).or(first);
        let member = taking.or_else(|| self.member().filter(|_| is_tunnel))?;
        let which = match self.one.members.as_slice() {
            [_] => "the member",
            [first, ..] if first.address == member.address => "the first member",
            _ => "the first member that takes connections",
        };
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

    /// The keys of the virtual server and of its pool, and where they are written.
    pub(crate) fn settings(&self) -> Settings {
        let Virtual { what, profile, pool, .. } = self.one;
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
        settings
    }

    /// The members beside the lab's server. `asked`: the port that clients ask; `member_port`: where the server listens.
    pub(crate) fn members(
        &self,
        (server, others): (IpAddr, [IpAddr; 3]),
        (asked, member_port): (u16, u16),
    ) -> Members {
        let own = self.one.members.iter().find(|it| it.address == server);
        let port = |member: &Member| match (own, member.port) {
            (Some(own), port) if own.port == port => member_port,
            (_, Some(port)) if self.one.translates_port => port,
            _ => asked,
        };
        let balancing = Balancing {
            mode: self.one.load_balancing_mode,
            is_by_datagram: self.one.datagram_load_balancing,
        };
        Members::new(&self.one.members, (server, others), balancing, port)
    }

    /// The pool's monitor, if the lab's servers answer it, and where it is written. `ports`: where they listen;
    /// `asked`: the port that clients ask; `has_vip`: whether they have the VIP.
    pub(crate) fn monitor(
        &self,
        service: &Service,
        (asked, ports): (u16, &[u16]),
        has_vip: bool,
    ) -> (Option<String>, Option<String>) {
        let Some((monitor, written)) = &self.one.monitor else { return (None, None) };
        let what = &self.one.what;
        let has_ports = monitor.kind != MonitorKind::Icmp;
        let probed = if monitor.transparent { monitor.port.or(Some(asked)) } else { monitor.port };
        let why = if monitor.transparent && !has_vip {
            Some(
                "it is transparent, and servers that addresses are translated to have no VIP"
                    .to_owned(),
            )
        } else if !service.answers(monitor.kind) {
            Some(format!("the lab's server answers no {} probe", monitor.kind.word()))
        } else if has_ports && probed.is_some_and(|it| ports.iter().any(|port| *port != it)) {
            Some("it asks another port than one that the lab's servers listen at".to_owned())
        } else {
            None
        };
        match why {
            Some(why) => {
                let note =
                    format!("the pool has no monitor, unlike {what} ({}): {why}", written.line);
                (None, Some(note))
            }
            None => {
                let note = format!(
                    "the pool has the monitor {}, as {what} has it ({})",
                    written.value, written.line
                );
                (Some(written.value.clone()), Some(note))
            }
        }
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
