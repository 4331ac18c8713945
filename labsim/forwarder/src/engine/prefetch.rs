//! Memory that coming packets will need, asked for ahead: with a million flows every packet's flow
//! is in main memory, and many waits at the same time last as long as one.

use super::Engine;
use super::ip::{Ip, Ipv6};
use crate::flow::Key;
use labsim_wire::ethernet::{self, ethertype};
use labsim_wire::{ipv4, protocol};
use std::hint::black_box;

impl Engine {
    /// Frames that [`Self::prefetch`] looks at.
    pub const PREFETCH: usize = 64;

    /// Brings the flows of frames that come next, the first [`Self::PREFETCH`] of them, near to
    /// the processor. It changes nothing: what comes of the frames is the same without it.
    pub fn prefetch<'a>(&self, frames: impl Iterator<Item = &'a [u8]>) {
        // Their flows' hashes; those of answers that go back through the forwarder at the end.
        let mut hashes = [0; Self::PREFETCH];
        let (mut requests, mut replies) = (0, Self::PREFETCH);
        for frame in frames.take(Self::PREFETCH) {
            let Some(key) = key(frame) else { continue };
            let hash = self.flows.hasher().hash(&key);
            if self.is_reply(&key) {
                replies -= 1;
                hashes[replies] = hash;
            } else {
                hashes[requests] = hash;
                requests += 1;
            }
        }
        let (requests, replies) = (&hashes[..requests], &hashes[replies..]);
        // Loops of nothing but independent reads: the processor begins many before the first ends.
        let mut read = 0;
        for hash in requests {
            read ^= self.flows.prefetch(*hash);
        }
        for hash in replies {
            read ^= self.snat.prefetch(*hash);
        }
        let requested = requests.iter().filter_map(|hash| self.flows.likely(*hash));
        let replied = replies.iter().filter_map(|hash| self.snat.likely(*hash));
        requested.for_each(|flow| read ^= self.flows.prefetch_entry(flow));
        replied.for_each(|flow| {
            read ^= self.flows.prefetch_entry(flow) ^ self.snat.prefetch_entry(flow)
        });
        black_box(read);
    }

    /// Whether a packet of that key may answer one whose source was translated.
    #[inline]
    fn is_reply(&self, key: &Key) -> bool {
        !self.snat.is_empty() && self.snat.address(key.endpoints().1.ip()).is_some()
    }
}

/// The key of the frame's flow, from unchecked headers.
#[inline(always)]
fn key(frame: &[u8]) -> Option<Key> {
    let link = ethernet::View::new(frame).ok()?;
    match link.ethertype() {
        ethertype::IPV4 => key_of(&ipv4::View::parse_truncated(link.payload())?),
        ethertype::IPV6 => key6(link.payload()),
        _ => None,
    }
}

/// Beside IPv4's loop, not in it.
#[inline(never)]
fn key6(packet: &[u8]) -> Option<Key> {
    key_of(&Ipv6::parse_truncated(packet)?)
}

#[inline(always)]
fn key_of<'a>(ip: &impl Ip<'a>) -> Option<Key> {
    let transport = matches!(ip.protocol(), protocol::TCP | protocol::UDP);
    let [a, b, c, d] = *ip.payload().first_chunk()?;
    let (from, to) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    transport
        .then(|| Key::new(ip.source().into(), ip.destination().into(), from, to, ip.protocol()))
}
