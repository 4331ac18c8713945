//! Tunnels: how packets are encapsulated, and which device of Linux's takes them out.

use labsim_yaml::{FromYaml, short_forms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How packets reach a pool's members: `none` (as they are), `ipip`, `gre`, `gue`, or a map with
/// options: `{gre: {key: N, checksum: true}}`, `{gue: {port: N, variant: 1}}`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = short_forms::<Self>)]
pub enum Profile {
    /// No encapsulation: the packet goes to the member's next hop. Without translation only its
    /// link-layer addresses and its TTL change (nPath, L2 DSR).
    #[default]
    None,
    /// IP in IP: RFC 2003, RFC 4213 (IPv6 in IPv4), RFC 2473 (both in IPv6).
    Ipip,
    /// Generic routing encapsulation (RFC 2784, RFC 2890, RFC 7676).
    #[yaml(bare)]
    Gre(GreOptions),
    /// Generic UDP Encapsulation (draft-ietf-intarea-gue).
    #[yaml(bare)]
    Gue(GueOptions),
}

impl Profile {
    /// The tunnel, if there is one.
    #[must_use]
    pub const fn tunnel(self) -> Option<TunnelProtocol> {
        match self {
            Self::None => None,
            Self::Ipip => Some(TunnelProtocol::Ipip),
            Self::Gre(options) => Some(TunnelProtocol::Gre(options)),
            Self::Gue(options) => Some(TunnelProtocol::Gue(options)),
        }
    }
}

/// The optional fields of a GRE header; each adds four bytes to its four.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    FromYaml,
    JsonSchema,
)]
#[serde(deny_unknown_fields, default)]
pub struct GreOptions {
    /// The key (RFC 2890), the same at both ends; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<u32>,
    /// Whether the header has a checksum over header and payload (RFC 2784 2.1); `false` by
    /// default.
    pub checksum: bool,
}

impl GreOptions {
    /// Bytes of the header: 4, 8 or 12.
    #[must_use]
    pub const fn header_length(self) -> usize {
        4 + 4 * (self.checksum as usize + self.key.is_some() as usize)
    }
}

/// Where GUE packets go, and what is in front of the packet inside. The UDP source port is the inner
/// flow's hash, 49152 or more. Over IPv4 there is no UDP checksum, as IPVS and Linux's fou send none
/// by default; over IPv6 there is one (RFC 8200 8.1).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    FromYaml,
    JsonSchema,
)]
#[serde(try_from = "GueFields", into = "GueFields")]
#[schemars(with = "GueFields")]
pub struct GueOptions {
    /// The UDP destination port, not 0.
    pub port: u16,
    /// 0: a header of four bytes; 1: IP directly after UDP.
    pub variant: u8,
}

/// The options of GUE as they are written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
struct GueFields {
    /// The UDP destination port; 6080 by default.
    #[schemars(range(min = 1))]
    port: u16,
    /// 0 (the default): a header of four bytes between UDP and IP; 1: none. A server's tunnel takes
    /// both.
    #[schemars(range(max = 1))]
    variant: u8,
}

impl Default for GueFields {
    fn default() -> Self {
        Self { port: 6080, variant: 0 }
    }
}

impl Default for GueOptions {
    fn default() -> Self {
        let GueFields { port, variant } = GueFields::default();
        Self { port, variant }
    }
}

impl From<GueOptions> for GueFields {
    fn from(GueOptions { port, variant }: GueOptions) -> Self {
        Self { port, variant }
    }
}

impl TryFrom<GueFields> for GueOptions {
    type Error = String;

    fn try_from(GueFields { port, variant }: GueFields) -> Result<Self, String> {
        match (port, variant) {
            (0, _) => Err("GUE needs a UDP port; write 1 to 65535".to_owned()),
            (_, 0 | 1) => Ok(Self { port, variant }),
            _ => Err(format!("GUE has no variant {variant}; write 0 or 1")),
        }
    }
}

impl GueOptions {
    /// Bytes of UDP's header and GUE's: 12, or 8 in variant 1.
    #[must_use]
    pub const fn header_length(self) -> usize {
        if self.variant == 0 { 12 } else { 8 }
    }
}

/// How packets are put into a tunnel, whatever the families inside and outside: `ipip`, `gre`,
/// `gue`, or a map with options: `{gre: {key: N, checksum: true}}`, `{gue: {port: N}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = short_forms::<Self>)]
pub enum TunnelProtocol {
    /// IP in IP: RFC 2003, RFC 4213 (IPv6 in IPv4), RFC 2473 (both in IPv6).
    #[yaml(placeholder)]
    Ipip,
    /// GRE (RFC 2784, RFC 2890, RFC 7676).
    #[yaml(bare)]
    Gre(GreOptions),
    /// Generic UDP Encapsulation (draft-ietf-intarea-gue).
    #[yaml(bare)]
    Gue(GueOptions),
}

