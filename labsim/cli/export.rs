//! `labsim export`.

use crate::args::{self, ExportBalancer, ExportTarget};
use crate::exit::Exit;
use crate::import::write_new;
use crate::{load, output};
use labsim_import::export::{self, ContainerlabOptions, Exported, ExportedFiles, NotExported};
use labsim_lab::{LabPlan, TunnelMode};
use labsim_runner::{Engines, RunPlan};
use labsim_scenario::model::{LoadBalancer, NodeName, Scenario};
use std::path::{Component, Path, PathBuf};

/// Reads the scenario and prints one export of it.
pub(crate) fn export(args: &args::Export) -> Exit {
    let (ExportTarget::Linux { scenario: path, .. }
    | ExportTarget::F5 { scenario: path }
    | ExportTarget::A10(ExportBalancer { scenario: path, .. })
    | ExportTarget::Ipvs(ExportBalancer { scenario: path, .. })
    | ExportTarget::Keepalived(ExportBalancer { scenario: path, .. })
    | ExportTarget::Forwarder { scenario: path, .. }
    | ExportTarget::Containerlab { scenario: path, .. }) = &args.target;
    let scenario = match load::scenario(path) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    match &args.target {
        ExportTarget::F5 { .. } if scenario.load_balancers.is_empty() => no_load_balancer(path),
        ExportTarget::F5 { .. } => print(&export::f5(&scenario)),
        ExportTarget::A10(args) => match balancer(args, &scenario) {
            Ok((node, balancer)) => print_exported(&export::a10(&scenario, node, balancer)),
            Err(exit) => exit,
        },
        ExportTarget::Ipvs(args) => match balancer(args, &scenario) {
            Ok((_, balancer)) => print_exported(&export::ipvs(balancer)),
            Err(exit) => exit,
        },
        ExportTarget::Keepalived(args) => match balancer(args, &scenario) {
            Ok((_, balancer)) => print_exported(&export::keepalived(&scenario, balancer)),
            Err(exit) => exit,
        },
        ExportTarget::Linux { node, persistent: None, .. } => linux(path, &scenario, node),
        ExportTarget::Linux { node, persistent: Some(folder), .. } => {
            linux_files(path, &scenario, (node, folder))
        }
        ExportTarget::Forwarder { node, .. } => forwarder(path, &scenario, node),
        ExportTarget::Containerlab { image, scenario_path, .. } => {
            let scenario_path = scenario_path.clone().unwrap_or_else(|| path_in_image(path));
            let options = ContainerlabOptions { image: image.clone(), scenario_path };
            let plan = LabPlan::of(&scenario, TunnelMode::Kernel);
            print(&export::containerlab(&scenario, &plan, &options))
        }
    }
}

fn no_load_balancer(path: &Path) -> Exit {
    output::error(format_args!("{}: the scenario has no load balancer", path.display()));
    Exit::Invalid
}

/// The load balancer that is named, or the only one.
fn balancer<'s>(
    args: &ExportBalancer,
    scenario: &'s Scenario,
) -> Result<(&'s NodeName, &'s LoadBalancer), Exit> {
    let (path, all) = (&args.scenario, &scenario.load_balancers);
    match &args.node {
        Some(node) => {
            let found = NodeName::new(node).ok().and_then(|node| all.get_key_value(&node));
            found.ok_or_else(|| {
                output::unknown_node(path, "load balancer", node, all.keys());
                Exit::Invalid
            })
        }
        None if all.len() > 1 => {
            let names: Vec<&str> = all.keys().map(NodeName::as_str).collect();
            output::error(format_args!(
                "{}: the scenario has several load balancers; name one: {}",
                path.display(),
                names.join(", ")
            ));
            Err(Exit::Invalid)
        }
        None => all.iter().next().ok_or_else(|| no_load_balancer(path)),
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
    match text {
        Some(text) => print(&text),
        None => no_real_server(path, scenario, node),
    }
}

fn no_real_server(path: &Path, scenario: &Scenario, node: &str) -> Exit {
    output::unknown_node(path, "real server", node, scenario.real_servers.keys());
    Exit::Invalid
}

/// Writes a real server's files below a folder: all of them or none.
fn linux_files(path: &Path, scenario: &Scenario, (node, folder): (&str, &Path)) -> Exit {
    let exported = NodeName::new(node).ok().and_then(|node| export::linux_files(scenario, &node));
    let Some(ExportedFiles { files, not_exported }) = exported else {
        return no_real_server(path, scenario, node);
    };
    let mut written: Vec<PathBuf> = Vec::new();
    for (name, text) in &files {
        let file = folder.join(name);
        let folders = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        let problem = match folders {
            Ok(()) => write_new(&file, text).err(),
            Err(error) => Some(format!("{}: {error}", file.display())),
        };
        if let Some(problem) = problem {
            for file in &written {
                // This call created it.
                let _ = std::fs::remove_file(file);
            }
            output::error(problem);
            return Exit::Invalid;
        }
        written.push(file);
    }
    for file in &written {
        output::visible_line(format_args!("written: {}", file.display()));
    }
    list_not_exported(&not_exported);
    Exit::Success
}

/// Prints the text, and on standard error what is not in it.
fn print_exported(exported: &Exported) -> Exit {
    list_not_exported(&exported.not_exported);
    print(&exported.text)
}

fn list_not_exported(all: &[NotExported]) {
    for one in all {
        output::error(format_args!("not exported: {one}"));
    }
}

fn print(text: &str) -> Exit {
    output::line(text.trim_end());
    Exit::Success
}
