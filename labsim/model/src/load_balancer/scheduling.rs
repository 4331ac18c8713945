//! How a pool's members share its flows: `load_balancing_mode`.

use labsim_yaml::{FromYaml, short_forms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which member gets a new flow: `round_robin`, `ratio`, `least_connections`,
/// `ratio_least_connections`, `maglev`, or
/// `{maglev: {hash: source_address, table_size: 65537}}`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = short_forms::<Self>)]
pub enum LoadBalancingMode {
    /// Members take turns (F5's `round-robin`, and its default; IPVS's `rr`).
    #[default]
    RoundRobin,
    /// Members take turns, each in proportion to its ratio (F5's `ratio-member`, IPVS's `wrr`).
    Ratio,
    /// The member with the least flows (F5's `least-connections-member`, IPVS's `lc`). Under Direct
    /// Server Return no server's FIN is seen: without loose close a flow counts until its idle
    /// timeout.
    LeastConnections,
    /// The member with the least flows for its ratio (F5's `ratio-least-connections-member`, IPVS's
    /// `wlc`).
    RatioLeastConnections,
    /// The member that the flow's hash selects, each for as many hashes as its ratio (IPVS's `mh`).
    /// Load balancers that are configured alike agree, and one that lost its flows finds the same
    /// members for them again.
    #[yaml(bare)]
    Maglev(Maglev),
}

/// Maglev's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Maglev {
    /// What is hashed: the `five_tuple` (the default) or the `source_address`.
    pub hash: MaglevHash,
    /// Places in the pool's table, a prime; 65537 by default. A hundred times as many as there are
    /// members or more make even shares. Each takes two bytes.
    pub table_size: u32,
}

impl Default for Maglev {
    /// By the five-tuple; 65,537 places, which are 128 KiB.
    fn default() -> Self {
        Self { hash: MaglevHash::FiveTuple, table_size: 65_537 }
    }
}

/// What Maglev hashes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MaglevHash {
    /// Both addresses, both ports and the protocol: each flow by itself.
    #[default]
    FiveTuple,
    /// The client's address: all of its flows alike.
    SourceAddress,
}

#[cfg(test)]
mod tests {
    use super::{LoadBalancingMode, Maglev, MaglevHash};

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
            let read: LoadBalancingMode =
                labsim_yaml::read(&labsim_yaml::Source::new("test", text)).unwrap();
            assert_eq!(read, mode, "{text}");
            let written = serde_json::to_string(&mode).unwrap();
            assert_eq!(
                labsim_yaml::read::<LoadBalancingMode>(&labsim_yaml::Source::new(
                    "test",
                    written.as_str()
                ))
                .unwrap(),
                mode
            );
        }
        for (text, named) in [
            (r#""fastest""#, "fastest"),
            (r#"{"ratio":{}}"#, "ratio"),
            (r#"{"maglev":{"size":7}}"#, "size"),
            (r#"{"maglev":{"hash":"port"}}"#, "port"),
        ] {
            let error =
                labsim_yaml::read::<LoadBalancingMode>(&labsim_yaml::Source::new("test", text))
                    .unwrap_err()
                    .to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
