//! ARP for IPv4 over Ethernet (RFC 826).

use crate::bytes::{array, be16, put, v4};
use crate::error::{enough, room};
use crate::ethernet::{Mac, ethertype};
use crate::{EmitError, Layer, Malformed};
use std::net::Ipv4Addr;

mod field {
    pub(super) const HARDWARE: usize = 0;
    pub(super) const PROTOCOL: usize = 2;
    pub(super) const HARDWARE_LEN: usize = 4;
    pub(super) const PROTOCOL_LEN: usize = 5;
    pub(super) const OPERATION: usize = 6;
    pub(super) const SENDER_MAC: usize = 8;
    pub(super) const SENDER_IP: usize = 14;
    pub(super) const TARGET_MAC: usize = 18;
    pub(super) const TARGET_IP: usize = 24;
    pub(super) const END: usize = 28;
}

/// A packet's length in bytes.
pub const LEN: usize = field::END;

const HARDWARE_ETHERNET: u16 = 1;

/// An operation field.
pub mod operation {
    /// Who has this address?
    pub const REQUEST: u16 = 1;
    /// It is mine.
    pub const REPLY: u16 = 2;
}

/// A packet whose length and kinds of address were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the length, and that it is about IPv4 over Ethernet.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] and [`Malformed::Field`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        enough(Layer::Arp, bytes, LEN)?;
        let expect = |field, value: u16, wanted: u16| {
            if value == wanted {
                Ok(())
            } else {
                Err(Malformed::Field { layer: Layer::Arp, field, value: u32::from(value) })
            }
        };
        expect("the hardware type", be16(bytes, field::HARDWARE), HARDWARE_ETHERNET)?;
        expect("the protocol type", be16(bytes, field::PROTOCOL), ethertype::IPV4)?;
        expect("the hardware address length", u16::from(bytes[field::HARDWARE_LEN]), 6)?;
        expect("the protocol address length", u16::from(bytes[field::PROTOCOL_LEN]), 4)?;
        Ok(Self { bytes })
    }

    /// See [`operation`].
    #[must_use]
    pub fn operation(&self) -> u16 {
        be16(self.bytes, field::OPERATION)
    }

    /// The sender's link-layer address.
    #[must_use]
    pub fn sender_mac(&self) -> Mac {
        Mac(array(self.bytes, field::SENDER_MAC))
    }

    /// The sender's address.
    #[must_use]
    pub fn sender_ip(&self) -> Ipv4Addr {
        v4(self.bytes, field::SENDER_IP)
    }

    /// The target's link-layer address; zero in a request.
    #[must_use]
    pub fn target_mac(&self) -> Mac {
        Mac(array(self.bytes, field::TARGET_MAC))
    }

    /// The target's address.
    #[must_use]
    pub fn target_ip(&self) -> Ipv4Addr {
        v4(self.bytes, field::TARGET_IP)
    }
}

/// An ARP packet as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// See [`operation`].
    pub operation: u16,
    /// The sender's link-layer address.
    pub sender_mac: Mac,
    /// The sender's address.
    pub sender_ip: Ipv4Addr,
    /// The target's link-layer address; zero in a request.
    pub target_mac: Mac,
    /// The target's address.
    pub target_ip: Ipv4Addr,
}

impl Packet {
    /// Reads the packet.
    #[must_use]
    pub fn parse(view: &View<'_>) -> Self {
        Self {
            operation: view.operation(),
            sender_mac: view.sender_mac(),
            sender_ip: view.sender_ip(),
            target_mac: view.target_mac(),
            target_ip: view.target_ip(),
        }
    }

    /// Bytes that [`Self::emit`] writes.
    #[must_use]
    pub fn length(&self) -> usize {
        LEN
    }

    /// Writes the packet to the beginning of `out`.
    ///
    /// # Errors
    /// [`EmitError::NoRoom`].
    pub fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Arp, out, LEN)?;
        put(out, field::HARDWARE, &HARDWARE_ETHERNET.to_be_bytes());
        put(out, field::PROTOCOL, &ethertype::IPV4.to_be_bytes());
        put(out, field::HARDWARE_LEN, &[6, 4]);
        put(out, field::OPERATION, &self.operation.to_be_bytes());
        put(out, field::SENDER_MAC, &self.sender_mac.0);
        put(out, field::SENDER_IP, &self.sender_ip.octets());
        put(out, field::TARGET_MAC, &self.target_mac.0);
        put(out, field::TARGET_IP, &self.target_ip.octets());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arp_about_another_protocol_is_refused() {
        let packet = Packet {
            operation: operation::REQUEST,
            sender_mac: Mac([2, 0, 0, 0, 0, 1]),
            sender_ip: Ipv4Addr::new(10, 1, 1, 51),
            target_mac: Mac::default(),
            target_ip: Ipv4Addr::new(10, 1, 1, 52),
        };
        let mut bytes = [0; LEN];
        packet.emit(&mut bytes).unwrap();
        assert_eq!(Packet::parse(&View::new(&bytes).unwrap()), packet);
        for at in [1, 3, 4, 5] {
            let mut other = bytes;
            other[at] ^= 1;
            assert!(matches!(View::new(&other), Err(Malformed::Field { .. })), "byte {at}");
        }
    }
}
