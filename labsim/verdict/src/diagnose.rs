//! Says what became of a step's packets, and why, as far as frames and counters show it.
//!
//! Evidence comes before configuration: a [`Cause`] is said only with the frames or counters that
//! show it. Where nothing shows one, only the place where the packets were last seen is said.

mod cause;
mod copies;
mod evidence;
mod trace;

pub use cause::{Cause, WrongSource};
pub use copies::Rounds;
pub use trace::Trace;

use crate::frames::{Conversation, FrameList, SHOWN};
use crate::observe::Attempt;
use crate::ruling::Case;
use crate::words::attempt as noun;
use crate::{answer, judge, servers};
use labsim_scenario::model::{NodeName, StepAction, StepName};
use labsim_wire::decode::Flow;

/// Log lines that a diagnosis shows at most.
const LOGGED: usize = 10;

/// What became of a step's packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The step.
    pub step: StepName,
    /// Which of the step's logins or requests this is about, if there are several:
    /// `login 17 from client2 (192.168.11.202:40001)`.
    pub about: Option<String>,
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
        sentences.extend(self.about.iter().map(|about| format!("this is about {about}")));
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
    /// Frames of the client's packets, behind translations too, in time's order.
    forward: Vec<usize>,
    /// Frames of the other way, and everything for the client's address and port, whoever sent it.
    back: Vec<usize>,
}

/// Diagnoses a step's attempt at that place, or the first one that got no answer; `None` if the
/// step was not done.
pub(crate) fn diagnose_case(
    case: &Case<'_>,
    step: &StepName,
    about: Option<usize>,
) -> Option<Diagnosis> {
    if matches!(case.step(step)?.action, StepAction::Run(_)) {
        // Which of the packets are a program's nobody knows.
        return None;
    }
    let attempts = case.attempts(step).ok()?;
    let place = about.or_else(|| attempts.iter().position(judge::is_unanswered)).unwrap_or(0);
    let attempt: &Attempt = attempts.get(place)?;
    let about = || answer::name(noun(case.step(step)), attempt, place);
    let about = (attempts.len() > 1).then(about);
    let entries = servers::entries(case, step, attempt);
    let server_log: Vec<String> = entries.into_iter().take(LOGGED).map(servers::say).collect();
    let Some(flow) = attempt.flow() else {
        let (forward, back, evidence) = (None, None, Vec::new());
        return Some(Diagnosis { step: step.clone(), about, forward, back, evidence, server_log });
    };
    let client = &attempt.from;
    let Conversation { forward, mut back } = case.frames.conversation(flow);
    for to_client in case.frames.flows_to(flow.protocol, flow.source) {
        back.extend(case.frames.of_flow(*to_client));
    }
    back.sort_unstable();
    back.dedup();
    let subject = Subject { case, flow, client, forward, back };
    let way = trace::follow(&subject, &subject.forward);
    let back = trace::follow(&subject, &subject.back);
    let mut evidence = evidence::collect(&subject, way.as_ref(), back.as_ref());
    evidence.truncate(SHOWN);
    Some(Diagnosis { step: step.clone(), about, forward: way, back, evidence, server_log })
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
