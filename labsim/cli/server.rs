//! `labsim server`.

use crate::exit::Exit;
use crate::{args, load, output, signals};
use labsim_runner::cancellation;

/// Runs the built-in servers of a scenario's node in the current network namespace, until a signal
/// arrives. Prints `ready` once they listen, then their log.
pub(crate) fn server(args: &args::Server) -> Exit {
    let scenario = match load::scenario(&args.scenario) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let servers = scenario.serving_nodes();
    let Some(node) = servers.iter().find(|node| node.as_str() == args.node) else {
        output::unknown_node(&args.scenario, "server", &args.node, servers);
        return Exit::Invalid;
    };
    let (canceller, cancelled) = cancellation();
    if let Err(error) = signals::cancel_on_signal(canceller) {
        output::error(format!("signals cannot be handled: {error}"));
        return Exit::CannotRun;
    }
    let ready = || output::line("ready");
    match labsim_runner::serve(&scenario, node, cancelled, ready, output::line) {
        Ok(()) => Exit::Success,
        Err(error) => {
            output::error(error);
            Exit::CannotRun
        }
    }
}
