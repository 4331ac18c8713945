//! What is exported: commands for a real server, stanzas that come back as they were.

use crate::common::{imported, lb, load, shipped, with_load_balancers as scenario};
use labsim_import::{Source, a10, export, f5};
use labsim_scenario::model::{
    GreOptions, GueOptions, InterfaceName, NodeName, Scenario, TunnelKind,
};

/// What a load balancer does in the scenario that comes of its own stanzas, which is warned about
/// by these words or not at all.
fn round_trip(scenario: &Scenario, warning: Option<&str>) -> Scenario {
    let text = export::f5(scenario);
    let imported = f5::import(&[Source::new("exported.conf", text.clone())])
        .unwrap_or_else(|diagnostics| panic!("{diagnostics}\n{text}"));
    assert_eq!(imported.not_imported, []);
    match (imported.warnings.as_slice(), warning) {
        ([], None) => {}
        ([only], Some(words)) if only.why.contains(words) => {}
        (warnings, _) => panic!("{warnings:?}"),
    }
    load(&imported)
}

/// The commands of an export without its comments.
fn commands(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn a_real_server_is_made_by_the_commands_of_the_document() {
    let node = NodeName::new("rs2").unwrap();
    let shipped = shipped("tacacs-ipip.yaml");
    let text = export::linux(&shipped, &node).unwrap();
    assert_eq!(
        commands(&text),
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
    assert_eq!(export::linux(&shipped, &NodeName::new("client").unwrap()), None);
}

#[test]
fn a_gre_device_is_the_module_s_own_or_one_with_its_options() {
    for (name, made) in [
        ("tacacs-gre.yaml", ["modprobe ip_gre", "ip link set gre0 up"].as_slice()),
        (
            "tacacs-gre-key.yaml",
            &[
                "modprobe ip_gre",
                "ip link add name gre1 type gre key 4099 csum",
                "ip link set gre1 up",
            ],
        ),
    ] {
        let text = export::linux(&shipped(name), &NodeName::new("rs1").unwrap()).unwrap();
        assert!(commands(&text).starts_with(made), "{text}");
    }
}

#[test]
fn the_shipped_scenario_comes_back_as_it_was() {
    let before = shipped("tacacs-ipip.yaml");
    let after = round_trip(&before, None);
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
        "  lb:\n    virtual_servers:\n      /P/vs: {destination: 172.16.4.99:49, pool: /P/p, fastl4: {idle_timeout: 86400, reset_on_timeout: false}}\n      vs: {destination: 172.16.4.98:49, pool: /P/p}\n    pools: {/P/p: {profile: ipip, members: [10.1.1.51:49]}}\n",
        "  lb:\n    virtual_servers:\n      /P/vs: {destination: 172.16.4.99:1812, ip_protocol: udp, pool: p, translate_address: true, source_address_translation: {snat: [172.16.0.99, 172.16.0.98]}}\n      vs: {destination: 172.16.4.99:49, pool: q}\n    pools: {p: {members: [10.1.1.51:1812]}, q: {profile: gre, members: [10.1.1.52:49]}}\n",
        "  lb:\n    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p, persistence: source_address}\n      /P/vs: {destination: 172.16.4.98:49, pool: q, persistence: {source_address: {timeout: 7, prefix_length: 25}}}\n    pools: {p: {profile: ipip, load_balancing_mode: ratio, members: [{address: 10.1.1.51:49, ratio: 9}, 10.1.1.52:49]}, q: {profile: ipip, load_balancing_mode: least_connections, members: [10.1.1.52:49]}}\n",
        "  lb:\n    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p}\n    pools: {p: {profile: ipip, load_balancing_mode: ratio_least_connections, members: [10.1.1.51:49]}}\n",
        "  lb:\n    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p}\n    pools: {p: {profile: ipip, members: [10.1.1.51:49, {address: 10.1.1.52:49, profile: gre}, {address: 10.1.1.53:49, profile: none}]}}\n",
        "  lb:\n    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p}\n    pools: {p: {profile: ipip, members: [10.1.1.51:49, {address: 10.1.1.52:49, state: disabled}, {address: 10.1.1.53:49, state: forced_offline}]}}\n",
    ] {
        let before = scenario(load_balancers);
        let after = round_trip(&before, None);
        assert_eq!(
            format!("{:?}", after.load_balancers),
            format!("{:?}", before.load_balancers),
            "{}",
            export::f5(&before)
        );
    }
}

#[test]
fn every_way_to_a_member_survives() {
    for (name, warning) in [
        ("tacacs-gre.yaml", None),
        ("snat.yaml", None),
        ("snat-pool.yaml", None),
        ("dnat-without-snat.yaml", Some("the source is not")),
        ("l2-dsr.yaml", None),
    ] {
        let before = shipped(name);
        let after = round_trip(&before, warning);
        assert_eq!(
            format!("{:?}", after.load_balancers),
            format!("{:?}", before.load_balancers),
            "{}",
            export::f5(&before)
        );
    }
}

#[test]
fn fields_of_gre_are_written_as_comments() {
    let text = export::f5(&shipped("tacacs-gre-key.yaml"));
    assert!(text.contains("    # GRE with the key 4099 and a checksum, which"), "{text}");
    assert!(!export::f5(&shipped("tacacs-gre.yaml")).contains("# GRE"));
}

#[test]
fn maglev_and_a_drained_member_are_written_as_comments() {
    let text = export::f5(&scenario(
        "  lb:\n    virtual_servers: {vs: {destination: 172.16.4.99:49, pool: p}}\n    pools: {p: {profile: ipip, load_balancing_mode: {maglev: {hash: source_address}}, members: [10.1.1.51:49, {address: 10.1.1.52:49, ratio: 0}]}}\n",
    ));
    assert!(text.contains("    # Maglev by source address, which"), "{text}");
    assert!(text.contains("            session user-disabled\n"), "{text}");
    assert!(!text.contains("load-balancing-mode") && !text.contains("ratio"), "{text}");
}

#[test]
fn the_outer_source_is_written_as_a_comment() {
    let text = export::f5(&scenario(
        "  lb:\n    outer_source: egress\n    virtual_servers: {vs: {destination: 172.16.4.99:49, pool: p}}\n    pools: {p: {profile: ipip, members: [10.1.1.51:49]}}\n",
    ));
    assert!(text.contains("# tunnel packets carry the load balancer's own address"), "{text}");
}

#[test]
fn a_tunnel_device_of_another_name_is_made() {
    let node = NodeName::new("rs1").unwrap();
    let gre = |key, checksum| TunnelKind::Gre(GreOptions { key, checksum });
    let ip6gre = |key, checksum| TunnelKind::Ip6gre(GreOptions { key, checksum });
    for (kind, made) in [
        (TunnelKind::Ipip, "ipip local 10.1.1.51"),
        (TunnelKind::Sit, "sit local 10.1.1.51"),
        (TunnelKind::Ip6tnl, "ip6tnl mode any local 2001:db8:1::51"),
        (ip6gre(None, true), "ip6gre local 2001:db8:1::51 csum"),
        (ip6gre(Some(7), false), "ip6gre key 7"),
        (gre(None, false), "gre local 10.1.1.51"),
        (gre(None, true), "gre local 10.1.1.51 csum"),
        (gre(Some(7), false), "gre key 7"),
    ] {
        let mut scenario = shipped("tacacs-ipip.yaml");
        let tunnel = &mut scenario.real_servers.get_mut(&node).unwrap().tunnels[0];
        (tunnel.kind, tunnel.name) = (kind, InterfaceName::new("dsr0").unwrap());
        if !kind.outer_ipv4() {
            tunnel.local = Some("2001:db8:1::51".parse().unwrap());
        }
        let text = export::linux(&scenario, &node).unwrap();
        let made = format!("\nip link add name dsr0 type {made}\nip link set dsr0 up\n");
        assert!(text.contains(&made), "{text}");
    }
}

#[test]
fn gue_has_a_port_of_the_kernels_and_no_profile_of_f5s() {
    let node = NodeName::new("rs1").unwrap();
    let before = shipped("tacacs-gue.yaml");
    let text = export::linux(&before, &node).unwrap();
    let made = "\nmodprobe fou\nmodprobe ipip\nip fou add port 6080 gue\nip link set tunl0 up\n";
    assert!(text.contains(made), "{text}");
    let text = export::linux(&shipped("ipv6/tacacs-gue-6in4.yaml"), &node).unwrap();
    let made = "\nmodprobe fou\nmodprobe sit\nip fou add port 7000 gue\nip link set sit0 up\n";
    assert!(text.contains(made), "{text}");
    let mut over_ipv6 = before.clone();
    let tunnel = &mut over_ipv6.real_servers.get_mut(&node).unwrap().tunnels[0];
    tunnel.kind = TunnelKind::GueIp6tnl(GueOptions::default());
    let text = export::linux(&over_ipv6, &node).unwrap();
    assert!(text.contains("\nmodprobe ip6_tunnel\nip -6 fou add port 6080 gue\n"), "{text}");
    let text = export::f5(&before);
    assert!(text.contains("    # in a GUE tunnel, for which F5 has no profile"), "{text}");
}

#[test]
fn monitors_that_f5_has_by_itself_are_named_and_others_are_left_to_their_writer() {
    let text = export::f5(&shipped("monitor-reset.yaml"));
    assert!(text.contains("# monitor: tacacs; write one and name it here"), "{text}");
    assert!(
        text.contains("service-down-action reset") && !text.contains("tacacs-test\n"),
        "{text}"
    );
    let text = export::f5(&shipped("monitor-icmp.yaml"));
    let how = "# monitor: icmp every 200ms, which is no number of seconds; write one";
    assert!(text.contains(how) && !text.contains("service-down"), "{text}");
    let text = export::f5(&shipped("monitor-transparent.yaml"));
    assert!(text.contains("# monitor: tacacs, transparent; write one"), "{text}");
}

#[test]
fn an_ipv6_vip_and_its_members_are_written_as_f5_writes_them() {
    let text = export::f5(&shipped("ipv6/two-families.yaml"));
    for line in [
        "    destination 2001:db8:4::99.49",
        "    source ::/0",
        "        2001:db8:1::52.49 {",
        "    destination 172.16.4.99:49",
        "    source 0.0.0.0/0",
        "    network default-inet6",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
}

/// With the names that ACOS gives, and all that it does of its own accord.
const A10: &str = "  lb:
    virtual_servers:
      vs_49: {destination: 172.16.4.99:49, pool: p, translate_port: false, fastl4: {idle_timeout: 120, reset_on_timeout: false}, persistence: {source_address: {timeout: 300, prefix_length: 24}}}
      vs_1812: {destination: 172.16.4.99:1812, ip_protocol: udp, pool: q, translate_address: true, source_address_translation: {snat: [172.16.0.98, 172.16.0.99]}, fastl4: {idle_timeout: 60, reset_on_timeout: false}}
      \"a b_49\": {destination: 172.16.4.98:49, pool: \"p q\", fastl4: {idle_timeout: 86400}}
    pools:
      p: {profile: ipip, load_balancing_mode: MODE, members: [{address: 10.1.1.51:49, ratio: RATIO}, {address: 10.1.1.52:49, state: forced_offline}]}
      q: {members: [10.1.1.51:1812]}
      \"p q\": {profile: ipip, members: [10.1.1.53:4949]}
";

#[test]
fn what_acos_can_say_comes_back_as_it_was() {
    for (mode, ratio) in [
        ("round_robin", "1"),
        ("least_connections", "1"),
        ("ratio", "7"),
        ("ratio_least_connections", "1000"),
    ] {
        let before = scenario(&A10.replace("MODE", mode).replace("RATIO", ratio));
        let (node, balancer) = before.load_balancers.iter().next().unwrap();
        let exported = export::a10(&before, node, balancer);
        assert_eq!(exported.not_exported, [], "{}", exported.text);
        let imported = imported(a10::import, "adc.txt", &exported.text);
        assert_eq!(imported.not_imported, [], "{}", exported.text);
        let after = load(&imported);
        assert_eq!(lb(&after), balancer, "{}", exported.text);
        let lb = |scenario: &Scenario| {
            let node = scenario.topology.node(&NodeName::new("lb").unwrap()).cloned().unwrap();
            format!("{:?}", (node.interfaces, node.routes))
        };
        assert_eq!(lb(&after), lb(&before));
        // Members have the names of their nodes.
        assert!(after.topology.node(&NodeName::new("rs3").unwrap()).is_some());
    }
}

#[test]
fn what_acos_cannot_say_is_listed_with_its_reason() {
    let scenario = scenario(
        "  lb:
    outer_source: egress
    announcements: {count: 3, interval: 1s}
    faults: [no_size_check]
    virtual_servers:
      a: {destination: 172.16.4.99:49, pool: p, fastl4: {loose_initiation: true, loose_close: true}, persistence: {source_address: {timeout: 61}}}
      b_50: {destination: 172.16.4.99:50, pool: p, translate_address: true, translate_port: false, source_address_translation: {snat: [172.16.0.97, 172.16.0.99]}}
    pools:
      p:
        profile: gre
        load_balancing_mode: maglev
        monitor: tcp
        action_on_down: reset
        members: [{address: 10.1.1.51:49, ratio: 0}, {address: 10.1.1.52:49, state: disabled, ratio: 2}, {address: 10.1.1.53:49, profile: ipip}]
      unused: {members: [10.1.1.53:49]}
",
    );
    let (node, balancer) = scenario.load_balancers.iter().next().unwrap();
    let exported = export::a10(&scenario, node, balancer);
    let whats: Vec<&str> = exported.not_exported.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "outer_source: egress",
            "announcements",
            "faults: no_size_check",
            "pool unused",
            "virtual server a: its name",
            "pool p: profile gre",
            "virtual server a: fastl4: loose_initiation",
            "virtual server a: fastl4: loose_close",
            "virtual server a: persistence: timeout 61",
            "pool p: maglev",
            "pool p: monitor tcp",
            "pool p: action_on_down",
            "pool p: member 10.1.1.51:49: ratio 0",
            "pool p: member 10.1.1.52:49: state disabled",
            "pool p: member 10.1.1.52:49: ratio 2",
            "pool p: member 10.1.1.53:49: profile",
            "virtual server b_50: its name",
            "virtual server b_50: translate_port false",
            "virtual server b_50: SNAT address 172.16.0.99",
        ]
    );
    for one in &exported.not_exported {
        assert!(exported.text.contains(&format!("! not exported: {one}\n")), "{one}");
    }
}

