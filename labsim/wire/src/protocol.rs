//! IP protocol numbers that labsim knows (IANA's "Assigned Internet Protocol Numbers").

/// ICMP for IPv4, RFC 792.
pub const ICMP: u8 = 1;
/// IPv4 in IP, RFC 2003.
pub const IPIP: u8 = 4;
/// TCP, RFC 9293.
pub const TCP: u8 = 6;
/// UDP, RFC 768.
pub const UDP: u8 = 17;
/// IPv6 in IP, RFC 2473 and RFC 4213.
pub const IPV6: u8 = 41;
/// GRE, RFC 2784.
pub const GRE: u8 = 47;
/// ICMP for IPv6, RFC 4443.
pub const ICMPV6: u8 = 58;
/// "Use for experimentation and testing" (RFC 3692): labsim's marker packets.
pub const MARKER: u8 = 253;

/// The name that tcpdump uses, if labsim knows the protocol.
#[must_use]
pub fn name(protocol: u8) -> Option<&'static str> {
    Some(match protocol {
        ICMP => "ICMP",
        IPIP => "IPIP",
        TCP => "TCP",
        UDP => "UDP",
        IPV6 => "IPv6",
        GRE => "GRE",
        ICMPV6 => "ICMPv6",
        _ => return None,
    })
}
