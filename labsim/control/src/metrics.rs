//! The counters as OpenMetrics text (the OpenMetrics specification 1.0.0, which Prometheus
//! scrapes). Pure.

mod text;

use labsim_dataplane::forwarder::Snapshot;
use labsim_forwarder::{AdminState, Config, Counters, Tally};
use labsim_monitor::{HealthByPool, State};
use text::{Kind, Text, label};

/// The text's media type.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the metrics are made of.
#[derive(Debug, Clone, Copy)]
pub struct MetricsSource<'a> {
    /// The current configuration.
    pub config: &'a Config,
    /// The counters.
    pub counted: &'a Snapshot,
    /// The health of each monitored member.
    pub health: &'a HealthByPool,
    /// Configurations that were applied after the first.
    pub applied: u64,
    /// Configurations that were refused.
    pub refused: u64,
}

/// One sample: its labels and its value.
type Sample = (String, u64);

/// Writes all metrics.
#[must_use]
pub fn metrics(source: &MetricsSource<'_>) -> String {
    let counters = &*source.counted.engine;
    let mut text = Text::new("labsim_forwarder_");
    let changes = [("applied", source.applied), ("refused", source.refused)];
    text.family(
        "config_changes",
        Kind::Counter,
        "New configurations that were applied or refused while the forwarder ran.",
        labelled("result", changes),
    );
    packets(counters, &mut text);
    virtual_servers(counters, &mut text);
    members(source.config, counters, &mut text);
    health(source, &mut text);
    flows(source.config, counters, &mut text);
    tables_and_answers(source, &mut text);
    text.finish()
}

/// Frames by outcome; each reason of a drop is an outcome.
fn packets(counters: &Counters, text: &mut Text) {
    let outcomes = || counters.outcomes.iter().map(|(name, tally)| (name.as_str(), tally));
    text.family(
        "packets",
        Kind::Counter,
        "Packets by outcome: forwarded, answered, or the reason why they were dropped.",
        labelled("outcome", outcomes().map(|(name, tally)| (name, tally.packets))),
    );
    text.family(
        "bytes",
        Kind::ByteCounter,
        "Bytes of the same packets, link-layer headers included.",
        labelled("outcome", outcomes().map(|(name, tally)| (name, tally.bytes))),
    );
}

fn virtual_servers(counters: &Counters, text: &mut Text) {
    let all =
        || counters.virtual_servers.iter().map(|(name, one)| (label("virtual_server", name), one));
    let directions = all().map(|(labels, one)| (labels, one.received, one.replies));
    traffic("virtual_server", "a virtual server", &directions.collect::<Vec<_>>(), text);
    text.family(
        "virtual_server_flows_opened",
        Kind::Counter,
        "Flows that began at a virtual server.",
        all().map(|(labels, one)| (labels, one.flows_opened)),
    );
    text.family(
        "virtual_server_flows",
        Kind::Gauge,
        "Flows of a virtual server at this moment.",
        all().map(|(labels, one)| (labels, one.flows)),
    );
}

fn members(config: &Config, counters: &Counters, text: &mut Text) {
    let all = || {
        counters.members.iter().flat_map(|(pool, members)| {
            members.iter().map(move |(member, one)| {
                (format!("{},{}", label("pool", pool), label("member", member)), one)
            })
        })
    };
    let directions = all().map(|(labels, one)| (labels, one.sent, one.replies));
    traffic("member", "a pool's member", &directions.collect::<Vec<_>>(), text);
    text.family(
        "member_flows_opened",
        Kind::Counter,
        "Flows that a member was chosen for.",
        all().map(|(labels, one)| (labels, one.flows_opened)),
    );
    text.family(
        "member_flows_by_persistence",
        Kind::Counter,
        "Flows that a persistence record chose a member for.",
        all().map(|(labels, one)| (labels, one.flows_by_persistence)),
    );
    text.family(
        "member_flows",
        Kind::Gauge,
        "Flows of a member at this moment.",
        all().map(|(labels, one)| (labels, one.flows)),
    );
    text.family(
        "member_reachable",
        Kind::Gauge,
        "Whether a member's next hop answers: 1, or 0.",
        all().map(|(labels, one)| (labels, u64::from(one.reachable))),
    );
    let configured = || {
        config.balancer.pools.iter().flat_map(|(pool, it)| {
            it.members.iter().map(move |member| {
                let name = member.address.to_string();
                (format!("{},{}", label("pool", pool), label("member", &name)), member)
            })
        })
    };
    text.family(
        "member_ratio",
        Kind::Gauge,
        "A member's ratio; 0 drains it.",
        configured().map(|(labels, member)| (labels, u64::from(member.ratio))),
    );
    const STATES: [AdminState; 3] =
        [AdminState::Enabled, AdminState::Disabled, AdminState::ForcedOffline];
    text.family(
        "member_admin_state",
        Kind::Gauge,
        "Whether an operator has set a member to that state: 1, or 0.",
        configured().flat_map(|(labels, member)| {
            STATES.map(|state| {
                let labels = format!("{labels},{}", label("state", state.word()));
                (labels, u64::from(member.state == state))
            })
        }),
    );
}

