//! The fast path of one interface, and what the engine does with it.

use crate::counters::CounterMaps;
use crate::device::{EngineDevice, index_of};
use crate::error::os_error;
use crate::flow::{self, EncodedKey, encode_key};
use crate::layout::{AddressKey, Flow4Key, Flow6Key, FlowValue, OwnedValue, PathValue, Settings};
use crate::program::{self, Attached, DROP, FORWARD};
use crate::{Capacity, Error, Owned, owned, path};
use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use labsim_forwarder::{FlowUse, Instant, OffloadCounters, OffloadKey, OffloadPath, OffloadedFlow};
use labsim_sys::Errno;
use labsim_sys::netlink::Socket;
use labsim_wire::ethernet::Mac;
use std::fmt;

/// The program at an interface's ingress; it goes when this is dropped, and then all packets are the
/// kernel's again.
pub struct FastPath {
    flows4: HashMap<MapData, Flow4Key, FlowValue>,
    flows6: HashMap<MapData, Flow6Key, FlowValue>,
    paths: HashMap<MapData, u32, PathValue>,
    owned: HashMap<MapData, AddressKey, OwnedValue>,
    settings: Array<MapData, Settings>,
    counters: CounterMaps,
    capacity: Capacity,
    // In the order in which they go: nothing is redirected to a device that is not there.
    _forward: Attached,
    _drop: Attached,
    device: EngineDevice,
    _ebpf: Ebpf,
}

