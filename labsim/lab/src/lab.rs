//! A running lab: its nodes, by file descriptor only.

use crate::build::{self, Relay, TunnelEnd};
use crate::capture::Closers;
use crate::enter::{Entry, Namespace};
use crate::error::BuildError;
use crate::plan::{Cable, NodePlan, Plan, TunnelMode};
use crate::process::Children;
use labsim_scenario::model::{InterfaceName, NodeName};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;

/// A running lab. Dropping it kills its processes and lets go of its namespaces.
#[derive(Debug)]
pub struct Lab {
    nodes: Vec<Node>,
    cables: Vec<Cable>,
    /// The bridges' namespace lives as long as it is open.
    fabric: Option<Namespace>,
    relays: Vec<Relay>,
    shared: Arc<Shared>,
}

/// What all nodes of a lab share.
#[derive(Debug)]
pub(crate) struct Shared {
    entry: Entry,
    children: Children,
    closers: Arc<Closers>,
}

/// A node of a running lab.
#[derive(Debug)]
pub struct Node {
    plan: NodePlan,
    namespace: Namespace,
    tunnel_end: Option<TunnelEnd>,
    tunnel_index: Option<u32>,
    /// How many TCP sockets clients were given.
    pub(crate) clients: AtomicU16,
    shared: Arc<Shared>,
}

impl Lab {
    /// Builds what the plan says. When it returns, links are up and frames go through; on an
    /// impaired link, as soon as [`Self::take_relays`]'s are relayed between.
    ///
    /// # Errors
    /// The first thing that failed, in words; whatever had been built is undone.
    pub fn build(plan: &Plan) -> Result<Self, BuildError> {
        let thread = |source| BuildError::Process { what: "the lab's thread", source };
        let entry = Entry::start().map_err(thread)?;
        let shared =
            Arc::new(Shared { entry, children: Children::default(), closers: Arc::default() });
        let built = shared.entry.run(|entrance| build::build(plan, entrance)).map_err(thread)??;
        let nodes = plan
            .nodes
            .iter()
            .zip(built.nodes)
            .map(|(plan, built)| Node {
                plan: plan.clone(),
                namespace: built.namespace,
                tunnel_end: built.tunnel_end,
                tunnel_index: built.tunnel_index,
                clients: AtomicU16::new(0),
                shared: Arc::clone(&shared),
            })
            .collect();
        let (cables, fabric, relays) = (plan.cables.clone(), built.fabric, built.relays);
        Ok(Self { nodes, cables, fabric, relays, shared })
    }

    /// The node of that name.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.plan.name == *name)
    }

    /// All nodes, in the plan's order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Hands out the far side of a node's tunnel device, for a decapsulator. Once only.
    pub fn take_tunnel(&mut self, node: &NodeName, device: &InterfaceName) -> Option<TunnelEnd> {
        let node = self.nodes.iter_mut().find(|it| it.plan.name == *node)?;
        node.plan.tunnel.as_ref().filter(|it| it.name == *device)?;
        node.tunnel_end.take()
    }

    /// Hands out the inner ends of impaired links, in the plan's order. Once only. What is sent
    /// before somebody relays waits in their sockets.
    pub fn take_relays(&mut self) -> Vec<Relay> {
        std::mem::take(&mut self.relays)
    }
}

impl Node {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.plan.name
    }

    /// What it was built from.
    #[must_use]
    pub fn plan(&self) -> &NodePlan {
        &self.plan
    }

    /// How its tunnel device works, if it has one.
    #[must_use]
    pub fn tunnel_mode(&self) -> Option<TunnelMode> {
        self.plan.tunnel.as_ref().map(|tunnel| tunnel.mode)
    }

    /// Runs `work` inside the node, on the lab's entry thread, and waits for it. A socket that it
    /// makes stays the node's wherever it is used afterwards. `work` should be short: all nodes
    /// share the thread.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn run<'a, T: Send + 'a>(&'a self, work: impl FnOnce() -> T + Send + 'a) -> io::Result<T> {
        self.shared.entry.run_in(&self.namespace, work)
    }
}

impl Node {
    pub(crate) fn children(&self) -> &Children {
        &self.shared.children
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The tunnel device's number as it really is.
    pub(crate) fn tunnel_index(&self) -> Option<u32> {
        self.tunnel_index
    }
}

impl Lab {
    pub(crate) fn cables(&self) -> &[Cable] {
        &self.cables
    }

    /// The bridges' namespace.
    pub(crate) fn fabric(&self) -> Option<&Namespace> {
        self.fabric.as_ref()
    }

    /// Runs `work` in a namespace of the lab's.
    pub(crate) fn run_in<'a, T: Send + 'a>(
        &'a self,
        namespace: &'a Namespace,
        work: impl FnOnce() -> T + Send + 'a,
    ) -> io::Result<T> {
        self.shared.entry.run_in(namespace, work)
    }

    pub(crate) fn closers(&self) -> &Arc<Closers> {
        &self.shared.closers
    }
}

impl Lab {
    /// Kills the lab's processes, and waits for what closes in the background.
    pub(crate) fn end_processes(&self) {
        self.shared.children.kill();
        self.shared.closers.wait();
    }

    /// All namespaces with their nodes' names; what nodes hold beside them is closed.
    pub(crate) fn take_namespaces(&mut self) -> (Vec<(String, Namespace)>, Arc<Shared>) {
        // Their sockets hold the fabric.
        self.relays.clear();
        let nodes = std::mem::take(&mut self.nodes);
        let named = nodes.into_iter().map(|node| (node.plan.name.to_string(), node.namespace));
        let fabric = self.fabric.take().map(|fabric| ("the fabric".to_owned(), fabric));
        (named.chain(fabric).collect(), Arc::clone(&self.shared))
    }
}

impl Shared {
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end_processes();
    }
}
