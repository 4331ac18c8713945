//! A fixed number of slots for queued packets, allocated once.

use labsim_wire::EmitError;

/// Slots for packets, each with metadata `T`. No slots by default.
#[derive(Debug)]
pub(crate) struct PacketSlots<T> {
    slots: Box<[Option<Slot<T>>]>,
    bytes: Box<[u8]>,
    slot_length: usize,
    arrivals: u64,
    occupied: usize,
}

#[derive(Debug)]
struct Slot<T> {
    what: T,
    length: usize,
    /// Order of arrival.
    number: u64,
}

impl<T> Default for PacketSlots<T> {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl<T> PacketSlots<T> {
    /// `slots` packets of up to `slot_length` bytes.
    pub(crate) fn new(slots: usize, slot_length: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| None).collect(),
            bytes: vec![0; slots * slot_length].into_boxed_slice(),
            slot_length,
            arrivals: 0,
            occupied: 0,
        }
    }

    /// The number of queued packets.
    pub(crate) const fn len(&self) -> usize {
        self.occupied
    }

    /// Whether a packet of that length fits a slot.
    pub(crate) const fn fits(&self, length: usize) -> bool {
        length <= self.slot_length
    }

    /// Metadata of the queued packets.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten().map(|slot| &slot.what)
    }

    /// A slot that is free.
    pub(crate) fn free(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    /// The slot of the oldest matching packet.
    pub(crate) fn oldest(&self, which: impl Fn(&T) -> bool) -> Option<usize> {
        if self.occupied == 0 {
            return None;
        }
        let numbered = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let slot = slot.as_ref().filter(|slot| which(&slot.what))?;
            Some((slot.number, index))
        });
        numbered.min().map(|(_, index)| index)
    }

    /// Puts a packet of `length` bytes, which is not too long, into a slot that is free. Returns
    /// whether it could be written.
    pub(crate) fn put(
        &mut self,
        index: usize,
        what: T,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        let start = index * self.slot_length;
        if fill(&mut self.bytes[start..start + length]).is_err() {
            return false;
        }
        self.arrivals += 1;
        self.occupied += 1;
        self.slots[index] = Some(Slot { what, length, number: self.arrivals });
        true
    }

    /// The packet in a slot, which is free then.
    pub(crate) fn take(&mut self, index: usize) -> Option<(T, &[u8])> {
        let Slot { what, length, .. } = self.slots[index].take()?;
        self.occupied -= 1;
        let start = index * self.slot_length;
        Some((what, &self.bytes[start..start + length]))
    }
}
