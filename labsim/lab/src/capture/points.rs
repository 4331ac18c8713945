//! Which interfaces are captured, and what lies at the other end of each one's link.

use crate::lab::Lab;
use crate::plan::{TunnelMode, VethLinkEnd};
use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::Mac;
use std::collections::{BTreeMap, BTreeSet};

/// The loopback device's number: the first of every namespace.
const LOOPBACK: u32 = 1;

/// The capture points of a lab as its plan knows them.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) nodes: Vec<NodeName>,
    pub(super) points: Vec<PointPlan>,
    /// The points on a segment together, and those on a link.
    rings: Vec<Ring>,
}

/// Points that reach one another.
#[derive(Debug, Clone)]
struct Ring {
    points: Vec<usize>,
    /// They are the two ends of one link: when one is down, the other has no carrier.
    link: bool,
}

/// A capture point.
#[derive(Debug, Clone)]
pub(super) struct PointPlan {
    /// `node:interface`.
    pub(super) name: String,
    /// The node's place in [`Layout::nodes`].
    pub(super) node: usize,
    pub(super) interface: InterfaceName,
    /// The device's number in its namespace.
    pub(super) index: u32,
    pub(super) link: LinkType,
    pub(super) mac: Mac,
}

impl Layout {
    pub(super) fn of(lab: &Lab) -> Self {
        let mut layout = Self { nodes: Vec::new(), points: Vec::new(), rings: Vec::new() };
        // By node and interface of the plan.
        let mut places = BTreeMap::new();
        for (position, node) in lab.nodes().enumerate() {
            let plan = node.plan();
            layout.nodes.push(plan.name.clone());
            let mut add = |interface: InterfaceName, index, link, mac| {
                let name = format!("{}:{interface}", plan.name);
                let mac = Mac(mac);
                let node = position;
                layout.points.push(PointPlan { name, node, interface, index, link, mac });
                layout.points.len() - 1
            };
            if let Ok(lo) = InterfaceName::new("lo") {
                add(lo, LOOPBACK, LinkType::Ethernet, [0; 6]);
            }
            for (place, it) in plan.interfaces.iter().enumerate() {
                let point = add(it.name.clone(), it.index, LinkType::Ethernet, it.mac);
                places.insert((position, place), point);
            }
            for (tunnel, index) in node.tunnels() {
                let link = match tunnel.mode {
                    TunnelMode::Kernel | TunnelMode::Userspace => LinkType::Raw,
                    TunnelMode::UserspaceVeth => LinkType::Ethernet,
                };
                add(tunnel.name.clone(), index, link, tunnel.mac);
            }
        }
        layout.connect(lab, &places);
        layout
    }

    fn connect(&mut self, lab: &Lab, places: &BTreeMap<(usize, usize), usize>) {
        let mut segments: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let place = |end: &VethLinkEnd| match end {
            VethLinkEnd::Node { node, interface } => places.get(&(*node, *interface)).copied(),
            VethLinkEnd::Port { .. } => None,
        };
        for link in lab.links() {
            match &link.ends {
                [VethLinkEnd::Port { bridge, .. }, end] => {
                    segments.entry(*bridge).or_default().extend(place(end));
                }
                [a, b] => {
                    let points = [a, b].into_iter().filter_map(place).collect();
                    self.rings.push(Ring { points, link: true });
                }
            }
        }
        let segments = segments.into_values().map(|points| Ring { points, link: false });
        self.rings.extend(segments);
    }

    /// The point of that name.
    pub(super) fn find(&self, node: &NodeName, interface: &InterfaceName) -> Option<usize> {
        self.points
            .iter()
            .position(|it| it.interface == *interface && self.nodes.get(it.node) == Some(node))
    }

    /// Those that nothing goes through while these are down.
    pub(super) fn dead(&self, down: &BTreeSet<usize>) -> BTreeSet<usize> {
        let links = self.rings.iter().filter(|ring| ring.link);
        let broken = links.filter(|ring| ring.points.iter().any(|point| down.contains(point)));
        broken.flat_map(|ring| &ring.points).chain(down).copied().collect()
    }

    /// By point: where a frame to the next point on its link arrives, dead ones not counted. `None`
    /// where there is no other.
    pub(super) fn far_ends(&self, dead: &BTreeSet<usize>) -> Vec<Option<Mac>> {
        let mut far = vec![None; self.points.len()];
        for ring in &self.rings {
            let up = ring.points.iter().copied().filter(|point| !dead.contains(point));
            let up: Vec<_> = up.collect();
            if up.len() < 2 {
                continue;
            }
            for (here, next) in up.iter().zip(up.iter().cycle().skip(1)) {
                if let Some(end) = far.get_mut(*here) {
                    *end = self.points.get(*next).map(|next| next.mac);
                }
            }
        }
        far
    }
}
