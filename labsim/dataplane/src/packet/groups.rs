//! Multicast groups that neighbours' questions for IPv6 VIPs come to (RFC 4861 4.3): the interface
//! lets in what a socket has joined for (`PACKET_ADD_MEMBERSHIP`, packet(7)), and the kernel does
//! not join for addresses that are not its own.

use crate::Error;
use labsim_sys::packet::{join_group, leave_group};
use labsim_wire::ethernet::Mac;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::BorrowedFd;

/// The groups that a packet socket has joined; they go with it.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeSet<[u8; 6]>);

impl Groups {
    /// Joins those of these addresses, and leaves those of former ones.
    pub(super) fn set(
        &mut self,
        socket: BorrowedFd<'_>,
        interface: u32,
        addresses: &[IpAddr],
    ) -> Result<(), Error> {
        let groups = of(addresses);
        for left in self.0.difference(&groups) {
            leave_group(socket, interface, *left).map_err(failed(*left))?;
        }
        for joined in groups.difference(&self.0) {
            join_group(socket, interface, *joined).map_err(failed(*joined))?;
        }
        self.0 = groups;
        Ok(())
    }
}

/// The solicited-node groups' link-layer addresses (RFC 4291 2.7.1, RFC 2464 7).
fn of(addresses: &[IpAddr]) -> BTreeSet<[u8; 6]> {
    let group = |address: &Ipv6Addr| {
        let [.., a, b, c] = address.octets();
        [0x33, 0x33, 0xff, a, b, c]
    };
    let group = |address: &IpAddr| match address {
        IpAddr::V6(address) => Some(group(address)),
        IpAddr::V4(_) => None,
    };
    addresses.iter().filter_map(group).collect()
}

fn failed(group: [u8; 6]) -> impl FnOnce(io::Error) -> Error {
    Error::system(format!("the multicast group {} (packet(7))", Mac(group)))
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::net::IpAddr;

    #[test]
    fn addresses_that_end_alike_share_a_group_and_ipv4_has_none() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let addresses =
            [ip("2001:db8::12ab:99"), ip("2001:db8:7::34ab:99"), ip("10.0.0.1"), ip("fd00::1")];
        let groups = [[0x33, 0x33, 0xff, 0, 0, 1], [0x33, 0x33, 0xff, 0xab, 0, 0x99]];
        assert_eq!(of(&addresses).into_iter().collect::<Vec<_>>(), groups);
    }
}
