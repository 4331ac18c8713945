//! The components of a scenario's lab, each made from its part of the plan.

pub(crate) mod balancer;
pub(crate) mod configure;
mod director;
pub(crate) mod forwarder;
mod kernel;
pub(crate) mod programs;
mod relay;
pub(crate) mod servers;
mod tunnel;

use crate::component::{Component as _, ComponentSet, Shutdown, Stage};
use crate::error::RunError;
use crate::logbook::Logbook;
use crate::plan::{ProgramPart, RunPlan};
use balancer::Balancer;
use forwarder::WaitingForwarders;
use kernel::NodeKernels;
use labsim_event::Event;
use labsim_lab::{Lab, NewLab};
use labsim_scenario::model::{NodeName, ProcessStart};
use programs::Program;
use relay::LinkRelay;
use servers::{NodeServers, ServerLog};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitStatus;
use tunnel::TunnelDevice;

/// Everything that runs in a lab, by kind, so that steps find what they act on.
pub(crate) struct Components {
    kernels: NodeKernels,
    tunnels: Vec<TunnelDevice>,
    relay: LinkRelay,
    servers: BTreeMap<NodeName, NodeServers>,
    forwarders: BTreeMap<NodeName, Balancer>,
    /// Those that are started before servers and forwarders.
    first_programs: Vec<Vec<Program>>,
    programs: Vec<Vec<Program>>,
    server_log: ServerLog,
    logbook: Logbook,
}

/// Builds a plan's lab. Forwarders' processes start meanwhile, and wait.
///
/// # Errors
/// What failed of the lab; what failed of a process is told where its forwarder is to start.
pub(crate) fn build_lab(
    plan: &RunPlan,
    program: &Path,
) -> Result<(Lab, WaitingForwarders), RunError> {
    let lab = NewLab::create(&plan.lab)?;
    let waiting = WaitingForwarders::spawn(&plan.forwarders, &lab, program);
    Ok((lab.build()?, waiting))
}

/// Something that runs in a node of a lab.
#[derive(Debug, Clone)]
pub struct Running {
    /// The node.
    pub node: NodeName,
    /// `forwarder`, `TACACS+ server`, `process radiusd`.
    pub what: String,
    /// How it ended by itself, if it did: `ended with exit code 1`.
    pub ended: Option<String>,
}

impl Components {
    /// Makes all of them; none runs. `program` is labsim itself, whose `forwarder` command is a
    /// load balancer, and `waiting` are processes of it. What they print and log goes to `logbook` as well.
    /// Takes the far sides of tunnel devices and impaired links out of the lab.
    pub(crate) fn new(
        plan: RunPlan,
        (lab, mut waiting): (&mut Lab, WaitingForwarders),
        program: &Path,
        logbook: Logbook,
    ) -> Self {
        let server_log = ServerLog::default();
        let relays = lab.take_relays();
        let starts_first = |parts: &Vec<ProgramPart>| {
            parts.iter().any(|part| part.process.start == ProcessStart::First)
        };
        let (first, last): (Vec<_>, Vec<_>) = plan.programs.into_iter().partition(starts_first);
        let programs = |all: Vec<Vec<ProgramPart>>| {
            let program = |part| Program::new(part, logbook.clone());
            all.into_iter().map(|parts| parts.into_iter().map(program).collect()).collect()
        };
        Self {
            kernels: NodeKernels::default(),
            tunnels: plan.tunnels.into_iter().map(|part| TunnelDevice::new(part, lab)).collect(),
            relay: LinkRelay::new(plan.relay, relays),
            servers: plan
                .servers
                .into_iter()
                .map(|part| {
                    let (log, logbook) = (server_log.clone(), logbook.clone());
                    (part.node.clone(), NodeServers::new(part, log, logbook))
                })
                .collect(),
            forwarders: plan
                .forwarders
                .into_iter()
                .map(|part| {
                    let (node, logbook) = (part.node.clone(), logbook.clone());
                    (node, Balancer::new(part, &mut waiting, program, logbook))
                })
                .collect(),
            first_programs: programs(first),
            programs: programs(last),
            server_log,
            logbook,
        }
    }

    /// The forwarder in `node`.
    pub(crate) fn forwarder(&mut self, node: &NodeName) -> Result<&mut Balancer, RunError> {
        self.forwarders.get_mut(node).ok_or_else(|| RunError::unknown_node(node))
    }

