//! Every error that an expectation can have, with its exact place and sentence.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};

/// What is changed in the valid scenario, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (
        &[("{result: pass}", "{step: logn, result: pass}")],
        &["case.yaml:20:25: unknown step `logn`; `steps` has `login`"],
    ),
    (&[("{result: pass}", "{result: passed}")], &["case.yaml:20:27: expected …"]),
    (
        &[("{result: pass}", "{result: timeout, source: 172.16.4.99}")],
        &["case.yaml:20:44: `timeout` has no answer with a source; leave `source` out"],
    ),
    (
        &[(
            "steps:\n",
            "steps:\n  other: {tacacs_login: {from: client, to: 172.16.4.99:49, user: u, password: p}}\n",
        )],
        &[
            "case.yaml:21:18: the step is ambiguous; set `step` to one of `other` and `login`",
            "case.yaml:22:20: the step is ambiguous; set `step` to one of `other` and `login`",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}, pass",
            "{answer: {result: pass}, answered_by: {node: rs1}, pass",
        )],
        &[
            "case.yaml:20:3: this expectation has 2 checks; keep one of `answer`, `server_saw`, `answered_by`, `distribution`, `diagnosis`, `forwarder`, `kernel`, `filter`, `frames`, `exchange` or `path`",
        ],
    ),
    (
        &[("{answer: {result: pass}, pass", "{pass")],
        &[
            "case.yaml:20:3: this expectation has no check; add `answer`, `server_saw`, `answered_by`, `distribution`, `diagnosis`, `forwarder`, `kernel`, `filter`, `frames`, `exchange` or `path`",
        ],
    ),
    (
        &[("{answer: {result: pass}", "{diagnosis: {step: logn, cause: vip-mising, node: rs7}")],
        &[
            "case.yaml:20:28: unknown step `logn`; `steps` has `login`",
            "case.yaml:20:41: unknown cause `vip-mising`; did you mean `vip-missing`? `labsim help codes` lists all",
            "case.yaml:20:59: unknown node `rs7`; the topology has …",
        ],
    ),
    (
        &[("{answer: {result: pass}", "{diagnosis: {cause: unknown-key}")],
        &["case.yaml:20:29: unknown cause `unknown-key`; `labsim help codes` lists all"],
    ),
    (
        &[
            ("{answer: {result: pass}", "{diagnosis: {step: unplug, cause: link-down}"),
            (
                "steps:\n",
                "steps:\n  unplug: {set_link: {node: rs1, interface: eth0, state: down}}\n",
            ),
        ],
        &[
            "case.yaml:21:28: the step `unplug` sends no request to a server, runs no program and waits for nothing; those that do are `login`",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{kernel: {node: rs1, counter: in_addr_errors, count: {at_least: 0}}",
        )],
        &[
            "case.yaml:20:39: `in_addr_errors` is not a valid kernel counter; write it as nstat(8) does, such as `IpInAddrErrors`, or name the `device` that it is of",
            "case.yaml:20:73: every count is at least 0; write at least 1",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{kernel: {node: client, device: tunl0, counter: rx_error, count: 1}",
        )],
        &[
            "case.yaml:20:41: `client` has no tunnel device; leave `device` out",
            "case.yaml:20:57: a device has no counter `rx_error`; it has …",
        ],
    ),
    (
        &[("{answer: {result: pass}", "{answered_by: {node: client}")],
        &["case.yaml:20:30: `client` runs no TACACS+ server; name a node of `tacacs_servers`"],
    ),
    (
        &[("{answer: {result: pass}", "{server_saw: {client: 192.168.11.0/24}")],
        &["case.yaml:20:31: `192.168.11.0/24` has a prefix length; write the address alone"],
    ),
    (
        &[("{answer: {result: pass}, pass: yes", "{answer: {result: pass}, pass: \"\"")],
        &["case.yaml:20:40: an empty sentence; write 1 to 500 bytes"],
    ),
    (
        &[("{answer: {result: pass}, pass: yes", "{answer: {result: pass}, pass: \"a\\e[31m\"")],
        &[
            "case.yaml:20:40: this sentence holds a control character; write it on one line, without any",
        ],
    ),
    (
        &[("{answer: {result: pass}, pass: yes, fail: no}", "{answer: {result: pass}, pass: yes}")],
        &["case.yaml:20:9: the key `fail` is missing…"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb, match: {}, count: 1}")],
        &["case.yaml:20:23: `lb` is not a valid `node:interface`; write it such as `lb:eth0`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth1, match: {}, count: 1}")],
        &["case.yaml:20:23: `lb` has no interface `eth1`; it has `eth0` and `lo`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:tunl0, match: {}, count: 1}")],
        &["case.yaml:20:23: `lb` has no interface `tunl0`; it has `eth0` and `lo`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: real_server:eth1, match: {}, count: 1}")],
        &["case.yaml:20:23: `rs1` has no interface `eth1`; it has `eth0`, `tunl0` and `lo`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {}, count: -1}")],
        &["case.yaml:20:50: `-1` is out of range; write a whole number from 0…"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {}, count: {at_least: 0}}")],
        &["case.yaml:20:61: every count is at least 0; write at least 1"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {}, count: 10000000}")],
        &["case.yaml:20:50: a count of 10000000; at most 1000000 are allowed"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, step: login, match: {}, count: 1}")],
        &["case.yaml:20:38: `step` has an effect only with `real_server`; leave it out"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {ttl: 256}, count: 1}")],
        &["case.yaml:20:45: `256` is out of range…"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {flags: SA}, count: 1}")],
        &[
            "case.yaml:20:47: `A` is not a valid TCP flag; write them as tcpdump does, such as `S`, `S.`, `.`, `P.`, `F.` or `R.`",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {flags: S, protocol: udp}, count: 1}",
        )],
        &["case.yaml:20:39: `flags`, `seq` and `ack` are TCP's; leave them out, or the protocol"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {protocol: tcb}, count: 1}")],
        &[
            "case.yaml:20:50: `tcb` is not a valid IP protocol; write a number up to 255, or one of tcp, udp, icmp, icmpv6, ipip, ipv6, gre",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {source: 10.0.0.1, destination: \"::1\"}, count: 1}",
        )],
        &["case.yaml:20:39: source and destination are of different families; give both the same"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {source: []}, count: 1}")],
        &["case.yaml:20:48: an empty list matches no address; write one"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {length: 19}, count: 1}")],
        &["case.yaml:20:48: an IP packet has 20 bytes or more; write its length with its header"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {outer: no}, count: 1}")],
        &[
            "case.yaml:20:47: expected `none`, or a map with keys such as `source`, `destination` and `protocol`, found the text `no`",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {outer: {overhead: 20}}, count: 1}",
        )],
        &["case.yaml:20:39: `overhead` is counted from the inner `length`; write that too"],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {length: 60, outer: {length: 60}}, count: 1}",
        )],
        &[
            "case.yaml:20:39: a tunnel packet of 60 bytes cannot carry one of 60; the outer `length` counts the inner packet",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {outer: {tll: 1}}, count: 1}",
        )],
        &["case.yaml:20:48: unknown key `tll`…"],
    ),
    (
        &[("frames: talk", "frames: tulk")],
        &["case.yaml:21:46: unknown conversation `tulk`; `conversations` has `talk`"],
    ),
    (
        &[("frames: talk", "frames: []")],
        &[
            "case.yaml:21:20: this exchange has no frame; to expect none, write `frames` with `count: 0`",
        ],
    ),
    (
        &[("frames: talk", "frames: [clint S]")],
        &[
            "case.yaml:21:47: `clint` is not a sender; a sender is `client` or `server`, or `in` or `out`; write a row such as `client S seq 0 payload 0`",
        ],
    ),
    (
        &[("client S seq 0", "client S sqe 0")],
        &[
            "case.yaml:18:10: `sqe` is not a field of a row; a row has TCP flags, then `seq`, `ack`, `payload`, `length` and `ttl`",
        ],
    ),
    (
        &[("frames: talk", "frames: talk, server: {direction: in}")],
        &["case.yaml:21:72: write `direction` beside `at`; here it follows from the sender"],
    ),
    (
        &[("frames: talk", "frames: talk, server: nothing")],
        &[
            "case.yaml:21:60: expected `none`, or a map with keys such as `direction`, `source` and `destination`, found the text `nothing`",
        ],
    ),
    (
        &[("frames: talk", "frames: talk, client: none, server: none")],
        &[
            "case.yaml:21:20: this exchange has no frame; to expect none, write `frames` with `count: 0`",
        ],
    ),
    (
        &[("frames: talk", "frames: [client S], server: {ttl: 1}")],
        &["case.yaml:21:66: no row is the server's; leave `server` out"],
    ),
    (
        &[("at: client:eth0, frames: talk", "at: lb:eth0, frames: talk")],
        &[
            "case.yaml:21:25: frames pass `lb:eth0` both in and out; write `direction: in` or `direction: out`",
        ],
    ),
    (
        &[("at: client:eth0, frames: talk", "at: client:eth0, direction: out, frames: talk")],
        &[
            "case.yaml:21:25: the server's frames pass `client:eth0` the other way; leave `direction` out, or write `server: none`",
        ],
    ),
    (
        &[(
            "  told: {answer: {result: pass}, pass: yes, fail: no}\n  seen: {exchange: {at: client:eth0, frames: talk}, pass: yes, fail: no}\n",
            "  {}\n",
        )],
        &["case.yaml:1:1: `expect` is empty; a scenario expects something, such as an `answer`"],
    ),
    (
        &[("  talk:", "  other: []\n  talk:")],
        &["case.yaml:18:3: a conversation without rows; add one such as `client S seq 0`"],
    ),
    (
        &[
            (
                "  - {nodes: [rs1, rs2], secret: s, clients: [192.168.11.0/24], users: {u: p}}\n",
                "  []\n",
            ),
            ("user: u, ", "user: u, secret: s, "),
            ("at: client:eth0", "at: real_server:eth0"),
        ],
        &["case.yaml:21:25: the scenario has no such server; add one to `tacacs_servers`"],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {length: 52, outer: {length: 72, overhead: 20}}, count: 1}",
        )],
        &["case.yaml:20:82: `overhead` and `length` both set the length; keep one"],
    ),
];

#[test]
fn each_error_is_reported_at_its_place() {
    let mut wrong = Vec::new();
    for (changes, expected) in CASES {
        let files = Files::new(TOPOLOGY, &changed(SCENARIO, changes));
        let found = files.load().err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
        if !is_as_expected(&found, expected) {
            wrong.push(format!("{changes:?}\nexpected {expected:#?}\nfound {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
