//! tmsh configuration text: which member gets a new flow, and which clients persist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{load, places};
use labsim_import::{Imported, Source, f5};
use labsim_scenario::model::{LoadBalancingMode, Pool, VirtualServer};

fn import(text: &str) -> Result<Imported, String> {
    f5::import(&[Source::new("x.conf", text)]).map_err(|mistakes| mistakes.to_string())
}

fn imported(text: &str) -> Imported {
    import(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

/// A pool of two with these properties, a virtual server with these, and stanzas beside them.
fn conf(pool: &str, second: &str, server: &str, beside: &str) -> String {
    format!(
        "ltm pool p {{ {pool} members {{ 10.1.1.51:49 {{ }} 10.1.1.52:49 {{ {second} }} }} profiles {{ ipip }} }}\n\
         ltm virtual vs {{ destination 172.16.4.99:49 ip-protocol tcp pool p translate-address disabled {server} }}\n\
         {beside}"
    )
}

fn made(imported: &Imported) -> (Pool, VirtualServer) {
    let scenario = load(imported);
    let (_, balancer) = scenario.load_balancers.first_key_value().unwrap();
    (balancer.pools[0].clone(), balancer.virtual_servers[0].clone())
}

#[test]
fn modes_and_ratios_are_carried_over() {
    for (word, mode) in [
        ("", LoadBalancingMode::RoundRobin),
        ("load-balancing-mode round-robin", LoadBalancingMode::RoundRobin),
        ("load-balancing-mode ratio-member", LoadBalancingMode::Ratio),
        ("load-balancing-mode least-connections-member", LoadBalancingMode::LeastConnections),
        (
            "load-balancing-mode ratio-least-connections-member",
            LoadBalancingMode::RatioLeastConnections,
        ),
    ] {
        let imported = imported(&conf(word, "ratio 7", "", ""));
        let (pool, _) = made(&imported);
        let ratios: Vec<u16> = pool.members.iter().map(|member| member.ratio).collect();
        assert_eq!((pool.load_balancing_mode, ratios), (mode, vec![1, 7]), "{word}");
        assert_eq!((imported.left_out.len(), imported.warnings.len()), (0, 0), "{word}");
    }
}

#[test]
fn modes_that_labsim_does_not_have_are_told() {
    let other = imported(&conf("load-balancing-mode observed-member", "", "", ""));
    assert_eq!(places(&other.left_out), ["1: ltm pool p: load-balancing-mode observed-member"]);
    assert_eq!(made(&other).0.load_balancing_mode, LoadBalancingMode::RoundRobin);
    let node = imported(&conf("load-balancing-mode least-connections-node", "", "", ""));
    assert_eq!(
        places(&node.warnings),
        ["1: ltm pool p: load-balancing-mode least-connections-node"]
    );
    assert_eq!(made(&node).0.load_balancing_mode, LoadBalancingMode::LeastConnections);
    let mistakes = import(&conf("", "ratio lots", "", "")).unwrap_err();
    assert!(mistakes.contains("`lots` is no ratio; write 1 to 65535"), "{mistakes}");
}

#[test]
fn persistence_by_source_address_is_carried_over() {
    let profile = "ltm persistence source-addr mine { defaults-from /Common/theirs mask 255.255.255.0 mirror disabled }\n\
                   ltm persistence source-addr theirs { defaults-from source_addr timeout 60 }\n";
    for (server, beside, expected) in [
        ("", "", None),
        ("persist none", "", None),
        ("persist { source_addr { default yes } }", "", Some((180, None))),
        ("persist { /Common/source_addr { default yes } }", "", Some((180, None))),
        ("persist source_addr", "", Some((180, None))),
        ("persist { mine { default yes } }", profile, Some((60, Some(24)))),
    ] {
        let imported = imported(&conf("", "", server, beside));
        let (_, made) = made(&imported);
        let persistence = made.persistence.map(|one| (one.timeout.as_secs(), one.prefix_length));
        assert_eq!(persistence, expected, "{server}");
        assert_eq!((imported.left_out.len(), imported.warnings.len()), (0, 0), "{server}");
    }
}

#[test]
fn persistence_that_labsim_does_not_have_is_told() {
    let persist = "persist { mine { default yes } }";
    let stanza = |rest: &str| format!("ltm persistence source-addr mine {{ {rest} }}\n");
    let cookie = imported(&conf("", "", "persist { cookie { default yes } }", ""));
    assert_eq!(places(&cookie.left_out), ["2: ltm virtual vs: persist cookie"]);
    assert_eq!(made(&cookie).1.persistence, None);
    let unused = imported(&conf("", "", "", &stanza("timeout 60")));
    assert_eq!(places(&unused.left_out), ["3: ltm persistence source-addr mine"]);
    let across = imported(&conf("", "", persist, &stanza("match-across-services enabled")));
    assert_eq!(
        places(&across.left_out),
        ["3: ltm persistence source-addr mine: match-across-services"]
    );
    for (timeout, taken) in [("indefinite", 86_400), ("0", 1), ("999999", 86_400)] {
        let text = conf("", "", persist, &stanza(&format!("timeout {timeout}")));
        let imported = imported(&text);
        assert_eq!(places(&imported.warnings), ["3: ltm persistence source-addr mine: timeout"]);
        assert_eq!(made(&imported).1.persistence.unwrap().timeout.as_secs(), taken);
    }
    for (rest, mistake) in [
        ("timeout soon", "`soon` is no time; write seconds, or `indefinite`"),
        ("mask 255.0.255.0", "`255.0.255.0` is no mask; write one such as 255.255.255.0"),
        ("mask 0.0.0.0", "`0.0.0.0` is no mask"),
        ("defaults-from mine", "leads round in a circle"),
    ] {
        let mistakes = import(&conf("", "", persist, &stanza(rest))).unwrap_err();
        assert!(mistakes.contains(mistake), "{rest}: {mistakes}");
    }
    let two = "persist { mine { default yes } source_addr { default no } }";
    let mistakes = import(&conf("", "", two, &stanza("timeout 60"))).unwrap_err();
    assert!(mistakes.contains("one persistence; take the others out"), "{mistakes}");
}
