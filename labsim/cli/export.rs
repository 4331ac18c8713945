//! `labsim export`.

use crate::args::{self, Exported};
use crate::exit::Exit;
use crate::{load, say};
use labsim_import::export;
use labsim_scenario::model::{NodeName, Scenario};
use std::path::Path;

/// Reads the scenario and prints what was asked for.
pub(crate) fn export(args: &args::Export) -> Exit {
    let (Exported::Linux { scenario: path, .. } | Exported::F5 { scenario: path }) = &args.what;
    let scenario = match load::scenario(path) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    match &args.what {
        Exported::F5 { .. } if scenario.load_balancers.is_empty() => {
            say::problem(format_args!("{}: it has no load balancer", path.display()));
            Exit::Invalid
        }
        Exported::F5 { .. } => print(&export::f5(&scenario)),
        Exported::Linux { node, .. } => linux(path, &scenario, node),
    }
}

fn linux(path: &Path, scenario: &Scenario, node: &str) -> Exit {
    let text = NodeName::new(node).ok().and_then(|node| export::linux(scenario, &node));
    if let Some(text) = text {
        return print(&text);
    }
    let names: Vec<&str> = scenario.real_servers.keys().map(NodeName::as_str).collect();
    let names = if names.is_empty() { "it has none".to_owned() } else { names.join(", ") };
    say::problem(format_args!(
        "{}: `{}` is none of its real servers: {names}",
        path.display(),
        node.escape_debug()
    ));
    Exit::Invalid
}

fn print(text: &str) -> Exit {
    say::line(text.trim_end());
    Exit::Success
}
