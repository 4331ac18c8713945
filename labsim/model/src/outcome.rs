//! What becomes of a frame in the forwarder: a closed list. Each outcome has a stable name, a counter
//! of that name, and a meaning; one that ends a packet without passing it on has its reason.

/// Declares an enum of counted things from one table: variant, name, meaning (the documentation), and
/// for a drop the reason, which completes "it was dropped: ...".
macro_rules! counted {
    (
        $(#[$enum_doc:meta])*
        $enum:ident {
            $(
                $(#[doc = $meaning:literal])+
                $variant:ident = $name:literal $(, drop: $reason:literal)?;
            )+
        }
    ) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $enum {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant),+];

            /// How many there are.
            pub const COUNT: usize = [$($name),+].len();

            /// The stable name: the counter's, in lower case with underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it means, in a sentence or two.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($meaning),+).trim_ascii(),)+
                }
            }

            /// Why the packet was dropped, as a clause; `None` if it was not dropped.
            #[must_use]
            pub const fn drop_reason(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => counted!(@reason $($reason)?),)+
                }
            }

            /// The one of that name.
            #[must_use]
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.name() == name)
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
    (@reason $reason:literal) => { Some($reason) };
    (@reason) => { None };
}

counted! {
    /// What became of one frame.
    Outcome {
        /// Sent to a pool member.
        Forwarded = "forwarded";
        /// Too long for the path and fragmentation is allowed: sent in fragments, each encapsulated if
        /// the member is behind a tunnel. An IPv6 packet of up to 1280 bytes is sent in one tunnel
        /// packet that is fragmented.
        ForwardedInFragments = "forwarded_in_fragments";
        /// Given to the load balancer's own kernel, as it came: the flow's member is the load balancer's
        /// host.
        DeliveredToHost = "delivered_to_host";
        /// To a VIP that the load balancer's host has on an interface, and nothing that a virtual server
        /// takes: left to the host's kernel, which answers it.
        LeftToHost = "left_to_host";
        /// A member's reply, translated back and sent to its client.
        ForwardedToClient = "forwarded_to_client";
        /// An ICMP error about a packet of a flow, sent on to the flow's member or client with the
        /// addresses and ports that the receiver knows.
        IcmpErrorForwarded = "icmp_error_forwarded";
        /// An ICMP fragmentation needed, or ICMPv6 packet too big, about a tunnel packet: the path MTU
        /// is learnt, and the client is notified if its packet must not be fragmented.
        TunnelMtuLearned = "tunnel_mtu_learned";
        /// Another ICMP error about a tunnel packet: the client is notified that the destination is
        /// unreachable.
        TunnelErrorReported = "tunnel_error_reported";
        /// Ready to be sent, but the next hop's link-layer address is not known yet. Its last outcome
        /// comes when the neighbour is resolved or fails.
        WaitingForNeighbour = "waiting_for_neighbour";
        /// A fragment that came before its datagram's first, which alone has the ports. Its last
        /// outcome comes with the first fragment or when the wait ends.
        WaitingForFirstFragment = "waiting_for_first_fragment";
        /// An ICMP echo request to a VIP, answered.
        EchoAnswered = "echo_answered";
        /// An ARP request for a VIP, answered.
        ArpAnswered = "arp_answered";
        /// An ARP message with a known neighbour's link-layer address, which was learnt.
        ArpLearned = "arp_learned";
        /// Any other ARP message: the kernel answers for the interface's own addresses.
        ArpIgnored = "arp_ignored";
        /// A neighbour solicitation for a VIP (RFC 4861), answered.
        NdpAnswered = "ndp_answered";
        /// A neighbour solicitation or advertisement with a known neighbour's link-layer address, which
        /// was learnt.
        NdpLearned = "ndp_learned";
        /// Any other neighbour solicitation or advertisement: the kernel answers for the interface's
        /// own addresses.
        NdpIgnored = "ndp_ignored";
        /// The destination is neither a VIP nor a SNAT address.
        NoVirtualAddress = "no_virtual_address",
            drop: "its destination is neither a VIP nor a SNAT address";
        /// To a VIP or a SNAT address of a load balancer that is on standby.
        Standby = "standby", drop: "the load balancer is on standby";
        /// The destination is a VIP, and no virtual server takes this protocol and port. TCP is answered
        /// with RST and UDP with port unreachable.
        NoVirtualServer = "no_virtual_server",
            drop: "no virtual server takes that protocol and port";
        /// The destination is a VIP, and the protocol is not TCP, UDP or the family's ICMP.
        ProtocolNotHandled = "protocol_not_handled", drop: "only TCP, UDP and ICMP are handled";
        /// A tunnel packet (IPIP, IPv6 in IP or GRE) to a VIP: the forwarder decapsulates none.
        AlreadyTunnelled = "already_tunnelled",
            drop: "it is a tunnel packet, and the forwarder does not decapsulate";
        /// A fragment of a packet that is neither TCP nor UDP.
        FragmentNotHandled = "fragment_not_handled",
            drop: "it is a fragment of neither TCP nor UDP";
        /// A fragment without payload, one that ends beyond the longest packet, or one that is not a
        /// multiple of eight bytes though others follow (RFC 791 3.1, RFC 8200 4.5).
        FragmentMalformed = "fragment_malformed",
            drop: "it is a fragment with an invalid length or offset";
        /// A first fragment without the whole TCP or UDP header (RFC 1858 3), or without all of its
        /// extension headers (RFC 7112).
        FragmentTooSmall = "fragment_too_small",
            drop: "it is a first fragment without its whole TCP or UDP header";
        /// A later fragment that overlaps the first (RFC 1858 4); the rest of its datagram is dropped
        /// as well.
        FragmentOverlap = "fragment_overlap",
            drop: "it is a fragment that overlaps its datagram's first";
        /// A later fragment of a datagram whose first was dropped, or whose flow is gone.
        FragmentRefused = "fragment_refused",
            drop: "it is a fragment whose first was dropped or whose flow is gone";
        /// A later fragment whose first did not come in time.
        FragmentWithoutFirst = "fragment_without_first",
            drop: "it is a fragment whose first did not come in time";
        /// A later fragment that was displaced by another one while it waited for its first.
        FragmentQueueOverflow = "fragment_queue_overflow",
            drop: "too many fragments wait for their first";
        /// The TTL, or hop limit, expires here; the client is notified (ICMP time exceeded).
        TtlExceeded = "ttl_exceeded", drop: "its TTL or hop limit expired";
        /// IPv4, too long for the tunnel and DF is set; the client is notified (ICMP fragmentation
        /// needed).
        FragmentationNeeded = "fragmentation_needed",
            drop: "it is too long for the path to the member, and DF is set";
        /// An IPv6 packet that is too long for the path; the client is notified (ICMPv6 packet too big).
        PacketTooBig = "packet_too_big",
            drop: "it is an IPv6 packet that is too long for the path to the member";
        /// A TCP packet that is not a SYN and has no flow, without loose initiation; the client gets a
        /// RST.
        NoFlow = "no_flow",
            drop: "it belongs to no flow and is not a SYN, and loose initiation is off";
        /// A RST without a flow: there is nothing to close.
        ResetWithoutFlow = "reset_without_flow", drop: "it is a RST that belongs to no flow";
        /// A packet to a SNAT address and port that is not bound to the sender's flow; TCP is answered
        /// with RST.
        NoTranslatedFlow = "no_translated_flow",
            drop: "its SNAT address and port are not bound to a flow of its sender";
        /// No SNAT port is free for a new flow; TCP is answered with RST.
        SnatPortsExhausted = "snat_ports_exhausted", drop: "no SNAT port is free for its flow";
        /// The flow table is full of established flows.
        FlowTableFull = "flow_table_full", drop: "the flow table is full";
        /// No member takes new flows: each is down, has an unreachable next hop or the ratio 0; TCP is
        /// answered with RST.
        NoMemberReachable = "no_member_reachable",
            drop: "no member of the pool takes new flows: each is down, unreachable or has ratio 0";
        /// The flow's member is down and its pool resets such flows; TCP is answered with RST.
        MemberDown = "member_down",
            drop: "its flow's member is down, and the pool resets such flows";
        /// No route to the member.
        NoRoute = "no_route", drop: "there is no route to the member";
        /// The next hop does not answer.
        NeighbourUnreachable = "neighbour_unreachable", drop: "the next hop does not answer";
        /// A packet that was displaced from the next hop's queue by a later one, or found it full.
        NeighbourQueueOverflow = "neighbour_queue_overflow",
            drop: "too many packets wait for the next hop's link-layer address";
        /// The neighbour table is full.
        NeighbourTableFull = "neighbour_table_full", drop: "the neighbour table is full";
        /// The data plane had no room to send it.
        TransmitFull = "transmit_full", drop: "the transmit queue is full";
        /// A TCP or UDP header that is shorter than it has to be or contradicts itself.
        TransportHeaderMalformed = "transport_header_malformed",
            drop: "its TCP or UDP header is malformed";
        /// A wrong transport checksum, where the forwarder would have to answer. A packet that is
        /// forwarded is left to the server to check.
        TransportChecksum = "transport_checksum", drop: "its TCP or UDP checksum is wrong";
        /// An IPv4 header whose version or header length is wrong.
        Ipv4HeaderMalformed = "ipv4_header_malformed", drop: "its IPv4 header is malformed";
        /// An IPv4 header whose checksum does not match (RFC 1812 5.2.2).
        Ipv4HeaderChecksum = "ipv4_header_checksum", drop: "its IPv4 header checksum is wrong";
        /// An IPv4 total length that is below the header's or beyond the frame's end.
        Ipv4LengthMismatch = "ipv4_length_mismatch",
            drop: "its IPv4 total length does not fit the frame";
        /// An IPv4 source that no single host can have (RFC 1812 5.3.7).
        Ipv4SourceMartian = "ipv4_source_martian",
            drop: "its IPv4 source address is not valid for a host";
        /// Source routing options (RFC 7126 4.3).
        Ipv4SourceRoute = "ipv4_source_route", drop: "it has source routing options";
        /// An IPv6 header whose version is wrong.
        Ipv6HeaderMalformed = "ipv6_header_malformed", drop: "its IPv6 header is malformed";
        /// An IPv6 payload length that is beyond the frame's end.
        Ipv6LengthMismatch = "ipv6_length_mismatch",
            drop: "its IPv6 payload length does not fit the frame";
        /// An IPv6 source that no single host can have, or one of link-local scope (RFC 4291 2.5).
        Ipv6SourceMartian = "ipv6_source_martian",
            drop: "its IPv6 source address is not valid for a host beyond the link";
        /// IPv6 extension headers that are too many or run over the packet, options that run over their
        /// header, hop-by-hop options that are not first, or a second fragment header (RFC 8200 4).
        Ipv6ExtensionMalformed = "ipv6_extension_malformed",
            drop: "its IPv6 extension headers are malformed";
        /// An IPv6 routing header of type 0 (RFC 5095), or one with segments left.
        Ipv6SourceRoute = "ipv6_source_route",
            drop: "it has an IPv6 routing header with segments left";
        /// An ICMP error that is too long for the path to the flow's member.
        IcmpErrorTooLong = "icmp_error_too_long",
            drop: "it is an ICMP error that is too long for the path to the member";
        /// An ICMP error about a packet of no flow.
        IcmpErrorUnmatched = "icmp_error_unmatched",
            drop: "it is an ICMP error about a packet of no flow";
        /// An ICMP message that is too short or whose checksum does not match.
        IcmpMalformed = "icmp_malformed",
            drop: "it is an ICMP message that is malformed or has a wrong checksum";
        /// An ICMP message that is neither an echo request to a VIP nor an error that the forwarder
        /// uses.
        IcmpNotHandled = "icmp_not_handled",
            drop: "it is an ICMP message of a type that is not handled";
        /// An ARP message whose sender claims a VIP or the interface's own address. It is neither
        /// answered nor learnt.
        ArpConflict = "arp_conflict",
            drop: "its sender claims a VIP or the forwarder's own address by ARP";
        /// A neighbour solicitation or advertisement whose sender claims a VIP or the interface's own
        /// address. It is neither answered nor learnt.
        NdpConflict = "ndp_conflict",
            drop: "its sender claims a VIP or the forwarder's own address by neighbour discovery";
        /// An ARP message that is not IPv4 over Ethernet (RFC 826).
        ArpMalformed = "arp_malformed", drop: "it is an ARP message that is not IPv4 over Ethernet";
        /// A neighbour solicitation or advertisement that is not valid (RFC 4861 7.1): a hop limit other
        /// than 255, a wrong checksum, or options that contradict their lengths.
        NdpMalformed = "ndp_malformed",
            drop: "it is a neighbour discovery message that is not valid";
        /// The frame ends before the header that it announces.
        FrameTruncated = "frame_truncated", drop: "the frame ends within a header";
        /// Neither IPv4, IPv6 nor ARP.
        EthertypeNotHandled = "ethertype_not_handled", drop: "it is neither IPv4, IPv6 nor ARP";
        /// The frame's link-layer destination is another host, or it is broadcast or multicast while
        /// the packet's destination is one VIP (RFC 1122 3.3.6).
        NotAddressedToUs = "not_addressed_to_us",
            drop: "its link-layer destination is not the forwarder's";
    }
}

