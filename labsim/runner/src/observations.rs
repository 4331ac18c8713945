//! Combines what captures, components and steps observed into what the verdict reads.

use crate::components::servers::LogLine;
use crate::intervals::Intervals;
use labsim_event::Event;
use labsim_lab::{Captured, CounterText, Counters, Parts, Point, Record};
use labsim_model::ProbeSources;
use labsim_scenario::model::filter::Decided;
use labsim_scenario::model::{Attachment, FilterName, InterfaceName, NodeName};
use labsim_verdict::{Capture, LinkCounters, Liveness, Observations, ServerEntry, StepObservation};
use labsim_wire::frame_store::FrameStore;
use std::collections::BTreeMap;
use std::time::Duration;

/// What all components have counted up to a moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// When reading it began, in nanoseconds since 1970, the captures' clock.
    pub(crate) from_ns: u64,
    /// When reading it was done.
    pub(crate) until_ns: u64,
    /// Markers that the captures have sent until now; tunnel devices count them as errors.
    pub(crate) markers: u64,
    /// Neighbours for which the machine's kernel had no room; 0 in between two steps.
    pub(crate) refused_neighbours: u64,
    /// Each kernel's counters of its protocols and devices.
    pub(crate) kernels: BTreeMap<NodeName, CounterText>,
    /// Each tunnel device's counters.
    pub(crate) devices: BTreeMap<NodeName, BTreeMap<InterfaceName, Counters>>,
    /// Each running forwarder's counters, those that are 0 among them.
    pub(crate) forwarders: BTreeMap<NodeName, BTreeMap<String, u64>>,
    /// What the filters of each node decided about.
    pub(crate) filters: BTreeMap<NodeName, Vec<Decided>>,
    /// What became of the frames that each impaired interface sent.
    pub(crate) links: BTreeMap<Attachment, LinkCounters>,
}

/// What a run brought.
pub(crate) struct Collected {
    pub(crate) captured: Captured,
    /// When nothing was in flight any more; `None` if packets never stopped.
    pub(crate) quiescent_ns: Option<u64>,
    /// Where monitors' probes came from.
    pub(crate) probes: BTreeMap<NodeName, ProbeSources>,
    pub(crate) steps: Vec<StepObservation>,
    /// How late the event loop ran at most while they were executed.
    pub(crate) lag: Duration,
    pub(crate) server_log: Vec<LogLine>,
    /// Before the first step, and what rose from step to step.
    pub(crate) intervals: Intervals,
    /// After the last step.
    pub(crate) after: Snapshot,
    /// Whether what forwarders and impaired links counted before the first step is left out, as that
    /// of captures and kernels always is.
    pub(crate) since_first_step: bool,
}

impl Collected {
    /// Combines everything.
    pub(crate) fn into_observations(self) -> Observations {
        let Self { captured, quiescent_ns, probes, steps, lag, server_log, .. } = self;
        let Parts { points, drops, is_partial, store, records } = captured.into_parts();
        let mut capture = capture(points, store, records);
        capture.set_partial(is_partial);
        let after = self.after;
        let (mut before, step_counters) = self.intervals.end(&after);
        if !self.since_first_step {
            before.forwarders.clear();
            before.links.clear();
        }
        let is_probe = |entry: &ServerEntry| {
            let ServerEntry { client, .. } = entry;
            probes.values().any(|probes| {
                let port = client.port();
                probes.addresses.contains(&client.ip())
                    && (probes.tcp.contains(&port) || probes.udp.contains(&port))
            })
        };
        Observations {
            capture,
            capture_drops: drops,
            settled_ns: quiescent_ns,
            lag_ns: u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX),
            steps,
            server_log: server_log
                .into_iter()
                .map(server_entry)
                .filter(|entry| !is_probe(entry))
                .collect(),
            probes,
            known_counters: after.kernels.values().flat_map(CounterText::names).collect(),
            kernel_counters: after
                .kernels
                .iter()
                .map(|(node, after)| (node.clone(), risen(before.kernels.get(node), after)))
                .collect(),
            device_counters: after
                .devices
                .iter()
                .map(|(node, devices)| {
                    let before = before.devices.get(node);
                    let before = |name| before.and_then(|devices| devices.get(name));
                    let increase =
                        |(name, after)| (InterfaceName::clone(name), increase(before(name), after));
                    (node.clone(), devices.iter().map(increase).collect())
                })
                .collect(),
            forwarder_counters: after
                .forwarders
                .iter()
                .map(|(node, after)| (node.clone(), increase(before.forwarders.get(node), after)))
                .collect(),
            filtered: after
                .filters
                .into_iter()
                .map(|(node, decided)| {
                    let before = before.filters.get(&node).into_iter().flatten();
                    let before = before.map(|one| one.packets).chain(std::iter::repeat(0));
                    let since = |(one, before): (Decided, u64)| {
                        let packets = one.packets.saturating_sub(before);
                        Decided { packets, ..one }
                    };
                    (node, decided.into_iter().zip(before).map(since).collect())
                })
                .collect(),
            refused_neighbours: after.refused_neighbours.saturating_sub(before.refused_neighbours),
            link_counters: after
                .links
                .into_iter()
                .map(|(end, after)| match before.links.get(&end) {
                    Some(before) => (end, after.since(before)),
                    None => (end, after),
                })
                .collect(),
            states: BTreeMap::new(),
            step_counters,
        }
    }
}

