//! Multicast groups that neighbours' questions for IPv6 VIPs come to (RFC 4861 4.3): the kernel does not
//! join for addresses that are not its own, so a socket does. The kernel reports the groups by MLD (RFC 9777),
//! without which a switch with MLD snooping keeps the questions from the load balancer.

use crate::Error;
use labsim_sys::socket::{join_ipv6_group, leave_ipv6_group};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

/// The groups that a socket has joined; they go with it. It has room for more of them
/// (`net.core.optmem_max`) than the ring's filter has for VIPs.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// `None` without a group.
    socket: Option<OwnedFd>,
    joined: BTreeSet<Ipv6Addr>,
}

impl Groups {
    /// Joins those of these addresses, and leaves those of former ones.
    pub(super) fn set(&mut self, interface: u32, addresses: &[IpAddr]) -> Result<(), Error> {
        let groups = of(addresses);
        if groups == self.joined {
            return Ok(());
        }
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                let opened =
                    socket(AddressFamily::Inet6, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
                let what = "a socket for multicast groups of IPv6 (ipv6(7))";
                self.socket.insert(opened.map_err(|errno| Error::system(what)(errno.into()))?)
            }
        };
        for left in self.joined.difference(&groups) {
            leave_ipv6_group(socket.as_fd(), interface, *left).map_err(failed(*left))?;
        }
        for joined in groups.difference(&self.joined) {
            join_ipv6_group(socket.as_fd(), interface, *joined).map_err(failed(*joined))?;
        }
        self.joined = groups;
        Ok(())
    }
}

/// The solicited-node groups (RFC 4291 2.7.1).
fn of(addresses: &[IpAddr]) -> BTreeSet<Ipv6Addr> {
    const PREFIX: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;
    let group = |address: &IpAddr| match address {
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(PREFIX | address.to_bits() & 0xff_ffff)),
        IpAddr::V4(_) => None,
    };
    addresses.iter().filter_map(group).collect()
}

fn failed(group: Ipv6Addr) -> impl FnOnce(io::Error) -> Error {
    Error::system(format!("the multicast group {group} (ipv6(7))"))
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::net::{IpAddr, Ipv6Addr};

    #[test]
    fn addresses_that_end_alike_share_a_group_and_ipv4_has_none() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let addresses =
            [ip("2001:db8::12ab:99"), ip("2001:db8:7::34ab:99"), ip("10.0.0.1"), ip("fd00::1")];
        let groups: [Ipv6Addr; 2] =
            ["ff02::1:ff00:1", "ff02::1:ffab:99"].map(|text| text.parse().unwrap());
        assert_eq!(of(&addresses).into_iter().collect::<Vec<_>>(), groups);
    }
}
