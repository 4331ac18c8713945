//! Which fragments of packets were captured, whether those of a packet are all of it, and the packet that they make
//! (RFC 791, 3.2; RFC 8200, 4.5).

use crate::fragment::{self, Fragment};
use crate::packet::Header;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Packets in fragments that are followed at most; further ones are not.
const MAX_PACKETS: usize = 1 << 16;
/// Pieces of one packet that are followed at most: each is 8 bytes long at least, and as a rule as long as a frame.
const MAX_PIECES: usize = 64;
/// Bytes of packets that are not whole yet, which are held at most; packets beyond are not put together.
const MAX_HELD: usize = 32 << 20;

/// Bytes of IPv4's header without options.
const IPV4_HEADER: u32 = 20;

/// Fragments at capture points. Packets are told apart by point, addresses, protocol and identification; one that uses
/// them again may hide that another lacks a fragment, and never shows it falsely.
#[derive(Debug, Default)]
pub struct Fragments {
    packets: BTreeMap<Key, Pieces>,
    held: usize,
    overlapping: u64,
    first_overlapping: Option<u64>,
    too_many: u64,
}

/// A packet that was put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The rows of its first fragment: one for each time that it was captured.
    pub rows: Vec<usize>,
    /// Its bytes from the IP header on, without fragmentation.
    pub bytes: Vec<u8>,
}

/// A point, an identification, a protocol, and both addresses.
type Key = (usize, u32, u8, IpAddr, IpAddr);

#[derive(Debug, Default)]
struct Pieces {
    /// The rows of first fragments.
    rows: Vec<usize>,
    /// From and to, in bytes of the packet's payload.
    ranges: Vec<(usize, usize)>,
    /// The payload's length, once the last fragment was seen.
    length: Option<usize>,
    /// What is held of it; `None` if it cannot be put together, or has been.
    held: Option<Held>,
    overlaps: bool,
    /// Whether all of it was seen; what follows is another packet, or was captured twice.
    is_done: bool,
}

/// The bytes of a packet that is not whole yet.
#[derive(Debug, Default)]
struct Held {
    header: Vec<u8>,
    /// Each from its place on, in the order in which they came.
    pieces: Vec<(usize, Vec<u8>)>,
}

impl Fragments {
    /// Takes a packet's bytes from its IP header on, if it is a fragment. `row` is its place among those that are
    /// explained, if it has one, and `number` its place in its file. The packet, once its last fragment came.
    pub fn add(
        &mut self,
        point: usize,
        number: u64,
        network: &[u8],
        row: Option<usize>,
    ) -> Option<Whole> {
        let fragment = Fragment::new(network)?;
        let key = (point, fragment.id, fragment.protocol, fragment.source, fragment.destination);
        if self.packets.len() >= MAX_PACKETS && !self.packets.contains_key(&key) {
            self.too_many += 1;
            return None;
        }
        let pieces = self.packets.entry(key).or_insert_with(Pieces::followed);
        let range = (fragment.from, fragment.to);
        if pieces.is_done {
            if fragment.from != 0 && pieces.ranges.contains(&range) {
                return None;
            }
            *pieces = Pieces::followed();
        }
        if fragment.from == 0 {
            pieces.rows.extend(row);
        }
        if !fragment.has_more {
            pieces.length = Some(fragment.to);
        }
        if pieces.ranges.len() >= MAX_PIECES {
            // What is not followed is not called incomplete.
            pieces.rows.clear();
            self.held -= pieces.release();
            return None;
        }
        if pieces.is_overlapped_by(range) && !pieces.overlaps {
            pieces.overlaps = true;
            self.overlapping += 1;
            self.first_overlapping = self.first_overlapping.or(Some(number));
            self.held -= pieces.release();
        }
        let is_new = !pieces.ranges.contains(&range);
        pieces.ranges.push(range);
        let size = fragment.data.len();
        if fragment.to - fragment.from > size || !pieces.takes(&fragment, is_new) {
            // It was cut, or its identification is another packet's as well.
            self.held -= pieces.release();
        } else if is_new && pieces.held.is_some() {
            if self.held + size > MAX_HELD {
                self.too_many += 1;
                self.held -= pieces.release();
            } else {
                self.held += size;
                pieces.hold(&fragment);
            }
        }
        if !pieces.is_complete() {
            return None;
        }
        pieces.is_done = true;
        let whole = pieces.whole(fragment.protocol);
        self.held -= pieces.release();
        whole
    }

