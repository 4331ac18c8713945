//! One table of nftables with one chain at an interface's ingress (linux/netfilter/nf_tables.h).
//!
//! The transport's header is found behind options and extension headers, and a later fragment has none
//! there (`nft_set_pktinfo_ipv4_validate`, `nft_payload_eval`).

use labsim_forwarder::{Kept, PortRange, Service};
use labsim_sys::Errno;
use labsim_sys::netlink::Refusal;
use labsim_sys::netlink::attribute::{nested, plain};
use labsim_sys::netlink::nftables::{Change, transact};
use labsim_wire::ethernet::ethertype;
use netlink_packet_core::DefaultNla;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

/// `NFT_MSG_NEWTABLE`, `NFT_MSG_NEWCHAIN`, `NFT_MSG_NEWRULE`.
const NEW_TABLE: u8 = 0;
const NEW_CHAIN: u8 = 3;
const NEW_RULE: u8 = 6;
/// `NFPROTO_NETDEV`, `NF_NETDEV_INGRESS`, and a priority before other chains'.
const NETDEV: u8 = 5;
const INGRESS: u32 = 0;
const PRIORITY: i32 = -500;
/// `NFT_TABLE_F_OWNER`: the table goes with the socket that made it.
const OWNER: u32 = 2;
const CHAIN: &[u8] = b"vips\0";
/// The table's place among the changes.
const TABLE_AT: usize = 0;

/// `enum nft_payload_bases`.
const LINK_LAYER: u32 = 0;
const NETWORK_LAYER: u32 = 1;
const TRANSPORT_LAYER: u32 = 2;
const ETHERTYPE_AT: u32 = 12;
/// Where a header of IPv4 and one of IPv6 have the destination.
const DESTINATION_AT: (u32, u32) = (16, 24);
const DESTINATION_PORT_AT: u32 = 2;
/// The fragment offset in IPv4's header, and in IPv6's fragment header (type 44).
const FRAGMENT_AT: u32 = 6;
const FRAGMENT_OFFSET: u16 = 0x1fff;
const FRAGMENT_HEADER: u8 = 44;
const FRAGMENT_AT_V6: u32 = 2;
const FRAGMENT_OFFSET_V6: u16 = 0xfff8;
/// `NFT_META_L4PROTO`.
const TRANSPORT: u32 = 16;
/// `NFT_META_PKTTYPE`, and frames to another host (`PACKET_OTHERHOST`).
const PACKET_TYPE: u32 = 19;
const OTHER_HOST: u8 = 3;
/// `NFT_REG_1`, `NFT_REG_VERDICT`, `NFT_CMP_EQ`, `NFT_CMP_NEQ`, `NFT_CMP_LTE`, `NFT_CMP_GTE`, `NF_DROP`.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;
const EQUAL: u32 = 0;
const DIFFERENT: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;
const DROP: u32 = 0;

/// A table that is in place; the kernel removes it when its socket is closed.
#[derive(Debug)]
pub(super) struct Table {
    _owner: OwnedFd,
}

impl Table {
    /// Drops these untagged packets that come in on the interface for this host. Tables of one interface
    /// differ by their numbers.
    pub(super) fn dropping(
        interface: &str,
        number: u32,
        kept: &[Kept],
    ) -> Result<Self, Refusal<usize>> {
        Ok(Self { _owner: transact(&changes(interface, number, kept))? })
    }
}

/// Whether the kernel has not what the rules need, or gives it to nobody without CAP_NET_ADMIN; every
/// other refusal is a mistake in the rules, or a want of memory. Before Linux 5.12 a table with an owner
/// is invalid (`nf_tables_newtable`).
pub(super) fn is_unsupported(refusal: &Refusal<usize>) -> bool {
    match refusal.errno {
        Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::ENOENT | Errno::EPERM => true,
        Errno::EINVAL => refusal.what == Some(TABLE_AT),
        _ => false,
    }
}

fn changes(interface: &str, generation: u32, kept: &[Kept]) -> Vec<Change> {
    let device = format!("{interface}\0");
    let table = format!("labsim-forwarder-{interface}-{generation}\0");
    let table = table.as_bytes();
    let hook =
        [number(1, INGRESS), number(2, PRIORITY.cast_unsigned()), plain(3, device.as_bytes())];
    let mut changes = vec![
        change(NEW_TABLE, vec![plain(1, table), number(2, OWNER)]),
        change(
            NEW_CHAIN,
            vec![plain(1, table), plain(3, CHAIN), nested(4, &hook), plain(7, b"filter\0")],
        ),
    ];
    // Later fragments have no port: one rule is enough for all ports of a protocol.
    let fragmented = kept.iter().filter_map(|kept| {
        let service = kept.service.filter(|service| service.ports.is_some())?;
        Some((kept.address, service.protocol))
    });
    let fragmented: BTreeSet<(IpAddr, u8)> = fragmented.collect();
    let fragments = fragmented.into_iter().map(|(address, protocol)| {
        dropped(address, &[&transport(protocol)[..], &later_fragment(address)].concat())
    });
    let rules = kept.iter().map(rule).chain(fragments);
    changes
        .extend(rules.map(|rule| {
            change(NEW_RULE, vec![plain(1, table), plain(2, CHAIN), nested(4, &rule)])
        }));
    changes
}

/// The rule that drops such packets, without later fragments where a port tells.
fn rule(kept: &Kept) -> Vec<DefaultNla> {
    let mut which = Vec::new();
    if let Some(Service { protocol, ports }) = kept.service {
        which.extend(transport(protocol));
        if let Some(PortRange { first, last }) = ports {
            which.push(payload(TRANSPORT_LAYER, DESTINATION_PORT_AT, 2));
            match first == last {
                true => which.push(compare(EQUAL, &first.to_be_bytes())),
                false => which.extend([
                    compare(AT_LEAST, &first.to_be_bytes()),
                    compare(AT_MOST, &last.to_be_bytes()),
                ]),
            }
        }
    }
    dropped(kept.address, &which)
}

