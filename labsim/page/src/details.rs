//! What a page shows of a scenario beyond the run's document: collected from its events.

use crate::arrows::first_way;
use crate::data;
use crate::flows::{FlowFrames, flows};
use crate::hops::{Hop, Hops};
use crate::html;
use crate::ladder::ladder;
use labsim_event::{CauseRecord, Event, EventRecord};
use labsim_picture::{Lab, Role, Way};
use labsim_scenario::model::{LoginResult, NodeName};
use labsim_verdict::Capture;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Bytes of a configuration: more than files may have together.
const CONFIGURATION: usize = 8 << 20;
/// Lines of servers' logs.
const LOG_LINES: usize = 200;
/// Frames of the first flow's ladder, and of the ladders of others.
const FIRST_FRAMES: usize = 64;
/// The same in a page of many scenarios.
const FIRST_FRAMES_OF_MANY: usize = 12;
const OTHER_FRAMES: usize = 16;
/// Hops that the script has.
const HOPS: usize = 50_000;
/// The same in a page of many scenarios, one of which may transfer as many bytes as all others together.
const HOPS_OF_MANY: usize = 4_000;
/// Flows with a ladder in a page of few scenarios and in one of many, and flows that are listed.
const LADDERS: usize = 3;
const LADDERS_OF_MANY: usize = 1;
/// More scenarios than this are many.
const FEW: usize = 20;
const LISTED: usize = 40;
/// Counters, of all places together.
const COUNTERS: usize = 200;
/// Causes with evidence.
const CAUSES: usize = 50;
/// Clients' addresses that are looked for among the flows, and steps that packets are looked for by.
const LOCALS: usize = 1000;

/// A step, and when it was done.
#[derive(Serialize)]
pub(crate) struct StepTime {
    pub(crate) name: String,
    /// Microseconds since 1970.
    from: u64,
    /// 0 if it did not end.
    to: u64,
}

/// Of one scenario, of its last try.
#[derive(Default)]
pub(crate) struct Details {
    /// The scenario as merged; without secrets, unless the page takes it from elsewhere than events.
    pub(crate) configuration: Option<String>,
    pub(crate) lab: Option<Lab>,
    pub(crate) causes: Vec<CauseRecord>,
    /// Node and line.
    pub(crate) log: Vec<Vec<String>>,
    /// Lines that are left out.
    pub(crate) more_log: usize,
    /// What counted, and its counters with their values in one text: a cell for each of a whole suite's
    /// counters would take most of the time in which a browser reads the page.
    pub(crate) counters: Vec<Vec<String>>,
    /// The counters in all of these texts.
    counted: usize,
    /// Files of programs' output.
    pub(crate) programs: Vec<String>,
    /// Ladders and the list of flows, as HTML; nothing if there is no capture.
    pub(crate) packets: Option<String>,
    /// The packets as the script reads them.
    pub(crate) data: Option<String>,
    /// The way of the first packet of the first flow, over the lab.
    pub(crate) way: Option<Way>,
    /// When the first frame of the data was seen, in microseconds since 1970.
    pub(crate) began: u64,
    pub(crate) steps: Vec<StepTime>,
    /// Of each login or request: whether it passed, and its client's address and port.
    locals: Vec<(bool, SocketAddr)>,
}

impl Details {
    /// Adds an event of the scenario, one of `scenarios`; `id` begins the names of elements.
    pub(crate) fn add(&mut self, record: &EventRecord, id: &str, scenarios: usize) {
        match &record.event {
            Event::ScenarioStarted { .. } => *self = Self::default(),
            Event::TryFailed { .. } => {
                *self = Self { configuration: self.configuration.take(), ..Self::default() };
            }
            Event::ScenarioLoaded { configuration } if configuration.len() <= CONFIGURATION => {
                self.configuration = Some(configuration.clone());
            }
            Event::LabBuilt { lab, .. } => self.lab = lab.as_deref().cloned(),
            Event::StepStarted { step, .. } if self.steps.len() < LOCALS => {
                let (name, from) = (step.clone(), record.time_us);
                self.steps.push(StepTime { name, from, to: 0 });
            }
            Event::StepEnded { step, local, result, .. } => {
                let mut steps = self.steps.iter_mut().rev();
                if let Some(begun) = steps.find(|begun| begun.name == *step) {
                    begun.to = record.time_us;
                }
                if let Some(local) = local.filter(|_| self.locals.len() < LOCALS) {
                    self.locals.push((result == LoginResult::Pass.word(), local));
                }
            }
            Event::ServerLogged { node, line, .. } => {
                if self.log.len() < LOG_LINES {
                    self.log.push(vec![node.clone(), line.clone()]);
                } else {
                    self.more_log += 1;
                }
            }
            Event::ForwarderCounted { node, counters } => {
                self.count(&format!("load balancer {node}"), counters);
            }
            Event::LinkCounted { interface, counters } => {
                self.count(&format!("link from {interface}"), counters);
            }
            Event::FilterCounted { node, filter, counters } => {
                self.count(&format!("filter {filter} of {node}"), counters);
            }
            Event::KernelCounted { node, counters, devices } => {
                self.count(&format!("kernel of {node}"), counters);
                for (device, counters) in devices {
                    self.count(&format!("{device} of {node}"), counters);
                }
            }
            Event::ProcessLogged { file, .. } => self.programs.push(file.clone()),
            Event::Observed { observations, .. } if !observations.capture.is_empty() => {
                self.observe(&observations.capture, id, scenarios);
            }
            Event::Diagnosed { causes, .. } => {
                let room = CAUSES.saturating_sub(self.causes.len());
                self.causes.extend(causes.iter().take(room).cloned());
            }
            _ => {}
        }
    }

