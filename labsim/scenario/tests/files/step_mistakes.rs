//! Every error that RADIUS servers, steps of all kinds and what is expected of them can have.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};

/// What is changed in the valid scenario, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// The small lab's scenario with RADIUS beside TACACS+, and a step of every kind.
fn scenario() -> String {
    changed(
        SCENARIO,
        &[
            (
                "steps:\n",
                "radius_servers:\n  \
                   - {nodes: [rs1, rs2], secret: r, clients: [192.168.11.0/24], users: {u: p}}\n\
                 steps:\n  \
                   pap: {radius_login: {from: client, to: 10.1.1.51:1812, user: u, password: p}}\n  \
                   begin: {radius_accounting: {from: client, to: 10.1.1.51:1813, acct_status_type: start, user: u, acct_session_id: s}}\n  \
                   well: {radius_status: {from: client, to: 10.1.1.51:1812}}\n",
            ),
            (
                "password: p}}\nconv",
                "password: p, pause: true}}\n  \
                   kill: {kill_forwarder: {node: lb}}\n  \
                   start: {start_forwarder: {node: lb}}\n  \
                   wait: {await_counter: {node: lb, counter: no_flow, at_least: 1}}\n  \
                   go_on: {resume: {login: login}}\n\
                 conv",
            ),
            ("{answer: {result", "{answer: {step: login, result"),
            ("frames: talk", "step: login, frames: talk"),
        ],
    )
}

