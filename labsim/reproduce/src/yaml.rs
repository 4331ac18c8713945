//! Addresses as they stand in a file of YAML.

use std::net::IpAddr;

/// An address, in quotes where it has colons, which are YAML's too.
pub(crate) fn quoted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(_) => address.to_string(),
        IpAddr::V6(_) => format!("\"{address}\""),
    }
}
