//! `labsim forwarder`.

use crate::exit::Exit;
use crate::{args, ctl, say};
use labsim_control::{Address, Answer, ConfigFile, Hangups, Listener, Operator, SocketFile};
use labsim_dataplane::forwarder::{self, Orders, StopSignals};
use labsim_forwarder::Config;
use labsim_monitor::Monitors;
use labsim_yaml::{Mistakes, Source};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the load balancer in the namespace that the process is in, until its standard input ends
/// or a signal comes; or operates the one that runs there.
pub(crate) fn forwarder(args: &args::Forwarder) -> Exit {
    match (&args.command, &args.config) {
        (Some(args::ForwarderCommand::Ctl(args)), _) => ctl::ctl(args),
        (None, Some(file)) => run(args, file),
        // Its parser lets nobody leave both out.
        (None, None) => Exit::Invalid,
    }
}

/// Reads a configuration.
pub(crate) fn read(file: &Path) -> Result<Config, Mistakes> {
    Source::open(file).and_then(|source| labsim_yaml::read::<Config>(&source))
}

fn run(args: &args::Forwarder, file: &Path) -> Exit {
    let config = match read(file) {
        Ok(config) => config,
        Err(mistakes) => {
            say::mistakes(mistakes);
            return Exit::Invalid;
        }
    };
    let problems = config.check();
    for problem in &problems {
        say::problem(format_args!("{}: {problem}", file.display()));
    }
    if !problems.is_empty() {
        return Exit::Invalid;
    }
    let ran = operated(args, file, &config).and_then(|(operator, orders, stop, _file)| {
        let ready = |ready| {
            say::answer(&Answer::Ready(ready));
            operator.watch();
        };
        let ran = forwarder::run(&config, &orders, &stop, ready);
        // Nobody obeys any more: whoever waits for an answer is told.
        drop(orders);
        operator.end();
        ran.map_err(|error| error.to_string())
    });
    match ran {
        Ok(counted) => {
            say::answer(&Answer::Counters(counted));
            Exit::Success
        }
        Err(why) => {
            say::problem(why);
            Exit::CannotRun
        }
    }
}

/// Starts what operates the forwarder that follows.
fn operated(
    args: &args::Forwarder,
    file: &Path,
    config: &Config,
) -> Result<(Arc<Operator>, Orders, StopSignals, SocketFile), String> {
    let (handle, orders) = forwarder::orders().map_err(told)?;
    // Signals and the socket's mode are the process's: before the first thread.
    let stop = StopSignals::take().map_err(told)?;
    let hangups = Hangups::take().map_err(|error| format!("blocking SIGHUP: {error}"))?;
    let (listener, socket_file) =
        Listener::bind(&Address::from(args.control.clone())).map_err(told)?;
    let metrics = args.metrics.map(|address| {
        let cannot = |error| format!("metrics cannot be served at {address}: {error}");
        TcpListener::bind(address).map_err(cannot)
    });
    let metrics = metrics.transpose()?;
    let monitors = Monitors::start(handle.clone(), |change| say::event(change)).map_err(told)?;
    monitors.prepare(config).map_err(told)?;
    let operator = Operator::new(handle, monitors, config.clone(), config_file(file));
    let operator = Arc::new(operator);
    let start = || -> std::io::Result<()> {
        let (input, output) = (std::io::stdin(), std::io::stdout());
        labsim_control::serve_stream(Arc::clone(&operator), input, output)?;
        labsim_control::serve_listener(Arc::clone(&operator), listener)?;
        if let Some(listener) = metrics {
            labsim_control::serve_metrics(Arc::clone(&operator), listener)?;
        }
        let reloads = Arc::clone(&operator);
        hangups.each(move || {
            if let Answer::Refused(reasons) = reloads.reload() {
                reasons.iter().for_each(say::problem);
            }
        })
    };
    start().map_err(|error| format!("a thread that operates the forwarder: {error}"))?;
    Ok((operator, orders, stop, socket_file))
}

fn config_file(file: &Path) -> ConfigFile {
    let path: PathBuf = file.to_owned();
    ConfigFile {
        name: path.display().to_string(),
        read: Box::new(move || read(&path).map_err(|mistakes| vec![mistakes.to_string()])),
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
