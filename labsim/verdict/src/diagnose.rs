//! Says what became of a step's packets, and why, as far as frames and counters show it.
//!
//! Evidence comes before configuration: a [`Cause`] is said only with the frames or counters that
//! show it. Where nothing shows one, only the place where the packets were last seen is said.

mod cause;
mod evidence;
mod trace;

pub use cause::Cause;
pub use trace::Trace;

use crate::frames::FrameList;
use crate::ruling::{Case, count};
use crate::{login, servers};
use labsim_scenario::model::{Direction, NodeName, StepName};
use labsim_wire::decode::Flow;
use labsim_wire::protocol;

/// What became of a step's packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The step.
    pub step: StepName,
    /// The way of the client's packets; `None` if none was captured.
    pub forward: Option<Trace>,
    /// The way of the answers; `None` if none was captured.
    pub back: Option<Trace>,
    /// The causes that something shows, the likeliest first.
    pub evidence: Vec<Evidence>,
    /// What the servers logged about the step.
    pub server_log: Vec<String>,
}

/// A cause and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it is.
    pub cause: Cause,
    /// The frames that show it; empty if a counter does.
    pub frames: FrameList,
}

impl Diagnosis {
    /// Everything in sentences, in the order in which a person asks: how far the packets came,
    /// what shows why, what came back, what the servers say.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        match &self.forward {
            Some(trace) => sentences.push(trace.sentence("client's")),
            None => sentences.push("no packet of the client was captured anywhere".to_owned()),
        }
        sentences.extend(self.evidence.iter().map(|evidence| evidence.cause.to_string()));
        match &self.back {
            Some(trace) => sentences.push(trace.sentence("answering")),
            None => sentences.push("no answer was captured anywhere".to_owned()),
        }
        sentences.extend(self.server_log.iter().cloned());
        sentences
    }
}

/// What the parts of a diagnosis look at.
#[derive(Debug)]
struct Subject<'a> {
    case: &'a Case<'a>,
    /// From the client to what it connected to.
    flow: Flow,
    /// The client's node.
    client: &'a NodeName,
    /// Frames of the client's packets, in time's order.
    forward: Vec<usize>,
    /// TCP frames for the client's address and port, whoever sent them.
    back: Vec<usize>,
}

/// Diagnoses a step; `None` if it was not done or its client had no address and port.
pub(crate) fn diagnose_case(case: &Case<'_>, step: &StepName) -> Option<Diagnosis> {
    let observed = case.observations.step(step)?;
    let client = case.scenario.steps.iter().find(|other| other.name == *step).map(login::from)?;
    let server_log = servers::entries(case, step).into_iter().map(servers::say).collect();
    let Some(local) = observed.local else {
        return Some(Diagnosis {
            step: step.clone(),
            forward: None,
            back: None,
            evidence: Vec::new(),
            server_log,
        });
    };
    let flow = Flow { protocol: protocol::TCP, source: local, destination: observed.remote };
    let (mut forward, mut back) = (Vec::new(), Vec::new());
    for frame in case.frames.all() {
        match frame.flow() {
            Some(found) if found == flow => forward.push(frame.index),
            Some(found) if found.destination == local && found.protocol == flow.protocol => {
                back.push(frame.index);
            }
            _ => {}
        }
    }
    let subject = Subject { case, flow, client, forward, back };
    let way = trace::follow(&subject, &subject.forward);
    let back = trace::follow(&subject, &subject.back);
    let evidence = evidence::collect(&subject, way.as_ref(), back.as_ref());
    Some(Diagnosis { step: step.clone(), forward: way, back, evidence, server_log })
}

impl<'a> Subject<'a> {
    fn evidence(&self, cause: Cause, frames: &[usize]) -> Evidence {
        Evidence { cause, frames: self.case.frames.list(frames) }
    }

    /// The node that has an interface with that address.
    fn owner(&self, address: std::net::IpAddr) -> Option<&'a NodeName> {
        let nodes = &self.case.scenario.topology.nodes;
        nodes
            .iter()
            .find(|node| {
                node.interfaces
                    .iter()
                    .any(|interface| interface.addresses.iter().any(|net| net.addr() == address))
            })
            .map(|node| &node.name)
    }

    /// A kernel counter of a node that rose, with or without its section's name.
    fn counter(&self, node: &NodeName, name: &str) -> Option<u64> {
        let counters = self.case.observations.kernel_counters.get(node)?;
        let named = |section: &str| counters.get(&format!("{section}{name}")).copied();
        named("").or_else(|| named("TcpExt")).or_else(|| named("IpExt")).filter(|rose| *rose > 0)
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

fn times(number: u64) -> String {
    count(number, "time")
}
