//! From a plan to a running lab, on the entry thread.

mod node;
mod tunnel;

pub use tunnel::TunnelEnd;

use crate::device;
use crate::enter::{Entrance, Namespace};
use crate::error::BuildError;
use crate::netlink::{Batch, Netlink, Refusal, Request};
use crate::plan::{Cable, CableEnd, InterfacePlan, Plan, Sysctl};
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
}

/// One node's part.
#[derive(Debug)]
pub(crate) struct BuiltNode {
    pub(crate) namespace: Namespace,
    /// Where a decapsulator puts packets.
    pub(crate) tunnel_end: Option<TunnelEnd>,
    /// The tunnel device's number as it really is.
    pub(crate) tunnel_index: Option<u32>,
}

/// A namespace while it is being furnished.
struct Site {
    namespace: Namespace,
    netlink: Netlink,
    /// Whether this kernel runs IPv6.
    ipv6: bool,
}

impl Site {
    /// Has a device that is down make no IPv6 address by itself when it comes up: no link-local
    /// address, so no neighbour or router solicitation and no multicast report in anyone's
    /// capture. (Below its least MTU a device has no IPv6 at all.)
    fn quieting(&self, it: &InterfacePlan) -> Option<Request> {
        (self.ipv6 && it.mtu >= IPV6_LEAST_MTU).then(|| Request::no_own_ipv6(it.index))
    }
}

/// RFC 8200, section 5.
const IPV6_LEAST_MTU: u32 = 1280;

/// Builds all of it, or leaves nothing.
pub(crate) fn build(plan: &Plan, entrance: &mut Entrance) -> Result<Built, BuildError> {
    // A namespace and a socket each, and what the process itself and its captures need.
    allow_open_files(3 * plan.nodes.len() as u64 + 256);
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
    make_cables(plan, &mut sites, fabric.as_mut())?;
    let mut nodes = Vec::with_capacity(sites.len());
    for (node, site) in plan.nodes.iter().zip(sites) {
        nodes.push(node::furnish(node, site, fabric.as_mut(), entrance)?);
    }
    Ok(Built { nodes, fabric: fabric.map(|site| site.namespace) })
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

/// Makes every veth pair in place: the request goes to the namespace of its first end, and names
/// that of the second. Pairs with the same first namespace travel together.
fn make_cables(
    plan: &Plan,
    sites: &mut [Site],
    mut fabric: Option<&mut Site>,
) -> Result<(), BuildError> {
    let mut of_fabric = Batch::default();
    let mut of_node: Vec<Batch<&Cable>> = sites.iter().map(|_| Batch::default()).collect();
    for cable in &plan.cables {
        let [near, far] = &cable.ends;
        let (Some(near_plan), Some(far_plan)) = (end_plan(plan, near), end_plan(plan, far)) else {
            continue;
        };
        let CableEnd::Node { node: far_node, .. } = far else { continue };
        let Some(far_site) = sites.get(*far_node) else { continue };
        let bridge = match near {
            CableEnd::Port { bridge, .. } => plan.bridges.get(*bridge).map(|it| it.index),
            CableEnd::Node { .. } => None,
        };
        let request = Request::veth(near_plan, bridge, far_plan, &far_site.namespace);
        match near {
            CableEnd::Port { .. } => of_fabric.push(request, cable),
            CableEnd::Node { node, .. } => {
                if let Some(batch) = of_node.get_mut(*node) {
                    batch.push(request, cable);
                }
            }
        }
    }
    let link = |refusal| {
        refused(refusal, |cable: &Cable| {
            let [a, b] = cable.ends.each_ref().map(|end| plan.end_name(end));
            format!("link {a} -- {b}")
        })
    };
    if let Some(fabric) = fabric.as_deref_mut() {
        of_fabric.send(&mut fabric.netlink).map_err(link)?;
    }
    for (batch, site) in of_node.into_iter().zip(sites.iter_mut()) {
        batch.send(&mut site.netlink).map_err(link)?;
    }
    raise_ends(plan, sites, fabric.as_deref_mut())?;
    for end in plan.cables.iter().flat_map(|cable| &cable.ends) {
        let site = match end {
            CableEnd::Node { node, .. } => sites.get(*node),
            CableEnd::Port { .. } => fabric.as_deref(),
        };
        if let (Some(site), Some(it)) = (site, end_plan(plan, end)) {
            finish_end(&plan.end_name(end), it, site)?;
        }
    }
    Ok(())
}

/// Sets both ends of every cable up.
fn raise_ends(
    plan: &Plan,
    sites: &mut [Site],
    fabric: Option<&mut Site>,
) -> Result<(), BuildError> {
    let mut of_fabric = Batch::default();
    let mut of_node: Vec<_> = sites.iter().map(|_| Batch::default()).collect();
    for end in plan.cables.iter().flat_map(|cable| &cable.ends) {
        let (site, batch) = match end {
            CableEnd::Node { node, .. } => (sites.get(*node), of_node.get_mut(*node)),
            CableEnd::Port { .. } => (fabric.as_deref(), Some(&mut of_fabric)),
        };
        if let (Some(site), Some(batch), Some(it)) = (site, batch, end_plan(plan, end)) {
            if let Some(request) = site.quieting(it) {
                batch.push(request, end);
            }
            batch.push(Request::set_up(it.index, None), end);
        }
    }
    let sites = sites.iter_mut().chain(fabric);
    for (batch, site) in of_node.into_iter().chain([of_fabric]).zip(sites) {
        batch
            .send(&mut site.netlink)
            .map_err(|refusal| refused(refusal, |end| format!("{} up", plan.end_name(end))))?;
    }
    Ok(())
}

/// Offloads as the plan wants them, and frames go through from here on.
fn finish_end(name: &str, it: &InterfacePlan, site: &Site) -> Result<(), BuildError> {
    let failed = |errno: Errno, what: &str| {
        refusal_error(&Refusal::<()>::from(errno), format!("{what} of {name}"))
    };
    if !it.offloads {
        device::offloads_off(&site.netlink, &it.name).map_err(|e| failed(e, "offloads"))?;
    }
    match device::has_carrier(&site.netlink, &it.name).map_err(|e| failed(e, "carrier"))? {
        true => Ok(()),
        false => Err(BuildError::NoCarrier { interface: name.to_owned() }),
    }
}

fn enter(name: &str, site: &Site, entrance: &mut Entrance) -> Result<(), BuildError> {
    entrance
        .enter(&site.namespace)
        .map_err(|source| BuildError::Namespace { node: name.to_owned(), source })
}

fn end_plan<'a>(plan: &'a Plan, end: &'a CableEnd) -> Option<&'a InterfacePlan> {
    match end {
        CableEnd::Node { node, interface } => plan.nodes.get(*node)?.interfaces.get(*interface),
        CableEnd::Port { port, .. } => Some(port),
    }
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
