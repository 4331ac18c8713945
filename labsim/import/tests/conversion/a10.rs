//! ACOS configuration: what it means, what is left out, what is wrong with it.

use crate::common::{load, places};
use labsim_import::{Imported, Source, a10};
use labsim_scenario::model::{LoadBalancingMode, Persistence, Profile, SourceAddress};

/// The document's lab in ACOS's words.
const DSR: &str = "\
!Current configuration: 1234 bytes
hostname adc
!
interface management
  ip address 192.0.2.5 255.255.255.0
!
interface ethernet 1
  enable
  ip address 172.16.0.10 255.255.255.0
!
ip route 0.0.0.0 /0 172.16.0.254
!
slb template tcp aaa
  idle-timeout 600
!
slb server rs-a 10.1.1.51
  port 49 tcp
    health-check-disable
slb server rs-b 10.1.1.52
  port 49 tcp
slb server \"rs c\" 10.1.1.53
  port 49 tcp
!
slb service-group sg_tacacs tcp
  method least-connection
  member rs-a 49
  member rs-b 49
    priority 5
  member \"rs c\" 49
!
slb virtual-server vs_tacacs 172.16.4.99
  port 49 tcp
    no-dest-nat
    service-group sg_tacacs
    ipinip
    template tcp aaa
  port 443 https
    service-group sg_web
!
end
!Current config commit point
";

fn import(text: &str) -> Result<Imported, String> {
    a10::import(&[Source::new("adc.txt", text)]).map_err(|diagnostics| diagnostics.to_string())
}

