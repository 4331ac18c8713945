//! The host's addresses: which of its devices are the lab's, and the VIPs on them.

use super::OTHER_DEVICE;
use super::tunnel::kind;
use crate::address::check_unicast;
use crate::lab::server_state::{ServerState, Vip};
use crate::linux::host::{Address, Host, Link};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use labsim_scenario::model::{InterfaceName, Node, RealServer, Scenario, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

const TUNNEL_DOWN: &str = "tunnel device that is down";
/// Most VIPs of a real server.
const VIPS: usize = 256;

/// Reads the addresses of a host.
pub(super) struct Addresses<'a, 's> {
    pub(super) host: &'a Host,
    pub(super) scenario: &'a Scenario,
    pub(super) node: &'a Node,
    /// The node's addresses in the scenario.
    pub(super) own: &'a BTreeSet<IpAddr>,
    pub(super) base: Option<&'a RealServer>,
    /// What the lab calls the host's interfaces.
    pub(super) names: &'a mut BTreeMap<String, String>,
    pub(super) report: &'a mut Report<'s>,
}

impl<'a> Addresses<'a, '_> {
    /// Takes them over; none, with an error, if the host is another one.
    pub(super) fn take(&mut self, state: &mut ServerState) -> Option<()> {
        // A tunnel may have the host's own address, too.
        let has = |link: &&Link| link.addresses.iter().any(|it| self.own.contains(&it.net.addr()));
        let links = || self.host.links.iter().filter(has);
        let found = links().find(|link| kind(link).is_none()).or_else(|| links().next());
        let Some(main) = found.filter(|link| !link.is_loopback()) else {
            let own: Vec<String> = self.own.iter().map(ToString::to_string).collect();
            let message = format!(
                "no interface in these files has the address of {} ({}); name the node that has this \
                 host's address",
                self.node.name,
                own.join(", ")
            );
            let place = self.host.links.first().map_or(Place::new(0, 0, 0), |link| link.place);
            return self.report.reject(place, message);
        };
        let interface = self.node.interfaces.iter().find(|interface| {
            interface
                .addresses
                .iter()
                .any(|net| main.addresses.iter().any(|it| it.net.addr() == net.addr()))
        })?;
        self.names.insert(main.name.clone(), interface.name.to_string());
        if let Some(mtu) = main.mtu.filter(|mtu| *mtu != interface.mtu) {
            let what = format!("MTU {mtu} of {}", printable(&main.name));
            let why = format!(
                "{}:{} of the topology has {}; write it there if it matters",
                self.node.name, interface.name, interface.mtu
            );
            self.report.not_imported(main.place, what, why);
        }
        if main.up == Some(false) {
            let why = "the lab's interface is up";
            self.report.not_imported(main.place, format!("{}: down", printable(&main.name)), why);
        }
        let tunnel = self.tunnel();
        if !self.host.links.iter().any(Link::is_loopback) {
            let why = "lo is not shown: the VIPs that the scenario has on it are used";
            self.report.warn(main.place, format!("addresses of {}", self.node.name), why);
            state.vips.retain(|vip| vip.device == "lo");
        } else {
            state.vips.clear();
        }
        if let (None, Some(tunnel)) = (tunnel, &state.tunnel) {
            let why = "no tunnel device is shown: the host is taken to have none";
            self.report.warn(main.place, format!("tunnel {}", tunnel.device), why);
        }
        state.tunnel = None;
        if let Some(link) = tunnel {
            self.check_name(link)?;
            self.names.insert(link.name.clone(), link.name.clone());
            state.tunnel = Some(self.tunnel_end(link));
        }
        for link in &self.host.links {
            let is_tunnel = tunnel.is_some_and(|it| it.name == link.name);
            if link.is_loopback() {
                self.vips(link, "lo", state);
            } else if is_tunnel {
                self.vips(link, &link.name, state);
            } else if link.name == main.name {
                self.vips(link, interface.name.as_str(), state);
            } else if kind(link).is_some() && link.up == Some(false) && link.addresses.is_empty() {
                self.report.left_out(link.place, TUNNEL_DOWN);
            } else {
                self.other_device(link, state);
            }
        }
        Some(())
    }

    /// Whether the lab's node can have a device of that name.
    fn check_name(&mut self, link: &Link) -> Option<()> {
        let is_taken = self.node.interfaces.iter().any(|it| it.name.as_str() == link.name);
        let is_valid = InterfaceName::new(&link.name).is_ok()
            && !["lo", "all", "default"].contains(&link.name.as_str())
            && !link.name.contains('.');
        if is_valid && !is_taken {
            return Some(());
        }
        let name = printable(&link.name);
        let message =
            format!("the lab's node cannot have a tunnel device `{name}`; rename it in the text");
        self.report.reject(link.place, message)
    }

    /// Whether an address is one that clients know the server by.
    pub(super) fn is_vip(&self, address: IpAddr) -> bool {
        let balancers = self.scenario.load_balancers.values();
        balancers
            .flat_map(|it| it.virtual_servers.values())
            .any(|it| it.destination.ip() == address)
    }

    /// The VIPs of a device that the lab has as `device`.
    fn vips(&mut self, link: &Link, device: &str, state: &mut ServerState) {
        for one in &link.addresses {
            let address = one.net.addr();
            let is_own = self.own.contains(&address) && !link.is_loopback();
            let is_kernels = address.is_loopback() || is_link_local(address);
            let is_tunnels = kind(link).is_some() && !self.is_vip(address);
            if is_own || is_kernels || is_tunnels && !link.is_loopback() {
                continue;
            }
            if !link.is_loopback() && !self.is_vip(address) {
                let what = format!("address {} of {}", one.net, printable(&link.name));
                let why = "the lab's interface has the scenario's addresses, and this is no VIP";
                self.report.not_imported(one.place, what, why);
                continue;
            }
            self.vip(one, (link, device), state);
        }
    }

    fn vip(&mut self, one: &Address, (link, device): (&Link, &str), state: &mut ServerState) {
        let address = one.net.addr();
        let what = format!("address {} of {}", one.net, printable(&link.name));
        let checked = match address {
            IpAddr::V4(_) => check_unicast(address).map(|_| ()),
            IpAddr::V6(it) if it.is_unspecified() || it.is_multicast() => {
                Err("no host can have this address".to_owned())
            }
            IpAddr::V6(_) => Ok(()),
        };
        if let Err(why) = checked {
            return self.report.not_imported(one.place, what, why);
        }
        if state.vips.len() >= VIPS {
            let why = format!("a real server has at most {VIPS} VIPs");
            return self.report.not_imported(one.place, what, why);
        }
        let owner = self.scenario.topology.nodes.iter().find(|node| {
            node.interfaces.iter().any(|it| it.addresses.iter().any(|net| net.addr() == address))
        });
        if let Some(owner) = owner.filter(|_| !self.is_vip(address)) {
            let why = format!("it is an address of {} in the scenario", owner.name);
            return self.report.not_imported(one.place, what, why);
        }
        if state.vips.iter().any(|vip| vip.address == address) {
            return self.report.not_imported(one.place, what, "another device has it too");
        }
        if one.net.prefix_len() != one.net.max_prefix_len() {
            let why = format!(
                "imported as a host address; on the host, every address of {} is local",
                one.net.trunc()
            );
            self.report.warn(one.place, what.clone(), why);
        }
        let scope = match one.scope.as_str() {
            "host" => Scope::Host,
            "link" => Scope::Link,
            "global" => Scope::Global,
            _ if address.is_ipv6() => Scope::default(),
            other => {
                let why = format!("labsim has no scope {}", printable(other));
                return self.report.not_imported(one.place, what, why);
            }
        };
        let is_label = |label: &&String| {
            let rest = label.strip_prefix(device).and_then(|rest| rest.strip_prefix(':'));
            let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic());
            label.len() <= 15 && rest.is_some_and(|rest| !rest.is_empty() && is_plain(rest))
        };
        let label = one.label.as_ref().filter(is_label).cloned();
        let (place, device) = (Some(one.place), device.to_owned());
        state.vips.push(Vip { place, address, device, label, scope });
    }

    /// A device that the lab's node does not have. A VIP on it is put on `lo`: neither is where a
    /// packet for it comes in.
    fn other_device(&mut self, link: &Link, state: &mut ServerState) {
        self.report.not_imported(
            link.place,
            format!("device {}", printable(&link.name)),
            OTHER_DEVICE,
        );
        for one in &link.addresses {
            if self.is_vip(one.net.addr()) {
                let what = format!("address {} of {}", one.net, printable(&link.name));
                let why = "put on lo, as the lab's node does not have its device";
                self.report.warn(one.place, what, why);
                self.vip(one, (link, "lo"), state);
            }
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
