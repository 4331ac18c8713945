//! Steps that stop and start built-in servers.

use crate::file::{RawStopServer, ServerConnections};
use crate::model::{NodeName, StepAction};
use crate::resolve::Report;
use crate::resolve::lookup::Lookup;
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::BTreeSet;

/// The nodes with built-in servers while the steps go by.
pub(super) struct ServerState<'a> {
    serving: &'a BTreeSet<&'a NodeName>,
    stopped: BTreeSet<NodeName>,
}

impl<'a> ServerState<'a> {
    /// All of them run.
    pub(super) const fn new(serving: &'a BTreeSet<&'a NodeName>) -> Self {
        Self { serving, stopped: BTreeSet::new() }
    }

    /// A step that stops a node's servers, which must be running.
    pub(super) fn stop(
        &mut self,
        fields: &RawStopServer,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let RawStopServer { node, connections } = fields;
        let name = self.server(node, lookup, report)?;
        if !self.stopped.insert(name.clone()) {
            report.at(
                node.span,
                file::STEP_ORDER,
                format!("`{name}`'s servers were stopped before; start them again in between"),
            );
        }
        let keep_connections = *connections == ServerConnections::Keep;
        Some(StepAction::StopServer { node: name, keep_connections })
    }

    /// A step that starts a node's servers, which must have been stopped.
    pub(super) fn start(
        &mut self,
        node: &Located<String>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let name = self.server(node, lookup, report)?;
        if !self.stopped.remove(&name) && !report.lacks_some() {
            report.at(
                node.span,
                file::STEP_ORDER,
                format!("`{name}`'s servers run already; stop them first, by `stop_server`"),
            );
        }
        Some(StepAction::StartServer { node: name })
    }

    fn server(
        &self,
        node: &Located<String>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<NodeName> {
        let name = lookup.node(node, report)?;
        if self.serving.contains(&name) {
            return Some(name);
        }
        report.absent(
            node.span,
            node,
            format!(
                "no built-in server runs on {}; those of `tacacs_servers`, `radius_servers`, \
                 `tcp_servers` and `udp_servers` are on {}",
                quoted(node),
                listed(self.serving.iter().copied())
            ),
        );
        None
    }
}