/// Drops packets to the address of which all that is true.
fn dropped(address: IpAddr, which: &[DefaultNla]) -> Vec<DefaultNla> {
    let drop = nested(2, &[number(1, DROP)]);
    let drop = [expression(b"immediate\0", &[number(1, VERDICT), nested(2, &[drop])])];
    [&to(address)[..], which, &drop].concat()
}

fn transport(protocol: u8) -> [DefaultNla; 2] {
    [meta(TRANSPORT), compare(EQUAL, &[protocol])]
}

/// Untagged packets to the address that come in for this host.
fn to(address: IpAddr) -> [DefaultNla; 6] {
    let (at, octets, ethertype) = match address {
        IpAddr::V4(address) => (DESTINATION_AT.0, address.octets().to_vec(), ethertype::IPV4),
        IpAddr::V6(address) => (DESTINATION_AT.1, address.octets().to_vec(), ethertype::IPV6),
    };
    [
        payload(NETWORK_LAYER, at, octets.len() as u32),
        compare(EQUAL, &octets),
        payload(LINK_LAYER, ETHERTYPE_AT, 2),
        compare(EQUAL, &ethertype.to_be_bytes()),
        meta(PACKET_TYPE),
        compare(DIFFERENT, &[OTHER_HOST]),
    ]
}

/// A fragment that is not its datagram's first.
fn later_fragment(of: IpAddr) -> [DefaultNla; 3] {
    let (offset, mask) = match of {
        IpAddr::V4(_) => (payload(NETWORK_LAYER, FRAGMENT_AT, 2), FRAGMENT_OFFSET),
        IpAddr::V6(_) => {
            let parts = [
                number(1, REGISTER),
                plain(2, &[FRAGMENT_HEADER]),
                number(3, FRAGMENT_AT_V6),
                number(4, 2),
            ];
            (expression(b"exthdr\0", &parts), FRAGMENT_OFFSET_V6)
        }
    };
    let mask = [
        number(1, REGISTER),
        number(2, REGISTER),
        number(3, 2),
        nested(4, &[plain(1, &mask.to_be_bytes())]),
        nested(5, &[plain(1, &[0, 0])]),
    ];
    [offset, expression(b"bitwise\0", &mask), compare(DIFFERENT, &[0, 0])]
}

fn meta(key: u32) -> DefaultNla {
    expression(b"meta\0", &[number(1, REGISTER), number(2, key)])
}

fn change(kind: u8, attributes: Vec<DefaultNla>) -> Change {
    Change { kind, family: NETDEV, attributes }
}

/// nftables has its numbers in network order.
fn number(kind: u16, value: u32) -> DefaultNla {
    plain(kind, &value.to_be_bytes())
}

/// An element of a rule: its name and what belongs to it.
fn expression(name: &[u8], parts: &[DefaultNla]) -> DefaultNla {
    nested(1, &[plain(1, name), nested(2, parts)])
}

/// Loads bytes of the packet.
fn payload(base: u32, offset: u32, length: u32) -> DefaultNla {
    let parts = [(1, REGISTER), (2, base), (3, offset), (4, length)];
    expression(b"payload\0", &parts.map(|(kind, value)| number(kind, value)))
}

/// Leaves the rule unless what was loaded compares so.
fn compare(operator: u32, with: &[u8]) -> DefaultNla {
    let parts = [number(1, REGISTER), number(2, operator), nested(3, &[plain(1, with)])];
    expression(b"cmp\0", &parts)
}

#[cfg(test)]
mod tests {
    use super::{NEW_RULE, changes, is_unsupported};
    use labsim_forwarder::{Kept, Service};
    use labsim_sys::Errno;
    use labsim_sys::netlink::Refusal;
    use std::net::Ipv4Addr;

    #[test]
    fn later_fragments_have_one_rule_for_all_ports_of_a_protocol() {
        let kept = |last: u8, protocol, port: Option<u16>| Kept {
            address: Ipv4Addr::new(10, 0, 0, last).into(),
            service: Some(Service { protocol, ports: port.map(Into::into) }),
        };
        let rules = |kept: &[Kept]| {
            changes("eth0", 1, kept).iter().filter(|change| change.kind == NEW_RULE).count()
        };
        let ports = [kept(1, 6, Some(49)), kept(1, 6, Some(50)), kept(1, 6, Some(51))];
        assert_eq!(rules(&ports), 3 + 1);
        assert_eq!(rules(&[kept(1, 6, Some(49)), kept(1, 17, Some(49)), kept(2, 6, Some(49))]), 6);
        let every = Kept { service: None, ..kept(1, 6, None) };
        assert_eq!(rules(&[kept(1, 6, None), every]), 2);
    }

    #[test]
    fn only_what_a_kernel_without_nftables_answers_is_no_mistake_of_the_rules() {
        let refusal = |what, errno| Refusal { what, errno, words: None };
        for errno in [Errno::EPROTONOSUPPORT, Errno::EOPNOTSUPP, Errno::ENOENT, Errno::EPERM] {
            assert!(is_unsupported(&refusal(None, errno)), "{errno}");
        }
        assert!(is_unsupported(&refusal(Some(0), Errno::EINVAL)), "before Linux 5.12");
        for (what, errno) in [
            (Some(1), Errno::EINVAL),
            (Some(0), Errno::EEXIST),
            (None, Errno::EMSGSIZE),
            (Some(2), Errno::ENOMEM),
        ] {
            assert!(!is_unsupported(&refusal(what, errno)), "{errno}");
        }
    }
}
