//! From a plan to a running lab, on the entry thread.

mod cables;
mod ipv6;
mod node;
mod relay;
mod tunnel;

pub(crate) use ipv6::await_addresses_here;
pub use relay::{Netem, Relay, RelayEnd};
pub(crate) use tunnel::Tunnel;
pub use tunnel::TunnelEnd;

use crate::enter::{Entrance, Namespace};
use crate::error::BuildError;
use crate::netlink::{Batch, Netlink, Refusal, Request};
use crate::plan::{Plan, Sysctl};
use crate::sysctl::Baseline;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fmt::Display;

/// What was built, by descriptor.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) nodes: Vec<BuiltNode>,
    /// The bridges' namespace.
    pub(crate) fabric: Option<Namespace>,
    /// The inner ends of impaired links.
    pub(crate) relays: Vec<Relay>,
}

/// One node's part.
#[derive(Debug)]
pub(crate) struct BuiltNode {
    pub(crate) namespace: Namespace,
    /// The tunnel devices, in the plan's order.
    pub(crate) tunnels: Vec<Tunnel>,
}

/// A namespace while it is being furnished.
struct Site {
    namespace: Namespace,
    netlink: Netlink,
    /// Whether this kernel runs IPv6.
    ipv6: bool,
}

/// RFC 8200, section 5.
const IPV6_LEAST_MTU: u32 = 1280;

/// Builds all of it, or leaves nothing.
pub(crate) fn build(plan: &Plan, entrance: &mut Entrance) -> Result<Built, BuildError> {
    // A namespace and a socket each, and what the process itself and its captures need.
    let relays = plan.cables.iter().filter(|cable| cable.relay.is_some()).count();
    allow_open_files(3 * plan.nodes.len() as u64 + 4 * relays as u64 + 256);
    let mut baseline = None;
    let mut sites = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        sites.push(open_site(
            &node.name,
            node.forward,
            &node.early_sysctls,
            entrance,
            &mut baseline,
        )?);
    }
    let mut fabric = match plan.needs_fabric() {
        true => Some(open_site(&"the fabric", false, &[], entrance, &mut baseline)?),
        false => None,
    };
    if let Some(fabric) = &mut fabric {
        make_bridges(plan, fabric)?;
    }
    cables::make(plan, &mut sites, fabric.as_mut())?;
    let relays = relay::open(plan, fabric.as_mut(), entrance)?;
    let mut nodes = Vec::with_capacity(sites.len());
    for (node, site) in plan.nodes.iter().zip(sites) {
        nodes.push(node::furnish(node, site, fabric.as_mut(), entrance)?);
    }
    for (node, built) in plan.nodes.iter().zip(&nodes) {
        ipv6::await_addresses(node, built, entrance)?;
    }
    Ok(Built { nodes, fabric: fabric.map(|site| site.namespace), relays })
}

/// Makes a namespace whose settings are the kernel's defaults and the node's early ones.
fn open_site(
    name: &dyn Display,
    forward: bool,
    early: &[Sysctl],
    entrance: &mut Entrance,
    baseline: &mut Option<Baseline>,
) -> Result<Site, BuildError> {
    let namespace = entrance
        .create()
        .map_err(|source| BuildError::Namespace { node: name.to_string(), source })?;
    let netlink = Netlink::open().map_err(|errno| BuildError::Process {
        what: "a netlink socket cannot be opened",
        source: errno.into(),
    })?;
    let in_node = |source| BuildError::Sysctl { node: name.to_string(), source };
    let baseline = baseline.get_or_insert_with(Baseline::read);
    baseline.set(forward).map_err(in_node)?;
    early.iter().try_for_each(Sysctl::set).map_err(in_node)?;
    Ok(Site { namespace, netlink, ipv6: baseline.ipv6() })
}

fn make_bridges(plan: &Plan, fabric: &mut Site) -> Result<(), BuildError> {
    let mut batch = Batch::default();
    for bridge in &plan.bridges {
        batch.push(Request::bridge(bridge), bridge);
        if fabric.ipv6 && bridge.mtu >= IPV6_LEAST_MTU {
            batch.push(Request::no_own_ipv6(bridge.index), bridge);
        }
        batch.push(Request::set_up(bridge.index, None), bridge);
    }
    batch
        .send(&mut fabric.netlink)
        .map_err(|refusal| refused(refusal, |bridge| format!("bridge {}", bridge.name)))
}

fn enter(name: &str, site: &Site, entrance: &mut Entrance) -> Result<(), BuildError> {
    entrance
        .enter(&site.namespace)
        .map_err(|source| BuildError::Namespace { node: name.to_owned(), source })
}

/// A refusal in words.
fn refused<T>(mut refusal: Refusal<T>, words: impl Fn(T) -> String) -> BuildError {
    let operation = refusal.what.take().map_or_else(|| "netlink".to_owned(), words);
    refusal_error(&refusal, operation)
}

fn refusal_error<T>(refusal: &Refusal<T>, operation: String) -> BuildError {
    match refusal.errno {
        Errno::EPERM => BuildError::Capability { operation, capability: "CAP_NET_ADMIN" },
        _ => BuildError::Refused { operation, reason: refusal.to_string() },
    }
}

/// Raises the soft limit of open files, as far as the hard one allows, if it is below `wanted`.
/// Where that is too little, the descriptor that is one too many says so.
fn allow_open_files(wanted: u64) {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
    }
}
