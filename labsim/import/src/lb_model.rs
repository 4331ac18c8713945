//! What a configuration means, whichever vendor's words it is written in.

use crate::address::Family;
use crate::place::Place;
use crate::validate;
use ipnet::IpNet;
use labsim_model::{
    AdminState, Destination, IpProtocol, OuterSource, Ports, Profile, SourceTranslation,
    TunnelProtocol,
};
use std::net::IpAddr;

/// A load balancer: what it does, and where it stands.
#[derive(Debug, Default)]
pub(crate) struct LbModel {
    pub(crate) virtuals: Vec<VirtualServer>,
    pub(crate) pools: Vec<Pool>,
    /// The load balancer's own addresses, in the files' order.
    pub(crate) own: Vec<OwnAddress>,
    /// The next hops of its routes.
    pub(crate) gateways: Vec<IpAddr>,
    /// The source address of tunnel packets.
    pub(crate) outer_source: OuterSource,
    /// Whether the configuration itself says that members without tunnel and translation are on the load
    /// balancer's segment.
    pub(crate) is_direct_routing: bool,
}

/// A virtual server with its stanza.
#[derive(Debug, Clone)]
pub(crate) struct VirtualServer {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// In its vendor's words, such as `ltm virtual vs_web`.
    pub(crate) what: String,
    pub(crate) address: IpAddr,
    /// Its place in [`LbModel::pools`].
    pub(crate) pool: usize,
    /// As a scenario has it, but for the pool's name.
    pub(crate) settings: labsim_model::VirtualServer,
    /// Where it is written what becomes of the addresses, if that is written.
    pub(crate) written: Written,
}

/// Where the settings stand that decide which way packets and answers go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) destination_translation: Option<Place>,
    pub(crate) source_translation: Option<Place>,
    pub(crate) tunnel: Option<Place>,
}

/// A pool with its stanza.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// In its vendor's words, such as `ltm pool p_web`.
    pub(crate) what: String,
    pub(crate) members: Vec<Member>,
    /// As a scenario has it, but for the members.
    pub(crate) settings: labsim_model::Pool,
    /// Where its profile is written, if it is.
    pub(crate) profile_at: Option<Place>,
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What the configuration calls the server, if that is more than its address.
    pub(crate) name: Option<String>,
    pub(crate) place: Place,
    pub(crate) address: IpAddr,
    /// 0 is the client's destination port.
    pub(crate) port: u16,
    /// Its share against the others' ratios.
    pub(crate) ratio: u16,
    /// How packets reach it, where it differs from the pool's.
    pub(crate) profile: Option<Profile>,
    pub(crate) state: AdminState,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnAddress {
    /// Host bits kept.
    pub(crate) net: IpNet,
    pub(crate) place: Place,
}

/// The service of a virtual server: what its clients and servers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Tacacs,
    Radius,
    /// RADIUS accounting (RFC 2866).
    Accounting,
    Http,
    /// Bytes that nobody reads, such as TLS's.
    Tcp,
    Dns,
    /// Datagrams that nobody reads.
    Udp,
}

impl Service {
    /// What one exchange is called.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Tacacs | Self::Radius => "login",
            Self::Accounting => "record",
            Self::Http => "request",
            Self::Dns => "lookup",
            Self::Tcp | Self::Udp => "exchange",
        }
    }

    /// Whether its servers know users, secrets and clients.
    pub(crate) const fn is_aaa(self) -> bool {
        matches!(self, Self::Tacacs | Self::Radius | Self::Accounting)
    }
}

/// What a virtual server does to addresses, and so which way the answers go; the same with a tunnel to the
/// members and without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Direct Server Return: what the client sent reaches the server as it was, and the server answers the
    /// client from the VIP.
    Direct,
    /// The source is translated, with the destination or without: the server answers the load balancer,
    /// which puts the client's address back.
    Snat,
    /// The destination alone is translated: the server answers the client from its own address.
    Dnat,
}

