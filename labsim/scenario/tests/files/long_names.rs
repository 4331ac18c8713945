//! Names of nodes and segments as people give them, and limits of how a lab is built.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, shown};

/// The small lab with other names for its nodes, and for its segment.
fn renamed(client: &str, balancer: &str, server: &str, segment: &str) -> Files {
    let replace = |text: &str, changes: &[(&str, String)]| {
        changes.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    };
    let topology = replace(
        TOPOLOGY,
        &[
            ("  client: {", format!("  {client}: {{")),
            ("\"client:eth0", format!("\"{client}:eth0")),
            ("  lb: {", format!("  {balancer}: {{")),
            ("\"lb:eth0", format!("\"{balancer}:eth0")),
            ("rs1", server.to_owned()),
            ("  servers: [", format!("  {segment}: [")),
        ],
    );
    let scenario = replace(
        SCENARIO,
        &[
            ("from: client", format!("from: {client}")),
            ("client:eth0", format!("{client}:eth0")),
            ("  lb:\n", format!("  {balancer}:\n")),
            ("rs1", server.to_owned()),
        ],
    );
    Files::new(&topology, &scenario)
}

const LONG: &str = "accounting-clients-of-building-four-on-the-left-side-of-the-hal";

#[test]
fn nodes_and_segments_have_names_of_up_to_63_bytes() {
    assert_eq!(LONG.len(), 63);
    let names = ["balancer-of-the-first-data-centre-number-one", "verylongname1-in-rack-17"];
    let scenario = renamed(LONG, names[0], names[1], &LONG.replace('-', "_")).load().unwrap();
    let nodes: Vec<&str> = scenario.topology.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(nodes, [LONG, "router", names[0], names[1], "rs2"]);
    assert_eq!(scenario.topology.segments[0].name.as_str(), LONG.replace('-', "_"));
}

#[test]
fn a_name_that_is_too_long_is_one_error_at_its_declaration() {
    let long = format!("{LONG}s");
    let shortened = format!("{}…", &long[..60]);
    for (files, line, what) in [
        (renamed(&long, "lb", "rs1", "servers"), 2, "node"),
        (renamed("client", &long, "rs1", "servers"), 7, "node"),
        (renamed("client", "lb", &long, "servers"), 8, "node"),
        (renamed("client", "lb", "rs1", &long), 14, "segment"),
    ] {
        let message = format!(
            "lab.yaml:{line}:3: the {what} name `{shortened}` has 64 bytes; at most 63 are allowed"
        );
        assert_eq!(shown(&files.load().unwrap_err()), [message]);
    }
}

/// A star of that many hosts on one segment.
fn star(hosts: usize) -> String {
    let nodes: String = (0..hosts)
        .map(|host| {
            let (high, low) = (host / 250, host % 250 + 1);
            format!("  h{host}: {{interfaces: {{eth0: 10.1.{high}.{low}/16}}}}\n")
        })
        .collect();
    let ports: Vec<String> = (0..hosts).map(|host| format!("\"h{host}:eth0\"")).collect();
    format!("nodes:\n{nodes}segments:\n  all: [{}]\n", ports.join(", "))
}

fn errors(topology: &str) -> Vec<String> {
    let files = Files::new(topology, SCENARIO);
    let found = labsim_scenario::load_topology(&files.path("lab.yaml"));
    found.map_or_else(|diagnostics| shown(&diagnostics), |_| Vec::new())
}

#[test]
fn a_segment_has_as_many_ports_as_a_bridge_of_the_kernel() {
    assert_eq!(errors(&star(1023)), Vec::<String>::new());
    let found = errors(&star(1024));
    assert_eq!(found, ["lab.yaml:1027:8: 1024 ports; at most 1023 are allowed"]);
}

#[test]
fn too_many_nodes_are_one_error_and_not_one_for_each_use() {
    let found = errors(&star(5000));
    assert_eq!(
        found,
        [
            "lab.yaml:4098:3: 5000 nodes; at most 4096 are allowed",
            "lab.yaml:5003:8: 5000 ports; at most 1023 are allowed"
        ]
    );
}

#[test]
fn a_client_in_the_load_balancers_own_node_is_refused() {
    let seen = "  seen: {exchange: {at: client:eth0, frames: talk}, pass: yes, fail: no}\n";
    let changes = [("from: client", "from: lb"), (seen, "")];
    let files = Files::new(TOPOLOGY, &changed(SCENARIO, &changes));
    assert_eq!(
        shown(&files.load().unwrap_err()),
        ["case.yaml:16:40: `lb` runs the load balancer of 172.16.4.99 and is the client as \
             well; name another node in `from`"]
    );
}

#[test]
fn a_setting_that_no_kernel_has_and_a_value_that_none_takes_are_errors_with_their_places() {
    let sysctls = |settings: &str| {
        let from = "sysctls: {net.ipv4.conf.tunl0.rp_filter: 0}";
        let scenario = changed(SCENARIO, &[(from, &format!("sysctls: {{{settings}}}"))]);
        Files::new(TOPOLOGY, &scenario).load().map_err(|diagnostics| shown(&diagnostics))
    };
    let found = sysctls("net.ipv4.conf.all.rp_fliter: 2, net.ipv4.tcp_sack: 99999").unwrap_err();
    assert_eq!(found.len(), 2, "{found:?}");
    let unknown = "case.yaml:12:15: unknown kernel setting `net.ipv4.conf.all.rp_fliter`; did you \
                   mean `net.ipv4.conf.all.rp_filter`? (Linux 6.18 has none of that name; ";
    assert!(found[0].starts_with(unknown), "{found:?}");
    assert_eq!(
        found[1],
        "case.yaml:12:66: `99999` is not a value of `net.ipv4.tcp_sack`; write an integer from 0 \
         to 255"
    );
    let scenario = sysctls("net.ipv4.tcp_tw_recycle: 1").unwrap();
    let setting =
        &scenario.real_servers.values().next().unwrap().sysctls["net.ipv4.tcp_tw_recycle"];
    assert_eq!((setting.value.as_str(), setting.place.line), ("1", 12));
}
