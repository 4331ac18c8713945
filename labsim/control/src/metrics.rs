//! What is counted, as OpenMetrics text (the OpenMetrics specification 1.0.0, which Prometheus
//! scrapes). Pure.

mod text;

use labsim_dataplane::forwarder::Snapshot;
use labsim_forwarder::{Config, Counters, Tally};
use labsim_monitor::{HealthByPool, State};
use text::{Kind, Text, label};

/// The text's media type.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is told.
#[derive(Debug, Clone, Copy)]
pub struct Exposed<'a> {
    /// What is in force.
    pub config: &'a Config,
    /// What was counted.
    pub counted: &'a Snapshot,
    /// How each watched member fares.
    pub health: &'a HealthByPool,
    /// Configurations that were taken over, the first not among them.
    pub taken: u64,
    /// Configurations that were refused.
    pub refused: u64,
}

/// One sample: its labels and its value.
type Sample = (String, u64);

/// Writes all metrics.
#[must_use]
pub fn metrics(exposed: &Exposed<'_>) -> String {
    let counters = &*exposed.counted.engine;
    let mut text = Text::new("labsim_forwarder_");
    let changes = [("taken", exposed.taken), ("refused", exposed.refused)];
    text.family(
        ("config_changes", Kind::Counter),
        "New configurations that were taken over or refused while the forwarder ran.",
        labelled("result", changes),
    );
    packets(counters, &mut text);
    virtual_servers(counters, &mut text);
    members(exposed.config, counters, &mut text);
    health(exposed, &mut text);
    flows(exposed.config, counters, &mut text);
    others(exposed, &mut text);
    text.finish()
}

/// What became of frames, drops by their reason among them.
fn packets(counters: &Counters, text: &mut Text) {
    let outcomes = || counters.outcomes.iter().map(|(name, tally)| (name.as_str(), tally));
    text.family(
        ("packets", Kind::Counter),
        "Packets by what became of them: forwarded, answered, or the reason why they were dropped.",
        labelled("outcome", outcomes().map(|(name, tally)| (name, tally.packets))),
    );
    text.family(
        ("bytes", Kind::ByteCounter),
        "Bytes of the same packets, link-layer headers included.",
        labelled("outcome", outcomes().map(|(name, tally)| (name, tally.bytes))),
    );
}

