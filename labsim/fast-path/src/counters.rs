//! What the program has counted, on all processors.

use crate::Error;
use crate::layout::{TotalValue, TrafficValue};
use aya::maps::{MapData, PerCpuArray};

/// Packets and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets; a super-frame counts as those that it stands for, but where it went to the engine
    /// whole.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What passed for a virtual server or a member: bytes of IP packets as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From clients: received for the virtual server, sent to the member.
    pub requests: Tally,
    /// From members, back through source address translation.
    pub replies: Tally,
}

/// All that was counted since the program was attached. Numbers only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Per virtual server.
    pub servers: Vec<Traffic>,
    /// Per member.
    pub members: Vec<Traffic>,
    /// To members: bytes of frames as they came.
    pub forwarded: Tally,
    /// Back to clients: bytes of frames as they came.
    pub forwarded_to_client: Tally,
    /// Handed to the engine, alone or as well as to the kernel: frames as they came.
    pub to_engine: Tally,
    /// Lost, because the kernel had no memory for the headers: frames as they came.
    pub dropped: Tally,
}

/// The maps of the counters.
pub(crate) struct CounterMaps {
    pub(crate) servers: PerCpuArray<MapData, TrafficValue>,
    pub(crate) members: PerCpuArray<MapData, TrafficValue>,
    pub(crate) totals: PerCpuArray<MapData, TotalValue>,
}

impl CounterMaps {
    /// Reads those of the first virtual servers and members.
    pub(crate) fn read(&self, servers: u16, members: u16) -> Result<Counters, Error> {
        let total = |index| {
            let [packets, bytes] = sum(&self.totals, index)?;
            Ok(Tally { packets, bytes })
        };
        Ok(Counters {
            servers: traffic(&self.servers, servers)?,
            members: traffic(&self.members, members)?,
            forwarded: total(0)?,
            forwarded_to_client: total(1)?,
            to_engine: total(2)?,
            dropped: total(3)?,
        })
    }
}

fn traffic(map: &PerCpuArray<MapData, TrafficValue>, count: u16) -> Result<Vec<Traffic>, Error> {
    let most = map.len().min(count.into());
    let read = |index| {
        let [packets, bytes, reply_packets, reply_bytes] = sum(map, index)?;
        Ok(Traffic {
            requests: Tally { packets, bytes },
            replies: Tally { packets: reply_packets, bytes: reply_bytes },
        })
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
