//! Linux Virtual Server in a node's kernel: its settings, and its table.

use crate::lab::Node;
use crate::plan::{AddressPlan, NodePlan, Sysctl};
use ipnet::IpNet;
use labsim_model::ipvs::{Director, Forwarding};
use labsim_model::{Engine, LoadBalancer};
use labsim_scenario::model::{self, Scope};
use labsim_sys::netlink::ipvs::Table;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

/// Has a node be a director if `balancer`'s engine is IPVS: the VIPs are addresses of its own, so that its
/// kernel takes packets to them, and the kernel is set as the virtual servers need it.
pub(crate) fn plan_director(plan: &mut NodePlan, node: &model::Node, balancer: &LoadBalancer) {
    if balancer.engine != Engine::Ipvs {
        return;
    }
    let director = Director::new(balancer);
    let vips: BTreeSet<IpAddr> =
        director.services.iter().map(|service| service.destination.ip()).collect();
    let all: Vec<IpAddr> = vips.iter().copied().collect();
    let Some(interface) = node.main_interface(&all) else { return };
    let has = |plan: &NodePlan, vip| plan.addresses.iter().any(|it| it.address.addr() == vip);
    for vip in vips {
        if !has(plan, vip) {
            plan.addresses.push(AddressPlan {
                interface: interface.name.clone(),
                address: IpNet::from(vip),
                scope: Scope::Global,
                label: None,
            });
        }
    }
    let mut set = |key: &str, value: &str| {
        if !plan.early_sysctls.iter().any(|sysctl| sysctl.key == key) {
            plan.early_sysctls.push(Sysctl::new(key, value));
        }
    };
    set("net.ipv4.vs.sloppy_tcp", if director.sloppy_tcp { "1" } else { "0" });
    set("net.ipv4.vs.expire_quiescent_template", "1");
    // What servers answer to a translated address is forwarded.
    let servers = director.services.iter().flat_map(|service| &service.servers);
    for server in servers.filter(|server| server.forwarding == Forwarding::Masquerading) {
        match server.address.is_ipv4() {
            true => plan.forward = true,
            false => set("net.ipv6.conf.all.forwarding", "1"),
        }
    }
}

impl Node {
    /// IPVS's table of the node, which stays the node's wherever it is used.
    ///
    /// # Errors
    /// `EOPNOTSUPP` on a kernel without IPVS; the namespace cannot be entered.
    pub fn ipvs(&self) -> io::Result<Table> {
        self.run_passive(Table::open)?.map_err(io::Error::from)
    }
}

/// Tries IPVS and its schedulers in the namespace of the calling thread.
pub(crate) fn try_here(schedulers: &[&str]) -> Result<(), (String, labsim_sys::Errno)> {
    use labsim_sys::netlink::ipvs::{Key, Service};
    let table = Table::open().map_err(|errno| ("ip_vs".to_owned(), errno))?;
    let destination = ([192, 0, 2, 1], 1).into();
    for scheduler in schedulers {
        let key = Key { destination, protocol: 6 };
        let service = Service { key, scheduler, flags: 0, persistence: None };
        let tried = table.add_service(&service).and_then(|()| table.remove_service(key));
        tried.map_err(|errno| (format!("ip_vs_{scheduler}"), errno))?;
    }
    Ok(())
}
