//! `labsim doctor`.

mod limits;

use crate::args;
use crate::discover::{self, FoundScenario};
use crate::exit::Exit;
use crate::{load, output, shipped};
use labsim_lab::PrivilegeSource;
use labsim_lab::probe::{self, Feature};
use labsim_live::LabsFolder;
use labsim_runner::Engines;
use labsim_scenario::Input;
use limits::{Findings, LabSize, Limits};
use std::fmt::Display;

/// The scenario whose lab has the default size.
const DEFAULT: &str = "scenarios/tacacs-ipip.yaml";

/// Probes every kernel feature that labs use, says how many labs the limits allow, and builds the labs of the named scenarios without
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
    // Before the process moves into a user namespace, which has limits of its own.
    let (limits, size) = match (LabsFolder::of_user().up(), default_size()) {
        (Ok(up), Ok(size)) => (Limits::read(up.len()), size),
        (Err(error), _) => {
            output::error(error);
            return Exit::Invalid;
        }
        (_, Err(exit)) => return exit,
    };
    let is_root = nix::unistd::geteuid().is_root();
    let rights = match labsim_lab::acquire_privileges() {
        Ok(rights) => rights,
        Err(error) => {
            line("rights", format_args!("missing: {error}"));
            print(limits.judge(size, !is_root));
            return Exit::CannotRun;
        }
    };
    line("rights", format_args!("ok: {rights}"));
    let mut runs = print(limits.judge(size, rights.source == PrivilegeSource::UserNamespace));
    for (feature, found) in probe::all() {
        // Padding applies to the name as text.
        let name = feature.to_string();
        match found {
            Ok(()) => line(&name, "ok"),
            Err(missing) => {
                let substitute = substitute(feature);
                runs &= substitute.is_some();
                let substitute = substitute.map(|it| format!(" ({it})")).unwrap_or_default();
                line(&name, format_args!("missing: {missing}{substitute}"));
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

/// The size of the lab that most of the manual is about.
fn default_size() -> Result<LabSize, Exit> {
    let input = Input::BuiltIn { files: shipped::FILES, path: DEFAULT };
    let loaded = labsim_scenario::load(input).map_err(|found| load::reject(&found))?;
    Ok(LabSize::of(&loaded.scenario))
}

/// Prints what is said of limits, and returns whether they allow a lab.
fn print(findings: Findings) -> bool {
    findings.lines.iter().for_each(|(name, text)| line(name, text));
    findings.suffice
}

fn line(name: &str, text: impl Display) {
    output::line(format_args!("{name:<20}{text}"));
}

/// What labsim uses in place of a missing feature; `None` if labs need it.
fn substitute(feature: Feature) -> Option<&'static str> {
    match feature {
        Feature::Tun => Some("labsim uses one end of a veth pair instead"),
        Feature::KernelTunnel(_) => Some("labsim decapsulates in userspace instead"),
        Feature::Netem => Some("labsim's relay impairs links instead"),
        Feature::Nftables => Some("scenarios with `filters` are skipped"),
        Feature::Ipvs => Some("scenarios with `engine: ipvs` are skipped"),
        Feature::Ipv6 => Some("scenarios with IPv6 addresses are skipped"),
        Feature::NetworkNamespaces
        | Feature::Veth
        | Feature::Bridge
        | Feature::PacketSockets
        | Feature::Sysctls => None,
    }
}
