//! What the load balancer did with the packets: flows, drops, members that are gone, monitors.

use crate::diagnose::fix;
use crate::diagnose::{Cause, Fix, Subject, Trace, trace};
use crate::messages::{count, duration};
use labsim_codes::cause;
use labsim_model::outcome;
use labsim_scenario::model::{Direction, MemberChange, NodeName, StepAction};
use labsim_wire::tcp::Flags;
use std::net::SocketAddr;

/// Drops that only some packets can meet, and that another rule covers.
fn can_meet(counter: &str, flags: Option<Flags>) -> bool {
    let reset = flags.is_some_and(|flags| flags.contains(Flags::RST));
    let syn = flags.is_some_and(|flags| flags.contains(Flags::SYN));
    match counter {
        "reset_without_flow" => reset,
        "no_flow" => flags.is_some() && !syn && !reset,
        "fragmentation_needed" | "packet_too_big" => false,
        _ => true,
    }
}

/// The counters of the load balancer that took the packet in and let nothing out. Their names
/// may stand within longer ones, parted by dots: `outcomes.no_flow`.
pub(super) fn dropped(subject: &Subject<'_>, trace: &Trace) -> Vec<Cause> {
    let node = &trace.last_node;
    if !subject.has_forwarder(node) {
        return Vec::new();
    }
    let last = subject.frame(trace.last);
    let flags = last.and_then(|frame| frame.decoded.tcp().map(|tcp| tcp.flags));
    outcome::drops()
        .filter(|(counter, _)| can_meet(counter, flags))
        .filter_map(|(counter, reason)| {
            let counted = Some(subject.forwarder(node, counter)).filter(|counted| *counted > 0)?;
            let number = counted.min(trace.at_last.len() as u64);
            let dropped = format!(
                "the forwarder on {node} dropped {} ({counter} +{counted})",
                count(number, "packet")
            );
            let cause = match counter {
                "no_flow" => unknown_flow(subject, trace, &dropped),
                _ => {
                    let fix = match counter {
                        "no_virtual_server" => fix::no_virtual_server(subject, node),
                        _ => Fix::new(cause::FORWARDER_DROPPED.remedy()),
                    };
                    Cause::new(cause::FORWARDER_DROPPED, format!("{dropped}: {reason}"), fix)
                }
            };
            let cause = cause.at(node).packets(number).counted(counter, counted);
            let mut frames = trace.at_last.clone();
            frames.extend(resets_of(subject, node));
            frames.sort_unstable();
            Some(subject.shown(cause, &frames))
        })
        .collect()
}

/// A packet in the middle of a connection that the load balancer has no flow for: the flow timed
/// out if the pause before the packet was as long as the idle timeout.
fn unknown_flow(subject: &Subject<'_>, trace: &Trace, dropped: &str) -> Cause {
    let node = &trace.last_node;
    let timed_out = subject.forwarder(node, "flows.timed_out");
    let limit = subject.served().map(|served| served.server.fastl4.idle_timeout);
    let limit = u64::from(limit.unwrap_or(u32::MAX)) * 1_000_000_000;
    match pause(subject, trace) {
        Some(pause) if timed_out > 0 && pause >= limit => {
            let sentence = format!(
                "{dropped}: its connection had been idle for {}, the idle timeout of {} had ended \
                 its flow (flows.timed_out +{timed_out}), and loose initiation is off",
                duration(pause),
                duration(limit)
            );
            let fix = fix::idle_timeout(subject, pause)
                .or(fix::fastl4(subject, &[("loose_initiation", "true")]));
            Cause::new(cause::FLOW_EXPIRED, sentence, fix).counted("flows.timed_out", timed_out)
        }
        _ => {
            let sentence = format!(
                "{dropped}: it belongs to no flow and is not a SYN, and loose initiation is off"
            );
            let fix = fix::fastl4(subject, &[("loose_initiation", "true")]);
            Cause::new(cause::FLOW_UNKNOWN, sentence, fix::or_mirror(fix, subject, node))
        }
    }
}

/// How long nothing of the flow came to the node before the packet.
fn pause(subject: &Subject<'_>, trace: &Trace) -> Option<u64> {
    let last = subject.frame(trace.last)?;
    let packet = trace::key(&last);
    let there = subject.seen_at(&subject.forward, &trace.last_node, Direction::In);
    let others = there.into_iter().filter_map(|index| subject.frame(index));
    let others = others.filter(|frame| trace::key(frame) != packet);
    // The first sending of the packet ended the pause.
    let own = trace.at_last.iter().filter_map(|index| subject.frame(*index));
    let own = own.filter(|frame| trace::key(frame) == packet).map(|frame| frame.record.time_ns);
    let first = own.min().unwrap_or(last.record.time_ns);
    let before = others.map(|frame| frame.record.time_ns).filter(|time| *time < first).max()?;
    Some(first - before)
}

/// RSTs that the node sent, to the client or in its name.
fn resets_of(subject: &Subject<'_>, node: &NodeName) -> Vec<usize> {
    let mut all = subject.seen_at(&subject.back, node, Direction::Out);
    all.extend(subject.seen_at(&subject.forward, node, Direction::Out));
    all.retain(|index| subject.is_reset(*index));
    all
}

