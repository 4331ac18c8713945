//! IPVS: the commands of ipvsadm(8), as `ipvsadm-save -n` prints them or as they are typed.

mod commands;
mod lines;
mod options;
mod table;

use super::service;
use crate::balancer::{self, Balancer};
use crate::lb_model::LbModel;
use crate::paste::Pasted;
use crate::report::Report;
use crate::{Diagnostics, Imported, Source, lab};

/// Turns the commands of one director into a topology and a scenario.
///
/// # Errors
/// Everything that is wrong with the text, each with its place; or that there is no virtual
/// service that labsim has a client for.
pub fn import(sources: &[Source]) -> Result<Imported, Diagnostics> {
    lab::import(sources, "labsim import ipvs", model)
}

/// Reads what the commands of one director say of its virtual services.
///
/// # Errors
/// Everything that is wrong with the text, each with its place; or that there is no virtual service.
pub fn read(sources: &[Source]) -> Result<Balancer, Diagnostics> {
    balancer::read(sources, model)
}

fn model(pasted: &Pasted, report: &mut Report<'_>) -> LbModel {
    let mut table = table::Table::default();
    for (file, source) in pasted.sources.iter().enumerate() {
        for line in lines::commands(file, source.text(), report) {
            if let Some(command) = options::parse(&line, report) {
                table.run(&command, report);
            }
        }
    }
    let (services, timeouts) = table.into_services();
    service::lb_model(services, timeouts, report)
}
