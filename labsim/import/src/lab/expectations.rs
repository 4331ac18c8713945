//! What a virtual server's configuration promises, as expectations.

use super::plan::Plan;
use super::servers::seen_as;
use super::writer::{Writer, list, one_or_list};
use crate::design::{Design, Mode, Virtual};
use std::net::Ipv4Addr;

/// Writes the expectations of one step.
pub(super) fn expectations(
    out: &mut Writer,
    one: &Virtual,
    step: Option<&str>,
    (virtuals, design, plan): (&[&Virtual], &Design, &Plan),
) {
    // Of several steps each has expectations of its own, named after it.
    let (mut step_of, mut prefix) = (String::new(), String::new());
    if let Some(step) = step {
        step_of = format!("step: {step}, ");
        prefix = format!("{step}.");
    }
    let vip = one.address;
    let servers = plan.servers_of(one, design);
    let names: Vec<&str> = servers.iter().map(|at| plan.servers[*at].name.as_str()).collect();
    let addresses: Vec<Ipv4Addr> = servers.iter().map(|at| plan.servers[*at].address).collect();
    let mut say = |name: &str, check: String, pass: &str, fail: &str| {
        out.line(1, format_args!("{prefix}{name}:"));
        out.line(2, check);
        out.line(2, format_args!("pass: {pass}"));
        out.line(2, format_args!("fail: {fail}"));
    };
    let mode = one.mode(design.pools[one.pool].encapsulation);
    if mode == Mode::Dnat {
        say(
            "login",
            format!("answer: {{{step_of}result: timeout}}"),
            "the client had no use for answers that did not come from the VIP",
            "the login ended in another way than by waiting in vain",
        );
        say(
            "answered_past",
            format!(
                "frames: {{at: \"client:eth0\", match: {{direction: in, source: {}}}, count: \
                 {{at_least: 1}}}}",
                list(&addresses)
            ),
            "a server answered the client under its own address",
            "no server answered the client under its own address",
        );
        return;
    }
    say(
        "login",
        format!("answer: {{{step_of}result: pass, source: {vip}}}"),
        "the login passed, and the client saw nothing but the VIP as its server",
        "the login did not pass, or its answers did not come from the VIP",
    );
    let seen = if mode == Mode::Direct { vec![plan.client.net.addr()] } else { seen_as(one, plan) };
    if let [client] = seen.as_slice() {
        let (pass, fail) = if mode == Mode::Direct {
            (
                "the server's log names the client's own address",
                "the server's log does not name the client's own address",
            )
        } else {
            (
                "the server's log names the load balancer's address as the client's",
                "the server's log names another client than the load balancer",
            )
        };
        say("client_seen", format!("server_saw: {{{step_of}client: {client}}}"), pass, fail);
    }
    say(
        "pool_answers",
        format!("answered_by: {{{step_of}node: {}}}", one_or_list(&names)),
        "one of the pool's servers answered",
        "none of the pool's servers answered",
    );
    // Where two virtual servers share a VIP, only their ports tell the answers apart.
    let is_shared = virtuals.iter().filter(|other| other.address == vip).count() > 1;
    let mut answer = format!("source: {vip}");
    if is_shared {
        answer =
            format!("{answer}, protocol: {}, source_port: {}", one.protocol.word(), one.asked());
    }
    let (count, pass, fail) = if mode == Mode::Direct {
        (
            "0",
            "no reply crossed the load balancer",
            "replies crossed the load balancer, which Direct Server Return spares it",
        )
    } else {
        (
            "{at_least: 1}",
            "the replies crossed the load balancer, which put the VIP into them",
            "no reply from the VIP left the load balancer",
        )
    };
    say(
        "replies",
        format!("frames: {{at: \"lb:eth0\", match: {{{answer}}}, count: {count}}}"),
        pass,
        fail,
    );
}
