//! Addresses, ports and paths as tmsh writes them.

use crate::service_names;
use labsim_model::quote;
use std::net::IpAddr;

/// A host, a port, and the route domain that the host is in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HostPort<'t> {
    pub(crate) host: Host<'t>,
    pub(crate) port: u16,
    /// `Some` if a route domain other than 0 is written.
    pub(crate) route_domain: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Host<'t> {
    Address(IpAddr),
    /// `any` or `any6`.
    Any,
    /// The name of an object that has the address.
    Name(&'t str),
}

/// The part of a path behind its partition and folders: `/Common/a/b` is `b`.
pub(crate) fn leaf(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A full path: what stands without one is in `/Common`.
pub(crate) fn full(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/Common/{path}") }
}

/// A path as labsim names things: without the prefix `/Common/`.
pub(crate) fn short(path: &str) -> &str {
    path.strip_prefix("/Common/").filter(|rest| !rest.is_empty()).unwrap_or(path)
}

/// Reads `172.16.4.99:49`, `/Common/node-a:http`, `2001:db8::99.49`, `10.0.0.1%2:any`.
///
/// # Errors
/// A sentence that says what is wrong and what would be right.
pub(crate) fn host_port(text: &str) -> Result<HostPort<'_>, String> {
    let written = leaf(text);
    // An IPv6 address has more than one colon, and a dot before its port.
    let separator = if written.matches(':').count() > 1 { '.' } else { ':' };
    let split = written.rsplit_once(separator).or_else(|| {
        // `any.0`, `any6.any`
        written.rsplit_once('.').filter(|(host, _)| ["any", "any6"].contains(host))
    });
    let Some((host, port)) = split.filter(|(host, _)| !host.is_empty()) else {
        return Err(format!(
            "{} is not an address with a port; write it such as 172.16.4.99:49 or 2001:db8::99.49",
            quote(text)
        ));
    };
    let number = service_names::port(port).ok_or_else(|| {
        format!(
            "{} is not a port; write a number up to 65535, a service such as `http`, or `any`",
            quote(port)
        )
    })?;
    let (host, route_domain) = without_route_domain(host)?;
    Ok(HostPort { host: self::host(host)?, port: number, route_domain })
}

/// Takes `%2` off an address; `%0` is the route domain that everything is in.
pub(crate) fn without_route_domain(host: &str) -> Result<(&str, Option<u16>), String> {
    match host.split_once('%') {
        None => Ok((host, None)),
        Some((host, number)) => match number.parse::<u16>() {
            Ok(0) => Ok((host, None)),
            Ok(number) => Ok((host, Some(number))),
            Err(_) => Err(format!(
                "{} is not a route domain; write its number, such as 10.1.1.51%2",
                quote(number)
            )),
        },
    }
}

fn host(text: &str) -> Result<Host<'_>, String> {
    if ["any", "any6"].contains(&text) {
        return Ok(Host::Any);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(if address.is_unspecified() { Host::Any } else { Host::Address(address) });
    }
    // What is made of digits, dots and colons was meant to be an address.
    if text.contains(':') || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("{} is not an address; write one such as 172.16.4.99", quote(text)));
    }
    Ok(Host::Name(text))
}

#[cfg(test)]
mod tests {
    use super::{Host, HostPort, full, host_port, leaf, short};

    fn address(text: &str) -> Host<'_> {
        Host::Address(text.parse().unwrap())
    }

    #[test]
    fn hosts_and_ports_are_read_in_every_form() {
        for (text, host, port, route_domain) in [
            ("172.16.4.99:49", address("172.16.4.99"), 49, None),
            ("/Common/172.16.4.99:tacacs", address("172.16.4.99"), 49, None),
            ("/P/folder/172.16.4.99%2:any", address("172.16.4.99"), 0, Some(2)),
            ("172.16.4.99%0:http", address("172.16.4.99"), 80, None),
            ("2001:db8::99.49", address("2001:db8::99"), 49, None),
            ("/Common/2001:db8::99%3.radius", address("2001:db8::99"), 1812, Some(3)),
            ("::ffff:10.0.0.1.443", address("::ffff:10.0.0.1"), 443, None),
            ("any:any", Host::Any, 0, None),
            ("any6.any", Host::Any, 0, None),
            ("any.0", Host::Any, 0, None),
            ("0.0.0.0:0", Host::Any, 0, None),
            ("/Common/node-a.example:49", Host::Name("node-a.example"), 49, None),
        ] {
            assert_eq!(host_port(text), Ok(HostPort { host, port, route_domain }), "{text}");
        }
    }

    #[test]
    fn invalid_hosts_and_ports_are_refused() {
        for (text, why) in [
            ("172.16.4.99", "not an address with a port"),
            ("", "not an address with a port"),
            (":49", "not an address with a port"),
            ("172.16.4.999:49", "`172.16.4.999` is not an address"),
            ("172.16.4.99:65536", "`65536` is not a port"),
            ("172.16.4.99:nosuch", "`nosuch` is not a port"),
            ("172.16.4.99:", "`` is not a port"),
            ("10.0.0.1%x:49", "`x` is not a route domain"),
            ("2001:db8::99:49", "not an address with a port"),
            ("2001:zz::99.49", "`2001:zz::99` is not an address"),
        ] {
            assert!(host_port(text).is_err_and(|expected| expected.contains(why)), "{text}");
        }
    }

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!((leaf("/Common/a/b"), leaf("b")), ("b", "b"));
        assert_eq!((full("b"), full("/P/b")), ("/Common/b".into(), "/P/b".into()));
        assert_eq!(
            (short("/Common/a/b"), short("/P/b"), short("/Common/")),
            ("a/b", "/P/b", "/Common/")
        );
    }
}