    fn count(&mut self, what: &str, counters: &BTreeMap<String, u64>) {
        let room = COUNTERS.saturating_sub(self.counted);
        let texts: Vec<String> =
            counters.iter().take(room).map(|(name, value)| format!("{name} {value}")).collect();
        self.counted += texts.len();
        if !texts.is_empty() {
            self.counters.push(vec![what.to_owned(), texts.join("; ")]);
        }
    }

    /// Takes the ladders and the data of a capture.
    fn observe(&mut self, capture: &Capture, id: &str, scenarios: usize) {
        let mut nodes: Vec<String> =
            self.lab.iter().flat_map(|lab| &lab.nodes).map(|node| node.name.clone()).collect();
        if nodes.is_empty() {
            nodes = capture.points().iter().map(|point| point.node.to_string()).collect();
            nodes.dedup();
        }
        // What failed is of more interest than what passed.
        let mut locals = self.locals.clone();
        locals.sort_by_key(|(passed, _)| *passed);
        let locals: Vec<SocketAddr> = locals.into_iter().map(|(_, local)| local).collect();
        let hops = Hops::new(capture);
        let flows = flows(capture, &hops, &self.translating(), &locals);
        let most = if scenarios > FEW { HOPS_OF_MANY } else { HOPS };
        self.data = Some(data::pack(capture, &nodes, &hops, &flows, most));
        let lab = self.lab.as_ref().filter(|lab| lab.is_sound());
        self.way = lab.and_then(|lab| first_way(capture, lab, &hops, &flows));
        self.began = hops.all.first().map_or(0, |hop| hop.time_ns / 1000);
        let most = match scenarios > FEW {
            true => (LADDERS_OF_MANY, FIRST_FRAMES_OF_MANY),
            false => (LADDERS, FIRST_FRAMES),
        };
        self.packets = Some(ladders(capture, &nodes, &hops, &flows, most, id));
    }

    /// The nodes that may translate addresses.
    fn translating(&self) -> Vec<NodeName> {
        let nodes = self.lab.iter().flat_map(|lab| &lab.nodes);
        nodes
            .filter(|node| matches!(node.role, Role::LoadBalancer | Role::Router))
            .filter_map(|node| NodeName::new(&node.name).ok())
            .collect()
    }
}

/// The first flow's ladder, those of the next flows closed, and a list of the others. `most` ladders are drawn, and
/// so many frames of the first.
fn ladders(
    capture: &Capture,
    nodes: &[String],
    hops: &Hops,
    all: &[FlowFrames],
    (most, first_frames): (usize, usize),
    id: &str,
) -> String {
    let flows: Vec<&FlowFrames> = all.iter().filter(|flow| flow.is_flow()).collect();
    let mut out = String::new();
    for (number, flow) in flows.iter().take(most).enumerate() {
        let most = if number == 0 { first_frames } else { OTHER_FRAMES };
        let own: Vec<&Hop> = flow.hops.iter().filter_map(|hop| hops.all.get(*hop)).collect();
        let id = format!("{id}-flow-{number}");
        let drawn = ladder(capture, nodes, &flow.name(), &own, most, &id);
        out += &html::details(&title(flow), number == 0, &drawn);
    }
    let others = flows.get(most..).unwrap_or_default();
    let rows: Vec<Vec<String>> = others
        .iter()
        .take(LISTED)
        .map(|one| vec![one.name(), one.hops.len().to_string(), one.frames.to_string()])
        .collect();
    let heads = ["flow", "frames sent", "seen at all points"];
    let mut listed = html::table("", &heads, &rows);
    if others.len() > LISTED {
        let more = format!("and {} more flows, which capture.pcapng has", others.len() - LISTED);
        listed += &html::element("p", "quiet", more);
    }
    if !others.is_empty() {
        out += &html::details(&format!("{} other flows", others.len()), false, &listed);
    }
    if flows.is_empty() {
        out += &html::element("p", "", "No packet with ports was captured.");
    }
    out
}

fn title(flow: &FlowFrames) -> String {
    format!("{}: {} frames sent, seen {} times", flow.name(), flow.hops.len(), flow.frames)
}
