//! IPVS: the commands of ipvsadm(8), as `ipvsadm-save -n` prints them or as they are typed.

mod commands;
mod lines;
mod options;
mod table;

use super::service;
use crate::paste::Pasted;
use crate::place::Files;
use crate::report::Report;
use crate::{Diagnostics, Imported, Source, lab};

/// Turns the commands of one director into a topology and a scenario.
///
/// # Errors
/// Everything that is wrong with the text, each with its place; or that there is no virtual
/// service that labsim has a client for.
pub fn import(sources: &[Source]) -> Result<Imported, Diagnostics> {
    let pasted = Pasted::new(sources);
    let mut report = Report::new(Files::new(&pasted.sources)?);
    pasted.report(&mut report);
    let mut table = table::Table::default();
    for (file, source) in pasted.sources.iter().enumerate() {
        for line in lines::commands(file, source.text(), &mut report) {
            if let Some(command) = options::parse(&line, &mut report) {
                table.run(&command, &mut report);
            }
        }
    }
    let model = service::lb_model(table.into_services(), &mut report);
    lab::imported(model, "labsim import ipvs", report)
}
