//! `engine: ipvs`: what IPVS does not have, or does in another way, is an error at its place.

use super::Report;
use crate::file::ScenarioFile;
use crate::ipvs::{ObstacleOf, find};
use crate::model::{Expectation, LoadBalancer, NodeName, Step};
use labsim_codes::file;
use labsim_model::KeyPath;
use labsim_yaml::Span;
use std::collections::BTreeMap;

/// Checks the load balancers whose engine is IPVS, and what the steps and expectations want of them.
pub(super) fn check_ipvs(
    written: &ScenarioFile,
    balancers: &BTreeMap<NodeName, LoadBalancer>,
    steps: &[Step],
    expectations: &[Expectation],
    report: &mut Report<'_>,
) {
    let engine = KeyPath::new(["engine"]);
    for obstacle in find(balancers, steps, expectations) {
        let (place, node): (Span, Option<&NodeName>) = match &obstacle.of {
            ObstacleOf::LoadBalancer { node, path, only_if_written } => {
                let root = ["load_balancers", node.as_str()];
                if *only_if_written && !report.is_written(&root, path) {
                    continue;
                }
                (report.span_of(&root, path), Some(node))
            }
            ObstacleOf::Step(name) => {
                let key = written.steps.iter().find(|(key, _)| key.as_str() == name.as_str());
                (key.map(|(key, _)| key.span).unwrap_or_default(), None)
            }
            ObstacleOf::Expectation(name) => {
                let key = written.expect.iter().find(|(key, _)| key.as_str() == name);
                (key.map(|(key, _)| key.span).unwrap_or_default(), None)
            }
        };
        let directors = balancers.iter().filter(|(_, it)| it.engine == labsim_model::Engine::Ipvs);
        let Some(node) = node.or(directors.map(|(node, _)| node).next()) else { continue };
        let at = report.span_of(&["load_balancers", node.as_str()], &engine);
        let line = report.line(at, place);
        let why = &obstacle.why;
        let message = format!(
            "{why}; change it, or have labsim's own forwarder: `engine: labsim` in place of `engine: ipvs` at {line}"
        );
        report.at(place, file::CONFLICT, message);
    }
}
