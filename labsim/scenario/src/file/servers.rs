//! A scenario file's real servers and what runs on them, as they are written.

use super::forms::{Items, Scalar, Table, Texts, forms};
use super::lenient::{or_default, or_empty};
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

forms! {
    /// Real servers: a list, or a mapping by name.
    RealServersForm = "a list, or a map by name" {
        list: Located<RealServerFields>;
        map: Table<Located<RealServerFields>>;
    }
}

forms! {
    /// TACACS+ servers: a list, or a mapping by name.
    TacacsServersForm = "a list, or a map by name" {
        list: Located<TacacsServerFields>;
        map: Table<Located<TacacsServerFields>>;
    }
}

forms! {
    /// RADIUS servers: a list, or a mapping by name.
    RadiusServersForm = "a list, or a map by name" {
        list: Located<RadiusServerFields>;
        map: Table<Located<RadiusServerFields>>;
    }
}

macro_rules! groups {
    ($($form:ident of $fields:ident;)*) => {
        $(impl Default for $form {
            fn default() -> Self {
                Self::List(Items::default())
            }
        }

        impl $form {
            /// All of them in the file's order, with their names or without.
            pub(crate) fn each(&self) -> Vec<&Located<$fields>> {
                match self {
                    Self::List(list) => list.iter().collect(),
                    Self::Map(table) => table.iter().map(|(_, fields)| fields).collect(),
                }
            }
        })*
    };
}
groups! {
    RealServersForm of RealServerFields;
    TacacsServersForm of TacacsServerFields;
    RadiusServersForm of RadiusServerFields;
}

/// What makes nodes real servers under Direct Server Return.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealServerFields {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// Where tunnel packets come out: `ipip`, `gre`, or a map. None without it.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) tunnel: Option<Located<TunnelForm>>,
    /// The VIP that each node holds: an address, a map, or a list of these.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) vip: Option<Located<VipForm>>,
    /// Kernel settings by dotted name, made after the tunnel device exists.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) sysctls: Table<Located<Scalar>>,
}

forms! {
    /// A tunnel's end, short or long.
    TunnelForm = "`ipip`, `gre`, or a map with `mode`" {
        text: "`ipip` or `gre`: on the kernel's own devices for the families that come in and out (tunl0, sit0, ip6tnl1; gre0, ip6gre0); up, with the server's own IPv4 address, scope host.";
        map: TunnelFields;
    }
}

/// A tunnel's end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TunnelFields {
    /// `ipip` or `gre`.
    pub(crate) mode: Located<String>,
    /// The device's name; `tunl0` for ipip, `gre0` for gre, `gre1` with a key or a checksum. With
    /// IPv6 inside, `sit0`; with IPv6 outside, `ip6tnl1`, `ip6gre0`, `ip6gre1`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) device: Option<Located<String>>,
    /// The IPv4 address on it: `own` (the default: the one that the pool knows the server by),
    /// `none`, or an address.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) address: Option<Located<String>>,
    /// Whether the device is up; `true` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) up: Option<Located<bool>>,
    /// GRE's key (RFC 2890), the pool's profile's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) key: Option<Located<u32>>,
    /// Whether GRE packets carry a checksum, as the pool's profile says; `false` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) checksum: Option<Located<bool>>,
}

forms! {
    /// One VIP or several.
    VipForm = "an address, a map with `address`, or a list of these" {
        text: "A VIP: on lo, as a host prefix, scope host, label lo:0.";
        list: Located<OneVipForm>;
        map: VipFields;
    }
}

forms! {
    /// A VIP of a list.
    OneVipForm = "an address, or a map with `address`" {
        text: "A VIP: on lo, as a host prefix, scope host.";
        map: VipFields;
    }
}

/// A VIP on a real server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VipFields {
    /// The VIP, without a prefix length.
    pub(crate) address: Located<String>,
    /// The device that it is put on; `lo` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) device: Option<Located<String>>,
    /// Its label, `lo:0` and so on by default; IPv4 only.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) label: Option<Located<String>>,
}

/// A TACACS+ server (RFC 8907) on each of some nodes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TacacsServerFields {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// The TCP port; 49 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) port: Option<Located<u16>>,
    /// The secret that it shares with its clients.
    pub(crate) secret: Located<String>,
    /// The addresses or prefixes that it takes connections from; it refuses all others.
    pub(crate) clients: Located<Items<Located<String>>>,
    /// Passwords by user.
    pub(crate) users: Table<Located<String>>,
}

/// A RADIUS server (RFC 2865, RFC 2866) on each of some nodes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadiusServerFields {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// The UDP port for Access-Request; 1812 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) authentication_port: Option<Located<u16>>,
    /// The UDP port for Accounting-Request; 1813 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) accounting_port: Option<Located<u16>>,
    /// The secret that it shares with its clients.
    pub(crate) secret: Located<String>,
    /// The addresses or prefixes that it answers; it discards the requests of all others.
    pub(crate) clients: Located<Items<Located<String>>>,
    /// Passwords by user.
    pub(crate) users: Table<Located<String>>,
    /// Whether it discards an Access-Request without a Message-Authenticator; `false` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) require_message_authenticator: bool,
    /// What it says to users in an Access-Accept or Access-Reject (Reply-Message): up to 2024
    /// bytes. A long one makes a long answer.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) reply_message: Option<Located<String>>,
    /// Whether it answers from the address that it was asked at (IP_PKTINFO); `true` by default.
    /// Without it the answer comes from the server's own address, and not from the VIP.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) packet_info: Option<bool>,
}
