//! What a virtual server takes: an address and one port, several, or every one: `172.16.4.99:49`,
//! `172.16.4.99:8000-8010`, `172.16.4.99:80,443,8000-8010`, `172.16.4.99:any`.

use crate::endpoint::{UNREAD, is_unread, split};
use crate::text::quote;
use labsim_yaml::{Context, Forms, FromYaml, Node};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Most ports and ranges of a virtual server.
const MOST_RANGES: usize = 256;

/// A VIP and the ports that a virtual server takes of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// The address, at port 0.
    address: SocketAddr,
    ports: Ports,
}

impl Destination {
    /// Stands for a destination that could not be read; see [`is_unread`].
    fn unread() -> Self {
        Self { address: UNREAD, ports: Ports::ANY }
    }

    /// These ports of an address.
    #[must_use]
    pub fn new(address: IpAddr, ports: Ports) -> Self {
        Self { address: SocketAddr::new(address, 0), ports }
    }

    /// Whether it stands for one that could not be read from a file with errors.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        is_unread(self.address)
    }

    /// The VIP, at port 0.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The VIP.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Whether the VIP is an IPv4 address.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether the VIP is an IPv6 address.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.address.is_ipv6()
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The port, if it is one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.ports.single()
    }
}

impl From<SocketAddr> for Destination {
    /// An address and its port; port 0 is every port.
    fn from(endpoint: SocketAddr) -> Self {
        let ports = match endpoint.port() {
            0 => Ports::ANY,
            port => port.into(),
        };
        let mut address = endpoint;
        address.set_port(0);
        Self { address, ports }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip() {
            IpAddr::V4(address) => write!(f, "{address}:{}", self.ports),
            IpAddr::V6(address) => write!(f, "[{address}]:{}", self.ports),
        }
    }
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, ports) = split(text)?;
        Ok(Self::new(address, ports.parse()?))
    }
}

impl FromYaml for Destination {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "an address and a port, such as `172.16.4.99:49`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let errors = context.errors();
        let text = context.text(node, &Self::expected()).map(str::to_owned);
        let read = context.convert(node, text, errors, |text| text.parse());
        Some(read.unwrap_or_else(Self::unread))
    }

    fn placeholder() -> Option<Self> {
        Some(Self::unread())
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which ports: every one, or ranges in order, of which no two overlap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports(Vec<PortRange>);

impl Ports {
    /// Every port that no other virtual server of the address and protocol takes.
    pub const ANY: Self = Self(Vec::new());

    /// These ports; not [`Self::ANY`].
    ///
    /// # Errors
    /// A sentence that says what would be right: there is none, too many, one that does not exist, or
    /// one that stands twice.
    pub fn of(mut ranges: Vec<PortRange>) -> Result<Self, String> {
        if ranges.is_empty() {
            return Err("there is no port; write one from 1 to 65535, or `any`".to_owned());
        }
        if ranges.len() > MOST_RANGES {
            let number = ranges.len();
            return Err(format!(
                "{number} ports and ranges; a virtual server takes {MOST_RANGES}: write ranges"
            ));
        }
        ranges.sort_unstable();
        for range in &ranges {
            if range.first == 0 {
                return Err("port 0 does not exist; write 1 to 65535, or `any`".to_owned());
            }
            if range.first > range.last {
                return Err(format!(
                    "{range} is no range of ports; write the lower one first, such as 8000-8010"
                ));
            }
        }
        for (one, other) in ranges.iter().zip(ranges.iter().skip(1)) {
            if one.overlaps(*other) {
                return Err(format!("{one} and {other} have ports in common; write each once"));
            }
        }
        Ok(Self(ranges))
    }

    /// Whether it is every port.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges in order, a port by itself too; none for every port.
    #[must_use]
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// The port, if it is one.
    #[must_use]
    pub fn single(&self) -> Option<u16> {
        match self.0[..] {
            [PortRange { first, last }] if first == last => Some(first),
            _ => None,
        }
    }

    /// The lowest port; `None` for every port.
    #[must_use]
    pub fn first(&self) -> Option<u16> {
        self.0.first().map(|range| range.first)
    }

    /// A port that is one of both, the lowest such. Two that are every port have none in common by
    /// number.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<u16> {
        let all = self.0.iter().flat_map(|one| other.0.iter().map(move |it| (*one, *it)));
        all.filter(|(one, it)| one.overlaps(*it)).map(|(one, it)| one.first.max(it.first)).min()
    }

    /// Whether `port` is one of them.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        let at = self.0.partition_point(|range| range.last < port);
        self.is_any() || self.0.get(at).is_some_and(|range| range.first <= port)
    }
}

