//! Who goes on with a packet whose headers are right, by its protocol.

use super::Engine;
use super::ip::{Address, Ip};
use crate::{Instant, Outcome, Transmit, snat};
use labsim_wire::protocol;

impl Engine {
    #[inline]
    pub(super) fn sort<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &I,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match ip.protocol() {
            protocol::TCP | protocol::UDP if !ip.is_fragment() => {
                self.transport(now, frame, ip, tx)
            }
            // Routers tell the source of a tunnel packet, which is the interface's own address.
            icmp if icmp == I::ICMP && !ip.is_fragment() && self.hears(ip.destination()) => {
                self.icmp(now, frame, ip, tx)
            }
            _ if !self.owns(ip.destination()) => Outcome::NoVirtualAddress,
            protocol::IPIP | protocol::IPV6 | protocol::GRE => Outcome::AlreadyTunnelled,
            _ if ip.is_fragment() => self.fragment(now, frame, ip, tx),
            _ => Outcome::ProtocolNotHandled,
        }
    }

    /// Whether the forwarder speaks for that address: a VIP, or one that stands in for clients.
    pub(super) fn owns(&self, address: impl Address) -> bool {
        self.services.is_vip(address.into()) || self.stands_in(address).is_some()
    }

    /// The address that stands in for clients, if it is one.
    #[inline]
    pub(super) fn stands_in(&self, address: impl Address) -> Option<&snat::Address> {
        self.snat.address(address.v4()?)
    }

    /// Whether ICMP to that address may be about a packet of the forwarder's.
    fn hears(&self, address: impl Address) -> bool {
        self.owns(address) || self.port.is_own(address.into())
    }

    /// Whether it is an address that stands in for clients and the kernel's own besides.
    pub(super) fn shares(&self, address: impl Address) -> bool {
        self.stands_in(address).is_some_and(|address| address.shared)
    }
}
