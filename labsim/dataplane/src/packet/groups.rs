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

/// Groups of a socket: the kernel lets one have 20 KiB of options (`net.core.optmem_max`), which is 365
/// (`ipv6_sock_mc_join`).
const MOST_OF_A_SOCKET: usize = 256;

/// The groups that sockets have joined; they go with them.
#[derive(Debug, Default)]
pub(super) struct Groups(Vec<Members>);

/// A socket, and the groups that it has joined.
#[derive(Debug)]
struct Members {
    socket: OwnedFd,
    joined: BTreeSet<Ipv6Addr>,
}

impl Groups {
    /// Joins those of these addresses, and leaves those of former ones.
    pub(super) fn set(&mut self, interface: u32, addresses: &[IpAddr]) -> Result<(), Error> {
        let mut wanted = of(addresses);
        for Members { socket, joined } in &mut self.0 {
            for group in joined.difference(&wanted) {
                leave_ipv6_group(socket.as_fd(), interface, *group).map_err(failed(*group))?;
            }
            joined.retain(|group| wanted.remove(group));
        }
        for group in wanted {
            let Members { socket, joined } = self.with_room()?;
            join_ipv6_group(socket.as_fd(), interface, group).map_err(failed(group))?;
            joined.insert(group);
        }
        self.0.retain(|members| !members.joined.is_empty());
        Ok(())
    }

    /// A socket that can join another group.
    fn with_room(&mut self) -> Result<&mut Members, Error> {
        let has_room = |members: &Members| members.joined.len() < MOST_OF_A_SOCKET;
        let place = match self.0.iter().position(has_room) {
            Some(place) => place,
            None => {
                let opened =
                    socket(AddressFamily::Inet6, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
                let what = "a socket for multicast groups of IPv6 (ipv6(7))";
                let socket = opened.map_err(|errno| Error::system(what)(errno.into()))?;
                self.0.push(Members { socket, joined: BTreeSet::new() });
                self.0.len() - 1
            }
        };
        Ok(&mut self.0[place])
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
