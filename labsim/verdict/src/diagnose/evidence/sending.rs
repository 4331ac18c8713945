//! Packets that their own node did not send: it has no route for them, or a filter on their way out
//! dropped them.

use crate::check_result::CheckContext;
use crate::diagnose::subject::{changes, has_no_route};
use crate::diagnose::{Cause, Subject, Trace, fix};
use crate::messages::count;
use crate::observe::Attempt;
use labsim_codes::cause;
use labsim_model::node_state::RouteQuery;
use labsim_scenario::model::{Direction, NodeName};
use std::net::IpAddr;

/// A client that has no route to what it asked.
pub(in crate::diagnose) fn without_route(
    context: &CheckContext<'_>,
    attempt: &Attempt,
) -> Option<Cause> {
    let (node, to) = (&attempt.from, attempt.remote.ip());
    // The state is that of the end.
    let mut steps = context.scenario.steps.iter();
    if steps.any(|step| changes(context, &step.action, node)) {
        return None;
    }
    let state = context.observations.states.get(node)?;
    has_no_route(state, &RouteQuery::to(to)).then(|| no_route(context, node, to))
}

fn no_route(context: &CheckContext<'_>, node: &NodeName, to: IpAddr) -> Cause {
    let sentence = format!("{node} has no route to {to}, and sent nothing to it");
    Cause::new(cause::NO_ROUTE, sentence, fix::route(context, node, to)).at(node)
}

/// Why the node where the packets of the way before ended sent nothing: the client without any frame,
/// or a server that took the request. Needs a kernel that counts what it sends (`IpOutTransmits`,
/// Linux 6.7 and later).
pub(super) fn nothing_sent(
    subject: &Subject<'_>,
    forward: Option<&Trace>,
    back: Option<&Trace>,
) -> Option<Cause> {
    let (node, to) = match (forward, back) {
        (None, _) => (subject.client, subject.flow.destination.ip()),
        (Some(forward), None)
            if forward.last_direction == Direction::In
                && subject.holds(&forward.last_node, subject.flow.destination.ip()) =>
        {
            (&forward.last_node, subject.flow.source.ip())
        }
        _ => return None,
    };
    if subject.has_forwarder(node) {
        return None;
    }
    let state = subject.state(node)?;
    let query = match forward {
        Some(_) => RouteQuery::to(to).from(subject.flow.destination.ip()),
        None => RouteQuery::to(to),
    };
    if has_no_route(state, &query) {
        return Some(no_route(subject.context, node, to));
    }
    if !state.filters_at("output").iter().any(|chain| chain.may_drop()) {
        return None;
    }
    let ip = if to.is_ipv4() { "Ip" } else { "Ip6" };
    let [requests, forwarded, sent] =
        ["OutRequests", "ForwDatagrams", "OutTransmits"].map(|name| match (ip, name) {
            ("Ip6", "ForwDatagrams") => "Ip6OutForwDatagrams".to_owned(),
            _ => format!("{ip}{name}"),
        });
    if !subject.context.observations.known_counters.contains(&sent) {
        return None;
    }
    let value = |name: &str| subject.counter(node, name).unwrap_or(0);
    let made = value(&requests) + value(&forwarded);
    let missing = Some(made.saturating_sub(value(&sent))).filter(|missing| *missing > 0)?;
    let sentence = format!(
        "{node} made {}, for {to} or others, that it did not send ({requests} +{}, {sent} +{}): a \
         filter on their way out drops them",
        count(missing, "packet"),
        value(&requests),
        value(&sent)
    );
    let fix = fix::protocol(subject, node, subject.flow.protocol);
    let cause = Cause::new(cause::PROTOCOL_FILTERED, sentence, fix).at(node).packets(missing);
    Some(cause.counted(requests.as_str(), value(&requests)).counted(sent.as_str(), value(&sent)))
}
