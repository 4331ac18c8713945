//! The bytes of the program's maps, as `bpf/maps.h` has them: no structure of Rust's is laid over them.

use std::net::IpAddr;

/// `struct flow4_key` and `struct flow6_key`.
pub(crate) type Flow4Key = [u8; 16];
pub(crate) type Flow6Key = [u8; 40];
/// `struct flow`.
pub(crate) type FlowValue = [u8; 88];
/// `struct path`.
pub(crate) type PathValue = [u8; 104];
/// `struct address`.
pub(crate) type AddressKey = [u8; 16];
/// `MOST_SERVICES` of them are in `struct owned`.
pub(crate) const MOST_SERVICES: usize = 32;
const SERVICE: usize = 6;
/// `struct owned`.
pub(crate) type OwnedValue = [u8; 8 + MOST_SERVICES * SERVICE];
/// `struct settings`.
pub(crate) type Settings = [u32; 2];
/// `struct traffic`.
pub(crate) type TrafficValue = [u64; 4];
/// `struct total`.
pub(crate) type TotalValue = [u64; 2];

/// Fills a value from its beginning.
#[derive(Debug)]
pub(crate) struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    /// Bytes as they are; what does not fit any more is left out.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        let end = self.at + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.at..end) {
            place.copy_from_slice(bytes);
        }
        self.at = end;
        self
    }

    /// A number of the machine's.
    pub(crate) fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_ne_bytes())
    }

    /// A number of the machine's.
    pub(crate) fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_ne_bytes())
    }

    /// A port as packets have it.
    pub(crate) fn port(self, port: u16) -> Self {
        self.bytes(&port.to_be_bytes())
    }

    /// Four words, of which IPv4 fills the first.
    pub(crate) fn address(self, address: Option<IpAddr>) -> Self {
        let mut words = [0; 16];
        match address {
            Some(IpAddr::V4(address)) => words[..4].copy_from_slice(&address.octets()),
            Some(IpAddr::V6(address)) => words = address.octets(),
            None => {}
        }
        self.bytes(&words)
    }

    /// What was written; the rest is 0.
    pub(crate) fn finish(self) -> [u8; N] {
        debug_assert!(self.at <= N, "{} bytes into {N}", self.at);
        self.bytes
    }
}

/// The number at a place; 0 beyond the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    four.map_or(0, |four| u32::from_ne_bytes(*four))
}

/// The number at a place; 0 beyond the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    eight.map_or(0, |eight| u64::from_ne_bytes(*eight))
}
