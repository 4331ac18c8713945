//! Every mistake that an expectation can have, with its exact place and sentence.

mod common;

use common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};

/// What is changed in the valid scenario, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (
        &[("{result: pass}", "{step: logn, result: pass}")],
        &["case.yaml:20:20: there is no step `logn`; `steps` has `login`"],
    ),
    (&[("{result: pass}", "{result: passed}")], &["case.yaml:20:22: expected …"]),
    (
        &[("{result: pass}", "{result: timeout, source: 172.16.4.99}")],
        &["case.yaml:20:39: a login without an answer has no source to check; leave it out"],
    ),
    (
        &[(
            "steps:\n",
            "steps:\n  other: {tacacs_login: {from: client, to: 172.16.4.99:49, user: u, password: p}}\n",
        )],
        &[
            "case.yaml:21:18: say which step: `step` is one of `other` and `login`",
            "case.yaml:22:16: say which step: `step` is one of `other` and `login`",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}, pass",
            "{answer: {result: pass}, answered_by: {node: rs1}, pass",
        )],
        &[
            "case.yaml:20:5: this expectation checks 2 things; keep one of `login`, `server_saw`, `answered_by`, `frames` or `exchange`",
        ],
    ),
    (
        &[("{answer: {result: pass}, pass", "{pass")],
        &[
            "case.yaml:20:5: this expectation checks nothing; add `login`, `server_saw`, `answered_by`, `frames` or `exchange`",
        ],
    ),
    (
        &[("{answer: {result: pass}", "{answered_by: {node: client}")],
        &["case.yaml:20:26: `client` runs no TACACS+ server; name a node of `tacacs_servers`"],
    ),
    (
        &[("{answer: {result: pass}", "{server_saw: {client: 192.168.11.0/24}")],
        &["case.yaml:20:27: `192.168.11.0/24` has a prefix length; write the address alone"],
    ),
    (
        &[("{answer: {result: pass}, pass: yes", "{answer: {result: pass}, pass: \"\"")],
        &["case.yaml:20:35: an empty sentence; write 1 to 500 bytes"],
    ),
    (
        &[("{answer: {result: pass}, pass: yes", "{answer: {result: pass}, pass: \"a\\e[31m\"")],
        &[
            "case.yaml:20:35: this sentence holds a control character; write it on one line, without any",
        ],
    ),
    (
        &[("{answer: {result: pass}, pass: yes, fail: no}", "{answer: {result: pass}, pass: yes}")],
        &["case.yaml:20:5: the key `fail` is missing…"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb, match: {}, count: 1}")],
        &["case.yaml:20:19: `lb` is no `node:interface`; write it such as `lb:eth0`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth1, match: {}, count: 1}")],
        &["case.yaml:20:19: `lb` has no interface `eth1`; it has `eth0` and `lo`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:tunl0, match: {}, count: 1}")],
        &["case.yaml:20:19: `lb` has no interface `tunl0`; it has `eth0` and `lo`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: real_server:eth1, match: {}, count: 1}")],
        &["case.yaml:20:19: `rs1` has no interface `eth1`; it has `eth0`, `tunl0` and `lo`"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {}, count: -1}")],
        &["case.yaml:20:46: expected …"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {}, count: {at_least: 0}}")],
        &["case.yaml:20:57: there are always 0 frames or more; write at least 1"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {}, count: 10000000}")],
        &["case.yaml:20:46: 10000000 frames; at most 1000000 can be asked for"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, step: login, match: {}, count: 1}")],
        &["case.yaml:20:34: `step` says whose `real_server` is meant; leave it out here"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {ttl: 256}, count: 1}")],
        &["case.yaml:20:41: `256` is out of range…"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {flags: SA}, count: 1}")],
        &[
            "case.yaml:20:43: `A` is no TCP flag; write them as tcpdump does, such as `S`, `S.`, `.`, `P.`, `F.` or `R.`",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {flags: S, protocol: udp}, count: 1}",
        )],
        &["case.yaml:20:35: `flags`, `seq` and `ack` are TCP's; leave them out, or the protocol"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {protocol: tcb}, count: 1}")],
        &[
            "case.yaml:20:46: `tcb` is no IP protocol; write a number up to 255, or one of tcp, udp, icmp, icmpv6, ipip, ipv6, gre",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {source: 10.0.0.1, destination: \"::1\"}, count: 1}",
        )],
        &["case.yaml:20:35: source and destination are of different families; give both the same"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {source: []}, count: 1}")],
        &["case.yaml:20:44: no address could match an empty list; write one"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {length: 19}, count: 1}")],
        &["case.yaml:20:44: an IP packet has 20 bytes or more; write its length with its header"],
    ),
    (
        &[("{answer: {result: pass}", "{frames: {at: lb:eth0, match: {outer: no}, count: 1}")],
        &["case.yaml:20:43: `no` is no outer header; write its fields or `none`"],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {outer: {overhead: 20}}, count: 1}",
        )],
        &["case.yaml:20:35: `overhead` is counted from the inner `length`; write that too"],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {length: 60, outer: {length: 60}}, count: 1}",
        )],
        &[
            "case.yaml:20:35: a tunnel packet of 60 bytes cannot carry one of 60; the outer `length` counts the inner packet",
        ],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {outer: {tll: 1}}, count: 1}",
        )],
        &["case.yaml:20:44: unknown key `tll`…"],
    ),
    (
        &[("frames: talk", "frames: tulk")],
        &["case.yaml:21:42: there is no conversation `tulk`; `conversations` has `talk`"],
    ),
    (
        &[("frames: talk", "frames: []")],
        &[
            "case.yaml:21:16: this exchange has no frame; say that none passes by `frames` with `count: 0`",
        ],
    ),
    (
        &[("frames: talk", "frames: [clint S]")],
        &[
            "case.yaml:21:43: `clint` does not say who sends: `client` or `server`, or `in` or `out`; write a row such as `client S seq 0 payload 0`",
        ],
    ),
    (
        &[("client S seq 0", "client S sqe 0")],
        &[
            "case.yaml:18:10: `sqe` is nothing that a row can say; it says TCP flags, then `seq`, `ack`, `payload`, `length` and `ttl`",
        ],
    ),
    (
        &[("frames: talk", "frames: talk, server: {direction: in}")],
        &["case.yaml:21:68: write `direction` beside `at`; here it follows from who sends"],
    ),
    (
        &[("frames: talk", "frames: talk, server: nothing")],
        &["case.yaml:21:56: `nothing` are no header fields; write them, or `none`"],
    ),
    (
        &[("frames: talk", "frames: talk, client: none, server: none")],
        &[
            "case.yaml:21:16: this exchange has no frame; say that none passes by `frames` with `count: 0`",
        ],
    ),
    (
        &[("frames: talk", "frames: [client S], server: {ttl: 1}")],
        &["case.yaml:21:62: no row is the server's; leave `server` out"],
    ),
    (
        &[("at: client:eth0, frames: talk", "at: lb:eth0, frames: talk")],
        &[
            "case.yaml:21:21: frames pass `lb:eth0` on their way in and on their way out; say which are meant: `direction: in` or `direction: out`",
        ],
    ),
    (
        &[("at: client:eth0, frames: talk", "at: client:eth0, direction: out, frames: talk")],
        &[
            "case.yaml:21:21: the server's frames pass `client:eth0` the other way; leave `direction` out, or write `server: none`",
        ],
    ),
    (
        &[(
            "  - {answer: {result: pass}, pass: yes, fail: no}\n  - {exchange: {at: client:eth0, frames: talk}, pass: yes, fail: no}\n",
            "  []\n",
        )],
        &["case.yaml:1:1: `expect` is empty; a scenario expects something, such as a `login`"],
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
        &["case.yaml:21:21: no server can have answered; add one to `tacacs_servers`"],
    ),
    (
        &[(
            "{answer: {result: pass}",
            "{frames: {at: lb:eth0, match: {length: 52, outer: {length: 72, overhead: 20}}, count: 1}",
        )],
        &["case.yaml:20:78: `overhead` and `length` say the same thing; keep one"],
    ),
];

#[test]
fn each_mistake_is_reported_at_its_place() {
    for (changes, expected) in CASES {
        let files = Files::new(TOPOLOGY, &changed(SCENARIO, changes));
        let found = files.load().err().map(|mistakes| shown(&mistakes)).unwrap_or_default();
        assert!(
            is_as_expected(&found, expected),
            "{changes:?}\nexpected {expected:#?}\nfound {found:#?}"
        );
    }
}
