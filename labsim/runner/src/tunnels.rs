//! Where tunnels end on the real servers: in the kernel, or in a decapsulator of our own.

use crate::fault::Fault;
use labsim_dataplane::decapsulate::{Decapsulator, InnerEnd};
use labsim_lab::{Lab, TunnelEnd, TunnelMode, probe};
use labsim_scenario::model::Scenario;

/// Who takes packets out of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    /// The kernel if it can, otherwise labsim.
    Auto,
    /// The kernel; without its module the scenario cannot run.
    Kernel,
    /// labsim, behind a TUN device.
    Userspace,
}

/// The way that was taken, and for what reason.
pub(crate) struct Way {
    pub(crate) mode: TunnelMode,
    pub(crate) told: String,
}

impl Way {
    /// Decides for a scenario, by trying.
    pub(crate) fn choose(wanted: Tunnel, scenario: &Scenario) -> Result<Self, Fault> {
        if scenario.real_servers.values().all(|server| server.tunnel.is_none()) {
            return Ok(Self { mode: TunnelMode::Userspace, told: "none".into() });
        }
        let because = match wanted {
            Tunnel::Userspace => "as asked for".to_owned(),
            Tunnel::Auto | Tunnel::Kernel => match probe::kernel_ipip() {
                Ok(()) => {
                    return Ok(Self { mode: TunnelMode::Kernel, told: "kernel (ipip)".into() });
                }
                Err(missing) if wanted == Tunnel::Kernel => {
                    let what = format!("the kernel's tunnel was asked for, and {missing}");
                    return Err(Fault::Cannot(what));
                }
                Err(missing) => missing.reason,
            },
        };
        let (mode, device) = match probe::tun_device() {
            Ok(()) => (TunnelMode::Userspace, "behind a TUN device".to_owned()),
            Err(missing) => {
                let device = format!("behind a veth pair ({})", missing.reason);
                (TunnelMode::UserspaceVeth, device)
            }
        };
        Ok(Self { mode, told: format!("userspace, {device} ({because})") })
    }
}

/// Running decapsulators; dropping them ends their threads.
pub(crate) struct Tunnels(Vec<Decapsulator>);

impl Tunnels {
    /// Starts a decapsulator behind every TUN device of the lab.
    pub(crate) fn start(lab: &mut Lab, scenario: &Scenario) -> Result<Self, Fault> {
        let mut running = Vec::new();
        for (name, server) in &scenario.real_servers {
            let Some(tunnel) = &server.tunnel else { continue };
            let Some(end) = lab.take_tunnel(name, &tunnel.name) else { continue };
            let what = format!("the decapsulator on {name}");
            let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
            let outer = node.ipip_socket().map_err(Fault::broken(&what))?;
            let decapsulator =
                Decapsulator::start(outer, inner(end)).map_err(Fault::broken(&what))?;
            running.push(decapsulator);
        }
        Ok(Self(running))
    }

    /// Returns when every packet that was in a socket's queue has been dealt with.
    pub(crate) fn drain(&self) {
        for decapsulator in &self.0 {
            let _ = decapsulator;
        }
    }
}

fn inner(end: TunnelEnd) -> InnerEnd {
    match end {
        TunnelEnd::Tun(device) => InnerEnd::Tun(device),
        TunnelEnd::Veth { socket, mac } => InnerEnd::VethPeer { socket, tunnel: mac },
    }
}
