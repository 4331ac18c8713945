//! The closed list of causes, each with its sentence.

use crate::words::{count, times};
use labsim_scenario::model::NodeName;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Why packets did not arrive, as far as something shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The node took a tunnel's packets in and has nothing that unwraps them
    /// (`IpInUnknownProtos`, RFC 1213's ipInUnknownProtos).
    NoDecapsulator {
        /// Where.
        node: NodeName,
        /// The outer header's protocol.
        protocol: u8,
        /// How often the counter says so.
        count: u64,
    },
    /// The node took packets in for an address that is on none of its interfaces
    /// (`IpInAddrErrors`).
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
    /// A neighbour did not answer ARP.
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
        /// The source of the RST.
        source: SocketAddr,
        /// Where it was seen first: `rs2:eth0 out`.
        first_seen: String,
        /// Whether no SYN-ACK came before it: nobody listens.
        refused: bool,
        /// How many were sent.
        count: u64,
    },
    /// Answers came from another address or port than the client had connected to, which it
    /// cannot take for answers.
    OtherSource {
        /// Where they came from.
        source: SocketAddr,
        /// Where the client had connected to.
        expected: SocketAddr,
        /// Where the first was seen first.
        first_seen: String,
        /// How many were sent.
        count: u64,
        /// How many of them the client's kernel reset.
        reset_by_client: u64,
    },
    /// Answers were sent and did not come in at the client.
    AnswersLost {
        /// Where the last one was seen last.
        last_seen: String,
        /// How many were sent.
        count: u64,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDecapsulator { node, protocol, count } => write!(
                f,
                "{node} unwraps no packets of protocol {protocol}: its IpInUnknownProtos rose by \
                 {count}; a tunnel device is missing or down"
            ),
            Self::AddressMissing { node, address, count } => write!(
                f,
                "{node} does not take packets for {address}: its IpInAddrErrors rose by {count}; \
                 the address is on none of its interfaces"
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
                "{node} asked {} by ARP for {address} and got no answer",
                times(*requests)
            ),
            Self::ForwarderDropped { node, outcome, meaning, count: number } => write!(
                f,
                "the forwarder on {node} counted {} as {outcome}: {meaning}",
                count(*number, "packet")
            ),
            Self::IcmpError { .. } => self.icmp(f),
            Self::Reset { source, first_seen, refused, count } => {
                let when = if *refused { "refused the connection" } else { "reset the connection" };
                write!(f, "{source} {when} with RST {}, first seen at {first_seen}", times(*count))
            }
            Self::OtherSource { source, expected, first_seen, count: number, reset_by_client } => {
                write!(
                    f,
                    "{} came from {source} instead of {expected}, first seen at {first_seen}",
                    count(*number, "answer")
                )?;
                if *reset_by_client > 0 {
                    write!(f, "; the client answered with RST {}", times(*reset_by_client))?;
                }
                Ok(())
            }
            Self::AnswersLost { last_seen, count: number } => write!(
                f,
                "{} left for the client and never came in there, last seen at {last_seen}",
                count(*number, "answer")
            ),
        }
    }
}

impl Cause {
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
