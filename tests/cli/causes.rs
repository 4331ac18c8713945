//! Faults of the field: the first cause that a failed run names is the right one, at the right node. And a
//! healthy run that fails for a wrong expectation accuses nothing.

use crate::support::Desk;
use std::collections::BTreeMap;

/// A fault: its name, the shipped scenario, what is laid over it, the code and the node of the cause.
type Fault = (&'static str, &'static str, &'static str, &'static str, &'static str);

const FAULTS: [Fault; 38] = [
    ("vip", "tacacs-ipip", "real_servers: {servers: {vip: null}}", "vip-missing", "rs1"),
    (
        "tunnel",
        "tacacs-ipip",
        "real_servers: {servers: {tunnel: null, sysctls: {net.ipv4.conf.tunl0.rp_filter: null}}}",
        "tunnel-missing",
        "rs1",
    ),
    (
        "tunnel-down",
        "tacacs-ipip",
        "real_servers: {servers: {tunnel: {mode: ipip, up: false}}}",
        "tunnel-down",
        "rs1",
    ),
    (
        "strict",
        "tacacs-ipip",
        "real_servers: {servers: {sysctls: {net.ipv4.conf.all.rp_filter: 0, net.ipv4.conf.tunl0.rp_filter: 1}}}",
        "rp-filter",
        "rs1",
    ),
    (
        "greater-of-two",
        "tacacs-ipip",
        "real_servers: {servers: {sysctls: {net.ipv4.conf.all.rp_filter: 1, net.ipv4.conf.tunl0.rp_filter: 0}}}",
        "rp-filter",
        "rs1",
    ),
    (
        "outer-source",
        "tacacs-ipip",
        "real_servers: {urpf: {nodes: router, sysctls: {net.ipv4.conf.lb.rp_filter: 1}}}",
        "outer-source-filtered",
        "router",
    ),
    (
        "anti-spoofing",
        "tacacs-ipip",
        "real_servers: {anti_spoof: {nodes: router, sysctls: {net.ipv4.conf.servers.rp_filter: 1}}}",
        "reply-source-filtered",
        "router",
    ),
    (
        "security-group",
        "tacacs-ipip",
        "filters: {group: {nodes: router, forward: [\"meta l4proto { tcp, udp, icmp } accept\", drop]}}",
        "protocol-filtered",
        "router",
    ),
    (
        "host-firewall",
        "tacacs-ipip",
        "filters: {host: {nodes: [rs1, rs2, rs3], input: {policy: drop, rules: [\"meta l4proto { tcp, udp, icmp } accept\"]}}}",
        "protocol-filtered",
        "rs1",
    ),
    (
        "snat",
        "tacacs-ipip",
        "load_balancers: {lb: {virtual_servers: {vs_tacacs-test_49: {source_address_translation: automap}}}}",
        "source-translated",
        "lb",
    ),
    (
        "dnat",
        "tacacs-ipip",
        "load_balancers: {lb: {virtual_servers: {vs_tacacs-test_49: {translate_address: true}}}}",
        "destination-translated",
        "lb",
    ),
    (
        "port",
        "tacacs-ipip",
        "load_balancers: {lb: {pools: {p_tacacs-test_49: {members: [10.1.1.51:4949, 10.1.1.52:4949, 10.1.1.53:4949]}}}}\n\
         tacacs_servers: {aaa: {port: 4949}}",
        "port-differs",
        "rs1",
    ),
    (
        "gre-to-ipip",
        "tacacs-ipip",
        "load_balancers: {lb: {pools: {p_tacacs-test_49: {profile: gre}}}}",
        "encapsulation-mismatch",
        "rs1",
    ),
    ("bound", "tacacs-ipip", "tacacs_servers: {aaa: {listen: own}}", "not-listening-at-vip", "rs1"),
    (
        "secret",
        "tacacs-ipip",
        "steps: {login: {tacacs_login: {secret: other}}}",
        "secret-mismatch",
        "rs1",
    ),
    (
        "unauthenticated",
        "parts/radius",
        "radius_servers: {aaa: {message_authenticator: false}}\nsteps: {pap: {radius_login: {timeout: 2, max_transmissions: 1}}}",
        "reply-unauthenticated",
        "rs1",
    ),
    (
        "password",
        "tacacs-ipip",
        "steps: {login: {tacacs_login: {password: orange}}}",
        "login-rejected",
        "rs1",
    ),
    (
        "no-route",
        "tacacs-ipip",
        "topology: ../topologies/no-vip-route.yaml",
        "no-route-to-vip",
        "router",
    ),
    ("lossy", "tacacs-ipip", "impairments: {\"rs1:eth0\": {loss: 100%}}", "link-lossy", "rs1"),
    (
        "other-address",
        "parts/radius",
        "radius_servers: {aaa: {packet_info: false}}\nsteps: {pap: {radius_login: {timeout: 2, max_transmissions: 1}}}",
        "reply-from-other-address",
        "rs1",
    ),
    (
        "arp",
        "l2-dsr",
        "real_servers: {servers: {sysctls: {net.ipv4.conf.all.arp_ignore: 0, net.ipv4.conf.all.arp_announce: 0}}}",
        "server-answers-arp",
        "",
    ),
    (
        "takeover",
        "takeover-unannounced",
        "expect: {after: {answer: {result: pass}}, announced: null, by_the_second: null}",
        "vip-not-announced",
        "lb2",
    ),
    (
        "takeover-ipv6",
        "ipv6/takeover-unannounced-ipv6",
        "expect: {after: {answer: {step: after, result: pass}, pass: it passed, fail: it did not pass}, announced: null, why: null}",
        "vip-not-announced",
        "lb2",
    ),
    (
        "not-mirrored",
        "takeover-not-mirrored",
        "expect: {open: {answer: {result: pass}}, copied: null, picked_up: null, resets: null}",
        "flow-moved",
        "lb2",
    ),
    (
        "router-rejects",
        "tacacs-ipip",
        "filters: {f: {nodes: router, forward: tcp dport 49 reject}}",
        "protocol-filtered",
        "router",
    ),
    (
        "server-rejects",
        "tacacs-ipip",
        "filters: {f: {nodes: rs1, input: tcp dport 49 reject}}",
        "protocol-filtered",
        "rs1",
    ),
    (
        "server-resets",
        "tacacs-ipip",
        "filters: {f: {nodes: rs1, input: tcp dport 49 reject with tcp reset}}",
        "protocol-filtered",
        "rs1",
    ),
    (
        "client-keeps",
        "tacacs-ipip",
        "filters: {f: {nodes: client, output: tcp dport 49 drop}}",
        "protocol-filtered",
        "client",
    ),
    (
        "server-keeps",
        "tacacs-ipip",
        "filters: {f: {nodes: rs1, output: tcp sport 49 drop}}",
        "protocol-filtered",
        "rs1",
    ),
    (
        "client-drops",
        "tacacs-ipip",
        "filters: {f: {nodes: client, input: tcp sport 49 drop}}",
        "reply-source-filtered",
        "client",
    ),
    (
        "data-dropped",
        "tacacs-ipip",
        "filters: {f: {nodes: router, forward: ip length > 60 tcp dport 49 drop}}",
        "protocol-filtered",
        "router",
    ),
    (
        "ttl",
        "tacacs-ipip",
        "real_servers: {old: {nodes: client, sysctls: {net.ipv4.ip_default_ttl: 2}}}\n\
         expect: {client_wire: null, balancer_in: null, balancer_out: null, server_wire: null}",
        "ttl-expired",
        "client",
    ),
    ("late", "tacacs-ipip", "impairments: {\"rs1:eth0\": {delay: 2500ms}}", "reply-late", "rs1"),
    (
        "forwarding-off",
        "tacacs-ipip",
        "topology: ../topologies/no-forwarding.yaml",
        "forwarding-off",
        "router",
    ),
    (
        "bypass",
        "tacacs-ipip",
        "topology: ../topologies/past-balancer.yaml",
        "balancer-bypassed",
        "router",
    ),
    (
        "loop",
        "tacacs-ipip",
        "topology: ../topologies/forwarding-servers.yaml\nreal_servers: {servers: {vip: null}}",
        "vip-missing",
        "rs1",
    ),
    (
        "unrouted",
        "tacacs-ipip",
        "topology: ../topologies/unrouted-client.yaml",
        "no-route",
        "client",
    ),
    (
        "forgotten",
        "forget-flows",
        "expect: {login: {answer: {result: pass}}, first: null, next: null, reset: null}",
        "flow-moved",
        "lb",
    ),
];

/// Between TCP's SYN after 1 s and that after 3 s; a login that has to pass may meet a machine that stands
/// still.
const QUICK: &str = "steps: {login: {tacacs_login: {timeout: 2}}}\n";

/// The code and node of the first cause of each scenario's run, none if its run named no cause.
fn first_causes(desk: &Desk, paths: &[String]) -> BTreeMap<String, Option<(String, String)>> {
    let mut arguments = vec!["run", "--tunnel", "userspace", "--out", "out"];
    arguments.extend(paths.iter().map(String::as_str));
    desk.labsim(&arguments).exits(1);
    let first = |path: &String| {
        let name = path.trim_start_matches("scenarios/").trim_end_matches(".yaml").to_owned();
        let events =
            std::fs::read_to_string(desk.path(&format!("out/{name}/events.jsonl"))).unwrap();
        let events =
            events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut diagnosed = events.filter(|event| event["event"] == "diagnosed");
        let cause = diagnosed.find_map(|event| event["causes"].as_array()?.first().cloned());
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        (name, cause.map(|cause| (text(&cause["code"]), text(&cause["node"]))))
    };
    paths.iter().map(first).collect()
}

/// Writes a scenario for each fault, and returns their paths.
fn write_faults(desk: &Desk) -> Vec<String> {
    desk.write(
        "topologies/no-vip-route.yaml",
        "extends: one-arm-routed.yaml\nnodes: {router: {routes: null}}\n",
    );
    let topology = |name: &str, nodes: &str| {
        let text = format!("extends: one-arm-routed.yaml\nnodes: {{{nodes}}}\n");
        desk.write(&format!("topologies/{name}.yaml"), &text);
    };
    let servers =
        |what: &str| ["rs1", "rs2", "rs3"].map(|it| format!("{it}: {{{what}}}")).join(", ");
    let by_router = servers("routes: {default: 10.1.1.1}");
    topology(
        "no-forwarding",
        &format!(
            "router: {{forward: false}}, client: {{routes: {{default: 192.168.11.1}}}}, \
             lb: {{routes: {{default: 172.16.0.1}}}}, {by_router}"
        ),
    );
    topology("past-balancer", "router: {routes: {172.16.4.99: 10.1.1.52}}");
    topology("forwarding-servers", &servers("forward: true, routes: {default: 10.1.1.1}"));
    topology("unrouted-client", "client: {routes: {default: none}}");
    desk.over("quick", "tacacs-ipip", QUICK);
    let paths = FAULTS.iter().map(|(name, base, overlay, ..)| {
        let base = if *base == "tacacs-ipip" { "quick" } else { base };
        desk.over(&format!("fault-{name}"), base, &format!("{overlay}\n"))
    });
    paths.collect()
}

#[test]
fn the_first_cause_of_each_fault_is_named_at_its_node() {
    let desk = Desk::new();
    let paths = write_faults(&desk);
    let found = first_causes(&desk, &paths);
    for (name, _, _, code, node) in FAULTS {
        let (first, at) = found[&format!("fault-{name}")].clone().unwrap_or_default();
        assert_eq!(first, code, "{name} {found:#?}");
        assert!(node.is_empty() || at == node, "{name}: at {at}, not {node}");
    }
}

/// Faults that no change of a scenario cures: a password; routes and forwarding, which are the
/// topology's.
const NOT_PROVABLE: [&str; 5] = ["password", "no-route", "forwarding-off", "bypass", "unrouted"];

#[test]
fn the_fix_of_each_fault_is_proved() {
    let desk = Desk::new();
    let paths = write_faults(&desk);
    let mut arguments = vec!["run", "--prove", "--tunnel", "userspace", "--json", "results.json"];
    arguments.extend(paths.iter().map(String::as_str));
    desk.labsim(&arguments).exits(1);
    let results = std::fs::read_to_string(desk.path("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let scenarios = results["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), FAULTS.len());
    for ((name, _, _, code, _), scenario) in FAULTS.iter().zip(scenarios) {
        assert_eq!(scenario["name"], format!("fault-{name}"));
        let proof = &scenario["proof"];
        let first = &proof["causes"][0];
        let is_provable = !NOT_PROVABLE.contains(name);
        let standing = if is_provable { "proved" } else { "not_provable" };
        assert_eq!(proof["complete"], is_provable, "{name}: {proof:#}");
        assert_eq!((&first["code"], &first["standing"]), (&(*code).into(), &standing.into()));
        assert!(proof["labs"].as_u64().unwrap() <= 12, "{proof:#}");
    }
}

#[test]
fn a_healthy_run_with_a_wrong_expectation_accuses_nothing() {
    let desk = Desk::new();
    let wrong = "expect:\n  wrong:\n    kernel: {node: client, counter: IpInReceives, count: 999999}\n    \
                 pass: the counter is right\n    fail: the counter is wrong\n";
    let healthy =
        ["tacacs-ipip", "tacacs-gre", "l2-dsr", "radius-ipip", "snat", "many-logins", "takeover"];
    let paths = healthy.map(|base| desk.over(&format!("wrong-{base}"), base, wrong));
    for (name, cause) in first_causes(&desk, &paths) {
        assert_eq!(cause, None, "{name}");
    }
}
