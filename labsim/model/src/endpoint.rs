//! An address and a port: `172.16.4.99:49`, `[2001:db8::99]:49`, `172.16.4.99:any`.

use crate::text::quote;
use labsim_yaml::{Context, Forms, FromYaml, Node};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Reads an address and a port; `any` in the port's place is 0.
///
/// # Errors
/// A sentence that says what would be right.
pub fn parse_endpoint(text: &str) -> Result<SocketAddr, String> {
    let (address, port) = split(text)?;
    let port = match port {
        "any" => 0,
        _ => match port.parse::<u16>() {
            Ok(0) => return Err("port 0 does not exist; write 1 to 65535, or `any`".to_owned()),
            Ok(port) => port,
            Err(_) => return Err(wrong(text)),
        },
    };
    Ok(SocketAddr::new(address, port))
}

/// Splits an address from what stands behind it in the port's place.
pub(crate) fn split(text: &str) -> Result<(IpAddr, &str), String> {
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong(text))?;
    let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse().map(IpAddr::V6).map_err(|_| wrong(text))?,
        None => host.parse().map(IpAddr::V4).map_err(|_| wrong(text))?,
    };
    Ok((address, port))
}

fn wrong(text: &str) -> String {
    format!(
        "{} is not an address with a port; write it such as 172.16.4.99:49 or [2001:db8::99]:49",
        quote(text)
    )
}

/// An endpoint as a YAML value.
pub(crate) struct Endpoint(SocketAddr);

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.0
    }
}

/// Stands for an endpoint that could not be read; no text gives it. Checks pass over it.
pub(crate) const UNREAD: SocketAddr =
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, u32::MAX, 0));

/// Whether an endpoint stands for one that could not be read from a file with errors.
#[must_use]
pub fn is_unread(endpoint: SocketAddr) -> bool {
    endpoint == UNREAD
}

impl FromYaml for Endpoint {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "an address and a port, such as `172.16.4.99:49`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let errors = context.errors();
        let text = context.text(node, &Self::expected()).map(str::to_owned);
        // Something in any case: an item that a list lacks would move those after it.
        let read = context.convert(node, text, errors, |text| parse_endpoint(&text));
        Some(Self(read.unwrap_or(UNREAD)))
    }

    fn placeholder() -> Option<Self> {
        Some(Self(UNREAD))
    }
}

/// Writes an endpoint as [`parse_endpoint`] reads it.
fn format_endpoint(endpoint: SocketAddr) -> String {
    match (endpoint.port(), endpoint.ip()) {
        (0, IpAddr::V4(address)) => format!("{address}:any"),
        (0, IpAddr::V6(address)) => format!("[{address}]:any"),
        _ => endpoint.to_string(),
    }
}

/// An endpoint as a serde value.
pub(crate) mod as_text {
    use super::{SocketAddr, format_endpoint, parse_endpoint};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        endpoint: &SocketAddr,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_endpoint(*endpoint))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SocketAddr, D::Error> {
        parse_endpoint(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{format_endpoint, parse_endpoint};

    #[test]
    fn endpoints_of_both_families_are_read_and_written() {
        for (text, address) in [
            ("172.16.4.99:49", "172.16.4.99:49"),
            ("172.16.4.99:any", "172.16.4.99:0"),
            ("[2001:db8::99]:49", "[2001:db8::99]:49"),
            ("[2001:db8::99]:any", "[2001:db8::99]:0"),
        ] {
            let read = parse_endpoint(text).unwrap();
            assert_eq!(read, address.parse().unwrap());
            assert_eq!(format_endpoint(read), text);
        }
        for text in ["172.16.4.99", "172.16.4.99:0", "2001:db8::99:49", "[10.0.0.1]:49", "x:1", ":"]
        {
            assert!(parse_endpoint(text).is_err(), "{text}");
        }
    }
}
