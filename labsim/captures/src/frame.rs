//! A frame of a capture, and where it was captured.

use crate::f5::F5Trailer;
use crate::fragment::inside_fragment;
use crate::packet::Known;
use labsim_wire::decode::{Decoded, decode_network};
use labsim_wire::link;
use labsim_wire::pcapng::Direction;

/// A capture point's place in [`crate::Reader::points`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointId(pub usize);

/// Where frames were captured: an interface of a file, or one of the devices behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The interface's name, if the file has one. Not to be shown without escaping.
    pub name: Option<String>,
    /// The device's number on its host, if frames tell.
    pub device: Option<u32>,
    /// The tcpdump group's number of the link layer.
    pub link: u32,
    /// Frames were cut at this many bytes; 0 for never, or if it is not known.
    pub snap_length: u32,
}

/// A captured frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its place in the file, from 1, as Wireshark counts.
    pub number: u64,
    /// Where it was captured.
    pub point: PointId,
    /// Nanoseconds since 1970; `None` if the file has no times.
    pub time_ns: Option<u64>,
    /// Which way it went, seen from the host that captured it.
    pub direction: Option<Direction>,
    /// How long it was, in bytes.
    pub original_length: u32,
    /// What was captured of it.
    pub bytes: Vec<u8>,
    /// Its link layer; of the frame inside if it came from a port mirror.
    pub link: link::Header,
    /// Where the network layer begins in `bytes`; at their end if the link layer cannot be read.
    pub network: usize,
    /// Tunnels of port mirrors (ERSPAN, Ethernet in GRE) that were taken off.
    pub mirrors: usize,
    /// What an F5 BIG-IP says of it.
    pub f5: Option<F5Trailer>,
}

impl Frame {
    /// The bytes from the network layer on, trailers included.
    #[must_use]
    pub fn network_layer(&self) -> &[u8] {
        self.bytes.get(self.network..).unwrap_or_default()
    }

    /// What is known of it.
    #[must_use]
    pub fn known(&self) -> Known {
        let known = Known::of(&self.decode()).with_datagram(self.network_layer());
        inside_fragment(&known, self.network_layer()).unwrap_or(known)
    }

    /// Decodes it.
    #[must_use]
    pub fn decode(&self) -> Decoded {
        let length = usize::try_from(self.original_length).unwrap_or(usize::MAX);
        let content = decode_network(
            self.link.ethertype,
            self.network_layer(),
            length.saturating_sub(self.network),
        );
        Decoded { link: self.link.ethernet, content }
    }
}
