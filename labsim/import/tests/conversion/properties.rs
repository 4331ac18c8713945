//! The importers on texts that nobody wrote: they never panic, and what they make is valid.

use crate::common::Import;
use labsim_import::{Source, a10, f5, ipvs, keepalived};
use proptest::prelude::*;

const F5: &str = "\
#TMSH-VERSION: 15.1
ltm node /Common/aaa-1 {
    address 10.1.1.51
}
ltm profile fastl4 f {
    defaults-from fastL4
    idle-timeout 300
    loose-close enabled
}
ltm pool p {
    members {
        /Common/aaa-1:49 {
            address 10.1.1.51
        }
        10.1.2.52:tacacs {
            address 10.1.2.52
        }
    }
    monitor tcp and icmp
    profiles {
        ipip    # a tunnel
    }
}
ltm rule r {
when RULE_INIT { set a \"\\{\" }
}
ltm snatpool s { members { 10.9.9.9 } }
ltm virtual vs {
    destination 172.16.4.99%1:49
    ip-protocol tcp
    pool p
    profiles { f { } }
    source-address-translation { type none }
    translate-address disabled
    translate-port enabled
}
net self i { address 10.1.1.2/24 vlan v }
net route default { gw 10.1.1.1 network default }
";

const A10: &str = "\
interface ve 10
  ip address 10.1.1.2 /24
!
ip nat pool n 10.9.9.1 10.9.9.2 netmask /24
ip route 0.0.0.0 /0 10.1.1.1
slb template tcp t
  idle-timeout 60
slb server aaa-1 10.1.1.51
  port 49 tcp
slb server aaa-2 10.1.2.52
  port 49 tcp
slb service-group g tcp
  member aaa-1 49
  member aaa-2:49
slb virtual-server vs 172.16.4.99
  port 49 tcp
    no-dest-nat
    service-group g
    ipinip
    template tcp t
";

/// Both addresses translated, TACACS+ and RADIUS.
const F5_SNAT: &str = "\
ltm snatpool s {
    members {
        10.9.9.9
        /Common/10.1.1.9
    }
}
ltm pool p {
    members {
        10.1.1.51:49 { address 10.1.1.51 }
        10.1.2.52:1812 { address 10.1.2.52 }
    }
}
ltm virtual vs {
    destination 172.16.4.99:49
    ip-protocol tcp
    pool p
    source-address-translation {
        pool s
        type snat
    }
}
ltm virtual vr {
    destination 172.16.4.99:1812
    ip-protocol udp
    pool p
    source-address-translation { type automap }
}
";

const A10_SNAT: &str = "\
ip nat pool n 10.9.9.1 10.9.9.2 netmask /24
slb server a 10.1.1.51
  port 49 tcp
  port 1812 udp
slb service-group g tcp
  member a 49
slb service-group h udp
  member a 1812
slb virtual-server vs 172.16.4.99
  port 49 tcp
    service-group g
    source-nat pool n
  port 1812 radius
    service-group h
    source-nat auto
";

/// Every kind of service and server.
const IPVS: &str = "\
-A -t 172.16.4.99:49 -s rr -p 600 -M 255.255.255.0
-a -t 172.16.4.99:49 -r 10.1.1.51:49 -i -w 1
-a -t 172.16.4.99:49 -r 10.1.2.52:49 -i -w 0 --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 172.16.4.99:49 -r 10.1.2.53:49 -i -w 2 --tun-type gre --tun-csum
-A -u 172.16.4.99:1812 -s mh -b mh-port
-a -u 172.16.4.99:1812 -r 10.1.1.51:1812 -m -w 1
-A -t 10.1.1.99:80 -s wlc
-a -t 10.1.1.99:80 -r 10.1.1.51:80 -g -w 1 -x 5
-a -t 10.1.1.99:80 -r 10.1.1.52:80 -i
-A -t 10.1.1.98 -s sh -p
root@lb1:~# ipvsadm -a -t 10.1.1.98 \\
  --real-server 10.1.1.51 --masquerading
";

const KEEPALIVED: &str = "\
$NET=10.1.1
global_defs { router_id x }
virtual_server_group g {
    172.16.4.99-101 49
    10.9.9.8/30 80
    fwmark 5
}
virtual_server group g {
    delay_loop 6
    lvs_sched wrr
    lvs_method TUN type gue port 6081 nocsum
    persistence_timeout 600
    real_server ${NET}.51 49 {
        weight 3
        TCP_CHECK { connect_port 49 connect_timeout 3.5 }
    }
    real_server 10.1.2.52 49 { lvs_method TUN type gre csum }
}
virtual_server 10.1.1.99 1812
{
    lb_algo rr    # in turn
    lb_kind NAT
    protocol UDP
    real_server 10.1.1.51 1812 { PING_CHECK { } }
    real_server 10.1.1.52 1645 { }
}
virtual_server 10.1.1.98 {
    lvs_method DR
    persistence_timeout
    real_server 10.1.1.51 { weight 1 }
}
";

