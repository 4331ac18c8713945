//! The closed list of causes, each with its sentence.

use super::Rounds;
use crate::words::{count, times};
use labsim_scenario::model::{Attachment, NodeName};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Nodes of a loop that are named at most.
const NAMED: usize = 6;

/// Why packets did not arrive, as far as something shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The node took a tunnel's packets in and has nothing that unwraps them
    /// (`IpInUnknownProtos`, RFC 1213's ipInUnknownProtos; `Ip6InUnknownProtos`).
    NoDecapsulator {
        /// Where.
        node: NodeName,
        /// Whether the outer header is IPv4's.
        ipv4: bool,
        /// The outer header's protocol.
        protocol: u8,
        /// How often the counter says so.
        count: u64,
    },
    /// The node took packets in for an address that is on none of its interfaces
    /// (`IpInAddrErrors`, `Ip6InAddrErrors`).
    AddressMissing {
        /// Where.
        node: NodeName,
        /// The address.
        address: IpAddr,
        /// How often the counter says so.
        count: u64,
    },
    /// The node dropped packets because their source is not routed the way they came (RFC 3704;
    /// `IPReversePathFilter`).
    ReversePathFilter {
        /// Where.
        node: NodeName,
        /// The packets' source.
        source: IpAddr,
        /// The interface that they came in at.
        interface: String,
        /// How often the counter says so.
        count: u64,
    },
    /// The node dropped segments with wrong checksums (`TcpInCsumErrors`).
    Checksum {
        /// Where.
        node: NodeName,
        /// Whether the captured ones hold the pseudo-header's sum only: offload that nobody
        /// finished.
        half_made: bool,
        /// How often the counter says so.
        count: u64,
    },
    /// The node had no route (`IpInNoRoutes`, `IpOutNoRoutes`).
    NoRoute {
        /// Where.
        node: NodeName,
        /// The packets' destination.
        destination: IpAddr,
        /// How often the counter says so.
        count: u64,
    },
    /// A neighbour did not answer ARP or neighbour discovery.
    NeighbourSilent {
        /// Who asked.
        node: NodeName,
        /// For whom.
        address: IpAddr,
        /// How often.
        requests: u64,
    },
    /// The load balancer took packets in and counted them as something other than forwarded.
    ForwarderDropped {
        /// Where.
        node: NodeName,
        /// The forwarder's name for it.
        outcome: String,
        /// What that means.
        meaning: &'static str,
        /// How many.
        count: u64,
    },
    /// An ICMP error quotes the packets.
    IcmpError {
        /// Its name, type and code: `protocol unreachable (type 3, code 2)`.
        what: String,
        /// The MTU that it tells.
        mtu: Option<u32>,
        /// Its source address.
        from: IpAddr,
        /// Whose address that is.
        sender: Option<NodeName>,
        /// Whom it is for.
        to: IpAddr,
        /// Where it was seen first: `rs2:eth0 out`.
        first_seen: String,
        /// Whether it came in at the client.
        reached_client: bool,
        /// How many were sent.
        count: u64,
    },
    /// Somebody reset the connection.
    Reset {
        /// The source of the RST, as the client knows it.
        source: SocketAddr,
        /// Where it was seen first: `rs2:eth0 out`.
        first_seen: String,
        /// The node that sent it, if that is where it was seen first.
        by: Option<NodeName>,
        /// Whether that is a load balancer.
        by_balancer: bool,
        /// Whether no SYN-ACK came before it: nobody listens.
        refused: bool,
        /// How many were sent.
        count: u64,
    },
    /// A node on the way reset the connection towards the server, in the client's place.
    ResetToServer {
        /// Who did.
        node: NodeName,
        /// The source that the RST carried.
        source: SocketAddr,
        /// Whom it was for.
        to: SocketAddr,
        /// Where it was seen first.
        first_seen: String,
        /// How many were sent.
        count: u64,
    },
    /// A packet came to the same places again and again (RFC 791's time to live is for this).
    RoutingLoop {
        /// How often and where.
        rounds: Rounds,
        /// Where it was to go.
        destination: IpAddr,
    },
    /// A server had claimed the VIP as its own, and packets went to it past the load balancer.
    PassedBy {
        /// The server.
        node: NodeName,
        /// The VIP.
        address: IpAddr,
        /// The server's link-layer address, which the packets were sent to.
        mac: String,
        /// How often it claimed the VIP.
        claims: u64,
        /// Where the packets were sent to it: `router:lan out`.
        sent_by: String,
        /// How many.
        count: u64,
    },
    /// A server refused packets for the virtual server's port, and its pool member has another.
    PortNotTranslated {
        /// The load balancer.
        balancer: NodeName,
        /// The server.
        node: NodeName,
        /// The port that the packets came for.
        asked: u16,
        /// The pool's member.
        member: SocketAddr,
    },
    /// Answers came from another address or port than the client had connected to, which it
    /// cannot take for answers.
    OtherSource {
        /// Where they came from.
        source: SocketAddr,
        /// Whose address that is.
        sender: Option<NodeName>,
        /// Where the client had connected to.
        expected: SocketAddr,
        /// Of the answers.
        protocol: u8,
        /// Where the first was seen first.
        first_seen: String,
        /// How many were sent.
        count: u64,
        /// How many RSTs or, over UDP, ICMP port unreachable messages the client's kernel sent.
        refused_by_client: u64,
        /// Why, if frames show it.
        why: Option<WrongSource>,
    },
    /// Packets were seen last where they go out to an impaired link, and frames were dropped on it.
    LostOnLink {
        /// The interface that sent them.
        sender: Attachment,
        /// What the file has the link do to them: `loss 10%`.
        impairment: String,
        /// Frames that the link dropped.
        dropped: u64,
        /// Frames that it was given.
        taken: u64,
        /// Why, by the link's own counters: `lost 3, queue_full 1`.
        counters: String,
    },
    /// Answers were sent and did not come in at the client.
    AnswersLost {
        /// Where the last one was seen last.
        last_seen: String,
        /// How many were sent.
        count: u64,
    },
}

