//! One table of nftables with one chain at an interface's ingress: the messages of
//! linux/netfilter/nf_tables.h, sent as one transaction (linux/netfilter/nfnetlink.h).

use crate::netlink::{Messages, refusal};
use labsim_wire::ethernet::ethertype;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

/// `NFNL_SUBSYS_NFTABLES`, and the messages around a transaction.
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFT_MSG_NEWTABLE`, `NFT_MSG_NEWCHAIN`, `NFT_MSG_NEWRULE`.
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
/// `NFPROTO_NETDEV`, `NF_NETDEV_INGRESS`, and a priority before other chains'.
const NETDEV: u8 = 5;
const INGRESS: u32 = 0;
const PRIORITY: i32 = -500;
/// `NFT_TABLE_F_OWNER`: the table goes with the socket that made it.
const OWNER: u32 = 2;
const CHAIN: &[u8] = b"vips\0";

/// `enum nft_payload_bases`.
const LINK_LAYER: u32 = 0;
const NETWORK_LAYER: u32 = 1;
const ETHERTYPE_AT: u32 = 12;
/// Where a header of IPv4 and one of IPv6 have the destination.
const DESTINATION_AT: (u32, u32) = (16, 24);
/// `NFT_META_PKTTYPE`, and frames to another host (`PACKET_OTHERHOST`).
const PACKET_TYPE: u32 = 19;
const OTHER_HOST: u8 = 3;
/// `NFT_REG_1`, `NFT_REG_VERDICT`, `NFT_CMP_EQ`, `NFT_CMP_NEQ`, `NF_DROP`.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;
const EQUAL: u32 = 0;
const DIFFERENT: u32 = 1;
const DROP: u32 = 0;

/// A table that is in place; the kernel removes it when its socket is closed.
#[derive(Debug)]
pub(super) struct Table {
    _owner: OwnedFd,
}

impl Table {
    /// Drops untagged IP to these addresses that comes in on the interface for this host.
    pub(super) fn dropping(interface: &str, addresses: &[IpAddr]) -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::NetlinkNetFilter;
        let owner = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        send(owner.as_raw_fd(), transaction(interface, addresses).bytes(), MsgFlags::empty())?;
        // The kernel has done the whole transaction, or none of it, before it lets go of the
        // sender, and its answers wait.
        let mut answers = [0; 8192];
        let mut answered = 0;
        loop {
            match recv(owner.as_raw_fd(), &mut answers, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    refusal(answers.get(..length).unwrap_or_default())?;
                    answered += 1;
                }
                Err(Errno::EAGAIN) if answered > 0 => return Ok(Self { _owner: owner }),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

fn transaction(interface: &str, addresses: &[IpAddr]) -> Messages {
    let device = format!("{interface}\0");
    let table = format!("labsim-forwarder-{device}");
    let table = table.as_bytes();
    let mut messages = Messages::default();
    messages.border(BATCH_BEGIN);
    messages.change(NEW_TABLE, |it| {
        it.attribute(1, table);
        it.number(2, OWNER);
    });
    messages.change(NEW_CHAIN, |it| {
        it.attribute(1, table);
        it.attribute(3, CHAIN);
        it.nested(4, |hook| {
            hook.number(1, INGRESS);
            hook.number(2, PRIORITY.cast_unsigned());
            hook.attribute(3, device.as_bytes());
        });
        it.attribute(7, b"filter\0");
    });
    for address in addresses {
        messages.change(NEW_RULE, |it| {
            it.attribute(1, table);
            it.attribute(2, CHAIN);
            it.nested(4, |rule| {
                let (ipv4, ipv6) = DESTINATION_AT;
                let ethertype = match address {
                    IpAddr::V4(address) => {
                        rule.payload(NETWORK_LAYER, ipv4, 4);
                        rule.compare(EQUAL, &address.octets());
                        ethertype::IPV4
                    }
                    IpAddr::V6(address) => {
                        rule.payload(NETWORK_LAYER, ipv6, 16);
                        rule.compare(EQUAL, &address.octets());
                        ethertype::IPV6
                    }
                };
                rule.payload(LINK_LAYER, ETHERTYPE_AT, 2);
                rule.compare(EQUAL, &ethertype.to_be_bytes());
                rule.expression(b"meta\0", |meta| {
                    meta.number(1, REGISTER);
                    meta.number(2, PACKET_TYPE);
                });
                rule.compare(DIFFERENT, &[OTHER_HOST]);
                rule.expression(b"immediate\0", |immediate| {
                    immediate.number(1, VERDICT);
                    immediate.nested(2, |data| data.nested(2, |verdict| verdict.number(1, DROP)));
                });
            });
        });
    }
    messages.border(BATCH_END);
    messages
}

/// The words of nftables' messages.
trait Nftables {
    fn border(&mut self, kind: u16);
    fn change(&mut self, kind: u16, fill: impl FnOnce(&mut Self));
    fn number(&mut self, kind: u16, value: u32);
    fn expression(&mut self, name: &[u8], fill: impl FnOnce(&mut Self));
    fn payload(&mut self, base: u32, offset: u32, length: u32);
    fn compare(&mut self, how: u32, with: &[u8]);
}

impl Nftables for Messages {
    /// The beginning or the end of a transaction.
    fn border(&mut self, kind: u16) {
        self.message(kind, libc::NLM_F_REQUEST, |it| it.raw(&family(0, NFTABLES)));
    }

    /// Something new.
    fn change(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE;
        self.message(NFTABLES << 8 | kind, flags | libc::NLM_F_APPEND, |it| {
            it.raw(&family(NETDEV, 0));
            fill(it);
        });
    }

    /// nftables has its numbers in network order.
    fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// An element of a rule: its name and what belongs to it.
    fn expression(&mut self, name: &[u8], fill: impl FnOnce(&mut Self)) {
        self.nested(1, |element| {
            element.attribute(1, name);
            element.nested(2, fill);
        });
    }

    /// Loads bytes of the packet.
    fn payload(&mut self, base: u32, offset: u32, length: u32) {
        self.expression(b"payload\0", |payload| {
            for (kind, value) in [(1, REGISTER), (2, base), (3, offset), (4, length)] {
                payload.number(kind, value);
            }
        });
    }

    /// Leaves the rule unless what was loaded compares so.
    fn compare(&mut self, how: u32, with: &[u8]) {
        self.expression(b"cmp\0", |compare| {
            compare.number(1, REGISTER);
            compare.number(2, how);
            compare.nested(3, |data| data.attribute(1, with));
        });
    }
}

/// `struct nfgenmsg`.
fn family(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}
