//! What a load balancer's configuration says of a connection's network, for what its packets do not show.

use crate::network::Carriage;
use labsim_explain::{ConnectionReport, Trace};
use labsim_import::balancer::{Member, Own, Virtual};
use labsim_model::TunnelProtocol;
use std::net::IpAddr;

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

    /// After how many seconds without a packet a flow is forgotten, and by which virtual server.
    pub(crate) fn idle_timeout(&self) -> Option<(u32, String)> {
        let seconds = self.one.idle_timeout?;
        let text = format!(
            "{} ({}) forgets a flow after {seconds} s, by its configuration or its vendor's default",
            self.one.what, self.one.line
        );
        Some((seconds, text))
    }
}