impl TunnelProtocol {
    /// Its word in a file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Gre(_) => "gre",
            Self::Gue(_) => "gue",
        }
    }

    /// Bytes between the outer and the inner IP header.
    #[must_use]
    pub const fn header_length(self) -> usize {
        match self {
            Self::Ipip => 0,
            Self::Gre(options) => options.header_length(),
            Self::Gue(options) => options.header_length(),
        }
    }
}

/// A tunnel's end as Linux has it: each kind is a module and a device of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelKind {
    /// IPv4 in IPv4.
    Ipip,
    /// IPv6 in IPv4.
    Sit,
    /// IPv4 and IPv6 in IPv6.
    Ip6tnl,
    /// GRE over IPv4, with either family inside.
    Gre(GreOptions),
    /// GRE over IPv6, with either family inside.
    Ip6gre(GreOptions),
    /// IPv4 in GUE over IPv4: `fou` takes UDP and GUE off, and [`Self::Ipip`]'s device the outer
    /// header.
    GueIpip(GueOptions),
    /// IPv6 in GUE over IPv4.
    GueSit(GueOptions),
    /// IPv4 and IPv6 in GUE over IPv6.
    GueIp6tnl(GueOptions),
}

impl TunnelKind {
    /// Each kind, without options.
    pub const ALL: [Self; 8] = {
        let gre = GreOptions { key: None, checksum: false };
        let gue = GueOptions { port: 6080, variant: 0 };
        [
            Self::Ipip,
            Self::Sit,
            Self::Ip6tnl,
            Self::Gre(gre),
            Self::Ip6gre(gre),
            Self::GueIpip(gue),
            Self::GueSit(gue),
            Self::GueIp6tnl(gue),
        ]
    };

    /// Whether it is the same kind, whatever its options.
    #[must_use]
    pub fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// The kind that takes off these headers, where IPv4 is outside, and inside.
    #[must_use]
    pub const fn of(protocol: TunnelProtocol, outer_ipv4: bool, inner_ipv4: bool) -> Self {
        match (protocol, outer_ipv4) {
            (TunnelProtocol::Ipip, true) if inner_ipv4 => Self::Ipip,
            (TunnelProtocol::Ipip, true) => Self::Sit,
            (TunnelProtocol::Ipip, false) => Self::Ip6tnl,
            (TunnelProtocol::Gre(options), true) => Self::Gre(options),
            (TunnelProtocol::Gre(options), false) => Self::Ip6gre(options),
            (TunnelProtocol::Gue(options), true) if inner_ipv4 => Self::GueIpip(options),
            (TunnelProtocol::Gue(options), true) => Self::GueSit(options),
            (TunnelProtocol::Gue(options), false) => Self::GueIp6tnl(options),
        }
    }

