//! What a configuration means, whichever vendor's words it is written in.

use crate::place::Place;
use crate::settle;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A load balancer: what it does, and where it stands.
#[derive(Debug, Default)]
pub(crate) struct Design {
    pub(crate) virtuals: Vec<Virtual>,
    pub(crate) pools: Vec<Pool>,
    /// The load balancer's own addresses, in the files' order.
    pub(crate) own: Vec<OwnAddress>,
    /// The next hops of its routes.
    pub(crate) gateways: Vec<Ipv4Addr>,
}

/// A VIP and port that packets are taken for.
#[derive(Debug, Clone)]
pub(crate) struct Virtual {
    pub(crate) name: String,
    /// Its stanza.
    pub(crate) place: Place,
    /// In its vendor's words, such as `ltm virtual vs_web`.
    pub(crate) what: String,
    pub(crate) address: Ipv4Addr,
    /// 0 is every port.
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
    /// Its place in [`Design::pools`].
    pub(crate) pool: usize,
    pub(crate) translate_address: bool,
    pub(crate) translate_port: bool,
    pub(crate) snat: Snat,
    pub(crate) fastl4: FastL4,
    pub(crate) persistence: Option<Persistence>,
}

/// Persistence by source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Persistence {
    /// Seconds, 1 to 86 400.
    pub(crate) timeout: u32,
    /// 1 to 32; without it the whole address.
    pub(crate) prefix_length: Option<u8>,
}

/// F5's defaults, which are labsim's.
impl Default for Persistence {
    fn default() -> Self {
        Self { timeout: 180, prefix_length: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// As both vendors and labsim write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What happens to the source address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Snat {
    None,
    Automap,
    /// One of these; at least one.
    Pool(Vec<Ipv4Addr>),
}

/// How flows begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FastL4 {
    pub(crate) loose_initiation: bool,
    pub(crate) loose_close: bool,
    /// Seconds, 1 to 86 400.
    pub(crate) idle_timeout: u32,
    pub(crate) reset_on_timeout: bool,
}

/// F5's defaults of fastL4, which are labsim's.
impl Default for FastL4 {
    fn default() -> Self {
        Self {
            loose_initiation: false,
            loose_close: false,
            idle_timeout: 300,
            reset_on_timeout: true,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// In its vendor's words, such as `ltm pool p_web`.
    pub(crate) what: String,
    pub(crate) encapsulation: Encapsulation,
    pub(crate) balancing: Balancing,
    pub(crate) members: Vec<Member>,
}

/// Which member gets a new flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Balancing {
    #[default]
    RoundRobin,
    Ratio,
    LeastConnections,
    RatioLeastConnections,
}

impl Balancing {
    /// As labsim writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::Ratio => "ratio",
            Self::LeastConnections => "least_connections",
            Self::RatioLeastConnections => "ratio_least_connections",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Encapsulation {
    None,
    Ipip,
    Gre,
}

impl Encapsulation {
    /// As both F5 and labsim write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ipip => "ipip",
            Self::Gre => "gre",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What the configuration calls the server, if that is more than its address.
    pub(crate) name: Option<String>,
    pub(crate) place: Place,
    pub(crate) address: Ipv4Addr,
    /// 0 is the port that the client asked for.
    pub(crate) port: u16,
    /// Its share against the others' ratios.
    pub(crate) ratio: u16,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnAddress {
    /// Host bits kept.
    pub(crate) net: Ipv4Net,
    pub(crate) place: Place,
}

/// What labsim can say to a virtual server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Tacacs,
    Radius,
}

/// How a virtual server brings packets to its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Direct Server Return: what the client sent reaches the server as it was, in a tunnel or
    /// under the server's MAC address.
    Direct,
    /// Both addresses are translated.
    Snat,
    /// The destination alone is translated.
    Dnat,
}

impl Virtual {
    /// What labsim says to it.
    pub(crate) fn service(&self) -> Service {
        match self.protocol {
            Protocol::Tcp => Service::Tacacs,
            Protocol::Udp => Service::Radius,
        }
    }

    /// The port that a client of the service asks for.
    pub(crate) fn asked(&self) -> u16 {
        if self.port == 0 { settle::usual_port(self.protocol) } else { self.port }
    }

    /// The port at which a member has to listen.
    pub(crate) fn listening(&self, member: &Member) -> u16 {
        if self.translate_port && member.port != 0 { member.port } else { self.asked() }
    }

    /// What its configuration promises. A tunnel means Direct Server Return, whatever else is
    /// switched on and spoils it: that is for the run to show.
    pub(crate) fn mode(&self, encapsulation: Encapsulation) -> Mode {
        if encapsulation != Encapsulation::None || !self.translate_address {
            Mode::Direct
        } else if self.snat == Snat::None {
            Mode::Dnat
        } else {
            Mode::Snat
        }
    }
}
