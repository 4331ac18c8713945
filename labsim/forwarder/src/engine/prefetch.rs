//! Memory that coming packets will need, asked for ahead: with a million flows every packet's flow
//! is in main memory, and many waits at the same time last as long as one.

use super::Engine;
use crate::flow::{FlowId, Key};
use labsim_wire::ethernet::{self, ethertype};
use labsim_wire::{ipv4, protocol};
use std::hint::black_box;

impl Engine {
    /// Frames that [`Self::prefetch`] looks at.
    pub const PREFETCH: usize = 64;

    /// Brings the flows of frames that come next, the first [`Self::PREFETCH`] of them, near to
    /// the processor. It changes nothing: what comes of the frames is the same without it.
    pub fn prefetch<'a>(&self, frames: impl Iterator<Item = &'a [u8]>) {
        let mut hashes = [0; Self::PREFETCH];
        let mut count = 0;
        let keys = frames.take(Self::PREFETCH).filter_map(key);
        for (place, key) in hashes.iter_mut().zip(keys) {
            *place = self.flows.hasher().hash(&key);
            count += 1;
        }
        let hashes = &hashes[..count];
        // Loops of nothing but independent reads: the processor begins many before the first ends.
        let replies = !self.snat.is_empty();
        let mut read = 0;
        for hash in hashes {
            read ^= self.flows.glance(*hash);
        }
        if replies {
            for hash in hashes {
                read ^= self.snat.glance(*hash);
            }
        }
        let mut flows = [FlowId::of(0); Self::PREFETCH];
        let mut found = 0;
        for hash in hashes {
            let likely = self.flows.likely(*hash);
            let reply = || self.snat.likely(*hash).filter(|_| replies);
            if let Some(flow) = likely.or_else(reply) {
                flows[found] = flow;
                found += 1;
            }
        }
        for flow in &flows[..found] {
            read ^= self.flows.glance_at(*flow);
        }
        if replies {
            for flow in &flows[..found] {
                read ^= self.snat.glance_at(*flow);
            }
        }
        black_box(read);
    }
}

/// What the frame's flow would be recognised by, from the headers as they claim to be.
#[inline]
fn key(frame: &[u8]) -> Option<Key> {
    let link = ethernet::View::new(frame).ok()?;
    if link.ethertype() != ethertype::IPV4 {
        return None;
    }
    let ip = ipv4::View::new_cut(link.payload()).ok()?;
    let transport = matches!(ip.protocol(), protocol::TCP | protocol::UDP);
    let [a, b, c, d] = *ip.payload().first_chunk()?;
    let (from, to) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    transport
        .then(|| Key::new(ip.source().into(), ip.destination().into(), from, to, ip.protocol()))
}
