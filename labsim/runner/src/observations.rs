//! Gathers what the lab, the forwarders and the servers brought into what the verdict reads.

use crate::balancers::Counted;
use crate::devices::Devices;
use crate::fault::Fault;
use crate::servers::Line;
use labsim_event::Event;
use labsim_lab::{BuildError, Captured, Counters, Lab, SysctlError};
use labsim_monitor::Origins;
use labsim_scenario::model::{Attachment, InterfaceName, NodeName};
use labsim_verdict::{
    Capture, LinkCounters, Liveness, Observations, Probes, ServerEntry, StepObservation,
};
use std::collections::BTreeMap;

/// Kernel counters by node.
pub(crate) type KernelCounters = BTreeMap<NodeName, Counters>;

/// What kernels have counted up to a moment.
pub(crate) struct Kernels {
    pub(crate) protocols: KernelCounters,
    pub(crate) devices: Devices,
}

/// What every node's kernel has counted up to now.
pub(crate) fn kernel_counters(lab: &Lab) -> Result<KernelCounters, Fault> {
    lab.nodes()
        .map(|node| {
            let counters = node.counters();
            let what = format!("the counters of {}", node.name());
            Ok((node.name().clone(), counters.map_err(Fault::broken(&what))?))
        })
        .collect()
}

/// Where load balancers' monitors sent from.
pub(crate) fn probes(origins: BTreeMap<NodeName, Origins>) -> BTreeMap<NodeName, Probes> {
    let probes = origins.into_iter().filter(|(_, origins)| *origins != Origins::default());
    let probes = probes.map(|(node, Origins { addresses, tcp, udp, icmp })| {
        (node, Probes { addresses, tcp, udp, icmp })
    });
    probes.collect()
}

/// The same, as events.
pub(crate) fn probes_told(
    probes: &BTreeMap<NodeName, Probes>,
) -> impl Iterator<Item = Event> + use<'_> {
    probes.iter().map(|(node, probes)| {
        let Probes { addresses, tcp, udp, icmp } = probes.clone();
        Event::MonitorsStopped { node: node.to_string(), addresses, tcp, udp, icmp }
    })
}

/// Puts everything together.
pub(crate) fn collect(
    captured: &Captured,
    (settled_ns, probes): (Option<u64>, BTreeMap<NodeName, Probes>),
    steps: Vec<StepObservation>,
    log: Vec<Line>,
    counted: &BTreeMap<NodeName, Counted>,
    link_counters: BTreeMap<Attachment, LinkCounters>,
    (before, after): (&Kernels, &Kernels),
) -> Observations {
    let is_probes = |entry: &ServerEntry| {
        let ServerEntry { client, .. } = entry;
        probes.values().any(|probes| {
            let ports = probes.tcp.contains(&client.port()) || probes.udp.contains(&client.port());
            probes.addresses.contains(&client.ip()) && ports
        })
    };
    Observations {
        capture: capture(captured),
        capture_drops: captured.drops.clone(),
        settled_ns,
        steps,
        server_log: log.into_iter().map(server_entry).filter(|one| !is_probes(one)).collect(),
        probes,
        forwarder_counters: counted
            .iter()
            .map(|(node, counted)| (node.clone(), forwarder_counters(counted)))
            .collect(),
        kernel_counters: after
            .protocols
            .iter()
            .map(|(node, after)| (node.clone(), risen(before.protocols.get(node), after)))
            .collect(),
        known_counters: after.protocols.values().flat_map(|it| it.keys().cloned()).collect(),
        device_counters: after
            .devices
            .iter()
            .map(|(node, devices)| {
                let was = |name| before.devices.get(node).and_then(|devices| devices.get(name));
                let risen = |(name, now)| (InterfaceName::clone(name), risen(was(name), now));
                (node.clone(), devices.iter().map(risen).collect())
            })
            .collect(),
        link_counters,
    }
}

/// What every node's kernel counted, as events.
pub(crate) fn kernels_told(observed: &Observations) -> Vec<Event> {
    let told = observed.kernel_counters.iter().map(|(node, counters)| {
        let devices = observed.device_counters.get(node).into_iter().flatten();
        Event::KernelCounted {
            node: node.to_string(),
            counters: counters.clone(),
            devices: devices.map(|(name, its)| (name.to_string(), its.clone())).collect(),
        }
    });
    told.collect()
}

fn capture(captured: &Captured) -> Capture {
    let mut capture = Capture::new();
    for point in &captured.points {
        let id = capture.add_point(point.node.clone(), point.interface.clone(), point.link);
        let (started_ns, ended_ns) = (point.started_ns, point.ended_ns);
        capture.set_liveness(id, Liveness { started_ns, ended_ns });
    }
    for frame in captured.frames() {
        let point = labsim_verdict::PointId(frame.point);
        capture.push(frame.time_ns, point, frame.direction, frame.original_length, frame.bytes);
    }
    capture
}

fn server_entry((node, entry): Line) -> ServerEntry {
    ServerEntry {
        node,
        client: entry.client,
        local: entry.local,
        outcome: format!("{} {}", entry.kind, entry.outcome),
        user: entry.user,
    }
}

/// Counters that are not zero, by name.
fn forwarder_counters(counted: &Counted) -> BTreeMap<String, u64> {
    counted.by_name().into_iter().filter(|(_, count)| *count > 0).collect()
}

fn risen(before: Option<&Counters>, after: &Counters) -> Counters {
    let was = |name: &String| before.and_then(|before| before.get(name)).copied().unwrap_or(0);
    after
        .iter()
        .map(|(name, now)| (name.clone(), now.saturating_sub(was(name))))
        .filter(|(_, rise)| *rise > 0)
        .collect()
}

/// A lab that could not be built: the machine's lack, or a fault of the scenario or ours.
pub(crate) fn unbuilt(error: BuildError) -> Fault {
    let what = error.to_string();
    match error {
        BuildError::Namespace { .. }
        | BuildError::Capability { .. }
        | BuildError::Tun { .. }
        | BuildError::NoKernelTunnel { .. }
        | BuildError::NotAsSet { .. }
        | BuildError::Sysctl {
            source: SysctlError::Unknown { .. } | SysctlError::ReadOnly { .. },
            ..
        } => Fault::Cannot(what),
        _ => Fault::Broken(what),
    }
}
