//! A lab for a design: addresses, a topology's text, a scenario's text.

mod addresses;
mod expectations;
pub(crate) mod names;
mod plan;
pub(crate) mod saved;
mod scenario;
pub(crate) mod server_state;
mod servers;
mod topology;
mod yaml;

use crate::lb_model::LbModel;
use crate::paste::Pasted;
use crate::place::Files;
use crate::report::Report;
use crate::{Diagnostics, Imported, Source, validate};
use labsim_codes::file;
use labsim_yaml::Diagnostic;
use serde::Serialize;

/// The topology file's name without its ending.
const TOPOLOGY: &str = "topology";

/// Turns the texts of one device into files; `model` understands them, `command` is named in the files.
///
/// # Errors
/// What `model` reports; or that nothing is left that a scenario could do.
pub(crate) fn import(
    sources: &[Source],
    command: &str,
    model: impl FnOnce(&Pasted, &mut Report<'_>) -> LbModel,
) -> Result<Imported, Diagnostics> {
    let pasted = Pasted::new(sources);
    let mut report = Report::new(Files::new(&pasted.sources)?);
    pasted.report(&mut report);
    let model = model(&pasted, &mut report);
    imported(model, command, report)
}

/// Turns what was understood into files; `command` is named in them.
///
/// # Errors
/// The errors of the report; or that nothing is left that a scenario could do.
pub(crate) fn imported(
    mut model: LbModel,
    command: &str,
    mut report: Report<'_>,
) -> Result<Imported, Diagnostics> {
    if report.has_errors() {
        return Err(report.into_diagnostics());
    }
    validate::validate(&mut model, &mut report);
    let Some(plan) = plan::plan(&model, &mut report) else { return Err(nothing(report)) };
    let virtuals = plan.virtuals(&model, &mut report);
    if virtuals.is_empty() {
        return Err(nothing(report));
    }
    let sources = report.files().sources();
    let files: Vec<String> =
        sources.iter().map(|source| crate::text::printable(source.name())).collect();
    let header = format!("# Imported from {} by `{command}`.\n", files.join(", "));
    let scenario_name = names::scenario(sources.first().map_or("", |source| source.name()));
    let topology = topology::text(&header, &plan);
    let written = scenario::text(&header, &virtuals, &model, &plan, &mut report);
    let scenario = written.map_err(|error| {
        let message = format!("the scenario cannot be written: {error}");
        Diagnostic::of_file(&scenario_name, file::IMPORT_INVALID, message)
    })?;
    let left_out = report.take_left_out();
    let (not_imported, warnings) = report.into_notes();
    Ok(Imported {
        topology_name: TOPOLOGY.to_owned(),
        topology,
        scenario_name,
        scenario,
        not_imported,
        warnings,
        left_out,
    })
}

/// Nothing is left to be done: what was left out says why.
/// What a scenario has of a value that is not as in `defaults`: keys, and values on one line.
pub(crate) fn keys<T: Serialize>(value: &T, defaults: &T) -> Vec<(String, String)> {
    let entries = yaml::Value::without_defaults(value, defaults, &[], &[]);
    entries.unwrap_or_default().iter().map(yaml::Entry::on_one_line).collect()
}

pub(crate) fn nothing(report: Report<'_>) -> Diagnostics {
    let name = report.files().sources().first().map_or("", |source| source.name());
    let message = "no virtual server can be imported";
    let whole = Diagnostic::of_file(name, file::IMPORT_EMPTY, message);
    let mut diagnostics = report.not_imported_as_diagnostics(&[
        "ltm virtual ",
        "virtual ",
        "slb virtual-server ",
        "-A ",
        "virtual_server ",
    ]);
    diagnostics.push(whole);
    diagnostics
}