const CASES: &[Case<'_>] = &[
    (&[], &[]),
    (
        &[("secret: r", "authentication_port: 1813, secret: r")],
        &[
            "case.yaml:16:46: authentication and accounting are both on port 1813; give each its own",
        ],
    ),
    (
        &[("secret: r", "accounting_port: 0, secret: r")],
        &["case.yaml:16:42: port 0 does not exist; write 1 to 65535"],
    ),
    (
        &[(
            "radius_servers:\n",
            "radius_servers:\n  - {nodes: rs2, secret: r, clients: [10.0.0.1], users: {}}\n",
        )],
        &["case.yaml:17:19: `rs2` runs a RADIUS server already (line 16); keep one"],
    ),
    (
        &[(
            "radius_servers:\n",
            "radius_servers:\n  - {nodes: client, secret: t, clients: [10.0.0.1], users: {}}\n",
        )],
        &[
            "case.yaml:19:3: the RADIUS servers have different secrets; write this step's `secret`",
            "case.yaml:20:3: the RADIUS servers have different secrets; write this step's `secret`",
            "case.yaml:21:3: the RADIUS servers have different secrets; write this step's `secret`",
        ],
    ),
    (
        &[("to: 10.1.1.51:1812, user: u,", "to: 10.1.1.51:1812, user: u, method: ascii,")],
        &["case.yaml:18:75: expected …"],
    ),
    (
        &[(
            "to: 10.1.1.51:1812, user: u,",
            "to: 10.1.9.51:1812, max_transmissions: 0, timeout: 0, user: u,",
        )],
        &[
            "case.yaml:18:42: no node has 10.1.9.51; name a virtual server's destination, or an address of a node",
            "case.yaml:18:77: `max_transmissions` is 0; write 1 to 100",
            "case.yaml:18:89: a timeout of 0 s; write 0.05 to 3600",
        ],
    ),
    (
        &[("acct_status_type: start", "record: start")],
        &["case.yaml:19:65: unknown key `record`; it is now `acct_status_type`…"],
    ),
    (&[("acct_status_type: start", "acct_status_type: begin")], &["case.yaml:19:83: expected …"]),
    (
        &[("acct_status_type: start, ", "")],
        &["case.yaml:19:30: the key `acct_status_type` is missing…"],
    ),
    (
        &[("acct_session_id: s", "acct_session_id: \"\"")],
        &["case.yaml:19:116: an empty session identifier; write 1 to 253 bytes"],
    ),
    (
        &[("acct_session_id: s}", "acct_session_id: s, class: \"\"}")],
        &["case.yaml:19:126: an empty class; write 1 to 2024 bytes"],
    ),
    (
        &[("from: client, to: 172", "from: [client, client], times: 0, to: 172")],
        &[
            "case.yaml:21:41: `client` is named twice; keep one",
            "case.yaml:21:57: `times` is 0; write 1 to 100000",
        ],
    ),
    (
        &[("pause: true", "pause: true, method: pap, times: 2")],
        &[
            "case.yaml:21:89: only a single login can pause; name one client, and no `times`",
            "case.yaml:21:89: only an ASCII login can pause, when the server asks for the password; leave `method` out",
            "case.yaml:30:20: the step `login` makes 2 logins, and this is about one; name another step, or check `frames` at a node",
        ],
    ),
    (
        &[("pause: true", "times: 2, source_port: 0")],
        &[
            "case.yaml:21:105: a port that a connection had rests before it can have the next (TIME_WAIT); leave `times` or `source_port` out",
            "case.yaml:21:105: port 0 does not exist; write 1 to 65535, or leave `source_port` out",
            "case.yaml:25:27: `login` does not pause; write `pause: true` there",
            "case.yaml:30:20: the step `login` makes 2 logins, and this is about one; name another step, or check `frames` at a node",
        ],
    ),
    (
        &[(
            "acct_session_id: s",
            "acct_session_id: s, source_port: 1645, times: 2, concurrency: 2",
        )],
        &[
            "case.yaml:19:161: the exchanges of one port follow each other, as no answer tells which of several it is for; leave `concurrency` or `source_port` out",
        ],
    ),
    (
        &[("pause: true", "times: 100001")],
        &[
            "case.yaml:21:89: `times` is 100001; write 1 to 100000",
            "case.yaml:25:27: `login` does not pause; write `pause: true` there",
        ],
    ),
    (
        &[("{resume: {login: login}}", "{resume: {login: late}}")],
        &[
            "case.yaml:25:27: no step before this one is called `late`; those that pause are `login`",
        ],
    ),
    (
        &[("{resume: {login: login}}", "{resume: {login: pap}}")],
        &["case.yaml:25:27: `pap` does not pause; write `pause: true` there"],
    ),
    (
        &[("  go_on:", "  once: {resume: {login: login}}\n  go_on:")],
        &["case.yaml:26:27: `login` is resumed by an earlier step already; keep one"],
    ),
    (
        &[("kill_forwarder: {node: lb}", "kill_forwarder: {node: rs1}")],
        &[
            "case.yaml:22:33: `rs1` is not a load balancer; `load_balancers` has `lb`",
            "case.yaml:23:35: `lb`'s forwarder runs already; kill it first, by `kill_forwarder`",
        ],
    ),
    (
        &[("  start: {start", "  again: {kill_forwarder: {node: lb}}\n  start: {start")],
        &["case.yaml:23:34: `lb`'s forwarder was killed before; start it again in between"],
    ),
    (
        &[("  start: {start_forwarder: {node: lb}}\n", "")],
        &["case.yaml:23:32: `lb`'s forwarder was killed, and has no counters; start it first"],
    ),
    (
        &[("counter: no_flow, at_least: 1", "counter: No flow, at_least: 0")],
        &[
            "case.yaml:24:45: `No flow` is not a valid counter; write an outcome such as `no_flow`, or such as `flows.timed_out`",
            "case.yaml:24:64: every counter is at least 0; write at least 1",
        ],
    ),
    (
        &[("step: login, result", "step: kill, result")],
        &[
            "case.yaml:29:25: the step `kill` sends no request to a server; those that do are `pap`, `begin`, `well` and `login`",
        ],
    ),
    (
        &[(
            "answer: {step: login, result: pass}",
            "distribution: {step: login, nodes: [rs1, client], at_least: 1}",
        )],
        &[
            "case.yaml:29:51: `client` runs no TACACS+ server; name a node of `tacacs_servers`",
            "case.yaml:29:70: that is 2 logins, and the step makes 1; write less",
        ],
    ),
    (
        &[(
            "answer: {step: login, result: pass}",
            "distribution: {step: pap, nodes: rs1, at_least: 0}",
        )],
        &["case.yaml:29:58: every count is at least 0; write at least 1"],
    ),
    (
        &[("answer: {step: login, result: pass}", "answered_by: {step: pap, node: client}")],
        &["case.yaml:29:41: `client` runs no RADIUS server; name a node of `radius_servers`"],
    ),
    (
        &[(
            "answer: {step: login, result: pass}",
            "forwarder: {node: rs1, counter: a..b, count: {at_least: 0}}",
        )],
        &[
            "case.yaml:29:28: `rs1` is not a load balancer; `load_balancers` has `lb`",
            "case.yaml:29:42: `a..b` is not a valid counter; write an outcome such as `no_flow`, or such as `flows.timed_out`",
            "case.yaml:29:66: every count is at least 0; write at least 1",
        ],
    ),
    (
        &[(
            "go_on: {resume: {login: login}}",
            "go_on: {resume: {login: login}}\n  packet: {send_packet: {from: lb, source: 192.168.11.201, \
             destination: 172.16.4.99, destination_port: 700, tos: 2, payload: 100, outer: {mode: gre, \
             source: 172.16.0.10, destination: 10.1.1.51, key: 7, checksum: true, ttl: 9}}}",
        )],
        &[],
    ),
    (
        &[(
            "go_on: {resume: {login: login}}",
            "go_on: {resume: {login: login}}\n  packet: {send_packet: {from: lbb, source: 10.1.1.0/24, \
             destination: \"fd00::1\", destination_port: 700, payload: 9000, outer: {mode: ipip, \
             source: 10.1.1, destination: 10.1.1.51, key: 7}}}",
        )],
        &[
            "case.yaml:26:32: unknown node `lbb`; the topology has `client`, `router`, `lb`, `rs1` and `rs2`",
            "case.yaml:26:45: `10.1.1.0/24` has a prefix length; write the address alone",
            "case.yaml:26:114: 9000 bytes of payload; at most 8900 fit",
            "case.yaml:26:148: `10.1.1` is not an address; write one such as 10.1.1.51 or 2001:db8::51",
            "case.yaml:26:185: only GRE has a key and a checksum; take it out, or write `mode: gre`",
        ],
    ),
    (
        &[(
            "go_on: {resume: {login: login}}",
            "go_on: {resume: {login: login}}\n  packet: {send_packet: {from: lb, source: 10.0.0.1, \
             destination: 10.0.0.2, destination_port: 1, outer: {mode: vxlan, source: 10.0.0.1, destination: 10.0.0.2}}}",
        )],
        &["case.yaml:26:112: expected one of `ipip`, `gre` or `gue`, found `vxlan`"],
    ),
    (
        &[(
            "go_on: {resume: {login: login}}",
            "go_on: {resume: {login: login}}\n  packet: {send_packet: {from: lb, source: 172.16.0.10, \
             destination: 10.1.1.51, destination_port: 700, dscp: 99, options: [{record_route: 9}, \
             {timestamp: 0}, {strict_source_route: [10.1.1.1, \"fd00::1\"]}, {loose_source_route: []}]}}",
        )],
        &[
            "case.yaml:26:110: `99` is too great for `ip dscp`; write 0 to 63",
            "case.yaml:26:155: room for 0; write 1 to 9",
            "case.yaml:26:192: fd00::1 is IPv6; a source route of IPv4 has IPv4 addresses",
            "case.yaml:26:226: a source route through 0 routers; name 1 to 9",
        ],
    ),
    (
        &[(
            "go_on: {resume: {login: login}}",
            "go_on: {resume: {login: login}}\n  packet: {send_packet: {from: lb, source: \"fd00::1\", \
             destination: \"fd00::2\", destination_port: 700, dscp: ef, tos: 1, options: [router_alert, \
             {record_route: 9}]}}",
        )],
        &[
            "case.yaml:26:108: `tos` holds the DSCP too; keep one of them",
            "case.yaml:26:129: 44 bytes of options; at most 40 fit (RFC 791)",
            "case.yaml:26:129: `options` are IPv4's; leave them out",
        ],
    ),
    (
        &[(
            "go_on: {resume: {login: login}}",
            "go_on: {resume: {login: login}}\n  move: {tcp_transfer: {from: rs1, to: 172.16.4.99:49, \
             send: 4194305}}\n  back: {tcp_transfer: {from: client, to: 192.168.11.201:50, servers: \
             [client, rs2], server_port: 49}}\n  none: {tcp_transfer: {from: rs1, to: 172.16.0.99:50, server_port: 0}}",
        )],
        &[
            "case.yaml:26:31: `rs1` is the client and listens too; name another node",
            "case.yaml:26:40: the TACACS+ server of `rs1` listens at port 49; write another port",
            "case.yaml:26:62: 4194305 bytes; write 0 to 4194304",
            "case.yaml:27:31: `client` is the client and listens too; name another node",
            "case.yaml:27:99: the TACACS+ server of `rs2` listens at port 49; write another port",
            "case.yaml:28:40: no node has 172.16.0.99; name a virtual server's destination, or an address of a node",
        ],
    ),
    (
        &[
            ("step: login, frames: talk", "step: well, frames: talk"),
            ("at: client:eth0", "at: real_server:eth1"),
        ],
        &["case.yaml:30:25: `rs1` has no interface `eth1`; it has `eth0`, `tunl0` and `lo`"],
    ),
];

#[test]
fn each_error_is_reported_at_its_place() {
    let mut wrong = Vec::new();
    for (changes, expected) in CASES {
        let files = Files::new(TOPOLOGY, &changed(&scenario(), changes));
        let found = files.load().err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
        if !is_as_expected(&found, expected) {
            wrong.push(format!("{changes:?}\nexpected {expected:#?}\nfound {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
