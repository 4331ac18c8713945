//! A running lab: its nodes, by file descriptor only.

use crate::build::{self, Built, Namespaces, Relay, Tunnel, TunnelEnd};
use crate::capture::DeferredClose;
use crate::error::BuildError;
use crate::filter::FilterState;
use crate::netns::NetnsWorker;
use crate::plan::{LabPlan, NodePlan, TunnelPlan, VethLink};
use crate::process::Children;
use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_sys::netns::Namespace;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A running lab. Dropping it kills its processes and lets go of its namespaces.
#[derive(Debug)]
pub struct Lab {
    nodes: Vec<Node>,
    links: Vec<VethLink>,
    /// The bridges' namespace lives as long as it is open.
    switch_ns: Option<Arc<Namespace>>,
    relays: Vec<Relay>,
    shared: Arc<Shared>,
}

/// What all nodes of a lab share.
#[derive(Debug)]
pub(crate) struct Shared {
    worker: NetnsWorker,
    children: Children,
    deferred_close: Arc<DeferredClose>,
}

/// A node of a running lab.
#[derive(Debug)]
pub struct Node {
    plan: NodePlan,
    namespace: Arc<Namespace>,
    tunnels: Vec<Tunnel>,
    filters: Mutex<Vec<FilterState>>,
    /// How many TCP sockets clients were given.
    pub(crate) clients: AtomicU16,
    /// Whether something was started in it that may send by itself.
    initiates: AtomicBool,
    shared: Arc<Shared>,
}

/// A lab whose nodes are there, with nothing in them: processes can be started in them that wait for the rest.
/// Dropping it kills them, and lets go of its namespaces.
#[derive(Debug)]
pub struct NewLab<'a> {
    plan: &'a LabPlan,
    namespaces: Namespaces,
    lab: Lab,
}

impl<'a> NewLab<'a> {
    /// Creates the plan's namespaces.
    ///
    /// # Errors
    /// The first thing that failed, in words; no namespace is left.
    pub fn create(plan: &'a LabPlan) -> Result<Self, BuildError> {
        let worker = NetnsWorker::start().map_err(worker_error)?;
        let shared = Arc::new(Shared {
            worker,
            children: Children::default(),
            deferred_close: Arc::default(),
        });
        let created = shared.worker.run(|context| build::create(plan, context));
        let namespaces = created.map_err(worker_error)??;
        let nodes = plan.nodes.iter().zip(namespaces.nodes());
        let nodes = nodes.map(|(plan, namespace)| Node {
            plan: plan.clone(),
            namespace: Arc::clone(namespace),
            tunnels: Vec::new(),
            filters: Mutex::new(plan.filters.iter().map(FilterState::of).collect()),
            clients: AtomicU16::new(0),
            initiates: AtomicBool::new(false),
            shared: Arc::clone(&shared),
        });
        let nodes = nodes.collect();
        let (links, relays) = (plan.links.clone(), Vec::new());
        let lab = Lab { nodes, links, switch_ns: None, relays, shared };
        Ok(Self { plan, namespaces, lab })
    }

    /// The node of that name, in which only [`Node::spawn`] works.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.lab.node(name)
    }

    /// Builds the rest. When it returns, links are up and frames go through; on an
    /// impaired link, as soon as [`Lab::take_relays`]'s are relayed between.
    ///
    /// # Errors
    /// The first thing that failed, in words; whatever had been built is undone.
    pub fn build(self) -> Result<Lab, BuildError> {
        let Self { plan, namespaces, mut lab } = self;
        let built = lab.shared.worker.run(|context| build::build(plan, namespaces, context));
        let Built { tunnels, switch_ns, relays } = built.map_err(worker_error)??;
        for (node, tunnels) in lab.nodes.iter_mut().zip(tunnels) {
            node.tunnels = tunnels;
        }
        (lab.switch_ns, lab.relays) = (switch_ns, relays);
        Ok(lab)
    }
}

fn worker_error(source: io::Error) -> BuildError {
    BuildError::Process { what: "the lab's thread", source }
}