/// The load balancer reset both ends when the flow timed out.
pub(super) fn reset_on_timeout(subject: &Subject<'_>) -> Option<Cause> {
    let served = subject.served()?;
    let node = served.balancer;
    let counted = Some(subject.forwarder(node, "flows.reset_on_timeout")).filter(|it| *it > 0)?;
    let resets = resets_of(subject, node);
    let to_client = |index: &usize| subject.back.binary_search(index).is_ok();
    let first = subject.frame(*resets.iter().find(|index| to_client(index))?)?;
    let before = subject.seen_at(&subject.forward, node, Direction::In);
    let before = before.iter().filter_map(|index| subject.frame(*index));
    let times = before.map(|frame| frame.record.time_ns).filter(|it| *it < first.record.time_ns);
    let pause = first.record.time_ns.saturating_sub(times.max()?);
    let limit = u64::from(served.server.fastl4.idle_timeout) * 1_000_000_000;
    if pause < limit {
        return None;
    }
    let sentence = format!(
        "{node} reset the client and the server after the connection had been idle for {}: its idle \
         timeout is {} (flows.reset_on_timeout +{counted})",
        duration(pause),
        duration(limit)
    );
    let quiet = [("reset_on_timeout", "false"), ("loose_initiation", "true")];
    let fix = fix::idle_timeout(subject, pause).or(fix::fastl4(subject, &quiet));
    let cause = Cause::new(cause::FLOW_EXPIRED, sentence, fix)
        .at(node)
        .counted("flows.reset_on_timeout", counted)
        .packets(resets.len() as u64);
    Some(subject.shown(cause, &resets))
}

/// Packets of the flow went to a member that was taken out of its pool before.
pub(super) fn member_removed(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    let served = subject.served()?;
    let removed = |member: &SocketAddr| {
        let mut last = None;
        for action in subject.done() {
            if let StepAction::ChangeMember(change) = action
                && change.node == *served.balancer
                && change.member == *member
            {
                last = Some(change.to);
            }
        }
        last == Some(MemberChange::Removed)
    };
    let packet = trace.in_tunnel(subject)?;
    let address = packet.outermost.destination;
    let members = served.pool.into_iter().flat_map(|pool| &pool.members).map(|it| it.address);
    let member = members.into_iter().find(|it| it.ip() == address && removed(it))?;
    let node = served.balancer;
    let sentence = format!(
        "{node} still sent the flow's packets to {member}, which had been removed from its pool {}",
        served.server.pool
    );
    let cause = Cause::new(cause::MEMBER_REMOVED, sentence, fix::action_on_down(subject)).at(node);
    let frames = subject.seen_at(&trace.frames.indices(), node, Direction::Out);
    Some(subject.shown(cause, &frames))
}

/// The pool's monitor asks a member's own address, where all is well, and not the VIP.
pub(super) fn monitor_blind(subject: &Subject<'_>, causes: &[Cause]) -> Option<Cause> {
    const HIDDEN: [labsim_codes::Code; 7] = [
        cause::VIP_MISSING,
        cause::TUNNEL_MISSING,
        cause::TUNNEL_DOWN,
        cause::ENCAPSULATION_MISMATCH,
        cause::RP_FILTER,
        cause::PROTOCOL_FILTERED,
        cause::NOT_LISTENING_AT_VIP,
    ];
    let served = subject.served()?;
    served.pool?.monitor.as_ref().filter(|monitor| !monitor.transparent)?;
    let members = served.pool?.members.iter();
    let (fault, member) = causes.iter().find_map(|it| {
        let node = it.node.as_ref().filter(|_| HIDDEN.contains(&it.code))?;
        let mut members = members.clone();
        members.find(|member| subject.owner(member.address.ip()) == Some(node)).map(|m| (it, m))
    })?;
    let probes = subject.context.observations.probes.get(served.balancer)?;
    if probes.tcp.is_empty() && probes.udp.is_empty() && probes.icmp.is_empty() {
        return None;
    }
    // Nothing of the flow would have been sent to a member that is down.
    let (node, address) = (served.balancer, member.address);
    let sentence = format!(
        "{node} sent the flow to {address} although it does not serve the VIP ({}): the monitor of \
         the pool {} asks the member's own address, not the VIP through the tunnel",
        fault.code, served.server.pool
    );
    let cause = Cause::new(cause::MONITOR_BLIND, sentence, fix::transparent(subject)).at(node);
    Some(cause.packets(fault.count))
}

/// A wait for flows to be closed that was in vain: the load balancer saw FINs of one direction and
/// closes flows only where it sees both.
pub(in crate::diagnose) fn lingering_flows(
    context: &crate::check_result::CheckContext<'_>,
    node: &NodeName,
    counter: &str,
) -> Option<Cause> {
    if !counter.starts_with("flows.closed") {
        return None;
    }
    let config = context.scenario.load_balancers.get(node)?;
    let (name, server) =
        config.virtual_servers.iter().find(|(_, server)| !server.fastl4.loose_close)?;
    let counters = context.observations.forwarder_counters.get(node)?;
    let open = Some(crate::forwarder::value(counters, "flows.open")).filter(|open| *open > 0)?;
    let fins: Vec<usize> = context
        .frames
        .all()
        .filter(|frame| {
            let fin = frame.decoded.tcp().is_some_and(|tcp| tcp.flags.contains(Flags::FIN));
            let to = frame.flow().map(|flow| flow.destination.ip());
            fin && frame.record.direction == Direction::In
                && context.frames.node(frame) == Some(node)
                && to == Some(server.destination.ip())
        })
        .map(|frame| frame.index)
        .collect();
    if fins.is_empty() {
        return None;
    }
    let sentence = format!(
        "{node} received {} and keeps the flow (flows.open {open}): under Direct Server Return it \
         never sees the server's FIN, and {name} has loose_close off",
        count(fins.len(), "FIN")
    );
    let fix = fix::fastl4_of(name, server.fastl4, &[("loose_close", "true")], node);
    let cause = Cause::new(cause::FLOW_LINGERS, sentence, fix).at(node);
    let cause = cause.counted("flows.open", open).packets(fins.len() as u64);
    Some(cause.shown_by(context.frames.list(&fins)))
}