/// Where monitors' probes came from, as events.
pub(crate) fn probe_events(
    probes: &BTreeMap<NodeName, ProbeSources>,
) -> impl Iterator<Item = Event> + use<'_> {
    probes.iter().map(|(node, sources)| Event::MonitorsStopped {
        node: node.to_string(),
        sources: sources.clone(),
    })
}

/// What links, forwarders and kernels counted, as events.
pub(crate) fn counter_events(observed: &Observations) -> impl Iterator<Item = Event> + use<'_> {
    let links = observed.link_counters.iter().map(|(end, counters)| Event::LinkCounted {
        interface: format!("{}:{}", end.node, end.interface),
        counters: counters.by_name.clone(),
    });
    let forwarders = observed.forwarder_counters.iter().map(|(node, counters)| {
        Event::ForwarderCounted { node: node.to_string(), counters: counters.clone() }
    });
    let kernels = observed.kernel_counters.iter().map(|(node, counters)| {
        let devices = observed.device_counters.get(node).into_iter().flatten();
        Event::KernelCounted {
            node: node.to_string(),
            counters: counters.clone(),
            devices: devices.map(|(name, its)| (name.to_string(), its.clone())).collect(),
        }
    });
    let filters = observed.filtered.iter().flat_map(|(node, decided)| {
        let mut filters: BTreeMap<&FilterName, BTreeMap<String, u64>> = BTreeMap::new();
        for Decided { filter, hook, by, packets, .. } in decided {
            let counters = filters.entry(filter).or_default();
            if *packets > 0 {
                *counters.entry(format!("{hook}: {by}")).or_default() += packets;
            }
        }
        let event = |(filter, counters): (&FilterName, _)| Event::FilterCounted {
            node: node.to_string(),
            filter: filter.to_string(),
            counters,
        };
        filters.into_iter().map(event).collect::<Vec<_>>()
    });
    links.chain(forwarders).chain(filters).chain(kernels)
}

fn capture(points: Vec<Point>, store: FrameStore, records: Vec<Record>) -> Capture {
    let mut capture = Capture::new();
    for point in points {
        let Point { node, interface, link, started_ns, ended_ns } = point;
        let id = capture.add_point(node, interface, link);
        capture.set_liveness(id, Liveness { started_ns, ended_ns });
    }
    let seen = records.into_iter().map(|record| {
        let Record { time_ns, point, direction, frame, .. } = record;
        (time_ns, point, direction, frame)
    });
    capture.set_frames(store, seen);
    capture
}

fn server_entry(LogLine { node, time_ns, entry }: LogLine) -> ServerEntry {
    ServerEntry {
        time_ns,
        node,
        client: entry.client,
        local: entry.local,
        outcome: format!("{} {}", entry.kind, entry.outcome),
        user: entry.user,
    }
}

/// By how much a kernel's counters rose; those that did not are left out.
pub(crate) fn risen(before: Option<&CounterText>, after: &CounterText) -> Counters {
    let none = CounterText::default();
    after.risen_since(before.unwrap_or(&none))
}

/// By how much counters rose; those that did not are left out.
pub(crate) fn increase(before: Option<&Counters>, after: &Counters) -> Counters {
    let was = |name: &String| before.and_then(|before| before.get(name)).copied().unwrap_or(0);
    after
        .iter()
        .map(|(name, now)| (name.clone(), now.saturating_sub(was(name))))
        .filter(|(_, increase)| *increase > 0)
        .collect()
}
