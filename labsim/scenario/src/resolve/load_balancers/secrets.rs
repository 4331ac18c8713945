//! The secrets of monitors that have none of their own: those of the scenario's servers.

use crate::model::{LoadBalancer, MonitorKind, NodeName, Secret};
use crate::resolve::Report;
use labsim_codes::file;
use labsim_model::KeyPath;
use std::collections::BTreeMap;

/// Gives monitors without a secret of their own that of the built-in servers.
pub(in crate::resolve) fn fill_secrets(
    load_balancers: &mut BTreeMap<NodeName, LoadBalancer>,
    (tacacs, radius): (&[Secret], &[Secret]),
    report: &mut Report<'_>,
) {
    for (node, balancer) in load_balancers {
        for (name, pool) in &mut balancer.pools {
            let Some(monitor) = &mut pool.monitor else { continue };
            if !monitor.kind.needs_secret() || monitor.secret.is_some() {
                continue;
            }
            let (what, secrets) = match monitor.kind {
                MonitorKind::Radius => ("RADIUS", radius),
                _ => ("TACACS+", tacacs),
            };
            let path = KeyPath::new(["pools", name, "monitor"]);
            let place = report.span_of(&["load_balancers", node.as_str()], &path);
            match secrets {
                [first, others @ ..] if others.iter().all(|other| other == first) => {
                    monitor.secret = Some(first.clone());
                }
                [] => report.empty(
                    place,
                    format!(
                        "there is no {what} server whose secret this monitor could use; write its \
                         `secret`"
                    ),
                ),
                _ => report.at(
                    place,
                    file::AMBIGUOUS,
                    format!(
                        "the {what} servers have different secrets; write this monitor's `secret`"
                    ),
                ),
            }
        }
    }
}
