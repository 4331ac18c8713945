//! Captures in the classic pcap format (draft-ietf-opsawg-pcap), which every tool reads: one link
//! type a file. Written, and read in all its variants.

mod read;
mod write;

pub use read::{MAX_RECORD, ReadError, Reader, Record, is_magic};
pub use write::Writer;

mod magic {
    /// Times are seconds and microseconds.
    pub(super) const MICROSECONDS: u32 = 0xa1b2_c3d4;
    /// Times are seconds and nanoseconds.
    pub(super) const NANOSECONDS: u32 = 0xa1b2_3c4d;
    /// Longer record headers, of a patch for Linux 2.2 and 2.4 by Alexey Kuznetsov.
    pub(super) const MODIFIED: u32 = 0xa1b2_cd34;
    /// Files of IXIA, written by hardware or software: nanoseconds, and the length of all records after
    /// the file's header.
    pub(super) const IXIA: [u32; 2] = [0x1c00_01ac, 0x1c00_01ab];
}