fn imported(text: &str) -> Imported {
    import(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

#[test]
fn ip_in_ip_without_destination_nat_is_direct_server_return() {
    let imported = imported(DSR);
    let scenario = load(&imported);
    let (_, lb) = scenario.load_balancers.iter().next().unwrap();
    let (name, server) = lb.virtual_servers.first_key_value().unwrap();
    assert_eq!(name, "vs_tacacs_49");
    assert_eq!(server.destination.to_string(), "172.16.4.99:49");
    assert!(!server.translate_address && !server.translate_port);
    assert_eq!(server.fastl4.idle_timeout, 600);
    let (name, pool) = lb.pools.first_key_value().unwrap();
    assert_eq!(name, "sg_tacacs");
    assert_eq!(pool.profile, Profile::Ipip);
    let members: Vec<String> = pool.members.iter().map(|one| one.address.to_string()).collect();
    assert_eq!(members, ["10.1.1.51:49", "10.1.1.52:49", "10.1.1.53:49"]);
    let nodes: Vec<&str> = scenario.topology.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(nodes, ["client", "router", "lb", "rs-a", "rs-b", "rs_c"]);
    assert!(imported.topology.contains("lb: 172.16.0.254/24"), "{}", imported.topology);
    assert!(imported.topology.contains("lb: {interfaces: {eth0: 172.16.0.10/24}}"));
    let warned = places(&imported.warnings);
    assert_eq!(warned, ["25: slb service-group sg_tacacs: method least-connection"]);
}

#[test]
fn a_virtual_port_with_a_range_takes_the_ports_after_it_and_port_0_every_one() {
    let ports = |port: &str| {
        let imported =
            imported(&DSR.replace("port 49 tcp\n    no-dest", &format!("{port}\n    no-dest")));
        let (_, lb) = load(&imported).load_balancers.pop_first().unwrap();
        let (_, server) = lb.virtual_servers.into_iter().next().unwrap();
        (server.destination.to_string(), imported.scenario)
    };
    let (destination, scenario) = ports("port 40 tcp range 20");
    assert_eq!(destination, "172.16.4.99:40-60");
    assert!(scenario.contains("to: 172.16.4.99:49"), "a port that the members have: {scenario}");
    assert_eq!(ports("port 49 tcp range 0").0, "172.16.4.99:49");
    let (destination, scenario) = ports("port 0 tcp");
    assert_eq!(destination, "172.16.4.99:any");
    assert!(scenario.contains("to: 172.16.4.99:49"), "{scenario}");
    for (port, why) in [
        ("port 49 tcp range 255", "`255` is no range; write 0 to 254"),
        ("port 65530 tcp range 6", "the range ends at 65536; the highest port is 65535"),
        ("port 49 tcp range x", "`x` is no range"),
    ] {
        let text = DSR.replace("port 49 tcp\n    no-dest", &format!("{port}\n    no-dest"));
        let refused = import(&text).unwrap_err();
        assert!(refused.contains(why), "{port}: {refused}");
    }
}

#[test]
fn everything_else_is_listed() {
    assert_eq!(
        places(&imported(DSR).not_imported),
        [
            "2: hostname adc",
            "4: interface management",
            "18: slb server rs-a: port 49: health-check-disable",
            "28: slb service-group sg_tacacs: member rs-b: member rs-b: priority",
            "37: slb virtual-server vs_tacacs: port 443 https",
        ]
    );
    assert_eq!(imported(DSR).left_out, []);
}

#[test]
fn the_older_form_of_members_means_the_same() {
    let old = DSR
        .replace("member rs-a 49", "member rs-a:49")
        .replace("member rs-b 49\n    priority 5", "member rs-b:49 priority 5")
        .replace("member \"rs c\" 49", "member \"rs c:49\"");
    // One line less before the virtual server.
    let expected = imported(DSR).scenario.replace("adc.txt:32", "adc.txt:31");
    assert_eq!(imported(&old).scenario, expected);
}

#[test]
fn lost_indentation_changes_nothing() {
    let flat: String = DSR.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    assert_eq!(imported(&flat).scenario, imported(DSR).scenario);
}

#[test]
fn members_that_are_switched_off_are_in_the_lab_and_take_no_new_flows() {
    for (from, to) in [
        ("member rs-b 49\n", "member rs-b 49\n    disable\n"),
        ("member rs-b 49\n", "member rs-b 49 disable\n"),
        ("member rs-b 49\n", "member rs-b 49 disable-with-health-check\n"),
        ("rs-b 10.1.1.52\n", "rs-b 10.1.1.52\n  disable-with-health-check\n"),
        ("rs-b 10.1.1.52\n", "rs-b 10.1.1.52\n  disable\n"),
        ("rs-b 10.1.1.52\n  port 49 tcp\n", "rs-b 10.1.1.52\n  port 49 tcp\n    disable\n"),
    ] {
        let imported = imported(&DSR.replacen(from, to, 1));
        let off = "{address: 10.1.1.52:49, state: forced_offline}";
        assert!(imported.scenario.contains(off), "{to}: {}", imported.scenario);
        assert!(imported.scenario.contains("answered_by: {node: [rs-a, rs_c]}"), "{to}");
        load(&imported);
    }
}

#[test]
fn members_that_are_unknown_are_left_out() {
    for (from, to, left) in [
        ("member rs-b 49\n", "member nobody 49\n", "member nobody"),
        ("rs-b 10.1.1.52\n", "rs-b aaa.example\n", "member rs-b"),
        ("rs-b 10.1.1.52\n", "rs-b fe80::52\n", "member rs-b"),
    ] {
        let imported = imported(&DSR.replacen(from, to, 1));
        assert!(!imported.scenario.contains("10.1.1.52"), "{to}");
        assert!(places(&imported.not_imported).iter().any(|place| place.ends_with(left)), "{to}");
        load(&imported);
    }
}

/// What becomes of a virtual port with these lines.
fn port(lines: &str) -> Imported {
    let text = format!(
        "ip nat pool out 10.9.9.1 10.9.9.2 netmask /24\nslb server s 10.1.1.51\n  port 49 tcp\n\
         slb service-group g tcp\n  member s 49\nslb virtual-server v 10.0.0.9\n  port 49 tcp\n\
         \x20   service-group g\n{lines}"
    );
    imported(&text)
}

#[test]
fn source_nat_is_imported() {
    let auto = port("    source-nat auto\n");
    load(&auto);
    assert!(auto.scenario.contains("source_address_translation: automap"), "{}", auto.scenario);
    assert!(auto.scenario.contains("translate_address: true"));
    let pool = port("    source-nat pool out\n");
    load(&pool);
    assert!(pool.scenario.contains("source_address_translation: {snat: [10.9.9.1, 10.9.9.2]}"));
    assert!(pool.topology.contains("10.9.9.2: 172.16.0.10"));
    assert_eq!(pool.not_imported, []);
}

#[test]
fn a_service_group_makes_a_pool_for_each_way_that_it_is_used_in() {
    let both = imported(
        "slb server s 10.1.1.51\nslb service-group g tcp\n  member s 49\n\
         slb virtual-server a 10.0.0.1\n  port 49 tcp\n    service-group g\n    no-dest-nat\n    ipinip\n\
         slb virtual-server b 10.0.0.2\n  port 49 tcp\n    service-group g\n    no-dest-nat\n",
    );
    let scenario = load(&both);
    let pools = &scenario.load_balancers.values().next().unwrap().pools;
    let pools: Vec<(&str, Profile)> =
        pools.iter().map(|(name, pool)| (name.as_str(), pool.profile)).collect();
    assert_eq!(pools, [("g", Profile::Ipip), ("g-none", Profile::None)]);
}

#[test]
fn contradictions_are_imported_and_warned_about() {
    for (lines, scenario, why) in [
        ("    ipinip\n", "translate_address: true", "a tunnel and the destination is translated"),
        (
            "    ipinip\n    no-dest-nat\n    source-nat auto\n",
            "automap",
            "the source is translated (SNAT)",
        ),
        ("", "result: timeout", "the source is not"),
        ("    no-dest-nat\n", "translate_address: false", "L2 DSR"),
    ] {
        let imported = port(lines);
        load(&imported);
        assert!(imported.scenario.contains(scenario), "{lines}: {}", imported.scenario);
        assert!(
            imported.warnings.iter().any(|note| note.why.contains(why) && note.line == 7),
            "{lines}"
        );
    }
}

#[test]
fn radius_is_spoken_to() {
    let imported = imported(
        "slb server s 10.1.1.51\nslb service-group g udp\n  member s 1812\nslb service-group h udp\n  member s 1813\n\
         slb virtual-server v 10.0.0.9\n  port 1812 radius\n    service-group g\n    no-dest-nat\n    ipinip\n  port 1813 udp\n    service-group h\n",
    );
    for part in
        ["ip_protocol: udp", "radius_servers:", "radius_login: {from: client, to: 10.0.0.9:1812"]
    {
        assert!(imported.scenario.contains(part), "{part}: {}", imported.scenario);
    }
    assert_eq!(load(&imported).radius_servers.len(), 1);
    assert_eq!(imported.not_imported, []);
    let accounting = "radius_accounting: {from: client, to: 10.0.0.9:1813, acct_status_type: start";
    assert!(imported.scenario.contains(accounting), "{}", imported.scenario);
}

#[test]
fn broken_input_is_reported_with_its_place() {
    for (from, to, expected) in [
        ("10.1.1.51\n", "10.1.1.510\n", "adc.txt:16:17: `10.1.1.510` is not an address"),
        ("port 49 tcp\n    no-dest", "port x tcp\n    no-dest", "adc.txt:32:8: `x` is not a port"),
        ("member rs-a 49", "member rs-a", "adc.txt:26:3: a member is written as"),
        (
            "255.255.255.0\n!\nip route",
            "255.0.255.0\n!\nip route",
            "adc.txt:9:26: `255.0.255.0` is not a mask",
        ),
        ("\"rs c\" 10", "\"rs c 10", "adc.txt:21:12: this quote is not closed"),
        ("idle-timeout 600", "idle-timeout soon", "adc.txt:14:16: `soon` is not a time"),
        ("hostname adc", "  mtu 1500", "adc.txt:2:3: this line is indented"),
        ("172.16.4.99", "127.0.0.1", "adc.txt:31:30: 127.0.0.1 is a loopback address"),
    ] {
        let diagnostics = import(&DSR.replacen(from, to, 1)).unwrap_err();
        assert!(diagnostics.contains(expected), "{diagnostics}");
    }
}

#[test]
fn without_a_virtual_port_that_can_be_imported_nothing_is() {
    let expected =
        import("slb server s 10.1.1.51\nslb virtual-server v 10.0.0.9\n  port 80 http\n")
            .unwrap_err();
    assert!(expected.contains("adc.txt: no virtual server can be imported"), "{expected}");
    assert!(
        expected.starts_with("adc.txt:3:3: slb virtual-server v: port 80 http: "),
        "{expected}"
    );
}

#[test]
fn the_port_is_translated_where_it_is_said() {
    assert!(port("    no-dest-nat\n").scenario.contains("translate_port: false"));
    let both = port("    no-dest-nat port-translation\n").scenario;
    assert!(both.contains("translate_address: false") && both.contains("translate_port: true"));
}

#[test]
fn a_later_line_takes_an_earlier_one_s_place() {
    let imported = port("    source-nat auto\n    service-group g\n    source-nat pool out\n");
    assert!(imported.scenario.contains("{snat: [10.9.9.1, 10.9.9.2]}"));
    assert_eq!(
        places(&imported.not_imported),
        [
            "8: slb virtual-server v: port 49 tcp: service-group",
            "9: slb virtual-server v: port 49 tcp: source-nat"
        ]
    );
}

#[test]
fn a_command_that_comes_again_goes_on_with_the_same_object() {
    let text =
        DSR.replace("  member rs-b 49\n", "slb service-group sg_tacacs tcp\n  member rs-b 49\n");
    assert!(
        imported(&text).scenario.contains("members: [10.1.1.51:49, 10.1.1.52:49, 10.1.1.53:49]")
    );
    let other = format!("{DSR}slb server rs-a 10.1.1.99\n");
    assert!(import(&other).unwrap_err().starts_with(
        "adc.txt:42:1: slb server rs-a is configured differently before (adc.txt:16)"
    ));
}

#[test]
fn a_large_nat_pool_is_cut() {
    let text = DSR
        .replace("ip route", "ip nat pool big 10.9.0.1 10.9.255.1 netmask /16\nip route")
        .replace("    ipinip\n", "    source-nat pool big\n");
    let imported = imported(&text);
    assert!(imported.scenario.contains("10.9.0.64]") && !imported.scenario.contains("10.9.0.65"));
    assert!(places(&imported.not_imported).contains(&"11: ip nat pool big".to_owned()));
}

#[test]
fn persistence_weights_and_resets_are_carried_over() {
    let text = "\
slb template persist source-ip sticky
  timeout 30
  netmask 255.255.255.0
  match-type server
slb template persist source-ip usual
slb template persist source-ip unused
slb template tcp quiet
  reset-fwd
slb template tcp loud
  reset-rev
  reset-fwd
slb server a 10.1.1.51
  weight 3
  port 49 tcp
    weight 5
slb server b 10.1.1.52
  weight 2
  port 49 tcp
slb service-group by-server tcp
  method weighted-rr
  member a 49
  member b 49
slb service-group by-port tcp
  method service-weighted-least-connection
  member a 49
slb virtual-server v 10.0.0.9
  port 49 tcp
    no-dest-nat
    ipinip
    service-group by-server
    template persist source-ip sticky
    template tcp loud
  port 50 tcp
    no-dest-nat
    ipinip
    service-group by-port
    template persist source-ip usual
    template tcp quiet
    template persist source-ip missing
";
    let imported = imported(text);
    let scenario = load(&imported);
    let lb = crate::common::lb(&scenario);
    let source = |name: &str| lb.virtual_servers[name].persistence;
    let rule = |timeout, prefix_length| {
        Persistence::SourceAddress(SourceAddress { timeout, prefix_length })
    };
    assert_eq!((source("v_49"), source("v_50")), (rule(1800, Some(24)), rule(300, None)));
    let resets = |name: &str| lb.virtual_servers[name].fastl4.reset_on_timeout;
    assert!(resets("v_49") && !resets("v_50"));
    let ratios = |name: &str| {
        let pool = &lb.pools[name];
        let ratios: Vec<u16> = pool.members.iter().map(|one| one.ratio).collect();
        (pool.load_balancing_mode, ratios)
    };
    assert_eq!(ratios("by-server"), (LoadBalancingMode::Ratio, vec![3, 2]));
    assert_eq!(ratios("by-port"), (LoadBalancingMode::RatioLeastConnections, vec![5]));
    assert_eq!(
        places(&imported.not_imported),
        [
            "4: slb template persist source-ip sticky: match-type",
            "6: slb template persist source-ip unused",
            "8: slb template tcp quiet: reset-fwd",
        ]
    );
    assert_eq!(places(&imported.warnings), ["39: slb template persist source-ip missing"]);
}
