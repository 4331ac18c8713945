//! Whose packets are that the program does not forward.

use crate::Error;
use crate::layout::{AddressKey, MOST_SERVICES, OwnedValue, Writer};
use labsim_forwarder::{PortRange, RxFilter, Service};
use labsim_wire::protocol;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// An address of which the engine takes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The destination of packets.
    pub address: IpAddr,
    /// What of it.
    pub share: Share,
}

/// What the engine takes of an address, and what the host's kernel gets nevertheless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// Every packet, and the kernel none: a VIP that the host does not have, or a SNAT address.
    All,
    /// Every packet, and the kernel those that are not of these services: a VIP that the host has
    /// too. Later fragments of a service's protocol are of the service.
    Services(Vec<Service>),
    /// TCP and UDP to these ports, which the kernel does not get; and ICMP errors and later fragments,
    /// which both get: a SNAT address that is the interface's own.
    Ports(PortRange),
    /// ICMP errors, which both get: the source of tunnel packets.
    Errors,
}

impl Owned {
    /// Whose packets are whose, as the engine says it.
    #[must_use]
    pub fn of_filter(filter: &RxFilter) -> Vec<Self> {
        let RxFilter { owned, kept_from_host, shared, tunnel_sources, ports } = filter;
        let vips = owned.iter().map(|address| {
            let kept = kept_from_host.iter().filter(|kept| kept.address == *address);
            let services: Option<Vec<Service>> = kept.map(|kept| kept.service).collect();
            Self { address: *address, share: services.map_or(Share::All, Share::Services) }
        });
        let range = PortRange { first: ports.first, last: ports.last };
        let shared =
            shared.iter().map(|address| Self { address: *address, share: Share::Ports(range) });
        let sources =
            tunnel_sources.iter().map(|address| Self { address: *address, share: Share::Errors });
        vips.chain(shared).chain(sources).collect()
    }
}

/// Bits of `flags` in `struct owned`.
const ALL: u32 = 1;
const HOST: u32 = 2;
const SHARED: u32 = 4;
const ERRORS: u32 = 8;

/// The program's entry for each address. Of an address that is given twice, the engine takes what it
/// takes of either; a greater share is the one that counts.
pub(crate) fn encode(owned: &[Owned]) -> Result<BTreeMap<AddressKey, OwnedValue>, Error> {
    let mut shares: BTreeMap<IpAddr, &Share> = BTreeMap::new();
    for Owned { address, share } in owned {
        let place = shares.entry(*address).or_insert(share);
        if rank(share) < rank(place) {
            *place = share;
        }
    }
    let entries = shares.into_iter();
    entries.map(|(address, share)| Ok((key(address), value(address, share)?))).collect()
}

const fn rank(share: &Share) -> u8 {
    match share {
        Share::Services(_) => 0,
        Share::All => 1,
        Share::Ports(_) => 2,
        Share::Errors => 3,
    }
}

