use super::{Mistake, Parsed, parse};
use crate::model::InterfaceName;
use crate::model::filter::{DscpRewrite, Family, Reject, Test, Verdict};
use proptest::prelude::*;

/// `field`, whether negated, mask, ranges.
type Shown = (&'static str, bool, Option<u128>, Vec<(u128, u128)>);

fn read(text: &str) -> (Vec<Shown>, Verdict) {
    let Parsed { matches, dscp, verdict } =
        parse(text).unwrap_or_else(|it| panic!("{text}: {it:?}"));
    assert_eq!(dscp, None, "{text}");
    let shown = matches.into_iter().map(|one| match one.test {
        Test::Numbers { mask, ranges } => (one.field.words, one.negated, mask, ranges),
        Test::Interfaces(names) => panic!("{text}: {names:?}"),
    });
    (shown.collect(), verdict)
}

#[test]
fn a_rule_is_read_as_nft_reads_it() {
    let one = |number| vec![(number, number)];
    let net = |first: [u8; 4], last: [u8; 4]| {
        vec![(u32::from_be_bytes(first).into(), u32::from_be_bytes(last).into())]
    };
    for (text, shown) in [
        (
            "meta l4proto { tcp, udp, icmp } accept",
            ("meta l4proto", false, None, vec![(6, 6), (17, 17), (1, 1)]),
        ),
        ("ip protocol icmp drop", ("ip protocol", false, None, one(1))),
        ("ip protocol != 4 counter drop", ("ip protocol", true, None, one(4))),
        (
            "ip saddr != 10.1.1.0/24 drop",
            ("ip saddr", true, None, net([10, 1, 1, 0], [10, 1, 1, 255])),
        ),
        (
            "ip daddr 10.1.1.51-10.1.1.53 drop",
            ("ip daddr", false, None, net([10, 1, 1, 51], [10, 1, 1, 53])),
        ),
        ("ip6 saddr 2001:db8::/32 drop", {
            let bits = 0x2001_0db8_u128 << 96;
            ("ip6 saddr", false, None, vec![(bits, bits | (u128::MAX >> 32))])
        }),
        ("ip6 saddr ::/0 drop", ("ip6 saddr", false, None, vec![(0, u128::MAX)])),
        ("ip6 daddr ::1 drop", ("ip6 daddr", false, None, one(1))),
        ("ip frag-off & 0x1fff != 0 drop", ("ip frag-off", true, Some(0x1fff), one(0))),
        ("ct state invalid drop", ("ct state", true, Some(1), one(0))),
        ("ct state established,related drop", ("ct state", true, Some(6), one(0))),
        ("ct state { new, invalid } drop", ("ct state", true, Some(9), one(0))),
        ("ct state != new drop", ("ct state", false, Some(8), one(0))),
        ("tcp flags & (syn | ack) != syn drop", ("tcp flags", true, Some(18), one(2))),
        ("tcp flags & (fin|syn) == (fin | syn) drop", ("tcp flags", false, Some(3), one(3))),
        ("tcp flags rst drop", ("tcp flags", true, Some(4), one(0))),
        ("tcp flags == syn drop", ("tcp flags", false, None, one(2))),
        (
            "tcp dport { 49, 1024-2000, } drop",
            ("tcp dport", false, None, vec![(49, 49), (1024, 2000)]),
        ),
        ("udp sport < 1024 drop", ("udp sport", false, None, vec![(0, 1023)])),
        ("ip length > 1400 drop", ("ip length", false, None, vec![(1401, 65_535)])),
        ("ip ttl <= 1 drop", ("ip ttl", false, None, vec![(0, 1)])),
        ("ip hdrlength >= 6 drop", ("ip hdrlength", false, None, vec![(6, 15)])),
        ("ip dscp ef drop", ("ip dscp", false, None, one(46))),
        ("icmp type echo-request drop", ("icmp type", false, None, one(8))),
        ("icmpv6 type 2 drop", ("icmpv6 type", false, None, one(2))),
    ] {
        let verdict = if text.ends_with("accept") { Verdict::Accept } else { Verdict::Drop };
        assert_eq!(read(text), (vec![shown], verdict), "{text}");
    }
}

#[test]
fn interfaces_are_named_with_or_without_quotation_marks() {
    for text in ["iifname tunl0 drop", "iifname \"tunl0\" drop", "meta iifname tunl0 drop"] {
        let parsed = parse(text).unwrap();
        let tunl0 = vec![InterfaceName::new("tunl0").unwrap()];
        assert_eq!(parsed.matches[0].test, Test::Interfaces(tunl0), "{text}");
    }
}

#[test]
fn a_reject_says_what_the_sender_is_told() {
    for (text, told) in [
        ("reject", Reject::PortUnreachable),
        ("reject with tcp reset", Reject::TcpReset),
        ("reject with icmpx admin-prohibited", Reject::AdminProhibited),
    ] {
        assert_eq!(read(text), (Vec::new(), Verdict::Reject(told)), "{text}");
    }
}

#[test]
fn a_mistake_is_said_with_its_remedy() {
    for (text, expected) in [
        ("", "this rule has no verdict; end it with `accept`, `drop` or `reject`"),
        ("ip protocol icmp", "this rule has no verdict; end it with `accept`, `drop` or `reject`"),
        ("dorp", "unknown word `dorp` in a rule; did you mean `drop`?"),
        ("iiifname eth0 drop", "unknown word `iiifname` in a rule; did you mean `iifname`?"),
        ("ip sadr 10.0.0.1 drop", "`ip` has no `sadr`; did you mean `ip saddr`?"),
        ("icmp x drop", "`icmp` has no `x`; there is `icmp type`, `icmp code`"),
        (
            "meta l4proto ipip drop",
            "`ipip` is not a value of `meta l4proto`; did you mean `ipencap`?",
        ),
        ("tcp dport ssh drop", "`ssh` is not a value of `tcp dport`; write a number"),
        ("tcp dport 65536 drop", "`65536` is too great for `tcp dport`; write 0 to 65535"),
        ("tcp dport 90-80 drop", "`90-80` ends before it begins; swap the two"),
        ("tcp dport drop", "`tcp dport` needs a value; here it is `drop`"),
        ("tcp dport", "`tcp dport` needs a value; here it is nothing"),
        (
            "ip saddr 10.1.1.1/24 drop",
            "`10.1.1.1/24` has bits behind its prefix; write 10.1.1.0/24",
        ),
        (
            "ip saddr ::1 drop",
            "`::1` is not an IPv4 address; write such as 10.1.1.51, 10.1.1.0/24 or \
             10.1.1.51-10.1.1.53",
        ),
        ("ip saddr { 10.0.0.1 drop", "`drop` stands in a set; write `,` between its values"),
        ("ip saddr { 10.0.0.1", "a `{` without its `}`"),
        ("ip ttl < 0 drop", "no `ip ttl` is < 0; write another number"),
        ("ip ttl = 1 drop", "`=` is no comparison; write `==` or `!=`"),
        ("ip saddr < 10.0.0.1 drop", "`ip saddr` is not compared by size; write `==` or `!=`"),
        ("tcp flags & (syn drop", "a `(` without its `)`"),
        ("tcp flags & syn drop", "a mask is followed by `==` or `!=` and a value"),
        (
            "tcp dport 1 udp sport 1 drop",
            "no packet has both `tcp dport` and `udp sport`; make two rules of it",
        ),
        (
            "ip ttl 1 ip6 hoplimit 1 drop",
            "no packet has both `ip ttl` and `ip6 hoplimit`; make two rules of it",
        ),
        (
            "drop counter",
            "`counter` stands behind the verdict, which ends a rule; leave it out, or put it before",
        ),
        (
            "iifname eth* drop",
            "`eth*` stands for many interfaces, which labsim does not read; name them in a set such \
             as `{ eth0, tunl0 }`",
        ),
        (
            "reject with tcp rst",
            "`reject with` goes on with `tcp reset`, or with `icmpx` and `no-route`, \
             `port-unreachable`, `host-unreachable` or `admin-prohibited`; here it is `tcp rst`",
        ),
    ] {
        let Mistake { message, .. } = parse(text).unwrap_err();
        assert_eq!(message, expected, "{text}");
    }
}

#[test]
fn a_rule_may_write_the_dscp_and_go_on() {
    for (text, family, value, verdict) in [
        ("ip dscp set ef", Family::Ipv4, 46, Verdict::Continue),
        ("ip6 dscp set 0x3f", Family::Ipv6, 63, Verdict::Continue),
        ("ip dscp set cs0 counter accept", Family::Ipv4, 0, Verdict::Accept),
    ] {
        let parsed = parse(text).unwrap_or_else(|it| panic!("{text}: {it:?}"));
        assert_eq!(parsed.dscp, Some(DscpRewrite { family, value }), "{text}");
        assert_eq!((parsed.matches.len(), parsed.verdict), (0, verdict), "{text}");
    }
    let parsed = parse("ip dscp ef udp dport 49 ip dscp set af21").unwrap();
    let words: Vec<&str> = parsed.matches.iter().map(|one| one.field.words).collect();
    assert_eq!(words, ["ip dscp", "udp dport"]);
    for (text, expected) in [
        ("ip dscp set 64", "`64` is too great for `ip dscp`; write 0 to 63"),
        ("ip dscp set best", "`best` is not a value of `ip dscp`…"),
        ("ip dscp set", "`ip dscp` needs a value; here it is nothing"),
        ("ip dscp set ef ip dscp set cs1", "a second `dscp set`; keep one"),
        ("ip dscp set ef tcp dport 49", "`tcp` stands behind `dscp set`…"),
        (
            "ip saddr 10.0.0.1 ip6 dscp set ef",
            "no packet has both `ip saddr` and `ip6 dscp set`; make two rules of it",
        ),
    ] {
        let Mistake { message, .. } = parse(text).unwrap_err();
        let begins = expected.strip_suffix('…').is_some_and(|start| message.starts_with(start));
        assert!(begins || message == expected, "{text}: {message}");
    }
}

#[test]
fn a_set_has_a_bound() {
    let values: Vec<String> = (0..65).map(|it| it.to_string()).collect();
    let text = format!("tcp dport {{ {} }} drop", values.join(", "));
    assert_eq!(parse(&text).unwrap_err().message, "a set of more than 64 values; write less");
}

const PIECES: [&str; 26] = [
    "dscp",
    "set",
    "ip",
    "saddr",
    "ip6",
    "tcp",
    "flags",
    "dport",
    "ct",
    "state",
    "meta",
    "l4proto",
    "iifname",
    "{",
    "}",
    ",",
    "&",
    "(",
    "|",
    ")",
    "!=",
    "<",
    "0x1fff",
    "10.0.0.0/8",
    "1-2",
    "drop",
];

proptest! {
    /// Any words, and any text, are read or refused in a sentence.
    #[test]
    fn no_text_makes_the_parser_panic(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
        text in ".{0,60}",
    ) {
        for text in [pieces.join(" "), pieces.concat(), text] {
            if let Err(Mistake { message, .. }) = parse(&text) {
                prop_assert!(!message.is_empty());
            }
        }
    }
}
