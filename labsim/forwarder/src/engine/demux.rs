//! Dispatches IP packets with valid headers by protocol.

use super::Engine;
use super::ip::{Address, Ip};
use crate::{Instant, Outcome, Transmit, snat};
use labsim_wire::protocol;

impl Engine {
    #[inline]
    pub(super) fn demux<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &I,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if self.standby && self.is_owned(ip.destination()) {
            return Outcome::Standby;
        }
        match ip.protocol() {
            protocol::TCP | protocol::UDP if !ip.is_fragment() => {
                self.transport(now, frame, ip, tx)
            }
            // Routers tell the source of a tunnel packet, which is the interface's own address.
            icmp if icmp == I::ICMP && !ip.is_fragment() && self.accepts_icmp(ip.destination()) => {
                self.icmp(now, frame, ip, tx)
            }
            _ if !self.is_owned(ip.destination()) => Outcome::NoVirtualAddress,
            protocol if self.is_left_to_host(ip, protocol) => Outcome::LeftToHost,
            protocol::IPIP | protocol::IPV6 | protocol::GRE => Outcome::AlreadyTunnelled,
            _ if ip.is_fragment() => self.fragment(now, frame, ip, tx),
            _ => Outcome::ProtocolNotHandled,
        }
    }

    /// Whether it is to a VIP that the host has, and nothing that a virtual server can take. A
    /// fragment of its protocol may be, until its ports are known.
    fn is_left_to_host<'a>(&self, ip: &impl Ip<'a>, protocol: u8) -> bool {
        let vip = ip.destination().into();
        self.services.is_hosts(vip) && !(ip.is_fragment() && self.services.takes(vip, protocol))
    }

    /// Whether the address is the forwarder's: a VIP or a SNAT address.
    pub(super) fn is_owned(&self, address: impl Address) -> bool {
        self.services.is_vip(address.into()) || self.snat_address(address).is_some()
    }

    /// Whether the forwarder serves the address now, so that no neighbour may claim it.
    pub(super) fn serves(&self, address: impl Address) -> bool {
        !self.standby && self.is_owned(address)
    }

    /// The SNAT address, if it is one.
    #[inline]
    pub(super) fn snat_address(&self, address: impl Address) -> Option<&snat::SnatAddress> {
        self.snat.address(address.into())
    }

    /// Whether ICMP errors to the address may concern a packet of the forwarder.
    fn accepts_icmp(&self, address: impl Address) -> bool {
        self.is_owned(address) || self.port.is_hosts(address.into())
    }

    /// Whether it is a SNAT address that the kernel also has.
    pub(super) fn is_shared_snat_address(&self, address: impl Address) -> bool {
        self.snat_address(address).is_some_and(|address| address.shared)
    }
}
