//! `labsim forwarder`.

use crate::exit::Exit;
use crate::{args, ctl, output};
use labsim_control::{
    Address, Answer, ConfigFile, KernelPart, Listener, Operator, SighupListener, SocketFile,
};
use labsim_dataplane::Error;
use labsim_dataplane::forwarder::{self, Commands, Lifetime, StopSignals};
use labsim_forwarder::Config;
use labsim_monitor::Monitors;
use labsim_yaml::{Diagnostics, Source};
use sd_notify::NotifyState;
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the load balancer in the current network namespace until a signal arrives, or controls the
/// one that runs there.
pub(crate) fn forwarder(args: &args::Forwarder) -> Exit {
    match (&args.command, &args.config) {
        (Some(args::ForwarderCommand::Ctl(args)), _) => ctl::ctl(args),
        (None, Some(file)) => run(args, file),
        // The argument parser requires one of the two.
        (None, None) => Exit::Invalid,
    }
}

/// Reads a configuration file.
pub(crate) fn read_config(file: &Path) -> Result<Config, Diagnostics> {
    Source::open(file).and_then(Config::read)
}

fn run(args: &args::Forwarder, file: &Path) -> Exit {
    let config = match read_config(file) {
        Ok(config) => config,
        Err(diagnostics) => {
            output::diagnostics(diagnostics);
            return Exit::Invalid;
        }
    };
    tracing::info!(file = %file.display(), "configuration read");
    if args.check {
        output::line(format_args!("{}: a valid forwarder configuration", file.display()));
        return Exit::Success;
    }
    // A lab starts it before its interfaces are there. One that is given up before ends its input.
    if args.wait && io::stdin().read_exact(&mut [0]).is_err() {
        return Exit::Success;
    }
    let result = Operation::start(args, file, &config).and_then(|operation| {
        let Operation { operator, commands, stop, _socket_file } = operation;
        // A lab's, which has its standard streams, ends with the lab.
        let lifetime = if args.stdio { Lifetime::Short } else { Lifetime::Long };
        let ready = |ready| {
            tracing::info!("ready");
            output::answer(&Answer::Ready(ready));
            notify_service_manager(NotifyState::Ready);
            operator.start_monitors();
        };
        let result =
            forwarder::run(&config, &commands, &stop, args.data_plane.into(), lifetime, ready);
        notify_service_manager(NotifyState::Stopping);
        // Clients that wait for an answer get an error from here on.
        drop(commands);
        operator.stop_monitors();
        result.map_err(Failure::from)
    });
    match result {
        Ok(counted) => {
            output::answer(&Answer::Counters(counted));
            Exit::Success
        }
        Err(Failure { reason, lacks }) => {
            if args.stdio
                && let Some(lacks) = lacks
            {
                output::answer(&Answer::Unsupported { lacks, reason: reason.clone() });
            }
            output::error(reason);
            Exit::CannotRun
        }
    }
}

/// Why the forwarder does not run.
struct Failure {
    reason: String,
    /// The part of the kernel whose lack is the reason.
    lacks: Option<KernelPart>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let lacks = match error {
            Error::IngressDropUnsupported { .. } => Some(KernelPart::Nftables),
            Error::IngressFilterUnsupported { .. } => Some(KernelPart::IngressFilter),
            _ => None,
        };
        Self { reason: error.to_string(), lacks }
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, lacks: None }
    }
}

/// What controls the forwarder while it runs.
struct Operation {
    operator: Arc<Operator>,
    commands: Commands,
    stop: StopSignals,
    /// Removes the control socket's file when it is dropped.
    _socket_file: SocketFile,
}

impl Operation {
    /// Starts the monitors, the control socket, the metrics endpoint and the reload on SIGHUP.
    fn start(args: &args::Forwarder, file: &Path, config: &Config) -> Result<Self, Failure> {
        let (handle, commands) = forwarder::commands()?;
        // Threads inherit signal masks: set them before the first one.
        let stop = StopSignals::take().map_err(to_text)?;
        let sighup =
            SighupListener::block().map_err(|error| format!("cannot block SIGHUP: {error}"))?;
        let (listener, _socket_file) =
            Listener::bind(&Address::from(args.control.clone())).map_err(to_text)?;
        let metrics = args.metrics.map(|address| {
            let failed = |error| format!("cannot serve metrics at {address}: {error}");
            TcpListener::bind(address).map_err(failed)
        });
        let metrics = metrics.transpose()?;
        let monitors = Monitors::start(handle.clone(), |change| output::error(change))?;
        monitors.prepare(config)?;
        let operator = Operator::new(handle, monitors, config.clone(), config_file(file));
        let operator = Arc::new(operator);
        serve(&operator, listener, metrics, sighup)
            .and_then(|()| if args.stdio { serve_standard_streams(&operator) } else { Ok(()) })
            .map_err(|error| format!("cannot start a control thread: {error}"))?;
        Ok(Self { operator, commands, stop, _socket_file })
    }
}

/// Starts a thread for each source of requests.
fn serve(
    operator: &Arc<Operator>,
    listener: Listener,
    metrics: Option<TcpListener>,
    sighup: SighupListener,
) -> io::Result<()> {
    labsim_control::serve_listener(Arc::clone(operator), listener)?;
    if let Some(listener) = metrics {
        labsim_control::serve_metrics(Arc::clone(operator), listener)?;
    }
    let operator = Arc::clone(operator);
    sighup.on_signal(move || {
        if let Answer::Refused(reasons) = operator.reload() {
            reasons.iter().for_each(output::error);
        }
    })
}

/// Serves requests of standard input; its end stops the forwarder.
fn serve_standard_streams(operator: &Arc<Operator>) -> io::Result<()> {
    labsim_control::serve_stream(Arc::clone(operator), io::stdin(), io::stdout())
}

/// Tells a service manager that started the forwarder what state it is in (sd_notify(3)); does
/// nothing without one.
fn notify_service_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager cannot be notified");
    }
}

fn config_file(file: &Path) -> ConfigFile {
    let path: PathBuf = file.to_owned();
    ConfigFile {
        name: path.display().to_string(),
        read: Box::new(move || {
            read_config(&path).map_err(|diagnostics| vec![diagnostics.to_string()])
        }),
    }
}

fn to_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_configuration_is_valid() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/labsim/manual/examples/forwarder.yaml");
        let config = read_config(Path::new(file)).unwrap();
        assert_eq!(config.check().len(), 0, "{:?}", config.check());
    }
}
