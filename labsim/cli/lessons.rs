//! `labsim lessons`.

use crate::exit::Exit;
use crate::{output, shipped};
use std::fmt::Write as _;

/// The shipped scenarios in an order in which they can be taught: each subject, with its scenarios.
const LESSONS: [(&str, &[&str]); 11] = [
    (
        "What it replaces",
        &["snat", "snat-pool", "snat-client-refused", "dnat-without-snat", "no-tunnel"],
    ),
    (
        "The triangle",
        &[
            "tacacs-ipip",
            "tacacs-ipip-egress",
            "tacacs-gre",
            "tacacs-gre-key",
            "tacacs-gue",
            "radius-ipip",
            "radius-gre",
            "radius-wrong-source",
            "server-own-address",
            "port-translation",
            "freeradius-ipip",
            "nginx-ipip",
            "unbound-gre",
            "http-ipip",
            "ports-ipip",
            "dns-gre",
            "syslog-udp",
        ],
    ),
    ("The load balancer's own kernel", &["ipvs-ipip", "ipvs-gue", "ipvs-dr", "ipvs-nat"]),
    ("One segment, and who answers ARP", &["l2-dsr", "l2-dsr-arp", "l2-dsr-scope"]),
    (
        "Tunnels and sizes",
        &[
            "radius-fragments",
            "icmp-to-owner",
            "route-mss",
            "transfer",
            "tcp-bulk-ipip",
            "member-tunnels",
            "dscp",
            "filter-tunnel",
            "filter-protocol",
        ],
    ),
    (
        "Who serves whom",
        &[
            "many-logins",
            "ratio",
            "least-connections",
            "maglev",
            "persistence",
            "datagram-balancing",
            "member-disabled",
            "change-under-load",
            "syn-flood",
        ],
    ),
    (
        "Monitors",
        &[
            "monitor",
            "monitor-transparent",
            "monitor-blind",
            "monitor-icmp",
            "monitor-radius",
            "monitor-reset",
            "monitor-reselect",
            "monitor-none",
        ],
    ),
    (
        "Half a flow",
        &[
            "idle-timeout-loose",
            "idle-timeout",
            "idle-timeout-reset",
            "loose-close",
            "loose-close-off",
        ],
    ),
    (
        "When something fails",
        &[
            "server-crash",
            "link-failure",
            "failover",
            "failover-turns",
            "failover-strict",
            "ecmp",
            "ecmp-turns",
            "takeover",
            "takeover-unannounced",
            "takeover-mirrored",
            "takeover-not-mirrored",
            "takeover-not-mirrored-strict",
            "repair",
        ],
    ),
    ("Load balancers with other roles", &["lb-routes", "lb-owns-vip", "lb-local-server"]),
    (
        "Links and faulty load balancers",
        &[
            "link-delay",
            "link-loss",
            "link-disorder",
            "link-rate",
            "raw-checksums",
            "no-size-check",
            "icmp-by-outer",
            "forget-flows",
        ],
    ),
];

/// Prints the order, each scenario with its first sentence.
pub(crate) fn lessons() -> Exit {
    let mut text = String::new();
    for (subject, names) in LESSONS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{subject}");
        for name in names {
            let sentence = sentence(name).unwrap_or_default();
            let _ = writeln!(text, "  {name:22} {sentence}");
        }
    }
    text.push_str(
        "\nThen: the folders scenarios/ipv6, scenarios/tunnels and scenarios/faults, and labsim exercise list\n",
    );
    output::text(text);
    Exit::Success
}

/// The first sentence of a scenario's comment.
fn sentence(name: &str) -> Option<String> {
    let path = format!("scenarios/{name}.yaml");
    let (_, text) = shipped::FILES.iter().find(|(known, _)| *known == path)?;
    let lines = text.lines().skip(1).take_while(|line| line.starts_with('#'));
    let words: Vec<&str> =
        lines.flat_map(|line| line.trim_start_matches('#').split_whitespace()).collect();
    let comment = words.join(" ");
    let end = comment.find(". ").map_or(comment.len(), |end| end + 1);
    comment.get(..end).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_shipped_scenario_of_the_folder_is_a_lesson_once_and_has_a_sentence() {
        let shipped = shipped::FILES.iter().filter_map(|(path, _)| {
            let name = path.strip_prefix("scenarios/")?.strip_suffix(".yaml")?;
            (!name.contains('/')).then_some(name)
        });
        let shipped: BTreeSet<&str> = shipped.collect();
        let lessons: Vec<&str> =
            LESSONS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert_eq!(lessons.iter().copied().collect::<BTreeSet<_>>(), shipped);
        assert_eq!(lessons.len(), shipped.len(), "a lesson is there twice");
        for name in lessons {
            assert!(sentence(name).is_some_and(|it| it.len() > 10 && it.ends_with('.')), "{name}");
        }
    }
}
