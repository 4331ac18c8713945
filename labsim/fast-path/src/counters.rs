//! What the program has counted, on all processors.

use crate::Error;
use crate::layout::{TotalValue, TrafficValue};
use aya::maps::{MapData, PerCpuArray};
use labsim_forwarder::{OffloadCounters, Tally};

/// Places in the map of totals (`bpf/maps.h`).
const FORWARDED: u32 = 0;
const FORWARDED_TO_CLIENT: u32 = 1;
const LOST: u32 = 2;

/// The maps of the counters.
pub(crate) struct CounterMaps {
    pub(crate) servers: PerCpuArray<MapData, TrafficValue>,
    pub(crate) members: PerCpuArray<MapData, TrafficValue>,
    pub(crate) totals: PerCpuArray<MapData, TotalValue>,
}

impl CounterMaps {
    /// What was forwarded since the program was attached, of the first virtual servers and members.
    pub(crate) fn read(&self, servers: u16, members: u16) -> Result<OffloadCounters, Error> {
        let (received, server_replies) = traffic(&self.servers, servers)?;
        let (sent, member_replies) = traffic(&self.members, members)?;
        Ok(OffloadCounters {
            received,
            sent,
            server_replies,
            member_replies,
            forwarded: self.total(FORWARDED)?,
            forwarded_to_client: self.total(FORWARDED_TO_CLIENT)?,
        })
    }

    /// Frames for whose headers the kernel had no room.
    pub(crate) fn lost(&self) -> Result<u64, Error> {
        Ok(self.total(LOST)?.packets)
    }

    fn total(&self, place: u32) -> Result<Tally, Error> {
        let [packets, bytes] = sum(&self.totals, place)?;
        Ok(Tally { packets, bytes })
    }
}

/// Clients' packets, and the replies.
fn traffic(
    map: &PerCpuArray<MapData, TrafficValue>,
    count: u16,
) -> Result<(Vec<Tally>, Vec<Tally>), Error> {
    let most = map.len().min(count.into());
    let read = |index| {
        let [packets, bytes, reply_packets, reply_bytes] = sum(map, index)?;
        let replies = Tally { packets: reply_packets, bytes: reply_bytes };
        Ok((Tally { packets, bytes }, replies))
    };
    (0..most).map(read).collect()
}

/// One entry of all processors.
fn sum<const N: usize>(
    map: &PerCpuArray<MapData, [u64; N]>,
    index: u32,
) -> Result<[u64; N], Error> {
    let values = map.get(&index, 0).map_err(|error| Error::call("reading a counter", error))?;
    let mut sum = [0_u64; N];
    for value in values.iter() {
        for (sum, part) in sum.iter_mut().zip(value) {
            *sum = sum.wrapping_add(*part);
        }
    }
    Ok(sum)
}