impl Outcome {
    /// Whether nothing more becomes of the frame.
    #[inline]
    #[must_use]
    pub const fn is_last(self) -> bool {
        !matches!(self, Self::WaitingForNeighbour | Self::WaitingForFirstFragment)
    }
}

counted! {
    /// What the forwarder's sockets lost before or after the forwarder handled it.
    SocketDrop {
        /// A frame that the receive ring had no room for.
        Dropped = "socket_dropped", drop: "the receive ring of the forwarder's socket is full";
        /// A frame that is longer than the socket takes.
        Oversized = "socket_oversized", drop: "it is longer than the forwarder's socket takes";
        /// A frame that the kernel refused to send.
        SendErrors = "socket_send_errors", drop: "the kernel refuses to send it";
    }
}

/// The counters of drops, each with its reason: the outcomes', then the sockets'.
pub fn drops() -> impl Iterator<Item = (&'static str, &'static str)> {
    let outcomes = Outcome::ALL.into_iter().map(|one| (one.name(), one.drop_reason()));
    let sockets = SocketDrop::ALL.into_iter().map(|one| (one.name(), one.drop_reason()));
    outcomes.chain(sockets).filter_map(|(name, reason)| Some((name, reason?)))
}

#[cfg(test)]
mod tests {
    use super::*;
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
            assert_eq!(Outcome::find(name), Some(*outcome));
        }
    }

    #[test]
    fn a_name_is_the_variants_in_snake_case() {
        for outcome in Outcome::ALL {
            let plain = outcome.name().replace('_', "");
            assert_eq!(plain, format!("{outcome:?}").to_lowercase());
        }
    }

    #[test]
    fn every_outcome_has_a_meaning_and_every_drop_a_reason() {
        for outcome in Outcome::ALL {
            let meaning = outcome.meaning();
            assert!(meaning.ends_with('.') && !meaning.contains("  "), "{outcome}: {meaning}");
            let passed_on = outcome as usize <= Outcome::NdpIgnored as usize;
            assert_eq!(outcome.drop_reason().is_none(), passed_on, "{outcome}");
            if let Some(reason) = outcome.drop_reason() {
                assert!(!reason.ends_with('.') && reason.contains(' '), "{outcome}: {reason}");
            }
        }
        assert_eq!(Outcome::Forwarded.meaning(), "Sent to a pool member.");
        assert_eq!(drops().count(), Outcome::COUNT - 17 + SocketDrop::COUNT);
    }
}