    /// What it is called: the kind of device, and `gue` in front of that.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GueIpip(_) => "gue-ipip",
            Self::GueSit(_) => "gue-sit",
            Self::GueIp6tnl(_) => "gue-ip6tnl",
            _ => self.link_type(),
        }
    }

    /// The kind of device, as ip-link(8) has it.
    #[must_use]
    pub const fn link_type(self) -> &'static str {
        match self {
            Self::Ipip | Self::GueIpip(_) => "ipip",
            Self::Sit | Self::GueSit(_) => "sit",
            Self::Ip6tnl | Self::GueIp6tnl(_) => "ip6tnl",
            Self::Gre(_) => "gre",
            Self::Ip6gre(_) => "ip6gre",
        }
    }

    /// The kernel's module of the device.
    #[must_use]
    pub const fn module(self) -> &'static str {
        match self {
            Self::Ipip | Self::GueIpip(_) => "ipip",
            Self::Sit | Self::GueSit(_) => "sit",
            Self::Ip6tnl | Self::GueIp6tnl(_) => "ip6_tunnel",
            Self::Gre(_) => "ip_gre",
            Self::Ip6gre(_) => "ip6_gre",
        }
    }

    /// The kernel's modules that receive the same packets, and reject what they have no device for.
    #[must_use]
    pub const fn handlers(self) -> &'static str {
        match self {
            Self::Ipip => "ipip sit tunnel4",
            Self::Sit => "sit tunnel4",
            // One module takes both protocols.
            Self::Ip6tnl => "ip6_gre ip6_tunnel tunnel6",
            Self::Gre(_) => "ip_gre gre",
            Self::Ip6gre(_) => "ip6_gre",
            Self::GueIpip(_) | Self::GueSit(_) | Self::GueIp6tnl(_) => "fou",
        }
    }

    /// The device that the module puts into every namespace, which takes what no other tunnel
    /// matches; or, where that one takes nothing of the kind, the first beside it: `gre0` and
    /// `ip6gre0` check no key and drop what carries a checksum, and `ip6tnl0` drops whatever is not
    /// from a remote end that it was given, which it cannot be (`ip6_tnl_rcv_ctl` of
    /// net/ipv6/ip6_tunnel.c).
    #[must_use]
    pub fn usual_device(self) -> &'static str {
        match self {
            Self::Ipip | Self::GueIpip(_) => "tunl0",
            Self::Sit | Self::GueSit(_) => "sit0",
            Self::Ip6tnl | Self::GueIp6tnl(_) => "ip6tnl1",
            Self::Gre(options) if options == GreOptions::default() => "gre0",
            Self::Gre(_) => "gre1",
            Self::Ip6gre(options) if options == GreOptions::default() => "ip6gre0",
            Self::Ip6gre(_) => "ip6gre1",
        }
    }

    /// The protocol numbers of outer headers, which a raw socket each is made with; UDP's needs a
    /// socket of the port instead.
    #[must_use]
    pub const fn ip_protocols(self) -> &'static [u8] {
        match self {
            Self::Ipip => &[4],
            Self::Sit => &[41],
            Self::Ip6tnl => &[4, 41],
            Self::Gre(_) | Self::Ip6gre(_) => &[47],
            Self::GueIpip(_) | Self::GueSit(_) | Self::GueIp6tnl(_) => &[17],
        }
    }

    /// Whether the outer header is IPv4's.
    #[must_use]
    pub const fn outer_ipv4(self) -> bool {
        matches!(self, Self::Ipip | Self::Sit | Self::Gre(_) | Self::GueIpip(_) | Self::GueSit(_))
    }

    /// Whether IPv6 can come out.
    #[must_use]
    pub const fn inner_ipv6(self) -> bool {
        !matches!(self, Self::Ipip | Self::GueIpip(_))
    }

    /// What GRE's header has in it, where it is one.
    #[must_use]
    pub const fn gre(self) -> Option<GreOptions> {
        match self {
            Self::Gre(options) | Self::Ip6gre(options) => Some(options),
            _ => None,
        }
    }

    /// What is in front of the packet inside, where it is GUE.
    #[must_use]
    pub const fn gue(self) -> Option<GueOptions> {
        match self {
            Self::GueIpip(options) | Self::GueSit(options) | Self::GueIp6tnl(options) => {
                Some(options)
            }
            _ => None,
        }
    }

    /// Bytes of the headers that are taken off: the outer one, and what follows it.
    #[must_use]
    pub fn overhead(self) -> u32 {
        let outer = if self.outer_ipv4() { 20 } else { 40 };
        let gre = self.gre().map_or(0, GreOptions::header_length);
        let gue = self.gue().map_or(0, GueOptions::header_length);
        outer + (gre + gue) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::{GreOptions, GueOptions, Profile, TunnelKind, TunnelProtocol};

    fn read(text: &str) -> Result<Profile, labsim_yaml::Diagnostics> {
        labsim_yaml::read(&labsim_yaml::Source::new("test", text))
    }

    #[test]
    fn a_word_and_a_map_are_read() {
        let gre = |key, checksum| Profile::Gre(GreOptions { key, checksum });
        let gue = |port, variant| Profile::Gue(GueOptions { port, variant });
        for (text, profile) in [
            (r#""none""#, Profile::None),
            (r#""ipip""#, Profile::Ipip),
            (r#""gre""#, gre(None, false)),
            (r#"{"gre":null}"#, gre(None, false)),
            (r#"{"gre":{}}"#, gre(None, false)),
            (r#"{"gre":{"key":7}}"#, gre(Some(7), false)),
            (r#"{"gre":{"key":0,"checksum":true}}"#, gre(Some(0), true)),
            (r#""gue""#, gue(6080, 0)),
            (r#"{"gue":null}"#, gue(6080, 0)),
            (r#"{"gue":{"variant":1}}"#, gue(6080, 1)),
            (r#"{"gue":{"port":7000,"variant":0}}"#, gue(7000, 0)),
        ] {
            assert_eq!(read(text).unwrap(), profile, "{text}");
            let written = serde_json::to_string(&profile).unwrap();
            assert_eq!(read(&written).unwrap(), profile, "{written}");
        }
    }

    #[test]
    fn gue_adds_udp_and_four_bytes_to_the_outer_header() {
        for (variant, [over_ipv4, over_ipv6]) in [(0, [32, 52]), (1, [28, 48])] {
            let gue = TunnelProtocol::Gue(GueOptions { port: 6080, variant });
            for inner_ipv4 in [true, false] {
                let kind = |outer_ipv4| TunnelKind::of(gue, outer_ipv4, inner_ipv4);
                assert_eq!((kind(true).overhead(), kind(false).overhead()), (over_ipv4, over_ipv6));
                assert!(kind(true).outer_ipv4() && !kind(false).outer_ipv4());
                assert!(kind(false).inner_ipv6());
            }
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (text, named) in [
            (r#""vxlan""#, "vxlan"),
            (r#"{"ipip":{}}"#, "ipip"),
            (r#"{}"#, "gre"),
            (r#"{"gre":{"sequence":1}}"#, "sequence"),
            (r#"{"gre":{},"gre":{}}"#, "given twice"),
            ("7", "`gre`"),
            (r#"{"gue":{"port":0}}"#, "write 1 to 65535"),
            (r#"{"gue":{"port":65536}}"#, "65536"),
            (r#"{"gue":{"variant":2}}"#, "write 0 or 1"),
            (r#"{"gue":{"key":1}}"#, "key"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
