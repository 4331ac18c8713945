//! From a plan to a running lab, on the entry thread.

mod ipv6;
mod links;
mod node;
mod relay;
mod tunnel;

pub(crate) use ipv6::await_addresses_here;
pub use relay::{Netem, Relay, RelayEnd};
pub(crate) use tunnel::Tunnel;
pub use tunnel::TunnelEnd;

use crate::error::BuildError;
use crate::netlink::request;
use crate::netns::WorkerContext;
use crate::open_files::allow_open_files;
use crate::plan::{LabPlan, Sysctl};
use crate::sysctl::Baseline;
use labsim_sys::Errno;
use labsim_sys::netlink::{Batch, Refusal, Socket};
use labsim_sys::netns::Namespace;
use std::fmt::Display;
use std::sync::Arc;

/// The namespaces of a lab, with nothing in them.
#[derive(Debug)]
pub(crate) struct Namespaces {
    nodes: Vec<NewNamespace>,
    /// The bridges'.
    switch_ns: Option<NewNamespace>,
}

#[derive(Debug)]
struct NewNamespace {
    namespace: Arc<Namespace>,
    netlink: Socket,
}

/// What was built, by descriptor.
#[derive(Debug)]
pub(crate) struct Built {
    /// The tunnel devices of each node, in the plan's order.
    pub(crate) tunnels: Vec<Vec<Tunnel>>,
    /// The bridges' namespace.
    pub(crate) switch_ns: Option<Arc<Namespace>>,
    /// The inner ends of impaired links.
    pub(crate) relays: Vec<Relay>,
}

/// A namespace while it is being furnished.
struct NodeBuilder {
    namespace: Arc<Namespace>,
    netlink: Socket,
    /// Whether this kernel runs IPv6.
    ipv6: bool,
}

/// RFC 8200, section 5.
const IPV6_LEAST_MTU: u32 = 1280;

/// What the bridges' namespace is called.
pub(crate) const SWITCH_NS: &str = "the switch namespace";

/// Creates the namespaces, or leaves none.
pub(crate) fn create(
    plan: &LabPlan,
    context: &mut WorkerContext,
) -> Result<Namespaces, BuildError> {
    // A namespace and a socket each, and what the process itself and its captures need.
    let relays = plan.links.iter().filter(|link| link.relay.is_some()).count();
    allow_open_files(3 * plan.nodes.len() as u64 + 4 * relays as u64 + 256);
    let nodes = plan.nodes.iter().map(|node| create_netns(&node.name, context));
    let nodes = nodes.collect::<Result<_, _>>()?;
    let switch_ns =
        plan.needs_switch_ns().then(|| create_netns(&SWITCH_NS, context)).transpose()?;
    Ok(Namespaces { nodes, switch_ns })
}

impl Namespaces {
    /// Those of the nodes, in the plan's order.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Arc<Namespace>> {
        self.nodes.iter().map(|node| &node.namespace)
    }
}

/// Builds the rest, or leaves nothing in the namespaces.
pub(crate) fn build(
    plan: &LabPlan,
    namespaces: Namespaces,
    context: &mut WorkerContext,
) -> Result<Built, BuildError> {
    let mut baseline = None;
    let mut builders = Vec::with_capacity(plan.nodes.len());
    for (node, namespace) in plan.nodes.iter().zip(namespaces.nodes) {
        let settings = (node.forward, node.early_sysctls.as_slice());
        builders.push(prepare(&node.name, namespace, settings, context, &mut baseline)?);
    }
    let switch_ns = namespaces
        .switch_ns
        .map(|namespace| prepare(&SWITCH_NS, namespace, (false, &[]), context, &mut baseline));
    let mut switch_ns = switch_ns.transpose()?;
    if let Some(switch_ns) = &mut switch_ns {
        make_bridges(plan, switch_ns)?;
    }
    links::make(plan, &mut builders, switch_ns.as_mut())?;
    let relays = relay::open(plan, switch_ns.as_mut(), context)?;
    let mut tunnels = Vec::with_capacity(builders.len());
    for (node, builder) in plan.nodes.iter().zip(&mut builders) {
        tunnels.push(node::configure_node(node, builder, switch_ns.as_mut(), context)?);
    }
    for (node, builder) in plan.nodes.iter().zip(&builders) {
        ipv6::await_addresses(node, builder, context)?;
    }
    // After everything that the kernel asks its neighbours while it is set up.
    let filtered = plan.nodes.iter().zip(&builders).filter(|(node, _)| !node.filters.is_empty());
    for (node, builder) in filtered {
        enter(node.name.as_str(), builder, context)?;
        node.filters
            .iter()
            .filter(|filter| filter.present)
            .try_for_each(|filter| filter.apply(&node.name))?;
    }
    Ok(Built { tunnels, switch_ns: switch_ns.map(|builder| builder.namespace), relays })
}

