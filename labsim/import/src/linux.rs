//! Linux: a real server's state as people collect it, and that state in a scenario.
//!
//! Texts are those of `ip addr`, `ip -d link`, `ip route`, `ip rule`, `sysctl -a`, `ss -ltnu` and so on, as
//! text or as `ip -j` prints it, several of them in one file or each in one of its own; and the files that
//! configure a host at every start. Files are recognized by what is in them, whatever they are called.

mod around;
mod counters;
mod filters;
mod host;
mod json;
mod links;
mod persistent;
mod read;
mod routes;
mod server;
mod settings;
mod sockets;
mod state;
mod sysctls;
mod typed;

use crate::lab::{names, server_state};
use crate::paste::Pasted;
use crate::place::Files;
use crate::report::Report;
use crate::text::printable;
use crate::{Diagnostic, Diagnostics, Imported, Left, Note, Source};
use labsim_codes::file;
use labsim_scenario::model::{NodeName, Scenario};
pub use state::{Address, Counter, Device, Setting, Socket, State};

const NOTHING: &str = "nothing here is a host's state; give the output of `ip addr`, `ip route`, \
                       `sysctl -a` and `ss -ltnu`";

/// A scenario that extends another one, and what is to be known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedServer {
    /// The new file's name without its ending: the scenario's, and the node's.
    pub scenario_name: String,
    /// The new file's text.
    pub scenario: String,
    /// What was not imported, by file and line.
    pub not_imported: Vec<Note>,
    /// What contradicts itself, was understood in one way of several, or is taken from the scenario.
    pub warnings: Vec<Note>,
    /// Lines that say nothing about what becomes of a real server's packets, by file and line.
    pub left_out: Vec<Left>,
}

/// Reads a host's state.
///
/// # Errors
/// The texts hold nothing that is known.
pub fn read(sources: &[Source]) -> Result<State, Diagnostics> {
    let pasted = Pasted::new(sources);
    let mut report = Report::new(Files::new(&pasted.sources)?);
    pasted.report(&mut report);
    let host = read::host(&pasted, &mut report);
    if report.has_errors() {
        return Err(report.into_diagnostics());
    }
    if host.is_empty() && host.counters.is_empty() {
        return Err(failed(&report, NOTHING));
    }
    Ok(state::state(&host, &report))
}

/// A lab around a host, with a healthy server in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabAround {
    /// The lab. Its notes are about the lab alone, as the host's texts are read again with
    /// [`import_into`].
    pub lab: Imported,
    /// What no text shows, as sentences.
    pub assumptions: Vec<String>,
}

/// The name of the scenario that [`lab_around`] makes.
pub const LAB: &str = "lab";

/// Makes a lab for a host: a client, a router, and a load balancer that sends to the host as its tunnel
/// and its addresses show. [`import_into`] puts the host's state into it.
///
/// # Errors
/// The texts hold nothing that is known; or they do not show what a lab needs, such as a VIP.
pub fn lab_around(sources: &[Source]) -> Result<LabAround, Diagnostics> {
    let pasted = Pasted::new(sources);
    let mut report = Report::new(Files::new(&pasted.sources)?);
    let host = read::host(&pasted, &mut report);
    if host.is_empty() {
        return Err(failed(&report, NOTHING));
    }
    if report.has_errors() {
        return Err(report.into_diagnostics());
    }
    let (model, assumptions) = around::model(&host).map_err(|why| failed(&report, why))?;
    // What was found in the texts is said when the host is put into the lab.
    let report = Report::new(Files::new(&pasted.sources)?);
    let mut lab = crate::lab::imported(model, "labsim import linux", report)?;
    LAB.clone_into(&mut lab.scenario_name);
    Ok(LabAround { lab, assumptions })
}

fn failed(report: &Report<'_>, message: impl Into<String>) -> Diagnostics {
    let name = report.files().sources().first().map_or(String::new(), |it| it.name().to_owned());
    Diagnostics::from(Diagnostic::of_file(name, file::IMPORT_EMPTY, message))
}

/// Puts a host's state in place of a real server of a scenario. `extends` is how the new file names the
/// scenario's.
///
/// # Errors
/// The texts are about another host; they hold nothing that is known; the node is no host of the
/// scenario; or the scenario's servers are in a list, of which another file cannot change one.
pub fn import_into(
    sources: &[Source],
    (scenario, extends): (&Scenario, &str),
    node: &NodeName,
) -> Result<ImportedServer, Diagnostics> {
    let pasted = Pasted::new(sources);
    let mut report = Report::new(Files::new(&pasted.sources)?);
    pasted.report(&mut report);
    let host = read::host(&pasted, &mut report);
    if host.is_empty() {
        return Err(failed(&report, NOTHING));
    }
    let Some(in_lab) = scenario.topology.node(node) else {
        return Err(failed(&report, format!("{} has no node `{node}`", scenario.name)));
    };
    if scenario.load_balancers.contains_key(node) {
        let message = format!("{node} is a load balancer in {}; name a real server", scenario.name);
        return Err(failed(&report, message));
    }
    let state = server::state(&host, scenario, in_lab, &mut report);
    let Some(state) = state.filter(|_| !report.has_errors()) else {
        return Err(report.into_diagnostics());
    };
    let files: Vec<String> =
        report.files().sources().iter().map(|source| printable(source.name())).collect();
    let header = format!(
        "# {node} of {} as its host was found: imported from {} by `labsim import linux`.\n",
        scenario.name,
        files.join(", ")
    );
    let text = server_state::text(&header, (scenario, extends), node, &state, &report);
    let text = text.map_err(|why| failed(&report, format!("{}: {why}", scenario.name)))?;
    let left_out = report.take_left_out();
    let (not_imported, warnings) = report.into_notes();
    let scenario_name = names::scenario(&format!("{}-{node}.yaml", scenario.name));
    Ok(ImportedServer { scenario_name, scenario: text, not_imported, warnings, left_out })
}
