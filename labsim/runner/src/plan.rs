//! What a scenario's run consists of: the lab, and a part for each component that runs in it. Pure:
//! nothing is created, and the kernel is not asked.

mod settings;

use crate::choices::Engines;
use crate::error::RunError;
use labsim_dataplane::forwarder::DataPlaneChoice;
use labsim_lab::LabPlan;
use labsim_model::ForwarderConfig;
use labsim_scenario::model::{
    Attachment, Impairment, InterfaceName, LoadBalancer, NodeName, Process, RadiusServer, Scenario,
    Service, TacacsServer, TunnelKind,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What a scenario's run consists of. `Display` prints it for people.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// The network: namespaces, links, addresses, routes, sysctls.
    pub lab: LabPlan,
    pub(crate) tunnels: Vec<TunnelPart>,
    pub(crate) relay: RelayPart,
    pub(crate) servers: Vec<ServerPart>,
    pub(crate) forwarders: Vec<ForwarderPart>,
    /// A list for each process of the scenario, with the process in each of its nodes.
    pub(crate) programs: Vec<Vec<ProgramPart>>,
}

/// A tunnel device of a real server.
#[derive(Debug, Clone)]
pub(crate) struct TunnelPart {
    pub(crate) node: NodeName,
    pub(crate) device: InterfaceName,
    pub(crate) kind: TunnelKind,
}

/// The impaired links.
#[derive(Debug, Clone)]
pub(crate) struct RelayPart {
    /// The interfaces whose frames are impaired.
    pub(crate) senders: BTreeSet<Attachment>,
    /// The longest time that a frame may be on impaired links, each passed once.
    pub(crate) longest_delay: Duration,
}

/// The built-in servers of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerPart {
    pub(crate) node: NodeName,
    pub(crate) tacacs: Option<TacacsServer>,
    pub(crate) radius: Option<RadiusServer>,
    pub(crate) services: Vec<Service>,
}

impl ServerPart {
    /// What runs in a node.
    pub(crate) fn of(scenario: &Scenario, node: &NodeName) -> Self {
        Self {
            node: node.clone(),
            tacacs: scenario.tacacs_servers.get(node).cloned(),
            radius: scenario.radius_servers.get(node).cloned(),
            services: scenario.services.get(node).cloned().unwrap_or_default(),
        }
    }
}

/// The forwarder of a load balancer.
#[derive(Debug, Clone)]
pub(crate) struct ForwarderPart {
    pub(crate) node: NodeName,
    pub(crate) config: ForwarderConfig,
    pub(crate) data_plane: DataPlaneChoice,
}

/// A program of the user's in one of its nodes.
#[derive(Debug, Clone)]
pub(crate) struct ProgramPart {
    pub(crate) node: NodeName,
    pub(crate) process: Process,
    /// The name of its log file.
    pub(crate) log_file: String,
}

impl RunPlan {
    /// Plans a scenario for the engines that were chosen.
    ///
    /// # Errors
    /// The scenario contradicts itself, which a valid one does not.
    pub fn new(scenario: &Scenario, engines: &Engines) -> Result<Self, RunError> {
        let lab = LabPlan::of(scenario, engines.tunnels);
        Ok(Self {
            lab: if engines.netem { lab.with_netem() } else { lab },
            tunnels: tunnels(scenario).collect(),
            relay: RelayPart {
                senders: scenario.impairments.keys().cloned().collect(),
                longest_delay: longest_delay(scenario),
            },
            servers: scenario
                .serving_nodes()
                .into_iter()
                .map(|node| ServerPart::of(scenario, node))
                .collect(),
            forwarders: scenario
                .load_balancers
                .iter()
                .map(|(node, balancer)| {
                    let config = forwarder_config(scenario, node, balancer)?;
                    let data_plane = engines.data_plane;
                    Ok(ForwarderPart { node: node.clone(), config, data_plane })
                })
                .collect::<Result<_, RunError>>()?,
            programs: scenario.processes.iter().map(programs).collect(),
        })
    }

    /// The configuration of the forwarder in a node, if there is one.
    #[must_use]
    pub fn forwarder_config(&self, node: &NodeName) -> Option<&ForwarderConfig> {
        self.forwarders.iter().find(|part| part.node == *node).map(|part| &part.config)
    }

    /// Links and segment ports.
    pub(crate) fn links(&self) -> usize {
        self.lab.links.len()
    }
}

/// The configuration of the forwarder in a node.
fn forwarder_config(
    scenario: &Scenario,
    name: &NodeName,
    balancer: &LoadBalancer,
) -> Result<ForwarderConfig, RunError> {
    let node = scenario.topology.node(name).ok_or_else(|| RunError::unknown_node(name))?;
    let vips = balancer.virtual_servers.values().map(|server| server.destination.ip());
    let main = node.main_interface(&vips.collect::<Vec<_>>());
    let main = main.ok_or_else(|| {
        RunError::inconsistent(format!("the load balancer `{name}` has no interface"))
    })?;
    let others = node.interfaces.iter().filter(|interface| interface.name != main.name);
    let mut config = ForwarderConfig::new(main.name.to_string(), balancer.clone());
    config.routed_interfaces = others.map(|interface| interface.name.to_string()).collect();
    Ok(config)
}

