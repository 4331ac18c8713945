//! A pool's tunnel profile: `none`, `ipip`, `gre`, or `{gre: {key: N, checksum: true}}`.

use super::form::{Form, reads};
use serde::{Deserialize, Serialize};

/// How packets reach a pool's members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// No encapsulation: the packet goes to the member's next hop. Without translation only its
    /// link-layer addresses and its TTL change (nPath, L2 DSR).
    #[default]
    None,
    /// IP in IP, any family in the member's (RFC 2003, RFC 4213, RFC 2473).
    Ipip,
    /// Generic routing encapsulation, likewise (RFC 2784, RFC 7676).
    Gre(Gre),
}

/// The optional fields of a GRE header; each makes it four bytes longer than its four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gre {
    /// The key (RFC 2890), which both ends have to agree on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<u32>,
    /// Whether there is a checksum over header and payload (RFC 2784 2.1).
    pub checksum: bool,
}

impl Form for Profile {
    const EXPECTING: &'static str = "`none`, `ipip`, `gre`, or a map with `gre`";
    const WORDS: &'static [&'static str] = &["none", "ipip", "gre"];
    const KEYS: &'static [&'static str] = &["gre"];
    type Options = Gre;

    fn plain(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "ipip" => Some(Self::Ipip),
            _ => None,
        }
    }

    fn with(_: &str, options: Gre) -> Option<Self> {
        Some(Self::Gre(options))
    }
}

reads!(Profile);

#[cfg(test)]
mod tests {
    use super::{Gre, Profile};

    fn read(text: &str) -> Result<Profile, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_word_and_a_map_are_read() {
        let gre = |key, checksum| Profile::Gre(Gre { key, checksum });
        for (text, profile) in [
            (r#""none""#, Profile::None),
            (r#""ipip""#, Profile::Ipip),
            (r#""gre""#, gre(None, false)),
            (r#"{"gre":null}"#, gre(None, false)),
            (r#"{"gre":{}}"#, gre(None, false)),
            (r#"{"gre":{"key":7}}"#, gre(Some(7), false)),
            (r#"{"gre":{"key":0,"checksum":true}}"#, gre(Some(0), true)),
        ] {
            assert_eq!(read(text).unwrap(), profile, "{text}");
            let written = serde_json::to_string(&profile).unwrap();
            assert_eq!(read(&written).unwrap(), profile, "{written}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (text, named) in [
            (r#""vxlan""#, "vxlan"),
            (r#"{"ipip":{}}"#, "ipip"),
            (r#"{}"#, "gre"),
            (r#"{"gre":{"sequence":1}}"#, "sequence"),
            (r#"{"gre":{},"gre":{}}"#, "duplicate"),
            ("7", "map with `gre`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
