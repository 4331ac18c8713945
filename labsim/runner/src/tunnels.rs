//! Where tunnels end on the real servers: in the kernel, or in a decapsulator of our own.

use crate::fault::Fault;
use labsim_dataplane::decapsulate::{Counters, Decapsulator, Gre, InnerEnd, Protocol};
use labsim_lab::{Lab, TunnelEnd, TunnelMode, TunnelModes, probe};
use labsim_scenario::model::{GreOptions, NodeName, Scenario, TunnelProtocol};
use std::collections::BTreeMap;
use std::time::Instant;

/// Who takes packets out of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    /// The kernel if it can, otherwise labsim; decided for each tunnel protocol.
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
        let tunnels = || scenario.real_servers.values().filter_map(|it| it.tunnel.as_ref());
        if tunnels().any(|tunnel| tunnel.protocol == TunnelProtocol::Ipip) {
            let (mode, way) = way(wanted, "ipip", TunnelProtocol::Ipip, probe::kernel_ipip)?;
            modes.ipip = mode;
            told.push(way);
        }
        if tunnels().any(|tunnel| tunnel.protocol != TunnelProtocol::Ipip) {
            let gre = TunnelProtocol::Gre(GreOptions::default());
            let (mode, way) = way(wanted, "gre", gre, probe::kernel_gre)?;
            modes.gre = mode;
            told.push(way);
        }
        let told = if told.is_empty() { "none".to_owned() } else { told.join("; ") };
        Ok(Self { modes, told })
    }
}

/// How the tunnels of one protocol end, and why.
fn way(
    wanted: Tunnel,
    name: &str,
    protocol: TunnelProtocol,
    kernel: fn() -> Result<(), probe::Missing>,
) -> Result<(TunnelMode, String), Fault> {
    let because = match wanted {
        Tunnel::Userspace => "as asked for".to_owned(),
        Tunnel::Auto | Tunnel::Kernel => match kernel() {
            Ok(()) => return Ok((TunnelMode::Kernel, format!("kernel ({name})"))),
            Err(missing) if wanted == Tunnel::Kernel => {
                let what = format!("the kernel's tunnel was asked for, and {missing}");
                return Err(Fault::Cannot(what));
            }
            Err(missing) => missing.reason,
        },
    };
    probe::alone_with(protocol)
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

/// Running decapsulators, by their nodes; dropping them ends their threads.
pub(crate) struct Tunnels(BTreeMap<NodeName, Running>);

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
            let Some(tunnel) = &server.tunnel else { continue };
            let Some(end) = lab.take_tunnel(name, &tunnel.name) else { continue };
            let what = format!("the decapsulator on {name}");
            let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
            let outer = node.tunnel_socket(tunnel.protocol).map_err(Fault::broken(&what))?;
            let answers = node.ip_socket().map_err(Fault::broken(&what))?;
            let veth = matches!(end, TunnelEnd::Veth { .. });
            let decapsulator =
                Decapsulator::start(of(tunnel.protocol), (outer, answers), inner(end));
            let decapsulator = decapsulator.map_err(Fault::broken(&what))?;
            running.insert(name.clone(), Running { decapsulator, veth });
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

    /// What the node's decapsulator refused and dropped; `None` where the kernel takes packets out.
    pub(crate) fn refused(&self, node: &NodeName) -> Option<Counters> {
        self.0.get(node).map(|running| running.decapsulator.counters())
    }

    /// Whether the node's tunnel device is a veth end.
    pub(crate) fn by_veth(&self, node: &NodeName) -> bool {
        self.0.get(node).is_some_and(|running| running.veth)
    }
}

fn of(protocol: TunnelProtocol) -> Protocol {
    match protocol {
        TunnelProtocol::Ipip => Protocol::Ipip,
        TunnelProtocol::Gre(GreOptions { key, checksum }) => Protocol::Gre(Gre { key, checksum }),
    }
}

fn inner(end: TunnelEnd) -> InnerEnd {
    match end {
        TunnelEnd::Tun(device) => InnerEnd::Tun(device),
        TunnelEnd::Veth { socket, mac } => InnerEnd::VethPeer { socket, tunnel: mac },
    }
}
