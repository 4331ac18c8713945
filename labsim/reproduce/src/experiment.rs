//! A connection, and the labs that it is compared with.

use crate::difference::{Difference, differences};
use crate::faults::{self, Fault};
use crate::flow::Flow;
use crate::network::{Network, Seen};
use crate::places::Places;
use crate::scenario::{HEALTHY, ONE_SERVER, faulty, healthy, one_server, words};
use crate::topology::Topology;
use crate::wiring::Wiring;
use labsim_codes::Code;
use labsim_explain::{ConnectionReport, Explanation, Kind, Role, Trace};
use serde::Serialize;

/// Connections with different packets that labs are built for at most.
pub const MAX_EXPERIMENTS: usize = 12;

/// Connections without a cause for which every fault is tried, at most.
const MAX_TRIED: usize = 3;

/// A file of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// A lab that is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lab {
    /// The cause that it is built with; none of the healthy one.
    pub cause: Option<Code>,
    /// Its scenario's name: that of its file without the ending.
    pub name: String,
    /// What is wrong in it, in words.
    pub what: String,
}

/// A cause that no lab is built with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotBuilt {
    /// The cause.
    pub cause: Code,
    /// Why.
    pub why: String,
}

/// A connection with its labs.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its place in the explanation's connections.
    pub connection: usize,
    /// Further connections with the same packets.
    pub alike: usize,
    /// What its packets do not show, and what was assumed.
    pub assumptions: Vec<String>,
    /// What else is not compared, in sentences.
    pub left_out: Vec<String>,
    /// The causes that the captures leave possible.
    pub causes: Vec<Code>,
    /// Whether every fault was tried, as the captures name no cause.
    pub tries_all: bool,
    /// All files, the topology first.
    pub files: Vec<File>,
    /// The labs, the healthy one first.
    pub labs: Vec<Lab>,
    /// Causes without a lab.
    pub not_built: Vec<NotBuilt>,
    network: Network,
    flow: Flow,
}

/// A connection that no lab can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    /// Its place in the explanation's connections.
    pub connection: usize,
    /// Why.
    pub why: String,
}

/// The labs of all connections whose packets differ. Those that are not healthy come first.
#[must_use]
pub fn experiments(
    trace: &Trace,
    explanation: &Explanation,
) -> Vec<Result<Experiment, Impossible>> {
    let mut found: Vec<Result<Experiment, Impossible>> = Vec::new();
    let mut order: Vec<usize> = (0..explanation.connections.len()).collect();
    let causes = |place: &usize| explanation.connections.get(*place).map(|it| causes(it).len());
    order.sort_by_key(|place| causes(place).is_none_or(|count| count == 0));
    for place in order {
        let Some(connection) = explanation.connections.get(place) else { continue };
        if is_of_another(trace, explanation, place) {
            continue;
        }
        let tried = found.iter().flatten().filter(|it| it.tries_all).count();
        let made = Experiment::new(trace, explanation, (connection, place), tried < MAX_TRIED);
        let same = found.iter_mut().flatten().find(|it| match &made {
            Ok(made) => made.is_same(it),
            Err(_) => false,
        });
        match same {
            Some(same) => same.alike += 1,
            None => found.push(made.map_err(|why| Impossible { connection: place, why })),
        }
    }
    found
}

/// Whether a connection is what a load balancer made of another one, which is explained too.
fn is_of_another(trace: &Trace, explanation: &Explanation, place: usize) -> bool {
    let Some(own) = explanation.connections.get(place) else { return false };
    let sources = |connection: &ConnectionReport| {
        let places = Places::new(trace, explanation, connection);
        let at = places.point(Role::ClientSide).or(places.point(Role::LoadBalancer));
        let rows = connection.rows.iter().filter_map(|index| trace.rows.get(*index));
        let mut rows = rows.filter(|row| at.is_none_or(|at| at == row.point));
        rows.next().map(|row| row.packet.innermost().source)
    };
    let begins =
        |connection: &ConnectionReport| sources(connection) == Some(connection.client.ip());
    let mut others = explanation
        .connections
        .iter()
        .enumerate()
        .filter(|(other, it)| *other != place && !it.rows.is_empty() && it.rows == own.rows);
    // Of several that begin alike, the first one stands for all.
    others.any(|(other, it)| begins(it) && (!begins(own) || other < place))
}

/// The causes that captures show or leave possible.
fn causes(connection: &ConnectionReport) -> Vec<Code> {
    let verdict = &connection.verdict;
    let mut causes: Vec<Code> = verdict.cause.into_iter().collect();
    for code in &verdict.possible {
        if !causes.contains(code) {
            causes.push(*code);
        }
    }
    causes
}