fn create_netns(
    name: &dyn Display,
    context: &mut WorkerContext,
) -> Result<NewNamespace, BuildError> {
    let namespace = context
        .create()
        .map_err(|source| BuildError::Namespace { node: name.to_string(), source })?;
    let netlink = Socket::open().map_err(|errno| BuildError::Process {
        what: "a netlink socket cannot be opened",
        source: errno.into(),
    })?;
    Ok(NewNamespace { namespace: Arc::new(namespace), netlink })
}

/// Gives a namespace the kernel's default settings and the node's early ones: whether it forwards, and others.
fn prepare(
    name: &dyn Display,
    NewNamespace { namespace, netlink }: NewNamespace,
    (forward, early): (bool, &[Sysctl]),
    context: &mut WorkerContext,
    baseline: &mut Option<Baseline>,
) -> Result<NodeBuilder, BuildError> {
    context
        .enter(&namespace)
        .map_err(|source| BuildError::Namespace { node: name.to_string(), source })?;
    let baseline = baseline.get_or_insert_with(Baseline::read);
    let in_node = |source| BuildError::Sysctl { place: None, node: name.to_string(), source };
    baseline.set(forward).map_err(in_node)?;
    set_sysctls(name, early)?;
    Ok(NodeBuilder { namespace, netlink, ipv6: baseline.ipv6() })
}

/// Sets them in the namespace of the calling thread, which is the named node's.
pub(crate) fn set_sysctls(node: &dyn Display, sysctls: &[Sysctl]) -> Result<(), BuildError> {
    sysctls.iter().try_for_each(|sysctl| {
        let (place, node) = (sysctl.place.clone().map(Box::new), node.to_string());
        sysctl.set().map_err(|source| BuildError::Sysctl { place, node, source })
    })
}

fn make_bridges(plan: &LabPlan, switch_ns: &mut NodeBuilder) -> Result<(), BuildError> {
    let mut batch = Batch::default();
    for bridge in &plan.bridges {
        batch.push(request::bridge(bridge), bridge);
        if switch_ns.ipv6 && bridge.mtu >= IPV6_LEAST_MTU {
            batch.push(request::disable_autoconf(bridge.index), bridge);
        }
        batch.push(request::set_up(bridge.index, None), bridge);
    }
    batch
        .send(&mut switch_ns.netlink)
        .map_err(|refusal| refused(refusal, |bridge| format!("the bridge of {}", bridge.segment)))
}

fn enter(name: &str, builder: &NodeBuilder, context: &mut WorkerContext) -> Result<(), BuildError> {
    context
        .enter(&builder.namespace)
        .map_err(|source| BuildError::Namespace { node: name.to_owned(), source })
}

/// A refusal in words.
fn refused<T>(mut refusal: Refusal<T>, words: impl Fn(T) -> String) -> BuildError {
    let operation = refusal.what.take().map_or_else(|| "netlink".to_owned(), words);
    refusal_error(&refusal, operation)
}

pub(crate) fn refusal_error<T>(refusal: &Refusal<T>, operation: String) -> BuildError {
    match refusal.errno {
        Errno::EPERM => BuildError::Capability { operation, capability: "CAP_NET_ADMIN" },
        _ => BuildError::Refused { operation, reason: refusal.to_string() },
    }
}
