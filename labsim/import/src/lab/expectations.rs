//! What a virtual server's configuration promises, as expectations.

use super::plan::AddressPlan;
use super::servers::source_addresses;
use super::yaml::{Entry, Value, entry, list, map, one_or_list, scalar};
use crate::lb_model::{LbModel, Mode, Service, VirtualServer};
use labsim_model::{IpProtocol, LoadBalancingMode, Persistence};
use std::net::IpAddr;

/// The expectations of one step.
pub(super) fn expectations(
    one: &VirtualServer,
    step: Option<&str>,
    (virtuals, model, plan): (&[&VirtualServer], &LbModel, &AddressPlan),
) -> Vec<Entry> {
    let vip = one.address;
    let servers = plan.serving(one, model);
    let names: Vec<&str> = servers.iter().map(|at| plan.servers[*at].name.as_str()).collect();
    let addresses: Vec<IpAddr> = servers.iter().map(|at| plan.servers[*at].address).collect();
    let expectation = |name: &str, check: Entry, pass: &str, fail: &str| {
        // No name here ends with `_` and another, so that all are different.
        let name = step.map_or(name.to_owned(), |step| format!("{step}_{name}"));
        entry(name, vec![check, entry("pass", pass), entry("fail", fail)])
    };
    let of_step = |rest: Vec<Entry>| {
        let step = step.map(|step| entry("step", step));
        Value::Flow(step.into_iter().chain(rest).collect())
    };
    let frames = |at: &str, matching: Value, count: Value| {
        entry("frames", map([("at", at.into()), ("match", matching), ("count", count)]))
    };
    let pool = &model.pools[one.pool];
    let (mode, service) = (one.mode(), one.service(pool));
    let noun = service.noun();
    if servers.is_empty() {
        let (result, how) = match one.settings.ip_protocol {
            IpProtocol::Tcp => ("refused", format!("the load balancer refused the {noun}")),
            IpProtocol::Udp => ("timeout", format!("the {noun} timed out")),
        };
        let check = entry("answer", of_step(vec![entry("result", result)]));
        return vec![expectation(
            noun,
            check,
            &format!("no member takes new flows, and {how}"),
            &format!("no member takes new flows, but the {noun} ended otherwise"),
        )];
    }
    let some = map([("at_least", scalar(1))]);
    if mode == Mode::Dnat {
        let answers = map([("direction", "in".into()), ("source", list(&addresses))]);
        return vec![
            expectation(
                noun,
                entry("answer", of_step(vec![entry("result", "timeout")])),
                "the client rejected answers that did not come from the VIP",
                &format!("the {noun} did not time out"),
            ),
            expectation(
                "server_answers",
                frames("client:eth0", answers, some),
                "a server answered the client from its own address",
                "no server answered the client from its own address",
            ),
        ];
    }
    let answer = of_step(vec![entry("result", "pass"), entry("source", scalar(vip))]);
    let mut all = vec![expectation(
        noun,
        entry("answer", answer),
        &format!("the {noun} passed, and all its answers came from the VIP"),
        &format!("the {noun} did not pass, or its answers did not come from the VIP"),
    )];
    let seen = match mode {
        Mode::Direct => plan.client_address(one).into_iter().collect(),
        Mode::Snat | Mode::Dnat => source_addresses(one, plan),
    };
    if let [client] = seen.as_slice() {
        let (pass, fail) = match mode {
            Mode::Direct => (
                "the server's log names the client's own address",
                "the server's log does not name the client's own address",
            ),
            Mode::Snat | Mode::Dnat => (
                "the server's log names the load balancer's address as the client's",
                "the server's log names another client than the load balancer",
            ),
        };
        let check = entry("server_saw", of_step(vec![entry("client", scalar(client))]));
        all.push(expectation("client_seen", check, pass, fail));
    }
    let in_turn = pool.settings.load_balancing_mode == LoadBalancingMode::RoundRobin
        && one.settings.persistence == Persistence::None;
    let is_radius = matches!(service, Service::Radius | Service::Accounting);
    if in_turn && !is_radius && names.len() > 1 {
        let check = vec![entry("nodes", list(&names)), entry("at_least", scalar(1))];
        all.push(expectation(
            "each_answers",
            entry("distribution", of_step(check)),
            &format!("each of the pool's servers answered one of the {noun}s"),
            &format!("a server of the pool answered none of the {noun}s"),
        ));
    }
    all.push(expectation(
        "pool_answers",
        entry("answered_by", of_step(vec![entry("node", one_or_list(&names))])),
        "one of the pool's servers answered",
        "none of the pool's servers answered",
    ));
    // Where two virtual servers share a VIP, only their ports tell the answers apart.
    let mut answer = vec![entry("source", scalar(vip))];
    if mode == Mode::Direct {
        // What the load balancer sends itself, an ICMP error or a RST, is from the VIP too.
        answer.insert(0, entry("direction", "in"));
        // Servers answer the probes of a transparent monitor from the VIP.
        let is_transparent = pool.settings.monitor.as_ref().is_some_and(|it| it.transparent);
        if let Some(client) = plan.client_address(one).filter(|_| is_transparent) {
            answer.push(entry("destination", scalar(client)));
        }
    }
    if virtuals.iter().filter(|other| other.address == vip).count() > 1 {
        answer.push(entry("protocol", one.settings.ip_protocol.word()));
        answer.push(entry("source_port", scalar(one.client_port(pool))));
    }
    let (name, count, pass, fail) = match mode {
        Mode::Direct => (
            "replies_pass_by",
            scalar(0),
            "no reply crossed the load balancer",
            "replies crossed the load balancer, which Direct Server Return avoids",
        ),
        Mode::Snat | Mode::Dnat => (
            "replies_cross",
            some,
            if one.settings.translate_address {
                "the replies crossed the load balancer, which translated their source to the VIP"
            } else {
                "the replies crossed the load balancer, which put the client's address back"
            },
            "no reply from the VIP left the load balancer",
        ),
    };
    all.push(expectation(name, frames("lb:eth0", Value::Flow(answer), count), pass, fail));
    all
}
