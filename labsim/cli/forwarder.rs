//! `labsim forwarder`.

use crate::exit::Exit;
use crate::{args, say};
use labsim_forwarder::Config;
use labsim_yaml::Source;

/// Runs the load balancer in the namespace that the process is in, until its standard input ends
/// or a signal comes.
pub(crate) fn forwarder(args: &args::Forwarder) -> Exit {
    let read = Source::open(&args.config).and_then(|source| labsim_yaml::read::<Config>(&source));
    let config = match read {
        Ok(config) => config,
        Err(mistakes) => {
            say::mistakes(mistakes);
            return Exit::Invalid;
        }
    };
    let problems = config.check();
    for problem in &problems {
        say::problem(format_args!("{}: {problem}", args.config.display()));
    }
    if !problems.is_empty() {
        return Exit::Invalid;
    }
    match labsim_dataplane::forwarder::run(&config) {
        Ok(()) => Exit::Success,
        Err(error) => {
            say::problem(error);
            Exit::CannotRun
        }
    }
}