/// Why answers carry another source than the client had asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongSource {
    /// A load balancer translated the destination, and the answers do not pass it.
    PassedBalancerBy {
        /// The load balancer.
        balancer: NodeName,
    },
    /// The packets came in as the client had sent them, and the server answered from another
    /// address (a UDP socket that is bound to none, without IP_PKTINFO, ip(7)).
    NotWhereAsked {
        /// The server.
        node: NodeName,
    },
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<&str> = self.nodes.iter().take(NAMED).map(NodeName::as_str).collect();
        let more = if self.nodes.len() > NAMED { " and others" } else { "" };
        write!(
            f,
            "went round {} between {}{more}, its TTL falling from {} to {}",
            times(self.times),
            nodes.join(" and "),
            self.first_ttl,
            self.last_ttl
        )
    }
}

/// How an address's owner is asked for.
fn resolution(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ARP" } else { "neighbour discovery" }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDecapsulator { node, ipv4, protocol, count } => write!(
                f,
                "{node} unwraps no packets of protocol {protocol}: its {}InUnknownProtos rose by \
                 {count}; a tunnel device is missing or down",
                if *ipv4 { "Ip" } else { "Ip6" }
            ),
            Self::AddressMissing { node, address, count } => write!(
                f,
                "{node} does not take packets for {address}: its {}InAddrErrors rose by {count}; \
                 the address is on none of its interfaces",
                if address.is_ipv4() { "Ip" } else { "Ip6" }
            ),
            Self::ReversePathFilter { node, source, interface, count } => write!(
                f,
                "{node} dropped packets from {source} at {interface}: its IPReversePathFilter rose \
                 by {count}; rp_filter does not accept that source there"
            ),
            Self::Checksum { node, half_made, count } => {
                let why = if *half_made {
                    "the captured ones hold half-made checksums, as transmit offload leaves them"
                } else {
                    "the captured ones hold wrong checksums"
                };
                write!(f, "{node} dropped segments: its TcpInCsumErrors rose by {count}; {why}")
            }
            Self::NoRoute { node, destination, count } => {
                write!(f, "{node} has no route to {destination}: its counter rose by {count}")
            }
            Self::NeighbourSilent { node, address, requests } => write!(
                f,
                "{node} asked {} by {} for {address} and got no answer",
                times(*requests),
                resolution(*address)
            ),
            Self::ForwarderDropped { node, outcome, meaning, count: number } => write!(
                f,
                "the forwarder on {node} counted {} as {outcome}: {meaning}",
                count(*number, "packet")
            ),
            Self::IcmpError { .. } => self.icmp(f),
            Self::Reset { .. } => self.reset(f),
            Self::ResetToServer { node, source, to, first_seen, count } => write!(
                f,
                "{node} itself reset the connection to {to} with RST from {source} {}, first seen \
                 at {first_seen}; the client did not send it",
                times(*count)
            ),
            Self::RoutingLoop { rounds, destination } => {
                write!(f, "a packet for {destination} {rounds}: none of them delivers it")
            }
            Self::PassedBy { node, address, mac, claims, sent_by, count: number } => write!(
                f,
                "{node} claimed {address} by {} {}, and {} went straight to its address {mac}, first \
                 at {sent_by}: past the load balancer",
                resolution(*address),
                times(*claims),
                count(*number, "packet")
            ),
            Self::PortNotTranslated { balancer, node, asked, member } => write!(
                f,
                "{node} was asked at port {asked} and refused it: {balancer}'s pool member is \
                 {member}, and nothing translated the port on the way"
            ),
            Self::OtherSource { .. } => self.other_source(f),
            Self::LostOnLink { sender, impairment, dropped, taken, counters } => write!(
                f,
                "the impaired link behind {}:{} ({impairment}) dropped {dropped} of {}: {counters}",
                sender.node,
                sender.interface,
                count(*taken, "frame")
            ),
            Self::AnswersLost { last_seen, count: number } => write!(
                f,
                "{} left for the client and never came in there, last seen at {last_seen}",
                count(*number, "answer")
            ),
        }
    }
}

