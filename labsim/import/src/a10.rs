//! A10: ACOS configuration text, as `show running-config` shows it.
//!
//! Words as in ACOS 2.7 to 5.2's command reference for ADC and its aXAPI schemas.

mod config;
mod lines;
mod pools;
mod virtuals;

use crate::place::Files;
use crate::report::Report;
use crate::{Imported, Mistakes, Source, lab};

/// Turns the files of one device into a topology and a scenario.
///
/// # Errors
/// Everything that is wrong with the text, each with its place; or that there is no virtual
/// server that labsim could speak to.
pub fn import(sources: &[Source]) -> Result<Imported, Mistakes> {
    let mut report = Report::new(Files::new(sources)?);
    let mut config = config::Config::default();
    for (file, source) in sources.iter().enumerate() {
        for line in lines::parse(file, source.text(), &mut report) {
            config.add(line, &mut report);
        }
    }
    let design = virtuals::design(&config, &mut report);
    lab::imported(design, "labsim import a10", report)
}
