//! Whether established flows are forwarded by the kernel.

use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who forwards the packets of established flows (F5's `pva-acceleration`; its hardware is called PVA,
/// packet velocity acceleration). No packet on the wire depends on it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PvaAcceleration {
    /// The engine forwards every packet.
    #[default]
    None,
    /// The engine opens flows, and what follows is the kernel's. F5 calls it assisted: the first packets
    /// of a connection are processed in software. Here it is the same as `full`.
    Partial,
    /// The same: where F5's hardware may open flows too, here the engine always does.
    Full,
}

impl PvaAcceleration {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Partial, Self::Full];

    /// The default, which is not written.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The word of a configuration, which is F5's.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Full => "full",
        }
    }
}

/// What the names of the devices begin with through which the forwarder gets what the kernel leaves to it; the number of
/// the interface follows, and `p` in the name of the pair's other end.
pub const FAST_PATH_DEVICE: &str = "pva";

/// Whether a device is the fast path's own, by its name.
#[must_use]
pub fn is_fast_path_device(name: &str) -> bool {
    let number = name.strip_prefix(FAST_PATH_DEVICE);
    let number = number.map(|number| number.strip_suffix('p').unwrap_or(number));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_fast_path_device;

    #[test]
    fn devices_of_the_fast_path_are_known_by_their_names() {
        assert!(["pva2", "pva17p"].into_iter().all(is_fast_path_device));
        assert!(
            !["eth0", "pva", "pvap", "pva2x", "pva2pp", "apva2"]
                .into_iter()
                .any(is_fast_path_device)
        );
    }
}
