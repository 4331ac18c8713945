//! F5: tmsh configuration text, such as bigip.conf or what `tmsh list` shows.
//!
//! Words and defaults as in F5's tmsh reference for LTM (BIG-IP 11 to 17).

mod address;
mod config;
mod heritage;
mod network;
mod parse;
mod persistence;
mod pools;
mod profiles;
mod read;
mod service;
mod snat;
mod tcl;
mod tree;
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
        for stanza in parse::parse(file, source.text(), &mut report) {
            config.add(stanza, &mut report);
        }
    }
    let design = virtuals::design(&config, &mut report);
    lab::imported(design, "labsim import f5", report)
}
