//! A scenario file, on top of its topology.

use super::context::{Context, World};
use super::expectations::expectations;
use super::impairments::impairments;
use super::load_balancers::load_balancers;
use super::lookup::{Lookup, Vips};
use super::processes::{distinct, processes};
use super::radius_servers::radius_servers;
use super::real_servers::real_servers;
use super::steps::{Servers, steps};
use super::tacacs_servers::tacacs_servers;
use super::{Report, Resolved, monitors};
use crate::file::ScenarioFile;
use crate::model::{
    Attachment, Expectation, Impairment, LoadBalancer, NodeName, Process, RadiusServer, RealServer,
    Scenario, ScenarioName, Step, TacacsServer, Topology,
};
use std::collections::BTreeMap;

/// What is known of the topology. Where its file has mistakes of its own, nothing is said about
/// names and addresses that only it could know.
pub(crate) struct Surroundings<'a> {
    /// The topology, as far as it could be resolved.
    pub(crate) resolved: Option<&'a Resolved>,
    /// Whether a node or interface that is not in it does not exist.
    pub(crate) knows_names: bool,
    /// Whether an address that is not in it does not exist.
    pub(crate) knows_addresses: bool,
}

/// A scenario without its topology, as far as it could be resolved.
pub(crate) struct Parts {
    load_balancers: BTreeMap<NodeName, LoadBalancer>,
    real_servers: BTreeMap<NodeName, RealServer>,
    tacacs_servers: BTreeMap<NodeName, TacacsServer>,
    radius_servers: BTreeMap<NodeName, RadiusServer>,
    impairments: BTreeMap<Attachment, Impairment>,
    processes: Vec<Process>,
    steps: Vec<Step>,
    expectations: Vec<Expectation>,
}

impl Parts {
    /// The whole: for parts and a topology without any mistake.
    pub(crate) fn into_scenario(self, name: ScenarioName, topology: Topology) -> Scenario {
        Scenario {
            name,
            topology,
            load_balancers: self.load_balancers,
            real_servers: self.real_servers,
            tacacs_servers: self.tacacs_servers,
            radius_servers: self.radius_servers,
            impairments: self.impairments,
            processes: self.processes,
            steps: self.steps,
            expectations: self.expectations,
        }
    }
}

/// Resolves a scenario file.
pub(crate) fn scenario(
    file: &ScenarioFile,
    surroundings: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Parts {
    let lookup = Lookup::new(surroundings);
    let mut vips = Vips::default();
    let mut load_balancers = load_balancers(&file.load_balancers, &mut vips, &lookup, report);
    let real_servers =
        real_servers(&file.real_servers.each(), &load_balancers, &mut vips, &lookup, report);
    let (tacacs_servers, tacacs_secrets) =
        tacacs_servers(&file.tacacs_servers.each(), &load_balancers, &lookup, report);
    let (radius_servers, radius_secrets) =
        radius_servers(&file.radius_servers.each(), &load_balancers, &lookup, report);
    let secrets = (tacacs_secrets.as_slice(), radius_secrets.as_slice());
    monitors::fill_secrets(&file.load_balancers, &mut load_balancers, secrets, report);
    let servers = Servers {
        vips: &vips,
        load_balancers: &load_balancers,
        serving: tacacs_servers.keys().chain(radius_servers.keys()).collect(),
        tacacs_secrets: &tacacs_secrets,
        radius_secrets: &radius_secrets,
    };
    let (steps, names) = steps(&file.steps, &servers, &lookup, report);
    let impairments = impairments(&file.impairments, &lookup, report);
    let processes = processes(&file.processes, &lookup, report);
    distinct(&file.processes, &names, report);
    let world = World {
        lookup: &lookup,
        steps: &steps,
        names: &names,
        load_balancers: &load_balancers,
        real_servers: &real_servers,
        tacacs_servers: &tacacs_servers,
        radius_servers: &radius_servers,
    };
    let context = Context::new(file, world, report);
    let expectations = expectations(file, context, report);
    Parts {
        load_balancers,
        real_servers,
        tacacs_servers,
        radius_servers,
        impairments,
        processes,
        steps,
        expectations,
    }
}
