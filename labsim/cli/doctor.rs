//! `labsim doctor`.

use crate::args;
use crate::exit::Exit;
use crate::load::{self, Loaded};
use crate::say;
use labsim_lab::probe::{self, Feature};
use labsim_runner::Ways;

/// Tries everything that labs use, and builds the named scenarios' labs without running them.
pub(crate) fn doctor(args: &args::Doctor) -> Exit {
    let loaded = match load::scenarios(&args.paths) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    match labsim_lab::gain_rights() {
        Ok(rights) => say::line(format_args!("rights              ok: {rights}")),
        Err(error) => {
            say::line(format_args!("rights              missing: {error}"));
            return Exit::CannotRun;
        }
    }
    let mut runs = true;
    for (feature, found) in probe::all() {
        // Padding applies to the name as text.
        let name = feature.to_string();
        match found {
            Ok(()) => say::line(format_args!("{name:<20}ok")),
            Err(missing) => {
                let instead = instead(feature);
                runs &= instead.is_some();
                let instead = instead.map(|it| format!(" ({it})")).unwrap_or_default();
                say::line(format_args!("{name:<20}missing: {missing}{instead}"));
            }
        }
    }
    for Loaded { file, scenario, .. } in &loaded {
        match labsim_runner::rehearse(scenario) {
            Ok(Ways { tunnel, impairments }) => {
                let impairments = impairments.map(|it| format!("; impairments: {it}"));
                let impairments = impairments.unwrap_or_default();
                let file = file.display();
                say::line(format_args!("{file}: can run here; tunnel: {tunnel}{impairments}"));
            }
            Err(reason) => {
                runs = false;
                say::line(format_args!("{}: cannot run here: {reason}", file.display()));
            }
        }
    }
    if runs { Exit::Success } else { Exit::CannotRun }
}

/// What labsim does without a feature; `None` if it cannot do without.
fn instead(feature: Feature) -> Option<&'static str> {
    match feature {
        Feature::Tun => Some("labsim uses one end of a veth pair in its place"),
        Feature::KernelIpip
        | Feature::KernelSit
        | Feature::KernelIp6tnl
        | Feature::KernelGre
        | Feature::KernelIp6gre => Some("labsim's own decapsulator takes its place"),
        Feature::Netem => Some("labsim's own relay impairs links in its place"),
        Feature::NetworkNamespaces
        | Feature::Veth
        | Feature::Bridge
        | Feature::PacketSockets
        | Feature::Sysctls => None,
    }
}