impl Lab {
    /// Builds the plan. When it returns, links are up and frames go through; on an
    /// impaired link, as soon as [`Self::take_relays`]'s are relayed between.
    ///
    /// # Errors
    /// The first thing that failed, in words; whatever had been built is undone.
    pub fn build(plan: &LabPlan) -> Result<Self, BuildError> {
        NewLab::create(plan)?.build()
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
        let place = node.plan.tunnels.iter().position(|it| it.name == *device)?;
        node.tunnels.get_mut(place)?.end.take()
    }

    /// Hands out the inner ends of impaired links, in the plan's order. Once only. What is sent
    /// before a relay runs waits in their sockets.
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

    /// Runs `work` inside the node, on the lab's worker thread, and waits for it. A socket that it
    /// makes stays the node's wherever it is used afterwards. `work` should be short: all nodes
    /// share the thread.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn run<'a, T: Send + 'a>(&'a self, work: impl FnOnce() -> T + Send + 'a) -> io::Result<T> {
        self.initiates.store(true, Ordering::Relaxed);
        self.run_passive(work)
    }
}

impl Node {
    /// As [`Self::run`], for work that sends nothing and leaves nothing behind that sends unless a
    /// packet comes in.
    pub(crate) fn run_passive<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce() -> T + Send + 'a,
    ) -> io::Result<T> {
        self.shared.worker.run_in(&self.namespace, work)
    }

    /// Whether anything in the node may send without having received.
    pub(crate) fn initiates(&self) -> bool {
        self.initiates.load(Ordering::Relaxed)
    }

    pub(crate) fn children(&self) -> &Children {
        &self.shared.children
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Which of the plan's filters are in, in their order.
    pub(crate) fn filter_states(&self) -> MutexGuard<'_, Vec<FilterState>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tunnel devices and their numbers as they really are.
    pub(crate) fn tunnels(&self) -> impl Iterator<Item = (&TunnelPlan, u32)> {
        self.plan.tunnels.iter().zip(self.tunnels.iter().map(|tunnel| tunnel.index))
    }
}

impl Lab {
    /// The namespaces of the lab, with their nodes' names; `the switch namespace`, which has the
    /// bridges, is among them.
    pub fn namespaces(&self) -> impl Iterator<Item = (&str, BorrowedFd<'_>)> {
        let nodes = self.nodes.iter().map(|it| (it.plan.name.as_str(), it.namespace.as_fd()));
        nodes.chain(self.switch_ns.iter().map(|switch_ns| (build::SWITCH_NS, switch_ns.as_fd())))
    }

    pub(crate) fn links(&self) -> &[VethLink] {
        &self.links
    }

    /// The bridges' namespace.
    pub(crate) fn switch_ns(&self) -> Option<&Namespace> {
        self.switch_ns.as_deref()
    }

    /// Runs `work` in a namespace of the lab's.
    pub(crate) fn run_in<'a, T: Send + 'a>(
        &'a self,
        namespace: &'a Namespace,
        work: impl FnOnce() -> T + Send + 'a,
    ) -> io::Result<T> {
        self.shared.worker.run_in(namespace, work)
    }

    /// Runs `work` inside every node, in the plan's order, for work as that of [`Node::run_passive`].
    pub(crate) fn run_in_each<'a, T: Send>(
        &'a self,
        work: impl Fn(&'a Node) -> T + Send,
    ) -> io::Result<Vec<(&'a Node, T)>> {
        self.shared.worker.run(move |context| {
            let in_node = |node: &'a Node| {
                context.enter(&node.namespace)?;
                Ok((node, work(node)))
            };
            self.nodes.iter().map(in_node).collect()
        })?
    }

    pub(crate) fn deferred_close(&self) -> &Arc<DeferredClose> {
        &self.shared.deferred_close
    }
}

impl Lab {
    /// Kills the lab's processes, and waits for what closes in the background.
    pub(crate) fn end_processes(&self) {
        self.shared.children.kill();
        self.shared.deferred_close.wait();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end_processes();
    }
}
