//! `labsim doctor`.

use crate::args;
use crate::discover::{self, FoundScenario};
use crate::exit::Exit;
use crate::{load, output};
use labsim_lab::probe::{self, Feature};
use labsim_runner::Engines;

/// Probes every kernel feature that labs use, and builds the labs of the named scenarios without
/// running them.
pub(crate) fn doctor(args: &args::Doctor) -> Exit {
    let found = match args.paths.as_slice() {
        [] => Vec::new(),
        paths => match discover::scenarios(paths) {
            Ok(found) => found,
            Err(exit) => return exit,
        },
    };
    if discover::print_errors(found.iter()) > 0 {
        return Exit::Invalid;
    }
    match labsim_lab::acquire_privileges() {
        Ok(rights) => output::line(format_args!("rights              ok: {rights}")),
        Err(error) => {
            output::line(format_args!("rights              missing: {error}"));
            return Exit::CannotRun;
        }
    }
    let mut runs = true;
    for (feature, found) in probe::all() {
        // Padding applies to the name as text.
        let name = feature.to_string();
        match found {
            Ok(()) => output::line(format_args!("{name:<20}ok")),
            Err(missing) => {
                let substitute = substitute(feature);
                runs &= substitute.is_some();
                let substitute = substitute.map(|it| format!(" ({it})")).unwrap_or_default();
                output::line(format_args!("{name:<20}missing: {missing}{substitute}"));
            }
        }
    }
    for FoundScenario { file, .. } in &found {
        let scenario = match labsim_scenario::load(file.as_input()) {
            Ok(loaded) => loaded.scenario,
            Err(diagnostics) => return load::reject(&diagnostics),
        };
        let file = file.path.display();
        match labsim_runner::dry_run(&scenario) {
            Ok(Engines { tunnel, impairments, .. }) => {
                let impairments = impairments.map(|it| format!("; impairments: {it}"));
                let impairments = impairments.unwrap_or_default();
                output::line(format_args!("{file}: can run here; tunnel: {tunnel}{impairments}"));
            }
            Err(reason) => {
                runs = false;
                output::line(format_args!("{file}: cannot run here: {reason}"));
            }
        }
    }
    if runs { Exit::Success } else { Exit::CannotRun }
}

/// What labsim uses in place of a missing feature; `None` if labs need it.
fn substitute(feature: Feature) -> Option<&'static str> {
    match feature {
        Feature::Tun => Some("labsim uses one end of a veth pair instead"),
        Feature::KernelTunnel(_) => Some("labsim decapsulates in userspace instead"),
        Feature::Netem => Some("labsim's relay impairs links instead"),
        Feature::Nftables => Some("scenarios with `filters` are skipped"),
        Feature::NetworkNamespaces
        | Feature::Veth
        | Feature::Bridge
        | Feature::PacketSockets
        | Feature::Sysctls => None,
    }
}