fn virtual_servers(counters: &Counters, text: &mut Text) {
    let all =
        || counters.virtual_servers.iter().map(|(name, one)| (label("virtual_server", name), one));
    let directions = all().map(|(labels, one)| (labels, one.taken, one.replies));
    both_ways("virtual_server", "a virtual server", &directions.collect::<Vec<_>>(), text);
    text.family(
        ("virtual_server_flows_opened", Kind::Counter),
        "Flows that began at a virtual server.",
        all().map(|(labels, one)| (labels, one.flows_opened)),
    );
    text.family(
        ("virtual_server_flows", Kind::Gauge),
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
    both_ways("member", "a pool's member", &directions.collect::<Vec<_>>(), text);
    text.family(
        ("member_flows_opened", Kind::Counter),
        "Flows that a member was chosen for.",
        all().map(|(labels, one)| (labels, one.flows_opened)),
    );
    text.family(
        ("member_flows", Kind::Gauge),
        "Flows of a member at this moment.",
        all().map(|(labels, one)| (labels, one.flows)),
    );
    text.family(
        ("member_reachable", Kind::Gauge),
        "Whether a member's next hop answers: 1, or 0.",
        all().map(|(labels, one)| (labels, u64::from(one.reachable))),
    );
    let ratios = config.pools.iter().flat_map(|(pool, it)| {
        it.members.iter().map(move |member| {
            let name = member.address.to_string();
            let labels = format!("{},{}", label("pool", pool), label("member", &name));
            (labels, u64::from(member.ratio))
        })
    });
    text.family(("member_ratio", Kind::Gauge), "A member's ratio; 0 drains it.", ratios);
}

/// What monitors found.
fn health(exposed: &Exposed<'_>, text: &mut Text) {
    const STATES: [State; 3] = [State::Checking, State::Up, State::Down];
    let all = || {
        exposed.config.pools.iter().flat_map(|(pool, it)| {
            it.members.iter().map(move |member| {
                let member = member.address.to_string();
                let health = exposed.health.get(pool).and_then(|pool| pool.get(&member));
                (format!("{},{}", label("pool", pool), label("member", &member)), health)
            })
        })
    };
    text.family(
        ("member_state", Kind::Gauge),
        "Whether a member is in that state: 1, or 0. One that nothing watches is unmonitored.",
        all().flat_map(|(labels, health)| {
            let state = health.map(|health| health.state);
            let each = STATES.map(|one| (one.word(), state == Some(one)));
            each.into_iter().chain([("unmonitored", state.is_none())]).map(move |(word, is)| {
                (format!("{labels},{}", label("state", word)), u64::from(is))
            })
        }),
    );
    text.family(
        ("member_probes", Kind::Counter),
        "Probes of a watched member that have ended, by their result.",
        all().filter_map(|(labels, health)| Some((labels, health?))).flat_map(|(labels, one)| {
            let with = |result| format!("{labels},{}", label("result", result));
            [(with("passed"), one.probes - one.failed), (with("failed"), one.failed)]
        }),
    );
}

/// Packets and bytes of something: to members, and back where the forwarder translates.
fn both_ways(name: &str, what: &str, all: &[(String, Tally, Tally)], text: &mut Text) {
    let samples = |figure: fn(&Tally) -> u64| {
        all.iter().flat_map(move |(labels, to, back)| {
            let with = |direction| format!("{labels},{}", label("direction", direction));
            [(with("to_member"), figure(to)), (with("to_client"), figure(back))]
        })
    };
    text.family(
        (&format!("{name}_packets"), Kind::Counter),
        &format!("Packets of {what}, by where they go."),
        samples(|tally| tally.packets),
    );
    text.family(
        (&format!("{name}_bytes"), Kind::ByteCounter),
        &format!("Bytes of the same packets of {what}, as they came in, from the IP header on."),
        samples(|tally| tally.bytes),
    );
}

fn flows(config: &Config, counters: &Counters, text: &mut Text) {
    let flows = &counters.flows;
    let one = |value: u64| [(String::new(), value)];
    text.family(("flows", Kind::Gauge), "Flows at this moment.", one(flows.open));
    let limit = u64::from(config.limits.flows);
    text.family(("flows_limit", Kind::Gauge), "Flows that there is room for.", one(limit));
    text.family(("flows_opened", Kind::Counter), "Flows that began.", one(flows.opened));
    text.family(
        ("flows_initiated_loosely", Kind::Counter),
        "Flows that began with a packet that was no SYN.",
        one(flows.loosely_initiated),
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
        ("evicted", flows.evicted),
    ];
    text.family(
        ("flows_ended", Kind::Counter),
        "Flows that ended, by the reason.",
        labelled("reason", ended),
    );
    text.family(
        ("flows_reset_on_timeout", Kind::Counter),
        "Of the idle ones, flows whose client and member were told by RST.",
        one(flows.reset_on_timeout),
    );
    text.family(
        ("fragments_waiting", Kind::Gauge),
        "Fragments that wait for their datagram's first at this moment.",
        one(counters.fragments.waiting),
    );
}

fn others(exposed: &Exposed<'_>, text: &mut Text) {
    let (counters, socket) = (&exposed.counted.engine, &exposed.counted.socket);
    let one = |value: u64| [(String::new(), value)];
    let clients = &counters.persistence;
    text.family(
        ("persistence_clients", Kind::Gauge),
        "Clients whose member is remembered at this moment.",
        one(clients.entries),
    );
    let found = [("hit", clients.hits), ("moved", clients.moved), ("new", clients.recorded)];
    text.family(
        ("persistence_flows", Kind::Counter),
        "Flows of virtual servers that persist: to the client's member, moved to another, or a \
         new client's.",
        labelled("result", found),
    );
    let snat = &counters.snat;
    text.family(
        ("snat_ports", Kind::Gauge),
        "Ports that stand in for clients' at this moment.",
        one(snat.ports),
    );
    text.family(
        ("snat_ports_exhausted", Kind::Counter),
        "Flows that could not begin because no port was free.",
        one(snat.exhausted),
    );
    let neighbours = &counters.neighbours;
    text.family(
        ("neighbours", Kind::Gauge),
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
        ("neighbour_events", Kind::Counter),
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
    ];
    text.family(
        ("answers", Kind::Counter),
        "Packets that the forwarder sent in its own name.",
        labelled("kind", sent),
    );
    let unsent = [
        ("rate_limited", answers.rate_limited),
        ("forbidden", answers.forbidden),
        ("unsendable", answers.unsendable),
    ];
    text.family(
        ("answers_unsent", Kind::Counter),
        "Answers that were owed and not sent, by the reason.",
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
        ("socket_frames", Kind::Counter),
        "Frames at the kernel's side of the data plane; those dropped found no room in the ring.",
        labelled("result", frames),
    );
}

/// Samples that one label tells apart.
fn labelled<'a>(
    name: &'a str,
    samples: impl IntoIterator<Item = (&'a str, u64)> + 'a,
) -> impl Iterator<Item = Sample> + 'a {
    samples.into_iter().map(move |(value, count)| (label(name, value), count))
}