/// A real server's files as one text, each behind its path.
fn files(scenario: &Scenario, node: &str) -> (String, Vec<String>) {
    let exported = export::linux_files(scenario, &NodeName::new(node).unwrap()).unwrap();
    let text = exported.files.iter().map(|(path, text)| format!("-- {path}\n{text}"));
    (text.collect(), exported.not_exported.iter().map(ToString::to_string).collect())
}

#[test]
fn a_real_server_lasts_in_files() {
    let scenario = shipped("tacacs-ipip.yaml");
    let (text, not_exported) = files(&scenario, "rs2");
    assert_eq!(not_exported, [""; 0]);
    let head = "# rs2 of the labsim scenario tacacs-ipip\n";
    assert_eq!(
        text.replace(head, ""),
        "-- etc/modules-load.d/50-labsim.conf
ipip
-- etc/sysctl.d/90-labsim.conf
net.ipv4.conf.all.arp_announce = 2
net.ipv4.conf.all.arp_ignore = 3
net.ipv4.conf.all.rp_filter = 2
net.ipv4.conf.tunl0.rp_filter = 0
-- etc/systemd/network/50-labsim-tunl0.network
[Match]
Name=tunl0

[Link]
RequiredForOnline=no

[Network]
LinkLocalAddressing=no

[Address]
Address=10.1.1.52/32
Scope=host
-- etc/systemd/network/50-labsim-lo.network
[Match]
Name=lo

[Address]
Address=172.16.4.99/32
Scope=host
Label=lo:0
-- etc/systemd/network/50-labsim-eth0.network
# Where the host has a file of its own for this interface, take over what differs.
[Match]
Name=eth0

[Link]
MTUBytes=1500

[Network]
Address=10.1.1.52/24

[Route]
Destination=0.0.0.0/0
Gateway=10.1.1.1
"
    );
    assert_eq!(export::linux_files(&scenario, &NodeName::new("lb").unwrap()), None);
}

