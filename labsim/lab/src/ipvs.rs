//! Linux Virtual Server in a node's kernel: its settings, and its table.

use crate::lab::Node;
use crate::plan::{AddressPlan, NodePlan, Sysctl};
use ipnet::IpNet;
use labsim_model::ipvs::{Director, Forwarding};
use labsim_model::{Engine, LoadBalancer};
use labsim_scenario::model::{self, Scope};
use labsim_sys::netlink::ipvs::Table;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;

/// Room for the statistics of some hundred processors.
const STATISTICS_BYTES: usize = 64 * 1024;

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
                // Not the source of tunnel packets.
                preferred: false,
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

/// IPVS of a node, which stays the node's wherever it is used.
#[derive(Debug)]
pub struct Ipvs {
    /// Its table.
    pub table: Table,
    statistics: File,
}

/// What IPVS of a node has counted since the node is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IpvsStatistics {
    /// Connections that were scheduled.
    pub connections: u64,
    /// Packets to real servers.
    pub packets_in: u64,
    /// Packets from real servers, where they answer through the node.
    pub packets_out: u64,
}

impl Ipvs {
    /// What has been counted up to now. (What netlink lists is two seconds old at most, the period of IPVS's
    /// estimator.)
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn statistics(&self) -> io::Result<IpvsStatistics> {
        let mut text = vec![0; STATISTICS_BYTES];
        let length = self.statistics.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default());
        Ok(IpvsStatistics::sum(&text))
    }
}

impl IpvsStatistics {
    /// The sum of all processors' lines: the processor, connections, packets in and out, bytes in and out, in
    /// hexadecimal (`ip_vs_stats_percpu_show` of net/netfilter/ipvs/ip_vs_ctl.c).
    fn sum(text: &str) -> Self {
        let mut sum = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |word: &str| u64::from_str_radix(word, 16).ok();
            let [cpu, connections, packets_in, packets_out, _, _] = words.as_slice() else {
                continue;
            };
            if let (Some(_), Some(connections), Some(packets_in), Some(packets_out)) =
                (number(cpu), number(connections), number(packets_in), number(packets_out))
            {
                sum.connections += connections;
                sum.packets_in += packets_in;
                sum.packets_out += packets_out;
            }
        }
        sum
    }
}

impl Node {
    /// IPVS of the node.
    ///
    /// # Errors
    /// `EOPNOTSUPP` on a kernel without IPVS; the namespace cannot be entered.
    pub fn ipvs(&self) -> io::Result<Ipvs> {
        let open = || {
            let table = Table::open()?;
            let statistics = File::open("/proc/thread-self/net/ip_vs_stats_percpu")?;
            Ok(Ipvs { table, statistics })
        };
        self.run_passive(open)?
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{LabPlan, TunnelMode};
    use std::path::Path;

    fn director(file: &str) -> NodePlan {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(file);
        let scenario = labsim_scenario::load(file.as_path()).unwrap().scenario;
        let plan = LabPlan::of(&scenario, TunnelMode::Kernel);
        plan.nodes.into_iter().find(|node| node.name.as_str() == "lb").unwrap()
    }

    #[test]
    fn a_director_has_its_vips_and_its_kernels_settings() {
        let plan = director("ipvs-ipip.yaml").to_string();
        for line in [
            "address 172.16.4.99/32 dev eth0",
            "net.ipv4.vs.sloppy_tcp = 1",
            "net.ipv4.vs.expire_quiescent_template = 1",
        ] {
            assert!(plan.contains(line), "{line} is not in {plan}");
        }
        assert!(!director("ipvs-ipip.yaml").forward && director("ipvs-nat.yaml").forward);
        let ipv6 = director("ipv6/ipvs-6in6.yaml");
        let vip = ipv6.addresses.iter().find(|one| one.address.prefix_len() == 128).unwrap();
        assert!(!vip.preferred, "a tunnel packet's source would be the VIP");
        assert!(!director("tacacs-ipip.yaml").to_string().contains("172.16.4.99/32"));
    }

    #[test]
    fn statistics_are_the_sum_of_all_processors() {
        let text = "       Total Incoming Outgoing         Incoming         Outgoing\n\
                    CPU    Conns  Packets  Packets            Bytes            Bytes\n  \
                    0        1       1A        0              15C                0\n  \
                    1        2        6        3              15C                0\n  \
                    ~        0        0        0                0                0\n\n     \
                    Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n        \
                    0        0        0                0                0\n";
        let sum = IpvsStatistics { connections: 3, packets_in: 32, packets_out: 3 };
        assert_eq!(IpvsStatistics::sum(text), sum);
        assert_eq!(IpvsStatistics::sum(""), IpvsStatistics::default());
    }
}
