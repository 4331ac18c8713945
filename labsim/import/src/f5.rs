//! F5: tmsh configuration text, such as bigip.conf or what `tmsh list` shows.
//!
//! Words and defaults as in F5's tmsh reference for LTM (BIG-IP 11 to 17).

mod address;
mod command;
mod config;
mod defaults_from;
mod monitors;
mod network;
mod outside;
mod parse;
mod persistence;
mod pools;
mod profiles;
mod read;
mod snat;
mod tcl;
mod traffic_matching;
mod tree;
mod virtuals;

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
    lab::import(sources, "labsim import f5", model)
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
        for stanza in parse::parse(file, source.text(), report) {
            config.add(stanza, report);
        }
    }
    virtuals::lb_model(&config, report)
}
