//! A scenario file, on top of its topology.

use super::captures::captures;
use super::context::{Context, ScenarioContext};
use super::exercise::exercise;
use super::expectations::expectations;
use super::filters::filters;
use super::impairments::impairments;
use super::ipvs::check_ipvs;
use super::load_balancers::{check_own_nodes, fill_secrets, load_balancers};
use super::lookup::{Lookup, Vips};
use super::processes::{distinct, processes};
use super::radius_servers::radius_servers;
use super::real_servers::real_servers;
use super::services::Services;
use super::steps::{Servers, steps};
use super::tacacs_servers::tacacs_servers;
use super::tags::tags;
use super::{Report, Resolved};
use crate::file::ScenarioFile;
use crate::model::filter::Filter;
use crate::model::{
    Attachment, Captures, Exercise, Expectation, Impairment, LoadBalancer, NodeName, Process,
    RadiusServer, RealServer, Scenario, ScenarioName, Service, Step, TacacsServer, Tag, Topology,
};
use labsim_model::IpProtocol;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the topology. If its file has errors of its own, names and addresses that only
/// it declares are not checked.
pub(crate) struct TopologyContext<'a> {
    /// The topology, as far as it could be resolved.
    pub(crate) resolved: Option<&'a Resolved>,
    /// Whether a node or interface that is not in it does not exist.
    pub(crate) knows_names: bool,
    /// Whether an address that is not in it does not exist.
    pub(crate) knows_addresses: bool,
}

/// A scenario without its topology, as far as it could be resolved.
pub(crate) struct Parts {
    tags: BTreeSet<Tag>,
    load_balancers: BTreeMap<NodeName, LoadBalancer>,
    real_servers: BTreeMap<NodeName, RealServer>,
    tacacs_servers: BTreeMap<NodeName, TacacsServer>,
    radius_servers: BTreeMap<NodeName, RadiusServer>,
    services: BTreeMap<NodeName, Vec<Service>>,
    filters: Vec<Filter>,
    impairments: BTreeMap<Attachment, Impairment>,
    processes: Vec<Process>,
    captures: Captures,
    steps: Vec<Step>,
    expectations: Vec<Expectation>,
    exercise: Option<Exercise>,
}

impl Parts {
    /// What makes it an exercise, if something does.
    pub(crate) fn take_exercise(&mut self) -> Option<Exercise> {
        self.exercise.take()
    }

    /// The whole: for parts and a topology without any error.
    pub(crate) fn into_scenario(self, name: ScenarioName, topology: Topology) -> Scenario {
        Scenario {
            name,
            tags: self.tags,
            topology,
            load_balancers: self.load_balancers,
            real_servers: self.real_servers,
            tacacs_servers: self.tacacs_servers,
            radius_servers: self.radius_servers,
            services: self.services,
            filters: self.filters,
            impairments: self.impairments,
            processes: self.processes,
            captures: self.captures,
            steps: self.steps,
            expectations: self.expectations,
        }
    }
}

/// Resolves a scenario file.
pub(crate) fn scenario(
    file: &ScenarioFile,
    topology: &TopologyContext<'_>,
    report: &mut Report<'_>,
) -> Parts {
    let tags = tags(&file.tags, report);
    let lookup = Lookup::new(topology);
    let mut vips = Vips::default();
    let mut load_balancers = load_balancers(&file.load_balancers, &mut vips, &lookup, report);
    let real_servers =
        real_servers(&file.real_servers, &load_balancers, &mut vips, &lookup, report);
    check_own_nodes(&load_balancers, &real_servers, &lookup, report);
    let (tacacs_servers, tacacs_secrets) =
        tacacs_servers(&file.tacacs_servers, &real_servers, &lookup, report);
    let (radius_servers, radius_secrets) =
        radius_servers(&file.radius_servers, &real_servers, &lookup, report);
    let services = Services::new((&tacacs_servers, &radius_servers), &real_servers, &lookup)
        .tcp(&file.tcp_servers, report)
        .udp(&file.udp_servers, report)
        .finish();
    let secrets = (tacacs_secrets.as_slice(), radius_secrets.as_slice());
    fill_secrets(&mut load_balancers, secrets, report);
    let filters = filters(&file.filters, &load_balancers, &real_servers, &lookup, report);
    let servers = Servers {
        vips: &vips,
        load_balancers: &load_balancers,
        real_servers: &real_servers,
        filters: &filters,
        tcp_ports: tcp_ports(&tacacs_servers, &services),
        serving: tacacs_servers
            .keys()
            .chain(radius_servers.keys())
            .chain(services.keys())
            .collect(),
        tacacs_secrets: &tacacs_secrets,
        radius_secrets: &radius_secrets,
    };
    let (steps, names) = steps(&file.steps, &servers, &lookup, report);
    let impairments = impairments(&file.impairments, &lookup, report);
    let processes = processes(&file.processes, &lookup, report);
    distinct(&file.processes, &names, report);
    let captures = captures(file, &real_servers, &lookup, report);
    let scenario = ScenarioContext {
        lookup: &lookup,
        steps: &steps,
        names: &names,
        load_balancers: &load_balancers,
        real_servers: &real_servers,
        tacacs_servers: &tacacs_servers,
        radius_servers: &radius_servers,
        services: &services,
        filters: &filters,
        captures: &captures,
    };
    let exercise = file.exercise.as_ref().and_then(|it| exercise(it, &lookup, report));
    let expectations = match report.is_live() {
        true => Vec::new(),
        false => expectations(file, Context::new(file, scenario, report), report),
    };
    check_ipvs(file, &load_balancers, &steps, &expectations, report);
    Parts {
        tags,
        load_balancers,
        real_servers,
        tacacs_servers,
        radius_servers,
        services,
        filters,
        impairments,
        processes,
        captures,
        steps,
        expectations,
        exercise,
    }
}

/// The TCP ports of built-in servers with what listens there, by node.
fn tcp_ports<'a>(
    tacacs: &'a BTreeMap<NodeName, TacacsServer>,
    services: &'a BTreeMap<NodeName, Vec<Service>>,
) -> BTreeMap<&'a NodeName, BTreeMap<u16, &'static str>> {
    let mut all: BTreeMap<&NodeName, BTreeMap<u16, &'static str>> = BTreeMap::new();
    for (node, server) in tacacs {
        all.entry(node).or_default().insert(server.port, "TACACS+");
    }
    for (node, list) in services {
        for service in list.iter().filter(|service| service.protocol() == IpProtocol::Tcp) {
            let ports = service.ports.iter().map(|port| (*port, service.name()));
            all.entry(node).or_default().extend(ports);
        }
    }
    all
}