impl Experiment {
    fn new(
        trace: &Trace,
        explanation: &Explanation,
        (connection, place): (&ConnectionReport, usize),
        may_try_all: bool,
    ) -> Result<Self, String> {
        let places = Places::new(trace, explanation, connection);
        if places.roles().next().is_none() {
            return Err(
                "no place is known to be at client, load balancer or server: say so, as in `client=FILE`"
                    .to_owned(),
            );
        }
        let seen = || Seen::new(trace, connection, &places);
        let build = |seen: &Seen<'_>| -> Result<(Network, Topology), String> {
            let mut network = Network::new(seen)?;
            let topology = Topology::new(&network)?;
            network.settle_members(topology.unplaced());
            Ok((network, topology))
        };
        // Addresses of a configuration may be of more segments than packets show.
        let (network, topology) =
            build(&seen()).or_else(|_| build(&seen().without_configuration()))?;
        let flow =
            Flow::new(trace, connection, &places, &network.names(), network.service.has_lengths);
        let header = header(connection);
        let mut files = vec![
            File {
                name: "topology.yaml".to_owned(),
                text: topology.text(&header, &network, Wiring::Usual),
            },
            File {
                name: format!("{HEALTHY}.yaml"),
                text: healthy(&with_assumptions(&header, &network.assumptions), &network),
            },
        ];
        let mut labs = vec![Lab {
            cause: None,
            name: HEALTHY.to_owned(),
            what: "Nothing is wrong".to_owned(),
        }];
        let mut not_built = Vec::new();
        let causes = causes(connection);
        // Captures that name no cause exclude none.
        let tries_all =
            may_try_all && connection.verdict.kind == Kind::NotDecidable && causes.is_empty();
        let words = words(&network, &topology);
        let candidates: Vec<&Fault> = if tries_all {
            faults::all().collect()
        } else {
            causes.iter().flat_map(|cause| faults::of_cause(*cause)).collect()
        };
        let mut written = vec![Wiring::Usual];
        for fault in candidates {
            let Some(wired) = topology.wired(fault.wiring) else { continue };
            let Some(text) = faulty((&header, &network), fault, &words) else { continue };
            if !written.contains(&fault.wiring) {
                written.push(fault.wiring);
                let name = format!("{}.yaml", fault.wiring.file());
                files.push(File { name, text: wired.text(&header, &network, fault.wiring) });
            }
            files.push(File { name: format!("{}.yaml", fault.name()), text });
            let (name, what) = (fault.name(), fault.what.to_owned());
            labs.push(Lab { cause: Some(fault.cause), name, what });
        }
        if labs.len() > 1 {
            let alone = one_server(&header, &network);
            files.extend(alone.map(|text| File { name: format!("{ONE_SERVER}.yaml"), text }));
        }
        let is_built = |cause: &Code| labs.iter().any(|lab| lab.cause == Some(*cause));
        for cause in causes.iter().copied().filter(|cause| !is_built(cause)) {
            let why = if faults::of_cause(cause).next().is_some() {
                "the network has not what this fault is made of"
            } else {
                "no lines of a scenario are known that make it"
            };
            not_built.push(NotBuilt { cause, why: why.to_owned() });
        }
        let mut left_out = network.service.notes.clone();
        let others = places.others(trace, connection);
        if !others.is_empty() {
            left_out.push(format!("places beside those of the lab: {}", others.join(", ")));
        }
        Ok(Self {
            connection: place,
            alike: 0,
            assumptions: network.assumptions.clone(),
            left_out,
            causes,
            tries_all,
            files,
            labs,
            not_built,
            network,
            flow,
        })
    }

    /// Whether two connections have the same packets, but for clients' ports, and the same causes.
    fn is_same(&self, other: &Self) -> bool {
        self.causes == other.causes
            && self.network == other.network
            && self.flow.at.keys().eq(other.flow.at.keys())
            && differences(&self.flow, &other.flow).is_empty()
            && differences(&other.flow, &self.flow).is_empty()
    }

    /// The places that are compared.
    pub fn places(&self) -> impl Iterator<Item = Role> {
        self.flow.at.keys().copied()
    }

    /// What differs between what was captured and a lab's captures. The lab's points have the names that the topology
    /// gives them, such as `client:eth0`.
    ///
    /// # Errors
    /// Why they cannot be compared.
    pub fn compare(&self, lab: &Trace) -> Result<Vec<Difference>, String> {
        let lab = wires(lab);
        let explanation = lab.explain();
        let is_own = |it: &&ConnectionReport| {
            it.client.ip() == self.network.client
                && it.server.ip() == self.network.vip
                && it.server.port() == self.network.port
        };
        let connection = explanation.connections.iter().find(is_own);
        let connection = connection.ok_or("the lab's client sent no packet")?;
        let places = Places::new(&lab, &explanation, connection);
        let has_lengths = self.network.service.has_lengths;
        let flow = Flow::new(&lab, connection, &places, &self.network.names(), has_lengths);
        Ok(differences(&self.flow, &flow))
    }
}

/// The hosts' wires alone, with the roles that they have in the lab.
fn wires(lab: &Trace) -> Trace {
    let roles = [
        ("client:eth0", Role::ClientSide),
        ("lb:eth0", Role::LoadBalancer),
        ("server:eth0", Role::ServerSide),
    ];
    let mut trace = lab.clone();
    let role = |name: &str| {
        let name = name.rsplit_once(".pcapng:").map_or(name, |(_, point)| point);
        roles.iter().find(|(wire, _)| *wire == name).map(|(_, role)| *role)
    };
    for point in &mut trace.points {
        point.given = role(&point.name);
    }
    let wires: Vec<bool> = trace.points.iter().map(|it| it.given.is_some()).collect();
    let is_wire = |point: usize| wires.get(point).copied().unwrap_or(false);
    trace.rows.retain(|row| is_wire(row.point));
    trace.claims.retain(|claim| is_wire(claim.point));
    trace
}

/// The header with what was assumed, a line of comment for each.
fn with_assumptions(header: &str, assumptions: &[String]) -> String {
    let mut text = header.to_owned();
    for assumption in assumptions {
        // Names come from files.
        let printable = assumption.chars().map(|it| if it.is_control() { '?' } else { it });
        text.extend("# Assumed: ".chars().chain(printable).chain(".\n".chars()));
    }
    text
}

fn header(connection: &ConnectionReport) -> String {
    format!(
        "# Written by `labsim explain --reproduce` from captures of {} -> {}.\n\
         # Users, secrets and the content of messages are made up; addresses, lengths and TTLs are not.\n",
        connection.client, connection.server
    )
}