/// A profile's name, the same for F5 and labsim.
pub(crate) fn profile_name(profile: Profile) -> &'static str {
    profile.tunnel().map_or("none", tunnel_name)
}

/// A tunnel's name, the same for F5 and labsim.
pub(crate) const fn tunnel_name(tunnel: TunnelProtocol) -> &'static str {
    tunnel.name()
}

impl Member {
    /// Whether it takes flows of clients that are not known yet.
    pub(crate) fn takes_new_flows(&self) -> bool {
        self.state.is_enabled() && self.ratio > 0
    }
}

impl Pool {
    /// The tunnel to a member, if packets reach it in one.
    pub(crate) fn tunnel(&self, member: &Member) -> Option<TunnelProtocol> {
        member.profile.unwrap_or(self.settings.profile).tunnel()
    }

    /// Whether packets reach a member in a tunnel.
    pub(crate) fn has_tunnel(&self) -> bool {
        self.members.iter().any(|member| self.tunnel(member).is_some())
    }

    /// Whether packets reach a member without a tunnel.
    pub(crate) fn has_plain_member(&self) -> bool {
        self.members.iter().any(|member| self.tunnel(member).is_none())
    }
}

impl VirtualServer {
    /// A virtual server that translates addresses, as F5's and A10's do by default.
    pub(crate) fn new(
        (name, what, place): (String, &str, Place),
        (address, ports): (IpAddr, Ports),
        ip_protocol: IpProtocol,
    ) -> Self {
        let destination = Destination::new(address, ports);
        let defaults = labsim_model::VirtualServer::new(destination, "");
        let settings =
            labsim_model::VirtualServer { ip_protocol, translate_address: true, ..defaults };
        let (what, written) = (what.to_owned(), Written::default());
        Self { name, place, what, address, pool: 0, settings, written }
    }

    /// Its ports.
    pub(crate) fn ports(&self) -> &Ports {
        self.settings.destination.ports()
    }

    /// The family of its address.
    pub(crate) fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Its SNAT addresses; none for `automap`.
    pub(crate) fn snat_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let addresses = match &self.settings.source_address_translation {
            SourceTranslation::Snat(addresses) => addresses.as_slice(),
            SourceTranslation::None | SourceTranslation::Automap => &[],
        };
        addresses.iter().copied()
    }

    /// Whether the source address is translated.
    pub(crate) fn has_snat(&self) -> bool {
        self.settings.source_address_translation != SourceTranslation::None
    }

    /// The service that its clients use: that of its port, or, where this says nothing of AAA, that of
    /// its members' port, at which their servers listen.
    pub(crate) fn service(&self, pool: &Pool) -> Service {
        let protocol = self.settings.ip_protocol;
        let own = validate::service(protocol, self.client_port(pool));
        match pool.members.first() {
            Some(member) if !own.is_aaa() => {
                validate::service(protocol, self.member_port(member, pool))
            }
            _ => own,
        }
    }

    /// The destination port of a client of the service: of several ports the first that a member has,
    /// or else the lowest; of every port one that a member has, or else that of an AAA service.
    pub(crate) fn client_port(&self, pool: &Pool) -> u16 {
        let ports = self.ports();
        let mut own = pool.members.iter().map(|member| member.port);
        let own = own.find(|port| *port != 0 && ports.contains(*port));
        let single = ports.single();
        let protocol = self.settings.ip_protocol;
        single.or(own).or(ports.first()).unwrap_or_else(|| validate::default_port(protocol))
    }

    /// The port at which a member has to listen.
    pub(crate) fn member_port(&self, member: &Member, pool: &Pool) -> u16 {
        let translates = self.settings.translate_port && member.port != 0;
        if translates { member.port } else { self.client_port(pool) }
    }

    /// Which way its answers go.
    pub(crate) fn mode(&self) -> Mode {
        match (self.settings.translate_address, self.has_snat()) {
            (_, true) => Mode::Snat,
            (true, false) => Mode::Dnat,
            (false, false) => Mode::Direct,
        }
    }
}
