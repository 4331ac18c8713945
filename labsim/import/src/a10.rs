//! A10: ACOS configuration text, as `show running-config` shows it.
//!
//! Words as in ACOS 2.7 to 5.2's command reference for ADC and its aXAPI schemas.

mod config;
mod context;
mod entered;
mod lines;
mod monitors;
mod pools;
pub(crate) mod templates;
mod terminal;
mod virtuals;

pub(crate) use virtuals::MOST_MORE_PORTS;

use crate::balancer::{self, Balancer};
use crate::lb_model::LbModel;
use crate::paste::Pasted;
use crate::report::Report;
use crate::{Diagnostics, Imported, Source, lab};

/// Turns the files of one device into a topology and a scenario.
///
/// # Errors
/// Everything that is wrong with the text, each with its place; or that there is no virtual
/// server that labsim has a client for.
pub fn import(sources: &[Source]) -> Result<Imported, Diagnostics> {
    lab::import(sources, "labsim import a10", model)
}

/// Reads what the files of one device say of its virtual servers.
///
/// # Errors
/// Everything that is wrong with the text, each with its place; or that there is no virtual server.
pub fn read(sources: &[Source]) -> Result<Balancer, Diagnostics> {
    balancer::read(sources, model)
}

fn model(pasted: &Pasted, report: &mut Report<'_>) -> LbModel {
    let mut config = config::Config::default();
    for (file, source) in pasted.sources.iter().enumerate() {
        for line in lines::parse(file, source.text(), report) {
            config.add(line, report);
        }
    }
    config.settle();
    virtuals::lb_model(&config, report)
}
