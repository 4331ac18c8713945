//! How a pool's members share its flows: `load_balancing_mode` and each member's `ratio`.

use super::form::{Form, reads};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// Which member gets a new flow: `round_robin`, `ratio`, `least_connections`,
/// `ratio_least_connections`, `maglev`, or
/// `{maglev: {hash: source_address, table_size: 65537}}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancingMode {
    /// Members take turns (F5's `round-robin`, and its default; IPVS's `rr`).
    #[default]
    RoundRobin,
    /// Members take turns, each as often as its ratio says (F5's `ratio-member`, IPVS's `wrr`).
    Ratio,
    /// The member with the least flows (F5's `least-connections-member`, IPVS's `lc`). Under Direct
    /// Server Return no server's FIN is seen: without loose close a flow counts until its idle
    /// timeout.
    LeastConnections,
    /// The member with the least flows for its ratio (F5's `ratio-least-connections-member`, IPVS's
    /// `wlc`).
    RatioLeastConnections,
    /// The member that the flow's hash says, each for as many hashes as its ratio says (IPVS's `mh`).
    /// Load balancers that are configured alike agree, and one that lost its flows finds the same
    /// members for them again.
    Maglev(Maglev),
}

/// Maglev's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Maglev {
    /// What is hashed.
    pub hash: MaglevHash,
    /// Places in the pool's table: a prime, a hundred times as many as there are members or more,
    /// so that shares are even. Each takes two bytes.
    pub table_size: u32,
}

impl Default for Maglev {
    /// By the five-tuple; 65,537 places, which are 128 KiB.
    fn default() -> Self {
        Self { hash: MaglevHash::FiveTuple, table_size: 65_537 }
    }
}

/// What Maglev takes for the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaglevHash {
    /// Packets of a flow: source and destination address, both ports, the protocol.
    #[default]
    FiveTuple,
    /// Packets of a client, by its address alone.
    SourceAddress,
}

impl Form for LoadBalancingMode {
    const EXPECTING: &'static str = "`round_robin`, `ratio`, `least_connections`, \
                                     `ratio_least_connections`, `maglev`, or a map with `maglev`";
    const WORDS: &'static [&'static str] =
        &["round_robin", "ratio", "least_connections", "ratio_least_connections", "maglev"];
    const KEYS: &'static [&'static str] = &["maglev"];
    type Options = Maglev;

    fn plain(word: &str) -> Option<Self> {
        match word {
            "round_robin" => Some(Self::RoundRobin),
            "ratio" => Some(Self::Ratio),
            "least_connections" => Some(Self::LeastConnections),
            "ratio_least_connections" => Some(Self::RatioLeastConnections),
            _ => None,
        }
    }

    fn with(_: &str, options: Maglev) -> Option<Self> {
        Some(Self::Maglev(options))
    }
}

reads!(LoadBalancingMode);

/// A server of a pool: `10.1.1.51:49`, or `{address: 10.1.1.51:49, ratio: 3}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Address and port; the address is where the tunnel ends.
    pub address: SocketAddr,
    /// Its share of the pool's flows against the others' ratios, where the mode looks at them. In
    /// every mode a member of ratio 0 keeps the flows that it has and gets no other (a drain), also
    /// not by persistence: F5's disabled members still take clients that persist, and IPVS's of
    /// weight 0 do unless `expire_quiescent_template` is set.
    pub ratio: u16,
}

impl From<SocketAddr> for Member {
    /// A member with the ratio 1.
    fn from(address: SocketAddr) -> Self {
        Self { address, ratio: 1 }
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            address: SocketAddr,
            #[serde(default = "one")]
            ratio: u16,
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("address and port, or a map with `address` and `ratio`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
                let address = text.parse::<SocketAddr>();
                address.map(Member::from).map_err(|_| {
                    E::custom(format_args!(
                        "`{}` is no address and port; write it such as 10.1.1.51:49",
                        text.escape_debug()
                    ))
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
                let Fields { address, ratio } =
                    Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Member { address, ratio })
            }
        }
        deserializer.deserialize_any(Any)
    }
}

const fn one() -> u16 {
    1
}

#[cfg(test)]
mod tests {
    use super::{LoadBalancingMode, Maglev, MaglevHash, Member};

    #[test]
    fn modes_are_words_and_maglev_has_options() {
        let maglev = |hash, table_size| LoadBalancingMode::Maglev(Maglev { hash, table_size });
        for (text, mode) in [
            (r#""round_robin""#, LoadBalancingMode::RoundRobin),
            (r#""ratio""#, LoadBalancingMode::Ratio),
            (r#""least_connections""#, LoadBalancingMode::LeastConnections),
            (r#""ratio_least_connections""#, LoadBalancingMode::RatioLeastConnections),
            (r#""maglev""#, maglev(MaglevHash::FiveTuple, 65_537)),
            (r#"{"maglev":{"table_size":7}}"#, maglev(MaglevHash::FiveTuple, 7)),
            (r#"{"maglev":{"hash":"source_address"}}"#, maglev(MaglevHash::SourceAddress, 65_537)),
        ] {
            let read: LoadBalancingMode = serde_json::from_str(text).unwrap();
            assert_eq!(read, mode, "{text}");
            let written = serde_json::to_string(&mode).unwrap();
            assert_eq!(serde_json::from_str::<LoadBalancingMode>(&written).unwrap(), mode);
        }
        for (text, named) in [
            (r#""fastest""#, "fastest"),
            (r#"{"ratio":{}}"#, "ratio"),
            (r#"{"maglev":{"size":7}}"#, "size"),
            (r#"{"maglev":{"hash":"port"}}"#, "port"),
        ] {
            let error = serde_json::from_str::<LoadBalancingMode>(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_member_is_an_address_or_a_map_with_its_ratio() {
        let address = "10.1.1.51:49".parse().unwrap();
        for (text, ratio) in [
            (r#""10.1.1.51:49""#, 1),
            (r#"{"address":"10.1.1.51:49"}"#, 1),
            (r#"{"address":"10.1.1.51:49","ratio":0}"#, 0),
            (r#"{"address":"10.1.1.51:49","ratio":65535}"#, 65_535),
        ] {
            let member = Member { address, ratio };
            assert_eq!(serde_json::from_str::<Member>(text).unwrap(), member, "{text}");
            let written = serde_json::to_string(&member).unwrap();
            assert_eq!(serde_json::from_str::<Member>(&written).unwrap(), member);
        }
        for (text, named) in [
            (r#""10.1.1.51""#, "`10.1.1.51` is no address and port"),
            (r#"{"ratio":1}"#, "address"),
            (r#"{"address":"10.1.1.51:49","weight":1}"#, "weight"),
            (r#"{"address":"10.1.1.51:49","ratio":65536}"#, "65536"),
        ] {
            let error = serde_json::from_str::<Member>(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
