//! Brings a node back to what it was set up with: the kernel's own messages of an earlier moment against
//! those of now.

mod devices;
mod filters;
mod messages;
mod settings;

use crate::build::await_addresses_here;
use crate::lab::Node;
use labsim_model::NodeState;
use labsim_sys::netlink::{Request, Socket};
use messages::Messages;
use netlink_packet_route::RouteNetlinkMessage;
use std::io;

/// What a node was set up with at one moment.
#[derive(Debug, Clone)]
pub struct Setup {
    state: NodeState,
    messages: Messages,
}

impl Setup {
    /// What is shown of it.
    #[must_use]
    pub fn state(&self) -> &NodeState {
        &self.state
    }

    /// Adds the sysctls that only `later` has, as they are there.
    pub fn add_sysctls_of(&mut self, later: &Self) {
        for (name, value) in &later.state.sysctls.0 {
            self.state.sysctls.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

impl Node {
    /// Reads what the node is set up with, as [`Self::state`], and these sysctls too.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn setup(&self, sysctls: &[String]) -> io::Result<Setup> {
        let mut state = self.state()?;
        let (messages, further) =
            self.run_passive(|| (Messages::of_this_namespace(), settings::read(sysctls)))?;
        state.sysctls.0.extend(further);
        Ok(Setup { state, messages })
    }

    /// Undoes what has changed since `built`: devices, sysctls, addresses, routes, rules, neighbours that
    /// were set by hand, and packet filters. Returns what the kernel refused, a sentence each. Whether the
    /// node is as it was, a new [`Setup`] shows.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn restore(&self, built: &Setup) -> io::Result<Vec<String>> {
        self.run(|| {
            let mut refused = Vec::new();
            devices::restore(self.plan(), built, &mut refused);
            // Devices that came back have settings, and settings decide on addresses.
            settings::restore(&built.state.sysctls, &mut refused);
            built.messages.restore_addresses(&mut refused);
            if let Err(error) = await_addresses_here(self.plan()) {
                refused.push(error.to_string());
            }
            built.messages.restore_routing(&mut refused);
            filters::restore(self, &built.state.filters, &mut refused);
            refused
        })
    }
}

/// Asks the kernel for something, and keeps its refusal.
fn ask(request: Request, what: &str, refused: &mut Vec<String>) {
    let done = Socket::open().map_err(Into::into).and_then(|mut it| it.execute(request));
    if let Err(refusal) = done {
        refused.push(format!("{what}: {refusal}"));
    }
}

/// A list of the kernel's; nothing if it has no such list.
fn dump(request: RouteNetlinkMessage) -> Vec<RouteNetlinkMessage> {
    Socket::open().and_then(|mut it| it.dump_at_most(request, MOST)).unwrap_or_default().0
}

/// Entries of a list that are read at most.
const MOST: usize = 4096;
