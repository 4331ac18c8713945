//! A scenario file, on top of its topology.

use super::expectations::{Context, expectations};
use super::load_balancers::load_balancers;
use super::lookup::{Lookup, Vips};
use super::real_servers::real_servers;
use super::steps::{Servers, steps};
use super::tacacs_servers::tacacs_servers;
use super::{Report, Resolved};
use crate::file::ScenarioFile;
use crate::model::{
    Expectation, LoadBalancer, NodeName, RealServer, Scenario, ScenarioName, Step, TacacsServer,
    Topology,
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
    steps: Vec<Step>,
    expectations: Vec<Expectation>,
}

impl Parts {
    /// The whole: for parts and a topology without any mistake.
    pub(crate) fn into_scenario(self, name: ScenarioName, topology: Topology) -> Scenario {
        let Self { load_balancers, real_servers, tacacs_servers, steps, expectations } = self;
        Scenario {
            name,
            topology,
            load_balancers,
            real_servers,
            tacacs_servers,
            steps,
            expectations,
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
    let load_balancers = load_balancers(&file.load_balancers, &mut vips, &lookup, report);
    let real_servers =
        real_servers(&file.real_servers, &load_balancers, &mut vips, &lookup, report);
    let (tacacs_servers, secrets) =
        tacacs_servers(&file.tacacs_servers, &load_balancers, &lookup, report);
    let servers = Servers { vips: &vips, secrets: &secrets };
    let (steps, names) = steps(&file.steps, &servers, &lookup, report);
    let context =
        Context::new(file, &lookup, (&steps, &names), &real_servers, &tacacs_servers, report);
    let expectations = expectations(file, context, report);
    Parts { load_balancers, real_servers, tacacs_servers, steps, expectations }
}