/// Members by the state that monitors found.
fn health(source: &MetricsSource<'_>, text: &mut Text) {
    const STATES: [State; 3] = [State::Checking, State::Up, State::Down];
    let all = || {
        source.config.balancer.pools.iter().flat_map(|(pool, it)| {
            it.members.iter().map(move |member| {
                let member = member.address.to_string();
                let health = source.health.get(pool).and_then(|pool| pool.get(&member));
                (format!("{},{}", label("pool", pool), label("member", &member)), health)
            })
        })
    };
    text.family(
        "member_state",
        Kind::Gauge,
        "Whether a member is in that state: 1, or 0. A member without a monitor is unmonitored.",
        all().flat_map(|(labels, health)| {
            let state = health.map(|health| health.state);
            let each = STATES.map(|one| (one.name(), state == Some(one)));
            each.into_iter().chain([("unmonitored", state.is_none())]).map(move |(word, is)| {
                (format!("{labels},{}", label("state", word)), u64::from(is))
            })
        }),
    );
    text.family(
        "member_probes",
        Kind::Counter,
        "Completed probes of a monitored member, by result.",
        all().filter_map(|(labels, health)| Some((labels, health?))).flat_map(|(labels, one)| {
            let with = |result| format!("{labels},{}", label("result", result));
            [(with("passed"), one.probes - one.failed), (with("failed"), one.failed)]
        }),
    );
}

/// Packets and bytes by direction: to members, and back where the forwarder translates.
fn traffic(name: &str, what: &str, all: &[(String, Tally, Tally)], text: &mut Text) {
    let samples = |figure: fn(&Tally) -> u64| {
        all.iter().flat_map(move |(labels, to, back)| {
            let with = |direction| format!("{labels},{}", label("direction", direction));
            [(with("to_member"), figure(to)), (with("to_client"), figure(back))]
        })
    };
    text.family(
        &format!("{name}_packets"),
        Kind::Counter,
        &format!("Packets of {what}, by direction."),
        samples(|tally| tally.packets),
    );
    text.family(
        &format!("{name}_bytes"),
        Kind::ByteCounter,
        &format!("Bytes of the same packets of {what} as received, from the IP header on."),
        samples(|tally| tally.bytes),
    );
}

fn flows(config: &Config, counters: &Counters, text: &mut Text) {
    let flows = &counters.flows;
    let one = |value: u64| [(String::new(), value)];
    text.family("flows", Kind::Gauge, "Flows at this moment.", one(flows.open));
    text.family(
        "flows_offloaded",
        Kind::Gauge,
        "Flows whose packets the kernel forwards.",
        one(flows.offloaded),
    );
    let limit = u64::from(config.limits.flows);
    text.family("flows_limit", Kind::Gauge, "The capacity of the flow table.", one(limit));
    text.family("flows_opened", Kind::Counter, "Flows that began.", one(flows.opened));
    text.family(
        "flows_initiated_loosely",
        Kind::Counter,
        "Flows that began with a packet other than a SYN.",
        one(flows.loosely_initiated),
    );
    text.family(
        "flows_mirrored",
        Kind::Counter,
        "Flows that began as copies of another load balancer's.",
        one(flows.mirrored),
    );
    let ended = [
        ("reset", flows.closed_by_reset),
        ("fin", flows.closed_by_fin),
        ("replaced", flows.replaced),
        ("idle", flows.timed_out),
        ("handshake_timeout", flows.handshake_timed_out),
        ("taken_out", flows.taken_out),
        ("member_down", flows.member_down),
        ("reselected", flows.reselected),
        ("on_standby", flows.on_standby),
        ("evicted", flows.evicted),
    ];
    text.family(
        "flows_ended",
        Kind::Counter,
        "Flows that ended, by reason.",
        labelled("reason", ended),
    );
    text.family(
        "flows_reset_on_timeout",
        Kind::Counter,
        "Idle flows whose client and member were sent a RST.",
        one(flows.reset_on_timeout),
    );
    text.family(
        "fragments_waiting",
        Kind::Gauge,
        "Fragments that wait for the first fragment of their datagram at this moment.",
        one(counters.fragments.waiting),
    );
}