#[test]
fn tunnels_that_systemd_networkd_can_make_are_its_units_and_others_are_listed() {
    let mut scenario = shipped("tacacs-ipip.yaml");
    let node = NodeName::new("rs1").unwrap();
    let gre = |key, checksum| GreOptions { key, checksum };
    for (kind, name, unit) in [
        (TunnelKind::Ipip, "dsr0", Ok("Kind=ipip\n\n[Tunnel]\nIndependent=yes\nLocal=10.1.1.51\n")),
        (TunnelKind::Gre(gre(None, false)), "gre0", Ok("-- etc/modules-load.d/50-labsim.conf\n")),
        (TunnelKind::Gre(gre(Some(7), false)), "gre1", Ok("[Tunnel]\nIndependent=yes\nKey=7\n")),
        (
            TunnelKind::Gre(gre(None, true)),
            "gre1",
            Err("run `ip link add name gre1 type gre local 10.1.1.51 csum` at every start"),
        ),
        (
            TunnelKind::Ip6tnl,
            "ip6tnl1",
            Ok("Kind=ip6tnl\n\n[Tunnel]\nIndependent=yes\nMode=any\nLocal=2001:db8:1::51\n"),
        ),
        (
            TunnelKind::GueIpip(GueOptions::default()),
            "tunl0",
            Ok("Name=gue6080\nKind=fou\n\n[FooOverUDP]\n\
                Encapsulation=GenericUDPEncapsulation\nPort=6080\n"),
        ),
        (
            TunnelKind::GueIp6tnl(GueOptions::default()),
            "ip6tnl1",
            Err("run `ip -6 fou add port 6080 gue` at every start"),
        ),
    ] {
        let tunnel = &mut scenario.real_servers.get_mut(&node).unwrap().tunnels[0];
        (tunnel.kind, tunnel.name) = (kind, InterfaceName::new(name).unwrap());
        let local = if kind.outer_ipv4() { "10.1.1.51" } else { "2001:db8:1::51" };
        tunnel.local = Some(local.parse().unwrap());
        tunnel.up = name != "dsr0";
        let (text, not_exported) = files(&scenario, "rs1");
        match unit {
            Ok(unit) => {
                assert!(text.contains(unit), "{text}");
                assert_eq!(not_exported, [""; 0]);
            }
            Err(why) => assert!(not_exported[0].ends_with(why), "{not_exported:?}"),
        }
        assert_eq!(text.contains("ActivationPolicy=down\n"), name == "dsr0");
    }
    scenario.real_servers.get_mut(&node).unwrap().routes.mtu = Some(1480);
    assert!(files(&scenario, "rs1").0.contains("Gateway=10.1.1.1\nMTUBytes=1480\n"));
}

#[test]
fn monitors_with_times_of_their_own_are_written_and_faults_are_comments() {
    let text = export::f5(&scenario(
        "  lb:
    announcements: {count: 3, interval: 1s}
    faults: [no_size_check]
    virtual_servers: {vs: {destination: 172.16.4.99:49, pool: /P/p}}
    pools: {/P/p: {monitor: {tcp: {interval: 2s, fall: 4, port: 80, rise: 2}}, members: [10.1.1.51:49]}}
",
    ));
    let stanza = "ltm monitor tcp /P/monitor_p {
    defaults-from tcp
    destination *:80
    interval 2
    timeout 9
}
";
    assert!(text.contains(stanza), "{text}");
    for line in [
        "    monitor /P/monitor_p",
        "    # not exported: the monitor's rise 2; F5's is 1",
        "# not exported: announcements, as F5 has its own",
        "# not exported: the fault no_size_check, made on purpose in the lab",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
}
