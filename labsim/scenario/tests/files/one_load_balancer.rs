//! A load balancer is the same in a scenario file and in a forwarder's file: what it means, its
//! defaults, and its errors.

use crate::common::{Files, SCENARIO, TOPOLOGY};
use labsim_model::{ForwarderConfig, LoadBalancer};
use labsim_yaml::{Diagnostics, Source};

/// Lines and columns by which the block stands further in a scenario.
const OFFSET: (usize, usize) = (2, 4);

/// The block at `load_balancers.lb` of a scenario.
fn in_scenario(block: &str) -> Result<LoadBalancer, Diagnostics> {
    let (_, rest) = SCENARIO.split_once("real_servers:").unwrap();
    let block: String = block.lines().map(|line| format!("    {line}\n")).collect();
    let scenario =
        format!("topology: lab.yaml\nload_balancers:\n  lb:\n{block}real_servers:{rest}");
    let scenario = Files::new(TOPOLOGY, &scenario).load()?;
    Ok(scenario.load_balancers.into_values().next().unwrap())
}

/// The block in a forwarder's file.
fn in_forwarder(block: &str) -> Result<LoadBalancer, Diagnostics> {
    let source = Source::new("forwarder.yaml", format!("interface: eth0\n{block}"));
    ForwarderConfig::read(source).map(|config| config.balancer)
}

#[test]
fn the_same_block_means_the_same_defaults_included() {
    let vs = "virtual_servers: {vs: {destination: 172.16.4.99:49, pool: p}}\n";
    let p = "pools: {p: {members: [10.1.1.51:49]}}\n";
    for block in [
        format!("{vs}{p}"),
        format!("outer_source: egress\n{vs}{p}"),
        format!("{vs}{}", p.replace("members", "profile: ipip, members")),
        format!(
            "{vs}{}",
            p.replace("members", "profile: {gre: {key: 7, checksum: true}}, members")
        ),
        format!("{vs}{}", p.replace("members", "load_balancing_mode: ratio, members")),
        format!("{vs}{}", p.replace("members", "load_balancing_mode: maglev, members")),
        format!("{vs}{}", p.replace("members", "monitor: tcp, action_on_down: reset, members")),
        format!("{vs}{}", p.replace("members", "monitor: {tcp: {interval: 20ms}}, members")),
        format!("{vs}{}", p.replace("members", "monitor: {tacacs: {secret: s, fall: 2}}, members")),
        format!("{vs}{}", p.replace("[10.1.1.51:49]", "[{address: 10.1.1.51:49, ratio: 0}]")),
        format!("{}{p}", vs.replace("4.99:49", "4.99:any")),
        format!("{}{p}", vs.replace("pool: p", "pool: p, ip_protocol: udp, fastl4: {}")),
        format!("{}{p}", vs.replace("pool: p", "pool: p, fastl4: {loose_close: true}")),
        format!("{}{p}", vs.replace("pool: p", "pool: p, persistence: source_address")),
        format!(
            "{}{p}",
            vs.replace(
                "pool: p",
                "pool: p, translate_address: true, translate_port: false, \
                 source_address_translation: automap"
            )
        ),
        format!(
            "{}{p}",
            vs.replace(
                "pool: p",
                "pool: p, translate_address: true, \
                 source_address_translation: {snat: [172.16.0.99, 172.16.0.98]}"
            )
        ),
    ] {
        let one = in_scenario(&block).unwrap_or_else(|found| panic!("{block}\n{found}"));
        let other = in_forwarder(&block).unwrap_or_else(|found| panic!("{block}\n{found}"));
        assert_eq!(one, other, "{block}");
    }
}

/// Line, column, message and code of each error of the block's two lines, those of a scenario as in a
/// forwarder's file.
fn errors(
    found: Result<LoadBalancer, Diagnostics>,
    (lines, columns): (usize, usize),
) -> Vec<String> {
    let found = found.err().unwrap_or_default();
    let one = |one: &labsim_yaml::Diagnostic| {
        let (line, column) = (one.line - lines, one.column - columns);
        format!("{line}:{column}: {} [{}]", one.message, one.code)
    };
    found.iter().filter(|one| [2, 3].contains(&(one.line - lines))).map(one).collect()
}

#[test]
fn the_same_mistake_has_the_same_place_code_and_message() {
    let vs = |keys: &str| format!("destination: 172.16.4.99:49, pool: p{keys}");
    let pool = |keys: &str| format!("members: [10.1.1.51:49]{keys}");
    for (server, pool) in [
        (vs(""), "members: []".to_owned()),
        (vs(""), "members: [10.1.1.51:49, 10.1.1.51:49]".to_owned()),
        (vs(""), "members: [10.1.1.51]".to_owned()),
        (vs(""), "members: [10.1.1.51:0]".to_owned()),
        (vs(""), "members: [127.0.0.1:49]".to_owned()),
        (vs(""), "members: ['[2001:db8::1]:49']".to_owned()),
        (vs(""), "members: [{address: 10.1.1.51:49, ratio: 65536}]".to_owned()),
        (vs(""), "members: [{address: 10.1.1.51:49, weight: 2}]".to_owned()),
        (vs(""), pool(", profile: vxlan")),
        (vs(""), pool(", profile: {gre: {sequence: 1}}")),
        (vs(""), pool(", load_balancing_mode: {maglev: {table_size: 65536}}")),
        (vs(""), pool(", action_on_down: reset")),
        (vs(""), pool(", monitor: {tcp: {interval: 9ms, rise: 0, port: 0, secret: s}}")),
        (vs(""), pool(", monitor: {tcp: {interval: 20us}}")),
        (vs(""), pool(", monitor: {tcp: {interval: soon, every: 2}}")),
        (vs(""), pool(", monitor: {icmp: {interval: 1s, timeout: 2s, port: 7}}")),
        (vs(""), pool(", monitor: {radius: {transparent: true, secret: s}}")),
        (vs(", translate_address: true"), pool(", monitor: {tcp: {transparent: true}}")),
        (vs(", translate_address: 9"), pool("")),
        (vs(", source_address_translation: {snat: []}"), pool("")),
        (vs(", fastl4: {idle_timeout: 86401}"), pool("")),
        (vs(", persistence: {source_address: {timeout: 86401, prefix_length: 33}}"), pool("")),
        (vs(", datagram_load_balancing: true"), pool("")),
        (
            vs(
                ", ip_protocol: udp, datagram_load_balancing: true, source_address_translation: automap",
            ),
            pool(""),
        ),
        (vs(", pools: q"), pool("")),
        ("destination: 172.16.4.99:49, pool: q".to_owned(), pool("")),
        ("destination: 172.16.4.99, pool: p".to_owned(), pool("")),
        ("destination: 224.0.0.1:49, pool: p".to_owned(), pool("")),
        ("pool: p".to_owned(), pool("")),
    ] {
        let block = format!("virtual_servers: {{vs: {{{server}}}}}\npools: {{p: {{{pool}}}}}\n");
        let found = errors(in_scenario(&block), OFFSET);
        assert!(!found.is_empty(), "{block}");
        assert_eq!(found, errors(in_forwarder(&block), (0, 0)), "{block}");
    }
}