fn tables_and_answers(source: &MetricsSource<'_>, text: &mut Text) {
    let (counters, socket) = (&source.counted.engine, &source.counted.socket);
    let one = |value: u64| [(String::new(), value)];
    let clients = &counters.persistence;
    text.family(
        "persistence_clients",
        Kind::Gauge,
        "Clients whose member is remembered at this moment.",
        one(clients.entries),
    );
    let found = [("hit", clients.hits), ("moved", clients.moved), ("new", clients.recorded)];
    text.family(
        "persistence_flows",
        Kind::Counter,
        "Flows of virtual servers with persistence: to the client's member, moved to another \
         member, or of a new client.",
        labelled("result", found),
    );
    let snat = &counters.snat;
    text.family("snat_ports", Kind::Gauge, "SNAT ports in use at this moment.", one(snat.ports));
    text.family(
        "snat_ports_exhausted",
        Kind::Counter,
        "Flows that could not begin because no port was free.",
        one(snat.exhausted),
    );
    let neighbours = &counters.neighbours;
    text.family(
        "neighbours",
        Kind::Gauge,
        "Neighbours in the table at this moment.",
        one(neighbours.entries),
    );
    let events = [
        ("request", neighbours.requests),
        ("resolved", neighbours.resolved),
        ("failed", neighbours.failed),
        ("evicted", neighbours.evicted),
    ];
    text.family(
        "neighbour_events",
        Kind::Counter,
        "What happened in the neighbour table.",
        labelled("event", events),
    );
    let answers = &counters.answers;
    let sent = [
        ("icmp_echo_reply", answers.icmp_echo_reply),
        ("icmp_time_exceeded", answers.icmp_time_exceeded),
        ("icmp_fragmentation_needed", answers.icmp_fragmentation_needed),
        ("icmp_packet_too_big", answers.icmp_packet_too_big),
        ("icmp_host_unreachable", answers.icmp_host_unreachable),
        ("icmp_port_unreachable", answers.icmp_port_unreachable),
        ("tcp_reset", answers.tcp_reset),
        ("arp_reply", answers.arp_reply),
        ("neighbour_advertisement", answers.neighbour_advertisement),
        ("announcement", answers.announcement),
    ];
    text.family(
        "answers",
        Kind::Counter,
        "Packets that the forwarder sent in its own name.",
        labelled("kind", sent),
    );
    let unsent = [
        ("rate_limited", answers.rate_limited),
        ("forbidden", answers.forbidden),
        ("unsendable", answers.unsendable),
    ];
    text.family(
        "answers_unsent",
        Kind::Counter,
        "Answers that were due and not sent, by reason.",
        labelled("reason", unsent),
    );
    let frames = [
        ("received", socket.received),
        ("dropped", socket.dropped),
        ("oversized", socket.oversized),
        ("sent", socket.sent),
        ("send_error", socket.send_errors),
    ];
    text.family(
        "socket_frames",
        Kind::Counter,
        "Frames at the kernel's side of the data plane; dropped frames found the ring full.",
        labelled("result", frames),
    );
}

/// Samples that differ in one label.
fn labelled<'a>(
    name: &'a str,
    samples: impl IntoIterator<Item = (&'a str, u64)> + 'a,
) -> impl Iterator<Item = Sample> + 'a {
    samples.into_iter().map(move |(value, count)| (label(name, value), count))
}
