//! What is exported: commands for a real server, stanzas that come back as they were.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::load;
use labsim_import::{Source, export, f5};
use labsim_scenario::model::{NodeName, Scenario};

fn shipped() -> Scenario {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/tacacs-ipip.yaml");
    labsim_scenario::load(path.as_ref()).unwrap_or_else(|mistakes| panic!("{mistakes}")).scenario
}

/// A scenario with these load balancers, in the shipped topology.
fn scenario(load_balancers: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let topology = concat!(env!("CARGO_MANIFEST_DIR"), "/../../topologies/one-arm-routed.yaml");
    std::fs::copy(topology, folder.path().join("topology.yaml")).unwrap();
    let path = folder.path().join("exported.yaml");
    let text = format!(
        "topology: topology.yaml\nload_balancers:\n{load_balancers}\
         tacacs_servers: [{{nodes: rs1, secret: s, clients: [0.0.0.0/0], users: {{u: p}}}}]\n\
         steps: {{login: {{tacacs_login: {{from: client, to: 10.1.1.51:49, user: u, password: p}}}}}}\n\
         expect: {{login: {{answer: {{result: pass}}, pass: yes, fail: no}}}}\n"
    );
    std::fs::write(&path, text).unwrap();
    labsim_scenario::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}")).scenario
}

/// The scenario that comes of its own stanzas.
fn round_trip(scenario: &Scenario) -> Scenario {
    let text = export::f5(scenario);
    let imported = f5::import(&[Source::new("exported.conf", text.clone())])
        .unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
    assert_eq!(
        (imported.left_out.as_slice(), imported.warnings.as_slice()),
        ([].as_slice(), [].as_slice())
    );
    load(&imported)
}

#[test]
fn a_real_server_is_made_by_the_commands_of_the_document() {
    let node = NodeName::new("rs2").unwrap();
    let text = export::linux(&shipped(), &node).unwrap();
    let commands: Vec<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(
        commands,
        [
            "modprobe ipip",
            "ip link set tunl0 up",
            "ip addr add 10.1.1.52 dev tunl0 scope host",
            "sysctl -w net.ipv4.conf.all.arp_announce=2",
            "sysctl -w net.ipv4.conf.all.arp_ignore=3",
            "sysctl -w net.ipv4.conf.all.rp_filter=2",
            "sysctl -w net.ipv4.conf.tunl0.rp_filter=0",
            "ip addr add 172.16.4.99 dev lo scope host label lo:0",
        ]
    );
    assert_eq!(export::linux(&shipped(), &NodeName::new("client").unwrap()), None);
}

#[test]
fn the_shipped_scenario_comes_back_as_it_was() {
    let (before, after) = (shipped(), round_trip(&shipped()));
    assert_eq!(format!("{:?}", after.load_balancers), format!("{:?}", before.load_balancers));
    // The addresses too, since those of the load balancer are exported.
    let lb = |scenario: &Scenario| {
        let node = scenario.topology.node(&NodeName::new("lb").unwrap()).cloned().unwrap();
        format!("{:?}", (node.interfaces, node.routes))
    };
    assert_eq!(lb(&after), lb(&before));
}

#[test]
fn what_a_load_balancer_can_say_survives() {
    for load_balancers in [
        "  lb:\n    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p, translate_port: false, fastl4: {idle_timeout: 7, loose_close: true}}\n    pools: {p: {profile: ipip, members: [10.1.1.51:49]}}\n",
        "  lb:\n    virtual_servers:\n      \"a b\\\"{#\\\\\": {destination: 172.16.4.99:any, pool: \"p }\", fastl4: {loose_initiation: true}}\n    pools: {\"p }\": {profile: ipip, members: [10.1.1.52:49, 10.1.1.51:49]}}\n",
        "  lb:\n    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p, translate_address: true, source_address_translation: automap}\n      vs2: {destination: 172.16.4.98:49, pool: p, translate_address: true, source_address_translation: {snat: [10.1.2.3, 10.1.2.4]}}\n    pools: {p: {members: [10.1.1.51:49]}}\n",
        "  lb:\n    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p, translate_address: false}\n    pools: {p: {profile: gre, members: [10.1.1.51:49]}}\n",
        "  lb:\n    virtual_servers:\n      /P/vs: {destination: 172.16.4.99:49, pool: /P/p, fastl4: {idle_timeout: 86400}}\n      vs: {destination: 172.16.4.98:49, pool: /P/p}\n    pools: {/P/p: {profile: ipip, members: [10.1.1.51:49]}}\n",
    ] {
        let before = scenario(load_balancers);
        let after = round_trip(&before);
        assert_eq!(
            format!("{:?}", after.load_balancers),
            format!("{:?}", before.load_balancers),
            "{}",
            export::f5(&before)
        );
    }
}

#[test]
fn the_outer_source_is_told_where_tmsh_has_no_word_for_it() {
    let text = export::f5(&scenario(
        "  lb:\n    outer_source: egress\n    virtual_servers: {vs: {destination: 172.16.4.99:49, pool: p}}\n    pools: {p: {profile: ipip, members: [10.1.1.51:49]}}\n",
    ));
    assert!(text.contains("# tunnel packets carry the load balancer's own address"), "{text}");
}

#[test]
fn a_tunnel_device_of_another_name_is_made() {
    let scenario = scenario(
        "  lb:\n    virtual_servers: {vs: {destination: 172.16.4.99:49, pool: p, translate_address: false}}\n    pools: {p: {profile: ipip, members: [10.1.1.51:49]}}\nreal_servers: [{nodes: rs1, tunnel: {mode: ipip, device: dsr0}, vip: 172.16.4.99}]\n",
    );
    let text = export::linux(&scenario, &NodeName::new("rs1").unwrap()).unwrap();
    assert!(
        text.contains("\nip link add name dsr0 type ipip local 10.1.1.51\nip link set dsr0 up\n"),
        "{text}"
    );
}

#[test]
fn gre_has_the_kernels_device_or_one_of_its_own_with_a_key_and_a_checksum() {
    for (tunnel, commands) in [
        ("gre", "modprobe ip_gre\nip link set gre0 up\n"),
        (
            "{mode: gre, key: 7, checksum: true}",
            "modprobe ip_gre\nip link add name gre1 type gre local 10.1.1.51 key 7 csum\n\
             ip link set gre1 up\n",
        ),
    ] {
        let scenario = scenario(&format!(
            "  lb:\n    virtual_servers: {{vs: {{destination: 172.16.4.99:49, pool: p, translate_address: false}}}}\n    pools: {{p: {{profile: {{gre: {{key: 7, checksum: true}}}}, members: [10.1.1.51:49]}}}}\nreal_servers: [{{nodes: rs1, tunnel: {tunnel}, vip: 172.16.4.99}}]\n",
        ));
        let text = export::linux(&scenario, &NodeName::new("rs1").unwrap()).unwrap();
        assert!(text.contains(commands), "{text}");
        let f5 = export::f5(&scenario);
        assert!(f5.contains("# its tunnel packets carry the key 7 and a checksum\n"), "{f5}");
    }
}