    /// All forwarders.
    pub(crate) fn forwarders(&mut self) -> impl Iterator<Item = &mut Balancer> {
        self.forwarders.values_mut()
    }

    /// The built-in servers of `node`.
    pub(crate) fn servers(&mut self, node: &NodeName) -> Result<&mut NodeServers, RunError> {
        self.servers.get_mut(node).ok_or_else(|| RunError::unknown_node(node))
    }

    /// What runs in the nodes, in the order of its start.
    pub(crate) fn running(&mut self) -> Vec<Running> {
        let running = |node: &NodeName, what: String, ended: Option<ExitStatus>| Running {
            node: node.clone(),
            what,
            ended: ended.map(programs::fmt_status),
        };
        let program = |program: &mut Program| {
            let ended = program.ended();
            running(program.node(), program.what(), ended)
        };
        let mut all: Vec<Running> = self.first_programs.iter_mut().flatten().map(program).collect();
        for servers in self.servers.values() {
            all.extend(servers.kinds().map(|kind| running(servers.node(), kind, None)));
        }
        for forwarder in self.forwarders.values_mut() {
            let ended = forwarder.ended();
            all.push(running(forwarder.node(), forwarder.what().to_owned(), ended));
        }
        all.extend(self.programs.iter_mut().flatten().map(program));
        all
    }

    /// Starts again what runs in nodes, in the order of its start: programs that have ended, servers that
    /// were stopped, and forwarders in any case. Returns what was started, by its node.
    pub(crate) async fn start_again(
        &mut self,
        lab: &Lab,
        nodes: &[NodeName],
        emit: &dyn Fn(Event),
    ) -> Result<Vec<(NodeName, String)>, RunError> {
        let mut started = Vec::new();
        let Self { first_programs, servers, forwarders, programs, .. } = self;
        let first = first_programs.iter_mut().flatten();
        started.extend(start_programs(first, lab, nodes, emit).await?);
        for servers in servers.values_mut().filter(|it| nodes.contains(it.node())) {
            if !servers.listen() {
                servers.start(lab, emit)?;
                started.extend(servers.kinds().map(|kind| (servers.node().clone(), kind)));
            }
        }
        for forwarder in forwarders.values_mut().filter(|it| nodes.contains(it.node())) {
            forwarder.stop(Shutdown::Immediate, emit).await?;
            forwarder.forget_failover();
            forwarder.start(lab, emit)?;
            forwarder.ready(lab).await?;
            started.push((forwarder.node().clone(), forwarder.what().to_owned()));
        }
        let last = programs.iter_mut().flatten();
        started.extend(start_programs(last, lab, nodes, emit).await?);
        Ok(started)
    }

    /// What was printed and logged.
    pub(crate) fn logbook(&self) -> &Logbook {
        &self.logbook
    }

    /// What the built-in servers logged.
    pub(crate) fn server_log(&self) -> &ServerLog {
        &self.server_log
    }
}

/// Starts those that have ended, one after the other.
async fn start_programs<'p>(
    programs: impl Iterator<Item = &'p mut Program>,
    lab: &Lab,
    nodes: &[NodeName],
    emit: &dyn Fn(Event),
) -> Result<Vec<(NodeName, String)>, RunError> {
    let mut started = Vec::new();
    for program in programs.filter(|it| nodes.contains(it.node())) {
        if program.ended().is_some() {
            program.stop(Shutdown::Immediate, emit).await?;
            program.start(lab, emit)?;
            program.ready(lab).await?;
            started.push((program.node().clone(), program.what()));
        }
    }
    Ok(started)
}

impl ComponentSet<Lab> for Components {
    fn stages(&mut self) -> Vec<Stage<'_, Lab>> {
        fn stage<C: crate::component::Component<Lab>>(all: &mut [C]) -> Stage<'_, Lab> {
            all.iter_mut().map(|one| one as _).collect()
        }
        let mut network: Stage<'_, Lab> = vec![&mut self.kernels, &mut self.relay];
        network.extend(stage(&mut self.tunnels));
        let first = self.first_programs.iter_mut().map(|all| stage(all));
        let servers = self.servers.values_mut().map(|one| one as _).collect();
        let forwarders = self.forwarders.values_mut().map(|one| one as _).collect();
        let last = self.programs.iter_mut().map(|all| stage(all));
        let own: [Stage<'_, Lab>; 2] = [servers, forwarders];
        [network].into_iter().chain(first).chain(own).chain(last).collect()
    }
}