impl fmt::Debug for FastPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("FastPath");
        all.field("device", &self.device).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl FastPath {
    /// Loads the program and attaches it to the ingress of an interface of the calling thread's network
    /// namespace that has this link-layer address. Makes a veth pair there, `pva<n>` and `pva<n>p` with
    /// the interface's number, which goes with this value or with its namespace.
    ///
    /// Until the engine's addresses are set ([`Self::set_owned`]) the engine gets ARP alone.
    ///
    /// # Errors
    /// [`Error`]: what is missing, and the remedy.
    pub fn attach(interface: &str, mac: Mac, capacity: Capacity) -> Result<Self, Error> {
        let socket = Socket::open()
            .map_err(|errno| Error::errno("a routing socket (rtnetlink(7))", errno))?;
        let index = index_of(&socket, interface)?;
        let mut ebpf = program::load(capacity)?;
        let mut device = EngineDevice::create(index, mac)?;
        let drop = program::attach(&mut ebpf, DROP, (&device.name, device.index))?;
        device.up()?;
        let mut settings: Array<MapData, Settings> = map(&mut ebpf, "settings_map")?;
        set_settings(&mut settings, [device.index, 0])?;
        let forward = program::attach(&mut ebpf, FORWARD, (interface, index))?;
        Ok(Self {
            flows4: map(&mut ebpf, "flows4")?,
            flows6: map(&mut ebpf, "flows6")?,
            paths: map(&mut ebpf, "paths")?,
            owned: map(&mut ebpf, "owned_addresses")?,
            settings,
            counters: CounterMaps {
                servers: map(&mut ebpf, "servers")?,
                members: map(&mut ebpf, "members")?,
                totals: map(&mut ebpf, "totals")?,
            },
            capacity,
            _forward: forward,
            _drop: drop,
            device,
            _ebpf: ebpf,
        })
    }

    /// The number of the device where the engine's packet ring listens; its name is `pva<n>`. What it
    /// sends, it sends at the interface itself.
    #[must_use]
    pub fn engine_interface(&self) -> u32 {
        self.device.index
    }

    /// Sets all addresses of which the engine takes something.
    ///
    /// # Errors
    /// [`Error::TooManyServices`], [`Error::TooManyAddresses`], or the kernel's refusal.
    pub fn set_owned(&mut self, owned: &[Owned]) -> Result<(), Error> {
        let entries = owned::encode(owned)?;
        if entries.len() > self.capacity.addresses as usize {
            let (room, addresses) = (self.capacity.addresses, entries.len());
            return Err(Error::TooManyAddresses { room, addresses });
        }
        let failed = |error| Error::call("the engine's addresses", error);
        let ipv6 = owned.iter().any(|owned| owned.address.is_ipv6());
        set_settings(&mut self.settings, [self.device.index, ipv6.into()])?;
        let present: Vec<AddressKey> =
            self.owned.keys().collect::<Result<_, _>>().map_err(failed)?;
        for key in present.iter().filter(|key| !entries.contains_key(*key)) {
            self.owned.remove(key).map_err(failed)?;
        }
        for (key, value) in &entries {
            self.owned.insert(key, value, 0).map_err(failed)?;
        }
        Ok(())
    }

    /// Sets how packets leave by the path of that number; packets of its flows are the engine's where
    /// it is `None`, as all paths are at first.
    ///
    /// # Errors
    /// The kernel's refusal; `E2BIG` beyond [`Capacity::paths`].
    pub fn set_path(&mut self, number: u16, path: Option<OffloadPath>) -> Result<(), Error> {
        let number = u32::from(number);
        let set = match path {
            Some(path) => self.paths.insert(number, path::encode(&path), 0),
            None => self.paths.remove(&number).or_else(absent),
        };
        set.map_err(|error| Error::call("a path", error))
    }

    /// Hands a flow over, which was last seen at that time on CLOCK_MONOTONIC; one that is there is
    /// replaced, and what was seen of it is forgotten. `false` leaves it to the engine: the map is
    /// full, or the program cannot forward such a flow.
    ///
    /// # Errors
    /// The kernel's refusal for another reason.
    pub fn insert(
        &mut self,
        key: &OffloadKey,
        flow: &OffloadedFlow,
        last_seen: Instant,
    ) -> Result<bool, Error> {
        let Capacity { servers, members, .. } = self.capacity;
        if u32::from(flow.server) >= servers || u32::from(flow.member) >= members {
            return Ok(false);
        }
        let (Some(key), Some(value)) = (encode_key(key), flow::encode(key, flow, last_seen)) else {
            return Ok(false);
        };
        let inserted = match key {
            EncodedKey::V4(key) => self.flows4.insert(key, value, 0),
            EncodedKey::V6(key) => self.flows6.insert(key, value, 0),
        };
        match inserted {
            Ok(()) => Ok(true),
            // Full (`htab_map_update_elem`), or no memory for one more.
            Err(error) if matches!(os_error(&error), Some(Errno::E2BIG | Errno::ENOMEM)) => {
                Ok(false)
            }
            Err(error) => Err(Error::call("a flow", error)),
        }
    }

    /// Takes a flow back, with what was seen of it; `None` if it is not there. A packet that is being
    /// forwarded meanwhile may be missing.
    pub fn remove(&mut self, key: &OffloadKey) -> Option<FlowUse> {
        let seen = self.flow_use(key)?;
        let removed = match encode_key(key)? {
            EncodedKey::V4(key) => self.flows4.remove(&key),
            EncodedKey::V6(key) => self.flows6.remove(&key),
        };
        removed.ok().map(|()| seen)
    }

    /// What was seen of a flow; `None` if it is not there.
    #[must_use]
    pub fn flow_use(&self, key: &OffloadKey) -> Option<FlowUse> {
        let value = match encode_key(key)? {
            EncodedKey::V4(key) => self.flows4.get(&key, 0),
            EncodedKey::V6(key) => self.flows6.get(&key, 0),
        };
        value.ok().map(|value| flow::decode_use(&value))
    }

    /// Takes all flows back.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn remove_all(&mut self) -> Result<(), Error> {
        remove_all(&mut self.flows4)?;
        remove_all(&mut self.flows6)
    }

    /// What was forwarded since the program was attached, of the first virtual servers and members.
    /// Reading takes a call each.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn counters(&self, servers: u16, members: u16) -> Result<OffloadCounters, Error> {
        self.counters.read(servers, members)
    }

    /// Frames that were lost since the program was attached, because the kernel had no room for their
    /// headers.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn lost(&self) -> Result<u64, Error> {
        self.counters.lost()
    }
}

/// A map of the program's.
fn map<M: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &str) -> Result<M, Error> {
    let map = ebpf.take_map(name);
    let map = map.ok_or_else(|| Error::Object(format!("there is no map `{name}`")))?;
    M::try_from(map).map_err(|error| Error::call(name, error))
}

fn set_settings(map: &mut Array<MapData, Settings>, settings: Settings) -> Result<(), Error> {
    map.set(0, settings, 0).map_err(|error| Error::call("the program's settings", error))
}

/// Removing what is not there is no error.
fn absent(error: MapError) -> Result<(), MapError> {
    match error {
        MapError::KeyNotFound => Ok(()),
        error if os_error(&error) == Some(Errno::ENOENT) => Ok(()),
        error => Err(error),
    }
}

fn remove_all<const N: usize>(map: &mut HashMap<MapData, [u8; N], FlowValue>) -> Result<(), Error> {
    let failed = |error| Error::call("the flows", error);
    // The list begins anew where its place was removed, so it is read before.
    let keys: Vec<[u8; N]> = map.keys().collect::<Result<_, _>>().map_err(failed)?;
    for key in keys {
        map.remove(&key).or_else(absent).map_err(failed)?;
    }
    Ok(())
}
