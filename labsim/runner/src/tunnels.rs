//! Where tunnels end on the real servers: in the kernel, or in a decapsulator of our own.

use crate::fault::Fault;
use labsim_dataplane::decapsulate::{Counters, Decapsulator, Gre, InnerEnd, Protocol};
use labsim_lab::{Lab, TunnelEnd, TunnelMode, TunnelModes, probe};
use labsim_scenario::model::{GreOptions, InterfaceName, NodeName, Scenario, TunnelKind};
use std::collections::BTreeMap;
use std::time::Instant;

/// Who takes packets out of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    /// The kernel if it can, otherwise labsim; decided for each kind of tunnel.
    Auto,
    /// The kernel; without its module the scenario cannot run.
    Kernel,
    /// labsim, behind a TUN device.
    Userspace,
}

/// The way that was taken, and for what reason.
pub(crate) struct Way {
    pub(crate) modes: TunnelModes,
    pub(crate) told: String,
}

impl Way {
    /// Decides for a scenario, by trying.
    pub(crate) fn choose(wanted: Tunnel, scenario: &Scenario) -> Result<Self, Fault> {
        let mut modes = TunnelModes::from(TunnelMode::Userspace);
        let mut told = Vec::new();
        let tunnels = || scenario.real_servers.values().flat_map(|it| &it.tunnels);
        for kind in KINDS {
            if tunnels().any(|tunnel| tunnel.kind.name() == kind.name()) {
                let (mode, way) = way(wanted, kind)?;
                modes.set(kind, mode);
                // What is said of one kind is mostly said of another.
                if !told.contains(&way) {
                    told.push(way);
                }
            }
        }
        let told = if told.is_empty() { "none".to_owned() } else { told.join("; ") };
        Ok(Self { modes, told })
    }
}

/// Each kind of tunnel.
const KINDS: [TunnelKind; 5] = {
    let options = GreOptions { key: None, checksum: false };
    [
        TunnelKind::Ipip,
        TunnelKind::Sit,
        TunnelKind::Ip6tnl,
        TunnelKind::Gre(options),
        TunnelKind::Ip6gre(options),
    ]
};

/// How the tunnels of one kind end, and why.
fn way(wanted: Tunnel, kind: TunnelKind) -> Result<(TunnelMode, String), Fault> {
    let name = kind.name();
    let because = match wanted {
        Tunnel::Userspace => "as asked for".to_owned(),
        Tunnel::Auto | Tunnel::Kernel => match probe::kernel_tunnel(kind) {
            Ok(()) => return Ok((TunnelMode::Kernel, format!("kernel ({name})"))),
            Err(missing) if wanted == Tunnel::Kernel => {
                let what = format!("the kernel's tunnel was asked for, and {missing}");
                return Err(Fault::Cannot(what));
            }
            Err(missing) => missing.reason,
        },
    };
    probe::alone_with(kind)
        .map_err(|missing| Fault::Cannot(format!("labsim's own {name} tunnel: {missing}")))?;
    let (mode, device) = match probe::tun_device() {
        Ok(()) => (TunnelMode::Userspace, "behind a TUN device".to_owned()),
        Err(missing) => {
            let device = format!("behind a veth pair ({})", missing.reason);
            (TunnelMode::UserspaceVeth, device)
        }
    };
    Ok((mode, format!("userspace, {device} ({because})")))
}

/// Running decapsulators, by their nodes and devices; dropping them ends their threads.
pub(crate) struct Tunnels(BTreeMap<(NodeName, InterfaceName), Running>);

struct Running {
    decapsulator: Decapsulator,
    /// Whether a veth end stands in for a TUN device.
    veth: bool,
}

impl Tunnels {
    /// Starts a decapsulator behind every tunnel device that the kernel does not feed itself.
    pub(crate) fn start(lab: &mut Lab, scenario: &Scenario) -> Result<Self, Fault> {
        let mut running = BTreeMap::new();
        for (name, server) in &scenario.real_servers {
            for tunnel in &server.tunnels {
                let Some(end) = lab.take_tunnel(name, &tunnel.name) else { continue };
                let what = format!("the decapsulator on {name}");
                let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
                let protocol = of(tunnel.kind);
                let ipv4 = protocol.outer_ipv4();
                let outer = protocol.numbers().iter();
                let outer = outer.map(|number| node.tunnel_socket(ipv4, *number));
                let outer = outer.collect::<Result<_, _>>().map_err(Fault::broken(&what))?;
                let answers = node.ip_socket(ipv4).map_err(Fault::broken(&what))?;
                let veth = matches!(end, TunnelEnd::Veth { .. });
                let decapsulator = Decapsulator::start(protocol, (outer, answers), inner(end));
                let decapsulator = decapsulator.map_err(Fault::broken(&what))?;
                let place = (name.clone(), tunnel.name.clone());
                running.insert(place, Running { decapsulator, veth });
            }
        }
        Ok(Self(running))
    }

    /// Returns when every packet that was in a socket's queue has been dealt with.
    pub(crate) fn drain(&self, deadline: Instant) -> Result<(), Fault> {
        self.0.values().try_for_each(|running| {
            let left = deadline.saturating_duration_since(Instant::now());
            running.decapsulator.drain(left).map_err(Fault::broken("a decapsulator"))
        })
    }

    /// What the decapsulator behind a device refused and dropped, and whether the device is a veth
    /// end; `None` where the kernel takes packets out.
    pub(crate) fn refused(
        &self,
        node: &NodeName,
        device: &InterfaceName,
    ) -> Option<(Counters, bool)> {
        let running = self.0.get(&(node.clone(), device.clone()))?;
        Some((running.decapsulator.counters(), running.veth))
    }
}

fn of(kind: TunnelKind) -> Protocol {
    let expected = |GreOptions { key, checksum }| Gre { key, checksum };
    match kind {
        TunnelKind::Ipip => Protocol::Ipip,
        TunnelKind::Sit => Protocol::Sit,
        TunnelKind::Ip6tnl => Protocol::Ip6tnl,
        TunnelKind::Gre(options) => Protocol::Gre(expected(options)),
        TunnelKind::Ip6gre(options) => Protocol::Ip6gre(expected(options)),
    }
}

fn inner(end: TunnelEnd) -> InnerEnd {
    match end {
        TunnelEnd::Tun(device) => InnerEnd::Tun(device),
        TunnelEnd::Veth { socket, mac } => InnerEnd::VethPeer { socket, tunnel: mac },
    }
}
