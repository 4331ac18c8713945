//! A pool's tunnel profile: `none`, `ipip`, `gre`, or `{gre: {key: N, checksum: true}}`.

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// How packets reach a pool's members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// No encapsulation: the packet goes to the member's next hop. Without translation only its
    /// link-layer addresses and its TTL change (nPath, L2 DSR).
    #[default]
    None,
    /// IP in IP (RFC 2003).
    Ipip,
    /// Generic routing encapsulation (RFC 2784).
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

impl<'de> Deserialize<'de> for Profile {
    /// Takes a word or a map of one key: a derived reader would want a map for every `gre`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

const WORDS: &[&str] = &["none", "ipip", "gre"];

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Profile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`none`, `ipip`, `gre`, or a map with `gre`")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Profile, E> {
        match word {
            "none" => Ok(Profile::None),
            "ipip" => Ok(Profile::Ipip),
            "gre" => Ok(Profile::Gre(Gre::default())),
            other => Err(E::unknown_variant(other, WORDS)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Profile, A::Error> {
        let mut gre = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "gre" if gre.is_some() => return Err(A::Error::duplicate_field("gre")),
                "gre" => gre = Some(map.next_value::<Option<Gre>>()?.unwrap_or_default()),
                other => return Err(A::Error::unknown_field(other, &["gre"])),
            }
        }
        gre.map(Profile::Gre).ok_or_else(|| A::Error::missing_field("gre"))
    }
}

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
