//! Addresses, prefixes and ports as they are written.

use crate::file::Texts;
use crate::text::quoted;
use ipnet::IpNet;
use labsim_yaml::Located;
use std::net::{IpAddr, SocketAddr};

/// One text or a list of texts, each with its place.
pub(super) fn each(texts: &Located<Texts>) -> Vec<Located<String>> {
    match &texts.value {
        Texts::Text(text) => vec![Located::new(text.clone(), texts.span)],
        Texts::List(list) => list.to_vec(),
    }
}

/// An address without a prefix length.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| {
        if text.contains('/') {
            format!("{} has a prefix length; write the address alone", quoted(text))
        } else {
            format!(
                "{} is not an address; write one such as 10.1.1.51 or 2001:db8::51",
                quoted(text)
            )
        }
    })
}

/// An address that one host can have.
pub(super) fn unicast(address: IpAddr) -> Result<IpAddr, String> {
    labsim_model::unicast_error(SocketAddr::new(address, 0)).map_or(Ok(address), Err)
}

/// An address that one host can have, without a prefix length.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    address(text).and_then(unicast)
}

/// Address and prefix length. ipnet's own parser takes octets with leading zeros, which some read
/// as octal; std's refuses them.
fn net(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    let length = length.parse().ok().filter(|_| digits)?;
    IpNet::new(address.parse().ok()?, length).ok()
}

/// An interface's address with its prefix length, host bits kept.
pub(super) fn interface(text: &str) -> Result<IpNet, String> {
    let Some(net) = net(text) else {
        return Err(match text.parse::<IpAddr>() {
            Ok(address) => {
                let length = if address.is_ipv4() { 24 } else { 64 };
                format!("{address} lacks its prefix length; write it such as {address}/{length}")
            }
            Err(_) => format!(
                "{} is not an address with a prefix length; write one such as 10.1.1.51/24 or \
                 2001:db8::51/64",
                quoted(text)
            ),
        });
    };
    unicast(net.addr())?;
    // A prefix that has room for its network and broadcast addresses (RFC 3021: /31 has not),
    // or for the subnet-router anycast address (RFC 4291, 2.6.1; RFC 6164: /127 has not).
    let roomy = net.max_prefix_len() - net.prefix_len() > 1;
    if net.prefix_len() == 0 {
        Err(format!("{net} would put every address on this link; write a longer prefix"))
    } else if roomy && net.addr() == net.network() {
        Err(format!("{} is the address of the network itself; write a host's", quoted(text)))
    } else if roomy && net.addr().is_ipv4() && net.addr() == net.broadcast() {
        Err(format!("{} is the broadcast address of its network; write a host's", quoted(text)))
    } else {
        Ok(net)
    }
}

/// An address, or a prefix without host bits.
pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let net = net(text).ok_or_else(|| {
        format!(
            "{} is neither an address nor a prefix; write one such as 10.1.1.51 or 10.1.1.0/24",
            quoted(text)
        )
    })?;
    if net.addr() == net.network() {
        Ok(net)
    } else {
        Err(format!("{net} has host bits; write {}", net.trunc()))
    }
}

/// An address and a port; `any` in the port's place is 0.
pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    let socket = labsim_model::parse_endpoint(text)?;
    unicast(socket.ip()).map(|_| socket)
}

/// An address and one port.
pub(super) fn one_port(text: &str) -> Result<SocketAddr, String> {
    let socket = socket(text)?;
    if socket.port() == 0 {
        return Err("`any` stands for every port; write one from 1 to 65535".to_owned());
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_addresses_are_hosts_of_their_networks() {
        for text in ["10.1.1.51/24", "10.0.0.0/31", "10.0.0.1/32", "2001:db8::/127", "fd00::1/64"] {
            assert!(interface(text).is_ok(), "{text}");
        }
        for (text, why) in [
            ("10.1.1.51", "lacks its prefix length; write it such as 10.1.1.51/24"),
            ("fd00::1", "write it such as fd00::1/64"),
            ("10.1.1.0/24", "the network itself"),
            ("10.1.1.255/24", "broadcast"),
            ("2001:db8::/64", "the network itself"),
            ("10.1.1.1/0", "every address"),
            ("224.0.0.1/24", "multicast"),
            ("127.0.0.1/8", "loopback"),
            ("::ffff:10.0.0.1/120", "IPv4-mapped"),
            ("fe80::1/64", "link-local"),
            ("10.1.1.1/33", "not an address with a prefix length"),
            ("010.1.1.1/24", "not an address with a prefix length"),
        ] {
            assert!(interface(text).is_err_and(|said| said.contains(why)), "{text}");
        }
    }

    #[test]
    fn sockets_of_both_families_are_read() {
        assert_eq!(socket("172.16.4.99:any"), Ok("172.16.4.99:0".parse().unwrap()));
        assert_eq!(socket("[2001:db8::99]:49"), Ok("[2001:db8::99]:49".parse().unwrap()));
        for text in ["172.16.4.99", "172.16.4.99:0", "2001:db8::99:49", "[10.0.0.1]:49", "x:1", ":"]
        {
            assert!(socket(text).is_err(), "{text}");
        }
        assert!(one_port("172.16.4.99:any").is_err());
    }

    #[test]
    fn a_prefix_has_no_host_bits() {
        assert_eq!(prefix("10.1.1.5"), Ok("10.1.1.5/32".parse().unwrap()));
        assert_eq!(
            prefix("10.1.1.5/24"),
            Err("10.1.1.5/24 has host bits; write 10.1.1.0/24".into())
        );
    }
}