impl From<u16> for Ports {
    /// One port, which is not 0.
    fn from(port: u16) -> Self {
        Self(vec![port.into()])
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("any");
        }
        for (number, range) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{range}")?;
        }
        Ok(())
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self::ANY);
        }
        Self::of(text.split(',').map(str::parse).collect::<Result<_, _>>()?)
    }
}

/// A range of ports, both ends in it; a port by itself has it as both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// Whether some port is in both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl From<u16> for PortRange {
    fn from(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        let range = number(first).zip(number(last)).map(|(first, last)| Self { first, last });
        range.ok_or_else(|| {
            format!(
                "{} is no port; write 1 to 65535, a range such as 8000-8010, a list of both such as \
                 \"80,443,8000-8010\", or `any`",
                quote(text)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, PortRange, Ports};

    #[test]
    fn destinations_are_read_and_written() {
        for text in [
            "172.16.4.99:49",
            "172.16.4.99:any",
            "172.16.4.99:8000-8010",
            "172.16.4.99:80,443,8000-8010",
            "[2001:db8::99]:1-65535",
            "[2001:db8::99]:any",
        ] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
        let read: Destination = "172.16.4.99:443,80".parse().unwrap();
        assert_eq!(read.to_string(), "172.16.4.99:80,443", "in order");
        assert_eq!(read.port(), None);
        assert_eq!(
            Destination::from("10.0.0.1:49".parse::<std::net::SocketAddr>().unwrap()).port(),
            Some(49)
        );
    }

    #[test]
    fn what_is_no_destination_is_refused_with_what_would_be_right() {
        for (text, why) in [
            ("172.16.4.99", "is not an address with a port"),
            ("2001:db8::99:49", "is not an address with a port"),
            ("172.16.4.99:0", "port 0 does not exist"),
            ("172.16.4.99:0-10", "port 0 does not exist"),
            ("172.16.4.99:10-9", "10-9 is no range of ports; write the lower one first"),
            ("172.16.4.99:9-", "`9-` is no port"),
            ("172.16.4.99:80,", "`` is no port"),
            ("172.16.4.99:80,any", "`any` is no port"),
            ("172.16.4.99:65536", "`65536` is no port"),
            ("172.16.4.99:+80", "`+80` is no port"),
            ("172.16.4.99:80,80", "80 and 80 have ports in common"),
            ("172.16.4.99:80-90,85", "80-90 and 85 have ports in common"),
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let many = (1..=257).map(PortRange::from).collect();
        assert!(Ports::of(many).unwrap_err().contains("257 ports and ranges"));
        assert!(Ports::of(Vec::new()).is_err());
    }

    #[test]
    fn a_port_is_found_at_the_ends_of_each_range_and_between_them() {
        let ports: Ports = "80,443,8000-8010".parse().unwrap();
        let found: Vec<u16> = (1..=u16::MAX).filter(|port| ports.contains(*port)).collect();
        let expected: Vec<u16> = [80, 443].into_iter().chain(8000..=8010).collect();
        assert_eq!(found, expected);
        assert!(Ports::ANY.contains(1) && Ports::ANY.contains(u16::MAX));
    }
}