fn tunnels(scenario: &Scenario) -> impl Iterator<Item = TunnelPart> {
    scenario.real_servers.iter().flat_map(|(node, server)| {
        server.tunnels.iter().map(|tunnel| TunnelPart {
            node: node.clone(),
            device: tunnel.name.clone(),
            kind: tunnel.kind,
        })
    })
}

fn programs(process: &Process) -> Vec<ProgramPart> {
    let name = &process.name;
    let part = |node: &NodeName| ProgramPart {
        node: node.clone(),
        process: process.clone(),
        log_file: match process.nodes.as_slice() {
            [_] => format!("{name}.log"),
            _ => format!("{name}@{node}.log"),
        },
    };
    process.nodes.iter().map(part).collect()
}

fn longest_delay(scenario: &Scenario) -> Duration {
    let link = |(end, impairment): (&Attachment, &Impairment)| {
        let mtu = scenario.topology.node(&end.node).and_then(|node| {
            node.interfaces.iter().find(|one| one.name == end.interface).map(|one| one.mtu)
        });
        let bits = u64::from(mtu.unwrap_or(1500) + 14) * 8 * u64::from(impairment.queue);
        let queue =
            impairment.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(bits / rate + 1));
        impairment.delay + impairment.jitter + queue
    };
    scenario.impairments.iter().map(link).sum()
}

impl RunPlan {
    /// What each node is set up with, a line each, by its name.
    pub(crate) fn node_lines(&self) -> BTreeMap<String, Vec<String>> {
        let nodes = self.lab.nodes.iter().map(|node| {
            let lines = node.to_string().lines().map(|line| line.trim().to_owned()).collect();
            (node.name.to_string(), lines)
        });
        let mut lines: BTreeMap<String, Vec<String>> = nodes.collect();
        for ForwarderPart { node, config, .. } in &self.forwarders {
            lines.entry(node.to_string()).or_default().extend(settings::lines(&config.balancer));
        }
        lines
    }
}

impl fmt::Display for RunPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.lab.to_string().trim_end())?;
        writeln!(f, "runs:")?;
        for sender in &self.relay.senders {
            writeln!(f, "  {}:{}: impaired link", sender.node, sender.interface)?;
        }
        for ServerPart { node, tacacs, radius, services } in &self.servers {
            if let Some(server) = tacacs {
                writeln!(f, "  {node}: TACACS+ server, TCP port {}", server.port)?;
            }
            if let Some(server) = radius {
                let (authentication, accounting) =
                    (server.authentication_port, server.accounting_port);
                writeln!(
                    f,
                    "  {node}: RADIUS server, UDP ports {authentication} and {accounting}"
                )?;
            }
            for service in services {
                let protocol = service.protocol().word().to_uppercase();
                let ports = service.shown_ports();
                writeln!(f, "  {node}: {} server, {protocol} {ports}", service.name())?;
            }
        }
        for ForwarderPart { node, config, .. } in &self.forwarders {
            writeln!(f, "  {node}: forwarder")?;
            for line in settings::lines(&config.balancer) {
                writeln!(f, "    {line}")?;
            }
        }
        for ProgramPart { node, process, .. } in self.programs.iter().flatten() {
            writeln!(f, "  {node}: process {}", process.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_lab::TunnelMode;
    use std::path::Path;

    fn plan(file: &str) -> RunPlan {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(file);
        let scenario = labsim_scenario::load(file.as_path()).unwrap().scenario;
        let engines = Engines::without_probing(TunnelMode::Userspace);
        RunPlan::new(&scenario, &engines).unwrap()
    }

    #[test]
    fn each_component_has_its_own_part_of_the_scenario() {
        let plan = plan("tacacs-ipip.yaml");
        let tunnels: Vec<String> =
            plan.tunnels.iter().map(|it| format!("{}:{}", it.node, it.device)).collect();
        assert_eq!(tunnels, ["rs1:tunl0", "rs2:tunl0", "rs3:tunl0"]);
        let servers: Vec<&str> = plan.servers.iter().map(|it| it.node.as_str()).collect();
        assert_eq!(servers, ["rs1", "rs2", "rs3"]);
        assert!(plan.servers.iter().all(|it| it.tacacs.is_some() && it.radius.is_none()));
        let forwarders: Vec<&str> = plan.forwarders.iter().map(|it| it.node.as_str()).collect();
        assert_eq!(forwarders, ["lb"]);
        assert!(plan.relay.senders.is_empty() && plan.programs.is_empty());
        assert_eq!(plan.relay.longest_delay, Duration::ZERO);
    }

    #[test]
    fn the_printed_plan_names_what_is_built_and_what_runs_in_it() {
        let text = plan("tacacs-ipip.yaml").to_string();
        for line in ["node rs1", "  rs1: TACACS+ server, TCP port 49", "  lb: forwarder"] {
            assert!(text.lines().any(|it| it.starts_with(line)), "{line} is missing in {text}");
        }
    }

    #[test]
    fn a_program_in_several_nodes_has_a_log_file_for_each() {
        let plan = plan("freeradius-ipip.yaml");
        let files: Vec<&str> =
            plan.programs.iter().flatten().map(|it| it.log_file.as_str()).collect();
        assert!(files.len() > 1 && files.iter().all(|file| file.contains('@')), "{files:?}");
    }
}
