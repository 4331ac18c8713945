//! A lab for a design: addresses, a topology's text, a scenario's text.

mod addresses;
mod expectations;
mod names;
mod plan;
mod scenario;
mod servers;
mod topology;
mod writer;

use crate::design::Design;
use crate::report::Report;
use crate::{Imported, Mistakes, settle};
use labsim_yaml::Mistake;

/// The topology file's name without its ending.
const TOPOLOGY: &str = "topology";

/// Turns what was understood into files; `command` is told in them.
///
/// # Errors
/// The mistakes of the report; or that nothing is left that a scenario could do.
pub(crate) fn imported(
    mut design: Design,
    command: &str,
    mut report: Report<'_>,
) -> Result<Imported, Mistakes> {
    if report.is_bad() {
        return Err(report.into_mistakes());
    }
    settle::settle(&mut design, &mut report);
    let Some(plan) = plan::plan(&design, &mut report) else { return Err(nothing(report)) };
    let virtuals = plan.virtuals(&design, &mut report);
    if virtuals.is_empty() {
        return Err(nothing(report));
    }
    let sources = report.files().sources();
    let files: Vec<String> =
        sources.iter().map(|source| crate::text::shown(source.name())).collect();
    let header = format!("# Imported from {} by `{command}`.\n", files.join(", "));
    let scenario_name = names::scenario(sources.first().map_or("", |source| source.name()));
    let topology = topology::text(&header, &plan);
    let scenario = scenario::text(&header, &virtuals, &design, &plan, &mut report);
    let (left_out, warnings) = report.into_notes();
    Ok(Imported {
        topology_name: TOPOLOGY.to_owned(),
        topology,
        scenario_name,
        scenario,
        left_out,
        warnings,
    })
}

/// Nothing is left to be done: what was left out says why.
fn nothing(report: Report<'_>) -> Mistakes {
    let name = report.files().sources().first().map_or("", |source| source.name());
    let message = "there is no virtual server here that labsim can speak to; it speaks TACACS+ \
                   (49/tcp) and RADIUS (1812/udp, 1645/udp)";
    let whole = Mistake::of_file(name, message);
    let mut mistakes = report.left_out_as_mistakes(&["ltm virtual ", "slb virtual-server "]);
    mistakes.push(whole);
    mistakes
}
