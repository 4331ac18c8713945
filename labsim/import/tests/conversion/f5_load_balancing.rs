//! tmsh configuration text: which member gets a new flow, and which clients persist.

use crate::common::{load, places};
use labsim_import::{Imported, Source, f5};
use labsim_scenario::model::{LoadBalancingMode, Persistence, Pool, SourceAddress, VirtualServer};

fn import(text: &str) -> Result<Imported, String> {
    f5::import(&[Source::new("x.conf", text)]).map_err(|diagnostics| diagnostics.to_string())
}

fn imported(text: &str) -> Imported {
    import(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}\n{text}"))
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
    let (pools, servers) = (&balancer.pools, &balancer.virtual_servers);
    (pools.values().next().unwrap().clone(), servers.values().next().unwrap().clone())
}

fn source_address(timeout: u32, prefix_length: Option<u8>) -> Persistence {
    Persistence::SourceAddress(SourceAddress { timeout, prefix_length })
}

#[test]
fn modes_and_ratios_are_imported() {
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
        assert_eq!((imported.not_imported.len(), imported.warnings.len()), (0, 0), "{word}");
    }
}

#[test]
fn unsupported_modes_are_reported() {
    let other = imported(&conf("load-balancing-mode observed-member", "", "", ""));
    assert_eq!(places(&other.not_imported), ["1: ltm pool p: load-balancing-mode observed-member"]);
    assert_eq!(made(&other).0.load_balancing_mode, LoadBalancingMode::RoundRobin);
    let node = imported(&conf("load-balancing-mode least-connections-node", "", "", ""));
    assert_eq!(
        places(&node.warnings),
        ["1: ltm pool p: load-balancing-mode least-connections-node"]
    );
    assert_eq!(made(&node).0.load_balancing_mode, LoadBalancingMode::LeastConnections);
    let diagnostics = import(&conf("", "ratio lots", "", "")).unwrap_err();
    assert!(diagnostics.contains("`lots` is not a ratio; write 1 to 65535"), "{diagnostics}");
}

#[test]
fn persistence_by_source_address_is_imported() {
    let profile = "ltm persistence source-addr mine { defaults-from /Common/theirs mask 255.255.255.0 mirror disabled }\n\
                   ltm persistence source-addr theirs { defaults-from source_addr timeout 60 }\n";
    for (server, beside, expected) in [
        ("", "", Persistence::None),
        ("persist none", "", Persistence::None),
        ("persist { source_addr { default yes } }", "", source_address(180, None)),
        ("persist { /Common/source_addr { default yes } }", "", source_address(180, None)),
        ("persist source_addr", "", source_address(180, None)),
        ("persist { mine { default yes } }", profile, source_address(60, Some(24))),
    ] {
        let imported = imported(&conf("", "", server, beside));
        let (_, made) = made(&imported);
        assert_eq!(made.persistence, expected, "{server}");
        assert_eq!((imported.not_imported.len(), imported.warnings.len()), (0, 0), "{server}");
    }
}

#[test]
fn unsupported_persistence_is_reported() {
    let persist = "persist { mine { default yes } }";
    let stanza = |rest: &str| format!("ltm persistence source-addr mine {{ {rest} }}\n");
    let cookie = imported(&conf("", "", "persist { cookie { default yes } }", ""));
    assert_eq!(places(&cookie.not_imported), ["2: ltm virtual vs: persist cookie"]);
    assert_eq!(made(&cookie).1.persistence, Persistence::None);
    let unused = imported(&conf("", "", "", &stanza("timeout 60")));
    assert_eq!(places(&unused.not_imported), ["3: ltm persistence source-addr mine"]);
    let across = imported(&conf("", "", persist, &stanza("match-across-services enabled")));
    assert_eq!(
        places(&across.not_imported),
        ["3: ltm persistence source-addr mine: match-across-services"]
    );
    for (timeout, taken) in [("indefinite", 86_400), ("0", 1), ("999999", 86_400)] {
        let text = conf("", "", persist, &stanza(&format!("timeout {timeout}")));
        let imported = imported(&text);
        assert_eq!(places(&imported.warnings), ["3: ltm persistence source-addr mine: timeout"]);
        assert_eq!(made(&imported).1.persistence, source_address(taken, None));
    }
    for (rest, diagnostic) in [
        ("timeout soon", "`soon` is not a time; write seconds, `immediate` or `indefinite`"),
        ("mask 255.0.255.0", "`255.0.255.0` is not a mask; write one such as 255.255.255.0"),
        ("mask 0.0.0.0", "`0.0.0.0` is not a mask"),
        ("defaults-from mine", "closes a cycle"),
    ] {
        let diagnostics = import(&conf("", "", persist, &stanza(rest))).unwrap_err();
        assert!(diagnostics.contains(diagnostic), "{rest}: {diagnostics}");
    }
    let two = "persist { mine { default yes } source_addr { default no } }";
    let diagnostics = import(&conf("", "", two, &stanza("timeout 60"))).unwrap_err();
    assert!(diagnostics.contains("one persistence; remove the others"), "{diagnostics}");
}
