//! `labsim export`.

use crate::args::{self, ExportTarget};
use crate::exit::Exit;
use crate::{load, output};
use labsim_import::export::{self, ContainerlabOptions};
use labsim_lab::{LabPlan, TunnelMode};
use labsim_runner::{Engines, RunPlan};
use labsim_scenario::model::{NodeName, Scenario};
use std::path::{Component, Path};

/// Reads the scenario and prints one export of it.
pub(crate) fn export(args: &args::Export) -> Exit {
    let (ExportTarget::Linux { scenario: path, .. }
    | ExportTarget::F5 { scenario: path }
    | ExportTarget::Forwarder { scenario: path, .. }
    | ExportTarget::Containerlab { scenario: path, .. }) = &args.target;
    let scenario = match load::scenario(path) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    match &args.target {
        ExportTarget::F5 { .. } if scenario.load_balancers.is_empty() => {
            output::error(format_args!("{}: the scenario has no load balancer", path.display()));
            Exit::Invalid
        }
        ExportTarget::F5 { .. } => print(&export::f5(&scenario)),
        ExportTarget::Linux { node, .. } => linux(path, &scenario, node),
        ExportTarget::Forwarder { node, .. } => forwarder(path, &scenario, node),
        ExportTarget::Containerlab { image, scenario_path, .. } => {
            let scenario_path = scenario_path.clone().unwrap_or_else(|| path_in_image(path));
            let options = ContainerlabOptions { image: image.clone(), scenario_path };
            let plan = LabPlan::of(&scenario, TunnelMode::Kernel);
            print(&export::containerlab(&scenario, &plan, &options))
        }
    }
}

/// Where a scenario lies in an image that has the folder which holds it, below its root: a path with a
/// folder is kept, a name alone is in the folder of shipped scenarios.
fn path_in_image(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy()),
            _ => None,
        })
        .collect();
    match parts.as_slice() {
        [name] => format!("/scenarios/{name}"),
        parts => format!("/{}", parts.join("/")),
    }
}

fn forwarder(path: &Path, scenario: &Scenario, node: &str) -> Exit {
    let plan = RunPlan::new(scenario, &Engines::without_probing(TunnelMode::Kernel));
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => {
            output::error(error);
            return Exit::Failed;
        }
    };
    let name = NodeName::new(node).ok();
    let config = name.and_then(|name| plan.forwarder_config(&name).cloned());
    let Some(config) = config else {
        output::unknown_node(path, "load balancer", node, scenario.load_balancers.keys());
        return Exit::Invalid;
    };
    match serde_json::to_string_pretty(&config) {
        // JSON is YAML.
        Ok(text) => print(&text),
        Err(error) => {
            output::error(error);
            Exit::Failed
        }
    }
}

fn linux(path: &Path, scenario: &Scenario, node: &str) -> Exit {
    let text = NodeName::new(node).ok().and_then(|node| export::linux(scenario, &node));
    if let Some(text) = text {
        return print(&text);
    }
    output::unknown_node(path, "real server", node, scenario.real_servers.keys());
    Exit::Invalid
}

fn print(text: &str) -> Exit {
    output::line(text.trim_end());
    Exit::Success
}