fn check(import: Import, text: &str) -> Result<(), TestCaseError> {
    crate::common::check_valid(import, text).map_err(TestCaseError::fail)
}

/// A change to a text: at this part of it, take away, repeat, or put something in.
#[derive(Debug, Clone)]
enum Change {
    Cut(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Insert(prop::sample::Index, String),
    Number(prop::sample::Index, String),
    DropLine(prop::sample::Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let at = || any::<prop::sample::Index>();
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "\"",
        "\\",
        "#",
        "\n",
        "\n}\n",
        " { ",
        " } ",
        "none",
        "any",
        ":",
        ".",
        "%",
        "!",
        "\t",
        "\0",
        "é",
        "/",
        "/Common/",
        "null",
        "disabled",
        "0",
        "255.255.255.255",
        "::1",
        "exit\n",
        "end\n",
        "port 49 tcp\n",
        "member ",
        "gre",
        "udp",
        "radius",
        "enabled",
        "automap",
        "snat pool s",
        "snatpool s\n",
        "source-nat auto\n",
        "source-nat pool n\n",
        "\u{1b}[",
        "\u{8}",
        "create ltm pool ",
        "\nmodify ltm pool p members add ",
        " -i ",
        " -m ",
        " -g ",
        "-C\n",
        "-p",
        "ipvsadm ",
        " --tun-type gue ",
        "real_server 10.1.1.51 49 { }\n",
        "virtual_server 10.9.9.9 49 {\n",
        "lvs_method DR\n",
        "TCP_CHECK { }\n",
        "${NET}",
        "$NET",
        "protocol UDP\n",
        "-",
    ]);
    let number = prop::sample::select(vec![
        "0",
        "1",
        "49",
        "65535",
        "65536",
        "1812",
        "10.1.1.0",
        "10.1.1.255",
        "10.1.1.1",
        "172.16.0.10",
        "192.168.11.201",
        "172.16.4.99",
        "10.1.1.51",
        "0.0.0.0",
        "9.9.9.9",
        "2001:db8::1",
        "99999999999999999999",
        "10.1.2.52",
        "1.0.0.0",
        "223.255.255.255",
        "10.9.9.9",
        "1645",
        "1813",
    ]);
    let change = prop_oneof![
        (at(), 1..20_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        (at(), 1..60_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (at(), piece).prop_map(|(at, piece)| Change::Insert(at, piece.to_owned())),
        (at(), number).prop_map(|(at, number)| Change::Number(at, number.to_owned())),
        at().prop_map(Change::DropLine),
    ];
    prop::collection::vec(change, 1..6)
}

fn apply(text: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for change in changes {
        if text.is_empty() {
            break;
        }
        match change {
            Change::Cut(at, length) => {
                let start = at.index(text.len());
                text.drain(start..(start + length).min(text.len()));
            }
            Change::Repeat(at, length) => {
                let start = at.index(text.len());
                let piece: Vec<char> = text[start..(start + length).min(text.len())].to_vec();
                text.splice(start..start, piece);
            }
            Change::Insert(at, piece) => {
                let start = at.index(text.len());
                text.splice(start..start, piece.chars());
            }
            Change::Number(at, number) => {
                // Another address or number in place of one that is there.
                let is_part = |one: &char| one.is_ascii_digit() || *one == '.';
                let starts: Vec<usize> = (0..text.len())
                    .filter(|here| {
                        is_part(&text[*here]) && (*here == 0 || !is_part(&text[here - 1]))
                    })
                    .collect();
                if starts.is_empty() {
                    continue;
                }
                let start = starts[at.index(starts.len())];
                let length = text[start..].iter().take_while(|one| is_part(one)).count();
                text.splice(start..start + length, number.chars());
            }
            Change::DropLine(at) => {
                let written: String = text.iter().collect();
                let lines: Vec<&str> = written.split_inclusive('\n').collect();
                let dropped = at.index(lines.len());
                let kept = lines.iter().enumerate().filter(|(here, _)| *here != dropped);
                text = kept.flat_map(|(_, line)| line.chars()).collect();
            }
        }
    }
    text.into_iter().collect()
}

/// Words of all languages, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "ltm",
        "virtual",
        "pool",
        "rule",
        "node",
        "net",
        "self",
        "members",
        "profiles",
        "destination",
        "address",
        "{",
        "}",
        "\n",
        "\n",
        "10.1.1.51:49",
        "10.1.1.51",
        "vs",
        "p",
        "ipip",
        "\"",
        "#",
        "slb",
        "server",
        "service-group",
        "virtual-server",
        "port",
        "49",
        "tcp",
        "member",
        "!",
        "  ",
        "ip",
        "nat",
        "interface",
        "exit",
        "\\",
        "type",
        "snat",
        "snatpool",
        "gre",
        "udp",
        "1812",
        "-A",
        "-a",
        "-t",
        "-r",
        "-i",
        "-m",
        "-w",
        "ipvsadm",
        "10.9.9.9:49",
        "virtual_server",
        "virtual_server_group",
        "real_server",
        "lvs_method",
        "TUN",
        "delay_loop",
        "$A=",
    ]);
    prop::collection::vec(word, 0..120).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_imported_or_refused(text in any::<String>()) {
        for import in [f5::import, a10::import, ipvs::import, keepalived::import] {
            check(import, &text)?;
        }
    }

    #[test]
    fn any_words_are_imported_or_refused(text in words()) {
        for import in [f5::import, a10::import, ipvs::import, keepalived::import] {
            check(import, &text)?;
        }
    }

    #[test]
    fn what_comes_of_changed_f5_text_is_valid(changes in changes()) {
        check(f5::import, &apply(F5, &changes))?;
    }

    #[test]
    fn what_comes_of_changed_a10_text_is_valid(changes in changes()) {
        check(a10::import, &apply(A10, &changes))?;
    }

    #[test]
    fn what_comes_of_changed_ipvsadm_text_is_valid(changes in changes()) {
        check(ipvs::import, &apply(IPVS, &changes))?;
    }

    #[test]
    fn what_comes_of_changed_keepalived_text_is_valid(changes in changes()) {
        check(keepalived::import, &apply(KEEPALIVED, &changes))?;
    }

    #[test]
    fn what_comes_of_changed_snat_is_valid(changes in changes()) {
        check(f5::import, &apply(F5_SNAT, &changes))?;
        check(a10::import, &apply(A10_SNAT, &changes))?;
    }

    #[test]
    fn members_and_vips_anywhere_make_a_valid_lab(
        members in prop::collection::vec((0x0a01_0000_u32..0x0a01_0400, prop::bool::ANY), 1..12),
        vip in prop_oneof![0x0a01_0000_u32..0x0a01_0400, 0xac10_0000_u32..0xac10_0200],
        own in prop::option::of((0x0a01_0000_u32..0x0a01_0400, 8_u8..=32)),
        snats in prop::collection::vec(prop_oneof![0x0a01_0000_u32..0x0a01_0400, 0xac10_0000_u32..0xac10_0200], 0..4),
        profile in prop::sample::select(vec!["", "profiles { ipip }", "profiles { gre }"]),
        translate in prop::sample::select(vec!["enabled", "disabled"]),
    ) {
        let ip = std::net::Ipv4Addr::from;
        let members: String = members.iter().map(|(one, _)| format!("{0}:49 {{ address {0} }} ", ip(*one))).collect();
        let own = own.map(|(one, length)| format!("net self s {{ address {}/{length} }}\n", ip(one))).unwrap_or_default();
        let (snat, snats) = match snats.as_slice() {
            [] => (String::new(), "snat automap".to_owned()),
            _ => {
                let all: String = snats.iter().map(|one| format!("{} ", ip(*one))).collect();
                (format!("ltm snatpool s {{ members {{ {all}}} }}\n"), "snatpool s".to_owned())
            }
        };
        check(f5::import, &format!(
            "{own}{snat}ltm pool p {{ members {{ {members}}} {profile} }}\n\
             ltm virtual v {{ destination {}:49 ip-protocol tcp pool p translate-address {translate} {snats} }}\n",
            ip(vip)
        ))?;
    }
}

#[test]
fn the_texts_that_are_changed_are_good_ones() {
    for (import, text, says) in [
        (f5::import as Import, F5, "translate_address: false"),
        (a10::import, A10, "translate_address: false"),
        (f5::import, F5_SNAT, "{snat: [10.9.9.9, 10.1.1.9]}"),
        (a10::import, A10_SNAT, "{snat: [10.9.9.1, 10.9.9.2]}"),
        (ipvs::import, IPVS, "{maglev: {hash: five_tuple"),
        (keepalived::import, KEEPALIVED, "monitor: {tcp: {"),
    ] {
        let imported =
            import(&[Source::new("x.conf", text)]).unwrap_or_else(|error| panic!("{error}"));
        crate::common::load(&imported);
        assert!(imported.scenario.contains(says), "{}", imported.scenario);
    }
}