    /// Takes a fragment of which a text shows the header, and no bytes: it tells whether all of its packet was captured,
    /// and is not put together.
    pub fn add_words(&mut self, point: usize, header: &Header, row: Option<usize>) {
        let Some((id, protocol, range, has_more)) = of_words(header) else { return };
        let key = (point, id, protocol, header.source, header.destination);
        if self.packets.len() >= MAX_PACKETS && !self.packets.contains_key(&key) {
            return;
        }
        let pieces = self.packets.entry(key).or_default();
        if pieces.is_done {
            if range.0 != 0 && pieces.ranges.contains(&range) {
                return;
            }
            *pieces = Pieces::default();
        }
        if range.0 == 0 {
            pieces.rows.extend(row);
        }
        if !has_more {
            pieces.length = Some(range.1);
        }
        if pieces.ranges.len() >= MAX_PIECES {
            // What is not followed is not called incomplete.
            pieces.rows.clear();
            return;
        }
        pieces.ranges.push(range);
        pieces.is_done = pieces.is_complete();
    }

    /// The rows of packets of which not all fragments were captured.
    pub fn incomplete(&self) -> impl Iterator<Item = usize> {
        self.packets.values().filter(|it| !it.is_complete()).flat_map(|it| it.rows.iter().copied())
    }

    /// In sentences, what was not put together though all of it may be there.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if let Some(first) = self.first_overlapping {
            let count = match self.overlapping {
                1 => "fragments of 1 packet overlap".to_owned(),
                count => format!("fragments of {count} packets overlap"),
            };
            notices.push(format!(
                "{count}, the first in frame {first}: they were not put together, as receivers drop them (RFC 5722)"
            ));
        }
        if self.too_many > 0 {
            notices.push(format!(
                "{} fragments were not put together, as those of too many packets are incomplete: give captures of a \
                 shorter time",
                self.too_many
            ));
        }
        notices
    }
}

/// The identification, the protocol, the bytes from and to, and whether more follow: of IPv4, whose words show them.
fn of_words(header: &Header) -> Option<(u32, u8, (usize, usize), bool)> {
    let (from, has_more) = header.fragment.filter(|_| header.source.is_ipv4())?;
    let length = header.length?.checked_sub(IPV4_HEADER)?;
    // Words do not show how long a header with options is; but for the last one fragments have multiples of 8 bytes.
    if has_more && length % 8 != 0 {
        return None;
    }
    let (from, length) = (usize::from(from), usize::try_from(length).ok()?);
    Some((header.id?.into(), header.protocol?, (from, from + length), has_more))
}

impl Pieces {
    /// Of a packet whose fragments are held until it is whole.
    fn followed() -> Self {
        Self { held: Some(Held::default()), ..Self::default() }
    }

    fn is_complete(&self) -> bool {
        let mut ranges = self.ranges.clone();
        ranges.sort_unstable();
        let reach =
            |to: usize, range: &(usize, usize)| if range.0 <= to { to.max(range.1) } else { to };
        let to = ranges.iter().fold(0, reach);
        self.length.is_some_and(|length| to >= length)
    }

    /// Whether bytes of a range are there already, and not the same range: that is one that was captured twice.
    fn is_overlapped_by(&self, (from, to): (usize, usize)) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|it| *it != (from, to) && from < it.1 && it.0 < to)
    }

    /// Whether a fragment belongs to what is held: one that is there already has the same bytes.
    fn takes(&self, fragment: &Fragment<'_>, is_new: bool) -> bool {
        let Some(held) = self.held.as_ref().filter(|_| !is_new) else { return true };
        held.pieces.iter().any(|(from, data)| *from == fragment.from && data == fragment.data)
    }

    fn hold(&mut self, fragment: &Fragment<'_>) {
        let Some(held) = &mut self.held else { return };
        if fragment.from == 0 {
            held.header = fragment.header.to_vec();
        }
        held.pieces.push((fragment.from, fragment.data.to_vec()));
    }

    /// Drops what is held. How many bytes of pieces that was.
    fn release(&mut self) -> usize {
        let pieces = self.held.take().map(|it| it.pieces).unwrap_or_default();
        pieces.iter().map(|(_, data)| data.len()).sum()
    }

    /// The packet, if all of it is held.
    fn whole(&mut self, protocol: u8) -> Option<Whole> {
        let held = self.held.as_mut()?;
        held.pieces.sort_by_key(|(from, _)| *from);
        let mut payload = Vec::with_capacity(self.length?);
        for (from, data) in &held.pieces {
            if *from != payload.len() {
                return None;
            }
            payload.extend_from_slice(data);
        }
        if Some(payload.len()) != self.length {
            return None;
        }
        let bytes = fragment::whole(&held.header, protocol, payload.len(), &payload)?;
        Some(Whole { rows: self.rows.clone(), bytes })
    }
}

impl Whole {
    /// What is known of the packet, if it is a tunnel's.
    #[must_use]
    pub fn known(&self) -> Option<crate::Packet> {
        fragment::packet_of(&self.bytes).filter(|it| !it.inner.is_empty())
    }
}

#[cfg(test)]
mod tests;
