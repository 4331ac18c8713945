//! Captures in the pcapng format (draft-ietf-opsawg-pcapng): written, and read back.
//!
//! Times are nanoseconds since 1970, in the file too (`if_tsresol` 9).

mod read;
mod write;

pub use read::{Block, MAX_BLOCK, MAX_INTERFACES, ReadError, Reader};
pub use write::{InterfaceId, InterfaceRecord, PacketRecord, Statistics, Writer};

use crate::decode::LinkType;

/// Which way a packet went, seen from the interface's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

mod kind {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    /// Obsolete: packets of programs before 2009.
    pub(super) const OLD_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const PACKET: u32 = 6;
}

mod option {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const SECTION_APPLICATION: u16 = 4;
    pub(super) const INTERFACE_NAME: u16 = 2;
    pub(super) const INTERFACE_TIME_RESOLUTION: u16 = 9;
    pub(super) const INTERFACE_TIME_OFFSET: u16 = 14;
    pub(super) const PACKET_FLAGS: u16 = 2;
    pub(super) const STATISTICS_RECEIVED: u16 = 4;
    pub(super) const STATISTICS_DROPPED: u16 = 5;
}

/// In the section header, in the writer's own byte order.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// The number that the tcpdump group gives a link type.
pub(crate) fn link_number(link: LinkType) -> u16 {
    match link {
        LinkType::Ethernet => 1,
        LinkType::Raw => 101,
    }
}
