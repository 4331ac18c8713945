//! Which interfaces are captured, and what lies at the other end of each one's link.

use crate::lab::Lab;
use crate::plan::{CableEnd, TunnelMode};
use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::Mac;
use std::collections::BTreeMap;

/// The loopback device's number: the first of every namespace.
const LOOPBACK: u32 = 1;

/// The capture points of a lab as its plan knows them.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) nodes: Vec<NodeName>,
    pub(super) points: Vec<PointPlan>,
}

/// One of them.
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
    /// Where a frame to the next device on the link arrives.
    pub(super) far: Option<Far>,
}

/// The point at the other end of a link. On a segment everybody has the next one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Far {
    pub(super) point: usize,
    pub(super) mac: Mac,
}

impl Layout {
    pub(super) fn of(lab: &Lab) -> Self {
        let mut layout = Self { nodes: Vec::new(), points: Vec::new() };
        // By node and interface of the plan.
        let mut places = BTreeMap::new();
        for (position, node) in lab.nodes().enumerate() {
            let plan = node.plan();
            layout.nodes.push(plan.name.clone());
            let mut add = |interface: InterfaceName, index, link, mac| {
                let name = format!("{}:{interface}", plan.name);
                let far = None;
                let mac = Mac(mac);
                let node = position;
                layout.points.push(PointPlan { name, node, interface, index, link, mac, far });
                layout.points.len() - 1
            };
            if let Ok(lo) = InterfaceName::new("lo") {
                add(lo, LOOPBACK, LinkType::Ethernet, [0; 6]);
            }
            for (place, it) in plan.interfaces.iter().enumerate() {
                let point = add(it.name.clone(), it.index, LinkType::Ethernet, it.mac);
                places.insert((position, place), point);
            }
            if let (Some(tunnel), Some(index)) = (&plan.tunnel, node.tunnel_index()) {
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
        let place = |end: &CableEnd| match end {
            CableEnd::Node { node, interface } => places.get(&(*node, *interface)).copied(),
            CableEnd::Port { .. } => None,
        };
        for cable in lab.cables() {
            match &cable.ends {
                [CableEnd::Port { bridge, .. }, end] => {
                    segments.entry(*bridge).or_default().extend(place(end));
                }
                [a, b] => {
                    let ends: Vec<_> = [a, b].into_iter().filter_map(place).collect();
                    self.connect_ring(&ends);
                }
            }
        }
        for ports in segments.values() {
            self.connect_ring(ports);
        }
    }

    /// Gives each of them the next one as its far end.
    fn connect_ring(&mut self, ring: &[usize]) {
        if ring.len() < 2 {
            return;
        }
        for (here, next) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            let mac = self.points.get(*next).map(|it| it.mac);
            if let (Some(mac), Some(point)) = (mac, self.points.get_mut(*here)) {
                point.far = Some(Far { point: *next, mac });
            }
        }
    }
}
