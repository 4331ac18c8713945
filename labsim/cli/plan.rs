//! `labsim plan`.

use crate::args::{self, PlannedTunnel};
use crate::exit::Exit;
use crate::{load, output};
use labsim_lab::{LabPlan, TunnelMode};
use labsim_runner::{Engines, RunPlan};
use labsim_scenario::Kind;

/// Prints what would be built of a scenario or a topology, and what would run in it. Builds
/// nothing.
pub(crate) fn plan(args: &args::Plan) -> Exit {
    match labsim_scenario::kind(&args.file) {
        Ok(Kind::Topology) => match labsim_scenario::load_topology(&args.file) {
            Ok(topology) => output::text(LabPlan::of_topology(&topology)),
            Err(diagnostics) => return load::reject(&diagnostics),
        },
        // A file of no known kind is reported as a scenario.
        Ok(Kind::Scenario | Kind::Exercise) | Err(_) => match load::scenario(&args.file) {
            Ok(scenario) => {
                let engines = Engines::without_probing(mode(args.tunnel));
                match RunPlan::new(&scenario, &engines) {
                    Ok(plan) => output::text(plan),
                    Err(error) => {
                        output::error(error);
                        return Exit::Failed;
                    }
                }
            }
            Err(exit) => return exit,
        },
    }
    Exit::Success
}

fn mode(tunnel: PlannedTunnel) -> TunnelMode {
    match tunnel {
        PlannedTunnel::Kernel => TunnelMode::Kernel,
        PlannedTunnel::Userspace => TunnelMode::Userspace,
    }
}
