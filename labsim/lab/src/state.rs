//! What a node's kernel is set up with, read at one moment.

mod devices;
mod filters;
mod routing;
pub(crate) mod sockets;
mod sysctls;

pub(crate) use filters::family_number;

use crate::lab::Node;
use crate::plan::{NodePlan, TunnelMode};
use labsim_model::node_state::{Device, FilterChain, Tunnel, TunnelDeviceKind};
use labsim_model::{NodeState, StatePart};
use labsim_sys::Errno;
use labsim_sys::netlink::Socket;
use netlink_packet_route::RouteNetlinkMessage;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

/// Entries of a list that are read at most: a program in a node may make any number.
const MOST: usize = 4096;
/// Bytes of a file below `/proc/net` that are read at most: more than [`MOST`] sockets' lines.
const MOST_BYTES: u64 = 1 << 20;

impl Node {
    /// Reads what the node's kernel is set up with. Lists have at most 4096 entries. What cannot be
    /// read, or is longer, is named in the state. A device that stands for a tunnel where the
    /// kernel has none is reported as that tunnel.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn state(&self) -> io::Result<NodeState> {
        let mut state = self.run_passive(of_this_namespace)?;
        name_stand_ins(&mut state, self.plan());
        Ok(state)
    }
}

/// The state of the calling thread's namespace.
fn of_this_namespace() -> NodeState {
    let mut reader = Reader::default();
    let mut devices = devices::read(&mut reader);
    let names = devices.iter().map(|device| (device.index, device.name.clone())).collect();
    devices::add_qdiscs(&mut devices, &mut reader);
    NodeState {
        addresses: routing::addresses(&mut reader, &names),
        routes: routing::routes(&mut reader, &names),
        rules: routing::rules(&mut reader),
        neighbours: routing::neighbours(&mut reader, &names),
        sysctls: sysctls::read(&devices, &mut reader),
        sockets: sockets::read(&mut reader),
        filters: filters::read(&mut reader),
        devices,
        incomplete: reader.incomplete,
    }
}

/// The devices of the calling thread's namespace, which is that of the plan's node.
pub(crate) fn devices_here(plan: &NodePlan) -> Vec<Device> {
    let mut reader = Reader::default();
    let mut devices = devices::read(&mut reader);
    devices::add_qdiscs(&mut devices, &mut reader);
    let mut state = NodeState { devices, ..NodeState::default() };
    name_stand_ins(&mut state, plan);
    state.devices
}

/// The packet filters of the calling thread's namespace.
pub(crate) fn filters_here() -> Vec<FilterChain> {
    filters::read(&mut Reader::default())
}

/// Devices' names by number.
type Names = BTreeMap<u32, String>;

/// Reads parts, and keeps why one is not whole.
#[derive(Debug, Default)]
struct Reader {
    incomplete: BTreeMap<StatePart, String>,
}

impl Reader {
    /// A part is not whole; the first reason stays.
    fn lacks(&mut self, part: StatePart, reason: impl Into<String>) {
        self.incomplete.entry(part).or_insert_with(|| reason.into());
    }

    /// A list of the kernel's, as far as it can be read.
    fn dump(&mut self, part: StatePart, request: RouteNetlinkMessage) -> Vec<RouteNetlinkMessage> {
        let listed = Socket::open().and_then(|mut socket| socket.dump_at_most(request, MOST));
        match listed {
            Ok((list, complete)) => {
                if !complete {
                    self.lacks(part, format!("there are more than {MOST}"));
                }
                list
            }
            // A kernel without the feature has none of them.
            Err(Errno::EOPNOTSUPP) => Vec::new(),
            Err(errno) => {
                self.lacks(part, errno.desc());
                Vec::new()
            }
        }
    }

    /// A file below `/proc/net`, as far as it can be read; empty if the kernel has no such file.
    fn file(&mut self, part: StatePart, name: &str) -> String {
        // `/proc/net` is the main thread's view; this thread is the one in the namespace.
        let path = format!("/proc/thread-self/net/{name}");
        let mut text = String::new();
        let read = File::open(&path).and_then(|it| it.take(MOST_BYTES).read_to_string(&mut text));
        match read {
            Ok(length) if length as u64 >= MOST_BYTES => {
                self.lacks(part, format!("{name} is longer than {MOST_BYTES} bytes"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.lacks(part, format!("{name}: {error}")),
        }
        text
    }
}

/// Has devices that labsim made in place of the kernel's tunnels be those tunnels, and tells where
/// the others take GUE.
fn name_stand_ins(state: &mut NodeState, plan: &NodePlan) {
    for planned in &plan.tunnels {
        let name = planned.name.as_str();
        let Some(device) = state.devices.iter_mut().find(|device| device.name == name) else {
            continue;
        };
        let options = planned.kind.gre().unwrap_or_default();
        match planned.mode {
            TunnelMode::Kernel => {
                if let Some(tunnel) = &mut device.tunnel {
                    tunnel.gue = planned.kind.gue();
                }
            }
            TunnelMode::Userspace | TunnelMode::UserspaceVeth => {
                device.tunnel = Some(Tunnel {
                    kind: TunnelDeviceKind::from(planned.kind),
                    // The decapsulator takes what reaches any address of the node's.
                    local: None,
                    remote: None,
                    key: options.key,
                    checksum: options.checksum,
                    ttl: 0,
                    tos: 0,
                    inner_protocol: None,
                    gue: planned.kind.gue(),
                    userspace: true,
                });
            }
        }
    }
}