impl Cause {
    fn reset(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Reset { source, first_seen, by, by_balancer, refused, count } = self else {
            return Ok(());
        };
        let when = if *refused { "refused the connection" } else { "reset the connection" };
        write!(f, "{source} {when} with RST {}, first seen at {first_seen}", times(*count))?;
        match by {
            Some(node) if *by_balancer => write!(f, "; {node} sent it itself, and no server did"),
            Some(node) if *refused => write!(f, "; nothing on {node} listens there"),
            _ => Ok(()),
        }
    }

    fn other_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::OtherSource {
            source,
            sender,
            expected,
            protocol,
            first_seen,
            count: number,
            refused_by_client,
            why,
        } = self
        else {
            return Ok(());
        };
        let answers = count(*number, "answer");
        let sender = sender.as_ref().map_or(String::new(), |node| format!(" ({node})"));
        write!(
            f,
            "{answers} came from {source}{sender} instead of {expected}, first seen at {first_seen}"
        )?;
        if *refused_by_client > 0 {
            let times = times(*refused_by_client);
            match *protocol {
                labsim_wire::protocol::TCP => write!(f, "; the client answered with RST {times}")?,
                _ => write!(f, "; the client answered with ICMP port unreachable {times}")?,
            }
        }
        match why {
            None => Ok(()),
            Some(WrongSource::PassedBalancerBy { balancer }) => write!(
                f,
                "; {balancer} had translated {expected} into {source}, and the answers do not pass \
                 it to be translated back"
            ),
            Some(WrongSource::NotWhereAsked { node }) => write!(
                f,
                "; {node} had been asked at {expected}, and answered from another of its addresses"
            ),
        }
    }

    fn icmp(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::IcmpError { what, mtu, from, sender, to, first_seen, reached_client, count } =
            self
        else {
            return Ok(());
        };
        let mtu = mtu.map_or(String::new(), |mtu| format!(", MTU {mtu}"));
        let sender = sender.as_ref().map_or(String::new(), |node| format!(" ({node})"));
        let reached =
            if *reached_client { "it reached the client" } else { "the client never got it" };
        write!(
            f,
            "{from}{sender} sent {to} an ICMP error about it {}: {what}{mtu}; first seen at \
             {first_seen}, {reached}",
            times(*count)
        )
    }
}
