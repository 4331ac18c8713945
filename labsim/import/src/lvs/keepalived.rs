//! keepalived: `keepalived.conf`.
//!
//! Words as in keepalived.conf(5) of version 2.3.

mod checks;
mod group;
mod reasons;
mod tree;
mod variables;
mod virtual_server;

use super::{service, timeouts};
use crate::lb_model::LbModel;
use crate::paste::Pasted;
use crate::report::Report;
use crate::text::printable;
use crate::{Diagnostics, Imported, Source, lab};
use group::Groups;
use labsim_model::ipvs::Timeouts;
use tree::Node;

/// Most virtual servers that are looked at; a lab has fewer.
const MOST: usize = 1000;

/// Turns the files of one director into a topology and a scenario.
///
/// # Errors
/// Everything that is wrong with the text, each with its place; or that there is no virtual
/// server that labsim has a client for.
pub fn import(sources: &[Source]) -> Result<Imported, Diagnostics> {
    lab::import(sources, "labsim import keepalived", model)
}

fn model(pasted: &Pasted, report: &mut Report<'_>) -> LbModel {
    let mut variables = variables::Variables::default();
    let mut roots: Vec<Node> = Vec::new();
    for (file, source) in pasted.sources.iter().enumerate() {
        roots.extend(tree::parse(file, source.text(), &mut variables, report));
    }
    let mut groups = Groups::read(&roots, report);
    let (mut services, mut timeouts) = (Vec::new(), Timeouts::default());
    let mut count = 0;
    for node in &roots {
        match node.name() {
            "virtual_server" if count >= MOST => {
                let why = format!("more than {MOST} virtual servers are not read");
                report.not_imported(node.place, "virtual_server", why);
            }
            "virtual_server" => {
                count += 1;
                services.extend(virtual_server::service(node, &mut groups, report));
            }
            "virtual_server_group" => {}
            _ => other(node, &mut timeouts, report),
        }
    }
    groups.report_unused(report);
    service::lb_model(services, timeouts, report)
}

/// Lists what is no virtual server, but for the timeouts in it.
fn other(node: &Node, timeouts: &mut Timeouts, report: &mut Report<'_>) {
    let (found, others): (Vec<&Node>, Vec<&Node>) =
        node.children.iter().partition(|child| child.name() == "lvs_timeouts");
    for child in &found {
        lvs_timeouts(child, timeouts, report);
    }
    if !found.is_empty() && others.is_empty() {
        return;
    }
    // A statement's value may be a secret; a block's is its name.
    let shown = if node.has_block() { 2 } else { 1 };
    let words: Vec<&str> = node.words.iter().take(shown).map(|word| word.text.as_str()).collect();
    report.not_imported(node.place, printable(&words.join(" ")), reasons::of_block(node.name()));
}

/// `lvs_timeouts [tcp N] [tcpfin N] [udp N]`
fn lvs_timeouts(node: &Node, timeouts: &mut Timeouts, report: &mut Report<'_>) {
    for pair in node.words.get(1..).unwrap_or_default().chunks(2) {
        match pair {
            [which, word] if ["tcp", "tcpfin", "udp"].contains(&which.text.as_str()) => {
                timeouts::set(timeouts, &which.text, word, "lvs_timeouts", report);
            }
            _ => {
                let message = "write `lvs_timeouts tcp SECONDS tcpfin SECONDS udp SECONDS`, or some \
                               of them";
                return report.diagnostic(node.place, message);
            }
        }
    }
}
