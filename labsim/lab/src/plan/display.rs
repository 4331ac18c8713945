//! The plan as text for people.

use super::{LabPlan, NodePlan, Sysctl, TunnelMode, VethLinkEnd};
use labsim_scenario::model::Scope;
use std::fmt;

impl fmt::Display for LabPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lab {}", self.name)?;
        for node in &self.nodes {
            write!(f, "{node}")?;
        }
        for (position, bridge) in self.bridges.iter().enumerate() {
            writeln!(f, "bridge {} mtu {}", bridge.segment, bridge.mtu)?;
            for link in &self.links {
                let [VethLinkEnd::Port { bridge, .. }, far] = &link.ends else { continue };
                if *bridge == position {
                    writeln!(f, "  port to {}", self.end_name(far))?;
                }
            }
        }
        for link in &self.links {
            let [a @ VethLinkEnd::Node { .. }, b] = &link.ends else { continue };
            writeln!(f, "link {} -- {}", self.end_name(a), self.end_name(b))?;
        }
        for link in &self.links {
            let Some(relay) = &link.relay else { continue };
            for (end, impairment) in link.ends.iter().zip(&relay.impairments) {
                let Some(impairment) = impairment else { continue };
                let by = if relay.netem { "netem" } else { "the relay" };
                writeln!(f, "impaired by {by}: from {}: {impairment}", self.end_name(end))?;
            }
        }
        Ok(())
    }
}

impl LabPlan {
    /// `node:interface`, or `bridge:port`.
    pub(crate) fn end_name(&self, end: &VethLinkEnd) -> String {
        match end {
            VethLinkEnd::Node { node, interface } => self
                .nodes
                .get(*node)
                .and_then(|node| Some((node, node.interfaces.get(*interface)?)))
                .map(|(node, interface)| format!("{}:{}", node.name, interface.name))
                .unwrap_or_default(),
            VethLinkEnd::Port { bridge, port } => self
                .bridges
                .get(*bridge)
                .map(|bridge| format!("{}:{}", bridge.segment, port.name))
                .unwrap_or_default(),
        }
    }
}

impl fmt::Display for NodePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "node {}{}", self.name, if self.forward { " (forwards)" } else { "" })?;
        for sysctl in &self.early_sysctls {
            writeln!(f, "  {sysctl}")?;
        }
        for it in &self.interfaces {
            let [a, b, c, d, e, g] = it.mac;
            write!(f, "  interface {} mac ", it.name)?;
            write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x} mtu {}", it.mtu)?;
            writeln!(f, " offloads {}", if it.offloads { "on" } else { "off" })?;
        }
        for tunnel in &self.tunnels {
            let how = match tunnel.mode {
                TunnelMode::Kernel => "in the kernel",
                TunnelMode::Userspace => "TUN with a decapsulator in user space",
                TunnelMode::UserspaceVeth => "veth with a decapsulator in user space",
            };
            let what = tunnel.kind.name();
            writeln!(f, "  tunnel {} {what} mtu {} ({how})", tunnel.name, tunnel.mtu)?;
        }
        for address in &self.addresses {
            write!(f, "  address {} dev {}", address.address, address.interface)?;
            if address.scope != Scope::Global {
                write!(f, " scope {}", address.scope.name())?;
            }
            if let Some(label) = &address.label {
                write!(f, " label {label}")?;
            }
            if !address.preferred && address.address.addr().is_ipv6() {
                write!(f, " preferred_lft 0")?;
            }
            writeln!(f)?;
        }
        for route in &self.routes {
            writeln!(f, "  route {}", route.route.arguments(route.metrics))?;
        }
        for sysctl in &self.late_sysctls {
            writeln!(f, "  {sysctl}")?;
        }
        for filter in &self.filters {
            for chain in &filter.chains {
                let (hook, priority, policy) = (chain.hook, chain.priority, chain.policy);
                let absent = if filter.present { "" } else { " (absent)" };
                let name = &filter.name;
                writeln!(f, "  filter {name} {hook} priority {priority} policy {policy}{absent}")?;
                for rule in &chain.rules {
                    writeln!(f, "    {}", rule.text)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sysctl {} = {}", self.key, self.value)
    }
}