fn key(address: IpAddr) -> AddressKey {
    match address {
        IpAddr::V4(address) => Ipv4Addr::to_ipv6_mapped(&address).octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn value(address: IpAddr, share: &Share) -> Result<OwnedValue, Error> {
    let service = |protocol, ports| Service { protocol, ports: Some(ports) };
    let (flags, services) = match share {
        Share::All => (ALL, Vec::new()),
        Share::Services(services) => (ALL | HOST, merged(services)),
        Share::Ports(ports) => {
            (SHARED, [protocol::TCP, protocol::UDP].map(|it| service(it, *ports)).to_vec())
        }
        Share::Errors => (ERRORS, Vec::new()),
    };
    if services.len() > MOST_SERVICES {
        return Err(Error::TooManyServices { address, services: services.len() });
    }
    let mut writer = Writer::new().u32(flags).u32(services.len() as u32);
    for Service { protocol, ports } in services {
        let PortRange { first, last } = ports.unwrap_or(EVERY_PORT);
        writer = writer.bytes(&[protocol, 0]);
        writer = writer.bytes(&first.to_ne_bytes()).bytes(&last.to_ne_bytes());
    }
    Ok(writer.finish())
}

const EVERY_PORT: PortRange = PortRange { first: 0, last: u16::MAX };

/// The same services in as few ranges as there can be.
fn merged(services: &[Service]) -> Vec<Service> {
    let range = |service: &Service| (service.protocol, service.ports.unwrap_or(EVERY_PORT));
    let mut all: Vec<(u8, PortRange)> = services.iter().map(range).collect();
    all.sort_unstable_by_key(|(protocol, ports)| (*protocol, ports.first, ports.last));
    let mut merged: Vec<(u8, PortRange)> = Vec::new();
    for (protocol, ports) in all {
        match merged.last_mut() {
            Some((last, known))
                if *last == protocol && ports.first <= known.last.saturating_add(1) =>
            {
                known.last = known.last.max(ports.last);
            }
            _ => merged.push((protocol, ports)),
        }
    }
    merged.into_iter().map(|(protocol, ports)| Service { protocol, ports: Some(ports) }).collect()
}

#[cfg(test)]
mod tests {
    use super::{EVERY_PORT, Owned, PortRange, RxFilter, Service, Share, encode, merged};
    use crate::Error;
    use labsim_forwarder::{Kept, SnatPorts};
    use std::net::IpAddr;

    fn service(protocol: u8, first: u16, last: u16) -> Service {
        Service { protocol, ports: Some(PortRange { first, last }) }
    }

    #[test]
    fn services_that_touch_or_overlap_become_one() {
        let services = [
            service(17, 53, 53),
            service(6, 81, 90),
            service(6, 80, 80),
            service(6, 85, 100),
            service(6, 102, 103),
        ];
        let expected = [service(6, 80, 100), service(6, 102, 103), service(17, 53, 53)];
        assert_eq!(merged(&services), expected);
        let every = Service { protocol: 6, ports: None };
        let all = service(6, EVERY_PORT.first, EVERY_PORT.last);
        assert_eq!(merged(&[service(6, 65_535, 65_535), every]), [all]);
    }

    #[test]
    fn more_services_of_an_address_than_the_program_compares_are_refused_with_the_address() {
        let every_second = |count: u16| (0..count).map(|n| service(6, 2 * n, 2 * n)).collect();
        let owned = |count| {
            [Owned { address: [10, 0, 0, 1].into(), share: Share::Services(every_second(count)) }]
        };
        assert_eq!(encode(&owned(32)).unwrap().len(), 1);
        let error = encode(&owned(33)).unwrap_err();
        assert!(matches!(error, Error::TooManyServices { services: 33, .. }), "{error}");
        assert!(error.to_string().contains("10.0.0.1"), "{error}");
    }

    #[test]
    fn of_an_address_that_is_given_twice_the_greater_share_counts() {
        let owned = |share| Owned { address: [10, 0, 0, 1].into(), share };
        let of = |shares: &[Share]| {
            encode(&shares.iter().cloned().map(owned).collect::<Vec<_>>()).unwrap()
        };
        let ports = Share::Ports(PortRange { first: 1, last: 2 });
        assert_eq!(of(&[Share::Errors, ports.clone()]), of(std::slice::from_ref(&ports)));
        assert_eq!(of(&[ports, Share::Errors, Share::All]), of(&[Share::All]));
    }

    #[test]
    fn the_program_leaves_to_each_what_the_filter_says() {
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let service = Service { protocol: 6, ports: Some(PortRange { first: 49, last: 50 }) };
        let rx_filter = RxFilter {
            owned: vec![address(1), address(2)],
            kept_from_host: vec![
                Kept { address: address(1), service: None },
                Kept { address: address(2), service: Some(service) },
            ],
            shared: vec![address(3)],
            tunnel_sources: vec![address(3), address(4)],
            ports: SnatPorts { first: 61_000, last: 61_003 },
        };
        let ports = PortRange { first: 61_000, last: 61_003 };
        let services = vec![service];
        let expected = [
            (1, Share::All),
            (2, Share::Services(services)),
            (3, Share::Ports(ports)),
            (3, Share::Errors),
            (4, Share::Errors),
        ];
        let expected = expected.map(|(last, share)| Owned { address: address(last), share });
        assert_eq!(Owned::of_filter(&rx_filter), expected);
    }
}
