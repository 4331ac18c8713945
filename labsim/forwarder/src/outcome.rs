//! What became of a frame: a closed list, each with a stable name and a counter.

/// What became of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// Sent to a member.
    Forwarded,
    /// Too long for the way and allowed to be cut: sent on in fragments, each of them encapsulated
    /// if it goes through a tunnel. An IPv6 packet that every way has to take goes on in a tunnel
    /// packet that is cut.
    ForwardedInFragments,
    /// A member's answer, translated back and sent to its client.
    ForwardedToClient,
    /// An ICMP error about a packet of a flow, sent on to the flow's member or client with the
    /// addresses and ports that the receiver knows.
    IcmpErrorForwarded,
    /// An ICMP fragmentation needed, or ICMPv6 packet too big, about a tunnel packet: the way's MTU is
    /// remembered, and a client whose packet may not be cut is told.
    TunnelMtuLearned,
    /// Another ICMP error about a tunnel packet: the packet's client is told that the way is
    /// unreachable.
    TunnelErrorReported,
    /// Ready to be sent, but the next hop's link address is not known yet. Its last outcome comes
    /// with the neighbour's answer or with its absence.
    WaitingForNeighbour,
    /// A fragment that came before its datagram's first, which alone has the ports. Its last
    /// outcome comes with the first or with its absence.
    WaitingForFirstFragment,
    /// An ICMP echo request to a VIP, answered.
    EchoAnswered,
    /// An ARP request for a VIP, answered.
    ArpAnswered,
    /// An ARP message that told a known neighbour's link address.
    ArpLearned,
    /// An ARP message whose sender says that a VIP, or the interface's own address, is its own. Not
    /// answered and not believed.
    ArpConflict,
    /// Any other ARP message: the kernel answers for the interface's own addresses.
    ArpIgnored,
    /// A neighbour solicitation for a VIP (RFC 4861), answered.
    NdpAnswered,
    /// A neighbour solicitation or advertisement that told a known neighbour's link address.
    NdpLearned,
    /// A neighbour solicitation or advertisement whose sender says that a VIP, or the interface's own
    /// address, is its own. Not answered and not believed.
    NdpConflict,
    /// Any other neighbour solicitation or advertisement: the kernel answers for the interface's own
    /// addresses.
    NdpIgnored,
    /// The frame's link-layer destination is another host, or everybody while the packet's is one
    /// VIP (RFC 1122 3.3.6).
    NotAddressedToUs,
    /// Neither IPv4, IPv6 nor ARP.
    EthertypeNotHandled,
    /// The frame ends before the header that it announces.
    FrameTruncated,
    /// An ARP message that is not IPv4 over Ethernet (RFC 826).
    ArpMalformed,
    /// A neighbour solicitation or advertisement that may not be believed (RFC 4861 7.1): another hop
    /// limit than 255, a wrong checksum, options that contradict their lengths.
    NdpMalformed,
    /// An IPv4 header whose version or header length is wrong.
    Ipv4HeaderMalformed,
    /// An IPv4 header whose checksum does not match (RFC 1812 5.2.2).
    Ipv4HeaderChecksum,
    /// An IPv4 total length that is below the header's or beyond the frame's end.
    Ipv4LengthMismatch,
    /// An IPv4 source that no single host can have (RFC 1812 5.3.7).
    Ipv4SourceMartian,
    /// Source routing options (RFC 7126 4.3).
    Ipv4SourceRoute,
    /// An IPv6 header whose version is wrong.
    Ipv6HeaderMalformed,
    /// An IPv6 payload length that is beyond the frame's end.
    Ipv6LengthMismatch,
    /// An IPv6 source that no single host can have, or that is known on its own link alone (RFC 4291
    /// 2.5).
    Ipv6SourceMartian,
    /// IPv6 extension headers that are too many or run over the packet, options that run over their
    /// header, hop-by-hop options that are not first, or a second fragment header (RFC 8200 4).
    Ipv6ExtensionMalformed,
    /// An IPv6 routing header of type 0 (RFC 5095), or one that would lead elsewhere.
    Ipv6SourceRoute,
    /// A destination that is neither a VIP nor an address that stands in for clients.
    NoVirtualAddress,
    /// A VIP, but no virtual server takes this protocol and port. TCP is answered with RST and
    /// UDP with port unreachable.
    NoVirtualServer,
    /// A VIP, and a protocol other than TCP, UDP and its family's ICMP.
    ProtocolNotHandled,
    /// A VIP, and a packet that comes out of somebody else's tunnel (IPIP, IPv6 in IP or GRE): the
    /// forwarder is no tunnel's end.
    AlreadyTunnelled,
    /// A fragment of a packet that is neither TCP nor UDP.
    FragmentNotHandled,
    /// A fragment that carries nothing, ends beyond the longest packet, or is no multiple of eight
    /// bytes though others follow (RFC 791 3.1, RFC 8200 4.5).
    FragmentMalformed,
    /// A first fragment without the whole TCP or UDP header (RFC 1858 3), or without all of its
    /// extension headers (RFC 7112).
    FragmentTooSmall,
    /// A later fragment that lies over the first (RFC 1858 4); nothing more of its datagram goes
    /// on.
    FragmentOverlap,
    /// A later fragment of a datagram whose first did not go on, or whose flow is gone.
    FragmentRefused,
    /// A later fragment whose first did not come in time.
    FragmentWithoutFirst,
    /// Gave its place among those that wait for their first to a later one.
    FragmentQueueOverflow,
    /// A TCP or UDP header that is shorter than it has to be or contradicts itself.
    TransportHeaderMalformed,
    /// A transport checksum that does not match, where the forwarder would have to answer. What
    /// is passed on is left to the server to judge.
    TransportChecksum,
    /// An ICMP message that is too short or whose checksum does not match.
    IcmpMalformed,
    /// An ICMP message that is neither an echo request to a VIP nor an error that anybody here can
    /// use.
    IcmpNotHandled,
    /// An ICMP error about a packet of no flow.
    IcmpErrorUnmatched,
    /// An ICMP error that is too long for the way to the flow's member.
    IcmpErrorTooLong,
    /// The TTL, or hop limit, ends here; the client is told (ICMP time exceeded).
    TtlExceeded,
    /// IPv4, too long for the tunnel and not allowed to be cut; the client is told (ICMP fragmentation
    /// needed).
    FragmentationNeeded,
    /// An IPv6 packet that is too long for the way; the client is told (ICMPv6 packet too big).
    PacketTooBig,
    /// A TCP packet that is no SYN and has no flow, without loose initiation; the client gets a
    /// RST.
    NoFlow,
    /// A RST without a flow: nothing is left to end.
    ResetWithoutFlow,
    /// A packet to an address and port that stand in for clients, and that no flow's member sent;
    /// TCP is answered with RST.
    NoTranslatedFlow,
    /// No port is free to stand in for a new flow's client; TCP is answered with RST.
    SnatPortsExhausted,
    /// The flow table is full of established flows.
    FlowTableFull,
    /// No member takes new flows: each is down, has an unreachable next hop or the ratio 0; TCP is
    /// answered with RST.
    NoMemberReachable,
    /// The flow's member is down and its pool resets such flows; TCP is answered with RST.
    MemberDown,
    /// No route to the member.
    NoRoute,
    /// The next hop does not answer.
    NeighbourUnreachable,
    /// Gave its place in the next hop's queue to a later packet, or found no place in it.
    NeighbourQueueOverflow,
    /// The neighbour table is full.
    NeighbourTableFull,
    /// The data plane had no room to send it.
    TransmitFull,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Forwarded,
        Self::ForwardedInFragments,
        Self::ForwardedToClient,
        Self::IcmpErrorForwarded,
        Self::TunnelMtuLearned,
        Self::TunnelErrorReported,
        Self::WaitingForNeighbour,
        Self::WaitingForFirstFragment,
        Self::EchoAnswered,
        Self::ArpAnswered,
        Self::ArpLearned,
        Self::ArpConflict,
        Self::ArpIgnored,
        Self::NdpAnswered,
        Self::NdpLearned,
        Self::NdpConflict,
        Self::NdpIgnored,
        Self::NotAddressedToUs,
        Self::EthertypeNotHandled,
        Self::FrameTruncated,
        Self::ArpMalformed,
        Self::NdpMalformed,
        Self::Ipv4HeaderMalformed,
        Self::Ipv4HeaderChecksum,
        Self::Ipv4LengthMismatch,
        Self::Ipv4SourceMartian,
        Self::Ipv4SourceRoute,
        Self::Ipv6HeaderMalformed,
        Self::Ipv6LengthMismatch,
        Self::Ipv6SourceMartian,
        Self::Ipv6ExtensionMalformed,
        Self::Ipv6SourceRoute,
        Self::NoVirtualAddress,
        Self::NoVirtualServer,
        Self::ProtocolNotHandled,
        Self::AlreadyTunnelled,
        Self::FragmentNotHandled,
        Self::FragmentMalformed,
        Self::FragmentTooSmall,
        Self::FragmentOverlap,
        Self::FragmentRefused,
        Self::FragmentWithoutFirst,
        Self::FragmentQueueOverflow,
        Self::TransportHeaderMalformed,
        Self::TransportChecksum,
        Self::IcmpMalformed,
        Self::IcmpNotHandled,
        Self::IcmpErrorUnmatched,
        Self::IcmpErrorTooLong,
        Self::TtlExceeded,
        Self::FragmentationNeeded,
        Self::PacketTooBig,
        Self::NoFlow,
        Self::ResetWithoutFlow,
        Self::NoTranslatedFlow,
        Self::SnatPortsExhausted,
        Self::FlowTableFull,
        Self::NoMemberReachable,
        Self::MemberDown,
        Self::NoRoute,
        Self::NeighbourUnreachable,
        Self::NeighbourQueueOverflow,
        Self::NeighbourTableFull,
        Self::TransmitFull,
    ];

    /// How many there are.
    pub const COUNT: usize = Self::TransmitFull as usize + 1;

    /// Whether nothing more becomes of the frame.
    #[must_use]
    pub const fn is_last(self) -> bool {
        !matches!(self, Self::WaitingForNeighbour | Self::WaitingForFirstFragment)
    }

    /// The stable name, as counters and reports show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::ForwardedInFragments => "forwarded_in_fragments",
            Self::ForwardedToClient => "forwarded_to_client",
            Self::IcmpErrorForwarded => "icmp_error_forwarded",
            Self::TunnelMtuLearned => "tunnel_mtu_learned",
            Self::TunnelErrorReported => "tunnel_error_reported",
            Self::WaitingForNeighbour => "waiting_for_neighbour",
            Self::WaitingForFirstFragment => "waiting_for_first_fragment",
            Self::EchoAnswered => "echo_answered",
            Self::ArpAnswered => "arp_answered",
            Self::ArpLearned => "arp_learned",
            Self::ArpConflict => "arp_conflict",
            Self::ArpIgnored => "arp_ignored",
            Self::NdpAnswered => "ndp_answered",
            Self::NdpLearned => "ndp_learned",
            Self::NdpConflict => "ndp_conflict",
            Self::NdpIgnored => "ndp_ignored",
            Self::NotAddressedToUs => "not_addressed_to_us",
            Self::EthertypeNotHandled => "ethertype_not_handled",
            Self::FrameTruncated => "frame_truncated",
            Self::ArpMalformed => "arp_malformed",
            Self::NdpMalformed => "ndp_malformed",
            Self::Ipv4HeaderMalformed => "ipv4_header_malformed",
            Self::Ipv4HeaderChecksum => "ipv4_header_checksum",
            Self::Ipv4LengthMismatch => "ipv4_length_mismatch",
            Self::Ipv4SourceMartian => "ipv4_source_martian",
            Self::Ipv4SourceRoute => "ipv4_source_route",
            Self::Ipv6HeaderMalformed => "ipv6_header_malformed",
            Self::Ipv6LengthMismatch => "ipv6_length_mismatch",
            Self::Ipv6SourceMartian => "ipv6_source_martian",
            Self::Ipv6ExtensionMalformed => "ipv6_extension_malformed",
            Self::Ipv6SourceRoute => "ipv6_source_route",
            Self::NoVirtualAddress => "no_virtual_address",
            Self::NoVirtualServer => "no_virtual_server",
            Self::ProtocolNotHandled => "protocol_not_handled",
            Self::AlreadyTunnelled => "already_tunnelled",
            Self::FragmentNotHandled => "fragment_not_handled",
            Self::FragmentMalformed => "fragment_malformed",
            Self::FragmentTooSmall => "fragment_too_small",
            Self::FragmentOverlap => "fragment_overlap",
            Self::FragmentRefused => "fragment_refused",
            Self::FragmentWithoutFirst => "fragment_without_first",
            Self::FragmentQueueOverflow => "fragment_queue_overflow",
            Self::TransportHeaderMalformed => "transport_header_malformed",
            Self::TransportChecksum => "transport_checksum",
            Self::IcmpMalformed => "icmp_malformed",
            Self::IcmpNotHandled => "icmp_not_handled",
            Self::IcmpErrorUnmatched => "icmp_error_unmatched",
            Self::IcmpErrorTooLong => "icmp_error_too_long",
            Self::TtlExceeded => "ttl_exceeded",
            Self::FragmentationNeeded => "fragmentation_needed",
            Self::PacketTooBig => "packet_too_big",
            Self::NoFlow => "no_flow",
            Self::ResetWithoutFlow => "reset_without_flow",
            Self::NoTranslatedFlow => "no_translated_flow",
            Self::SnatPortsExhausted => "snat_ports_exhausted",
            Self::FlowTableFull => "flow_table_full",
            Self::NoMemberReachable => "no_member_reachable",
            Self::MemberDown => "member_down",
            Self::NoRoute => "no_route",
            Self::NeighbourUnreachable => "neighbour_unreachable",
            Self::NeighbourQueueOverflow => "neighbour_queue_overflow",
            Self::NeighbourTableFull => "neighbour_table_full",
            Self::TransmitFull => "transmit_full",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use std::collections::BTreeSet;

    #[test]
    fn every_outcome_is_listed_once_under_its_own_number_and_name() {
        let names: BTreeSet<_> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        assert_eq!(names.len(), Outcome::COUNT);
        for (number, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, number);
            let name = outcome.name();
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
        }
    }
}
