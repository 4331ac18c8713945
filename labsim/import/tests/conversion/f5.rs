//! tmsh configuration text: every form of writing the same, what it means, what is left out.

use crate::common::{load, places, with};
use labsim_import::{Imported, Source, f5};
use labsim_scenario::model::{GreOptions, LoadBalancer, Profile, TunnelKind};

fn import(text: &str) -> Result<Imported, String> {
    f5::import(&[Source::new("x.conf", text)]).map_err(|diagnostics| diagnostics.to_string())
}

fn imported(text: &str) -> Imported {
    import(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}\n{text}"))
}

fn balancer(imported: &Imported) -> LoadBalancer {
    load(imported).load_balancers.into_values().next().unwrap()
}

/// Without the places in its comments.
fn scenario(imported: &Imported) -> String {
    imported
        .scenario
        .lines()
        .map(|line| format!("{}\n", line.split(" # ").next().unwrap()))
        .collect()
}

#[test]
fn the_same_is_understood_in_every_form() {
    let usual = scenario(&imported(&with("")));
    for text in [
        // On one line, as `tmsh list one-line` shows it.
        "ltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 session monitor-enabled } } profiles { ipip } }\n\
         ltm virtual vs { destination 172.16.4.99:49 enabled ip-protocol tcp mask 255.255.255.255 pool p source 0.0.0.0/0 translate-address disabled }",
        // Full paths, service names, CR LF, tabs, comments.
        "#TMSH-VERSION: 15.1\r\n\r\nltm pool /Common/p { # a comment\r\n\tmembers {\r\n\t\t/Common/10.1.1.51:tacacs {\r\n\t\t\taddress 10.1.1.51\r\n\t\t}\r\n\t}\r\n\tprofiles {\r\n\t\t/Common/ipip { }\r\n\t}\r\n}\r\nltm virtual /Common/vs {\r\n\tdestination /Common/172.16.4.99:tacacs\r\n\tip-protocol tcp\r\n\tpool /Common/p\r\n\ttranslate-address disabled\r\n}",
        // Quoted names, and braces that touch.
        "ltm pool \"p\" {members {\"10.1.1.51:49\" {address \"10.1.1.51\"}} profiles {ipip}}\nltm virtual \"vs\" {destination 172.16.4.99:49 ip-protocol tcp pool \"p\" translate-address disabled}",
        // The address is the node's.
        "ltm node n { address 10.1.1.51 }\nltm pool p { members { 10.1.1.51:49 { } } profiles { ipip { } } }\nltm virtual vs { destination 172.16.4.99:49 ip-protocol tcp pool p translate-address disabled }",
        // The VIP's name is not its address.
        "ltm virtual-address vip { address 172.16.4.99 mask 255.255.255.255 }\nltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 } } profiles { ipip } }\nltm virtual vs { destination vip:49 ip-protocol tcp pool p translate-address disabled }",
        // The tunnel is the members', or an object of its own.
        "ltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 profiles { ipip } } } }\nltm virtual vs { destination 172.16.4.99:49 ip-protocol tcp pool p translate-address disabled }",
        "net tunnels ipip mine { defaults-from ipip }\nltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 } } profiles { mine } }\nltm virtual vs { destination 172.16.4.99:49 ip-protocol tcp pool p translate-address disabled }",
    ] {
        assert_eq!(scenario(&imported(text)), usual, "{text}");
    }
}

#[test]
fn stanzas_may_stand_in_several_files_in_any_order() {
    let text = with("    profiles {\n        fast { }\n    }\n");
    let (pool, server) = text.split_at(text.find("ltm virtual").unwrap());
    let profile = "ltm profile fastl4 fast {\n    loose-close enabled\n}\n";
    let files = [
        Source::new("a.conf", server),
        Source::new("b.conf", pool),
        Source::new("c.conf", profile),
    ];
    let several = f5::import(&files).unwrap();
    assert_eq!(several.scenario_name, "a");
    assert!(
        several.scenario.contains("vs: # a.conf:1") && several.scenario.contains("p: # b.conf:1")
    );
    assert!(balancer(&several).virtual_servers.values().next().unwrap().fastl4.loose_close);
}

#[test]
fn programs_are_taken_as_a_whole() {
    for rule in [
        "ltm rule r {\nwhen HTTP_REQUEST {\n    if { [HTTP::uri] eq \"/\\{\" } { # \\}\n    }\n}\n}\n",
        "ltm rule r {\nwhen RULE_INIT {\n    set a \"}\"\n}\n}\n",
        "ltm rule r {\n# an unpaired {\nwhen RULE_INIT {\n}\n}\n",
        "ltm rule r { }\n",
        "cli script /Common/s {\nproc script::run {} {\n  puts \"{\"\n}\n}\n",
        "sys icall script s {\n    definition {\n        set x \"{\"\n    }\n}\n",
    ] {
        let imported = imported(&format!("{rule}{}", with("")));
        assert_eq!(imported.not_imported.len(), 1, "{rule}: {:?}", imported.not_imported);
        assert_eq!(imported.not_imported[0].line, 1);
        assert_eq!(scenario(&imported), scenario(&self::imported(&with(""))), "{rule}");
    }
}

#[test]
fn profiles_take_what_they_do_not_say_from_their_parents() {
    let chain = "ltm profile fastl4 a { defaults-from b loose-close enabled }\n\
                 ltm profile fastl4 b { defaults-from fastL4 loose-close disabled idle-timeout 77 \
                 reset-on-timeout disabled }\n\
                 ltm profile fastl4 fastL4 { loose-initialization enabled idle-timeout 9 }\n";
    let imported = imported(&format!("{chain}{}", with("    profiles {\n        a { }\n    }\n")));
    let fastl4 = balancer(&imported).virtual_servers.values().next().unwrap().fastl4;
    assert!(fastl4.loose_close && fastl4.loose_initiation);
    assert!(!fastl4.reset_on_timeout);
    assert_eq!(fastl4.idle_timeout, 77);
}

#[test]
fn times_that_labsim_does_not_have_are_the_nearest_and_warned_about() {
    for (written, seconds) in [("indefinite", 86400), ("immediate", 1), ("0", 1), ("90000", 86400)]
    {
        let profile = format!("ltm profile fastl4 f {{ idle-timeout {written} }}\n");
        let imported =
            imported(&format!("{profile}{}", with("    profiles {\n        f { }\n    }\n")));
        assert_eq!(
            balancer(&imported).virtual_servers.values().next().unwrap().fastl4.idle_timeout,
            seconds
        );
        assert_eq!(places(&imported.warnings), ["1: ltm profile fastl4 f: idle-timeout"]);
    }
}

#[test]
fn gre_and_radius_are_imported() {
    let text = with("")
        .replace("ipip", "gre")
        .replace(":49", ":radius")
        .replace("protocol tcp", "protocol udp");
    let imported = imported(&text);
    for part in [
        "        profile: gre\n        members: [10.1.1.51:1812]\n",
        "    tunnel: gre\n",
        "net.ipv4.conf.gre0.rp_filter: 0",
        "radius_servers:",
        "login: {radius_login: {from: client, to: 172.16.4.99:1812, user: violet",
        "ip_protocol: udp",
    ] {
        assert!(imported.scenario.contains(part), "{part}: {}", imported.scenario);
    }
    assert!(!imported.scenario.contains("tacacs"));
    let scenario = load(&imported);
    let server = scenario.real_servers.values().next().unwrap();
    let tunnel = &server.tunnels[0];
    assert_eq!(tunnel.kind, TunnelKind::Gre(GreOptions::default()));
    assert_eq!(scenario.radius_servers.values().next().unwrap().authentication_port, 1812);
    let pool = balancer(&imported).pools.into_values().next().unwrap();
    assert_eq!(pool.profile, Profile::Gre(GreOptions::default()));
}

#[test]
fn every_port_is_taken_at_the_one_that_labsim_speaks_to() {
    let any = with("    translate-port enabled\n").replace(":49", ":any");
    let imported = imported(&any);
    let server = balancer(&imported).virtual_servers.into_values().next().unwrap();
    assert!(server.destination.ports().is_any() && !server.translate_port);
    assert!(imported.scenario.contains("members: [10.1.1.51:49]"));
    assert!(imported.scenario.contains("to: 172.16.4.99:49"));
}

#[test]
fn every_port_is_asked_for_at_one_that_a_member_has() {
    let any = with("").replace("99:49", "99:any").replace("10.1.1.51:49", "10.1.1.51:80");
    let imported = imported(&any);
    load(&imported);
    assert!(
        imported.scenario.contains("http_get: {from: client, to: 172.16.4.99:80"),
        "{}",
        imported.scenario
    );
    assert!(imported.scenario.contains("destination: 172.16.4.99:any"));
}

/// A virtual server of several ports, as version 14.1 and later list it.
const SEVERAL_PORTS: &str = "\
net port-list inner { ports { https { } } }
net port-list media {
    port-lists { inner { } }
    ports {
        80 { }
        8000-8010 { }
    }
}
ltm traffic-matching-criteria vs_media_VS_TMC_OBJ {
    destination-address-inline 172.16.4.99
    destination-port-list media
    protocol tcp
    source-address-inline 0.0.0.0
    source-port-inline 0
}
ltm pool p { members { 10.1.1.51:8010 { address 10.1.1.51 } } profiles { ipip } }
ltm virtual vs_media {
    ip-protocol tcp
    pool p
    traffic-matching-criteria vs_media_VS_TMC_OBJ
    translate-address disabled
    translate-port disabled
}
";

#[test]
fn a_list_of_ports_is_a_virtual_server_of_several_ports() {
    let imported = imported(SEVERAL_PORTS);
    assert!(imported.not_imported.is_empty(), "{:?}", places(&imported.not_imported));
    let server = balancer(&imported).virtual_servers.into_values().next().unwrap();
    assert_eq!(server.destination.to_string(), "172.16.4.99:80,443,8000-8010");
    assert!(imported.scenario.contains("to: 172.16.4.99:8010"), "{}", imported.scenario);
    for (from, to, why) in [
        ("media\n    protocol", "other\n    protocol", "its port list `other` is in none"),
        (
            "-criteria vs_media_VS_TMC_OBJ\n    trans",
            "-criteria x\n    trans",
            "its traffic matching criteria `x` are in none",
        ),
        ("172.16.4.99\n", "172.16.4.0/24\n", "it accepts packets for a network"),
        (
            "        80 { }\n",
            "        81 { }\n        80-82 { }\n",
            "80-82 and 81 have ports in common",
        ),
        ("        80 { }\n", "        nosuch { }\n", "`nosuch` is not a port"),
    ] {
        let text = SEVERAL_PORTS.replacen(from, to, 1);
        assert_ne!(text, SEVERAL_PORTS, "{from}");
        let refused = import(&text).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn virtual_servers_with_a_port_in_common_are_not_both_imported() {
    let both = format!(
        "{SEVERAL_PORTS}ltm virtual vs_web {{ destination 172.16.4.99:80 ip-protocol tcp pool p }}\n"
    );
    let notes = imported(&both).not_imported;
    let note = notes.iter().find(|note| note.what == "ltm virtual vs_web").unwrap();
    assert!(note.why.contains("takes port 80 of the same address and protocol"), "{}", note.why);
    assert!(note.why.contains(":17)"), "{}", note.why);
}

#[test]
fn a_self_ip_is_the_load_balancer_s_address() {
    let selfs = "net self inside { address 10.1.1.2/25 vlan internal allow-service default }\n\
                 net self outside { address 203.0.113.10/28 vlan external }\n\
                 net route default { gw 203.0.113.1 network default }\n";
    let imported = imported(&format!("{selfs}{}", with("")));
    load(&imported);
    for part in [
        "lb: {interfaces: {eth0: 203.0.113.10/28}}",
        "      lb: 203.0.113.1/28\n",
        "      servers: 10.1.1.1/25\n",
        "172.16.4.99: 203.0.113.10",
        "rs1: {interfaces: {eth0: 10.1.1.51/25}}",
    ] {
        assert!(imported.topology.contains(part), "{part}: {}", imported.topology);
    }
    assert_eq!(
        places(&imported.not_imported),
        [
            "1: own address 10.1.1.2/25",
            "1: net self inside: vlan",
            "1: net self inside: allow-service",
            "2: net self outside: vlan",
        ]
    );
}

#[test]
fn members_on_other_subnets_are_on_other_segments() {
    let text = with("").replace(
        "10.1.1.51:49 {",
        "10.1.2.51:49 { address 10.1.2.51 }\n        10.1.1.52:49 { address 10.1.1.52 }\n        10.1.1.51:49 {",
    );
    let scenario = load(&imported(&text));
    let segments: Vec<(String, usize)> = scenario
        .topology
        .segments
        .iter()
        .map(|segment| (segment.name.to_string(), segment.ports.len()))
        .collect();
    assert_eq!(segments, [("servers".to_owned(), 2), ("servers2".to_owned(), 3)]);
}

#[test]
fn addresses_that_are_chosen_collide_with_none() {
    let text = with("")
        .replace("10.1.1.51", "192.168.11.1")
        .replace("172.16.4.99", "172.16.0.10")
        .replace("10.1.1.", "192.168.11.");
    let imported = imported(&text);
    load(&imported);
    assert!(imported.topology.contains("client: 192.168.12.1/24"), "{}", imported.topology);
    assert!(imported.topology.contains("lb: {interfaces: {eth0: 172.16.1.10/24}}"));
    assert!(imported.topology.contains("servers: 192.168.11.254/24"));
}

#[test]
fn without_tunnel_and_translation_all_hosts_are_on_one_segment() {
    let text = with("").replace("profiles {\n        ipip\n    }", "");
    let imported = imported(&text);
    let scenario = load(&imported);
    assert!(imported.topology.contains("\"router:servers\", \"lb:eth0\", \"rs1:eth0\""));
    assert!(imported.warnings[0].why.contains("L2 DSR"));
    let server = scenario.real_servers.values().next().unwrap();
    assert!(server.tunnels.is_empty() && server.vips.len() == 1);
    // On different subnets it cannot work, and a warning says so.
    let apart = format!("net self s {{ address 10.7.7.7/24 }}\n{text}");
    let imported = self::imported(&apart);
    load(&imported);
    assert!(imported.warnings[0].why.contains("cannot be routed to members"));
}

#[test]
fn contradictions_are_imported_as_they_stand_and_warned_about() {
    let (passes, times_out) = ("result: pass, source: 172.16.4.99", "answer: {result: timeout}");
    for (from, to, part, why, expected) in [
        (
            "address disabled",
            "address enabled",
            "translate_address: true",
            "tunnel and the destination",
            times_out,
        ),
        (
            "    pool p",
            "    snat automap\n    pool p",
            "source_address_translation: automap",
            "(SNAT)",
            passes,
        ),
        (
            "10.1.1.51:49",
            "10.1.1.51:4949",
            "members: [10.1.1.51:4949]",
            "translated to 4949",
            passes,
        ),
    ] {
        let imported = imported(&with("").replace(from, to));
        load(&imported);
        assert!(imported.scenario.contains(part), "{to}: {}", imported.scenario);
        assert!(imported.scenario.contains("profile: ipip"));
        assert!(imported.scenario.contains(expected), "{}", imported.scenario);
        let warnings = &imported.warnings;
        assert!(
            warnings.iter().any(|note| note.why.contains(why) && note.line > 9),
            "{warnings:?}"
        );
    }
}

#[test]
fn several_virtual_servers_have_a_step_each() {
    let more = "ltm virtual /P/vs2 { destination 172.16.4.99:1645 ip-protocol udp pool q translate-address disabled }\n\
                ltm pool q { members { 10.1.1.51:1645 { address 10.1.1.51 } 10.1.1.52:1645 { address 10.1.1.52 } } profiles { ipip } }\n\
                ltm virtual vs3 { destination 172.16.4.98:49 ip-protocol tcp pool p translate-address disabled }\n";
    let imported = imported(&format!("{}{more}", with("")));
    for part in [
        "  vs: {tacacs_login:",
        "  P_vs2: {radius_login:",
        "  vs3: {tacacs_login:",
        "  P_vs2_login:\n    answer: {step: P_vs2, result: pass, source: 172.16.4.99}",
        "  vs3_client_seen:\n    server_saw: {step: vs3, client: 192.168.11.201}",
        "match: {direction: in, source: 172.16.4.99, protocol: udp, source_port: 1645}, count: 0",
        "match: {direction: in, source: 172.16.4.98}, count: 0",
        "      /P/vs2: #",
        "  servers:\n    nodes: rs1\n    tunnel: ipip\n    vip: [172.16.4.99, 172.16.4.98]",
        "  servers_2:\n    nodes: rs2\n    tunnel: ipip\n    vip: 172.16.4.99",
        "  aaa:\n    nodes: [rs1, rs2]\n    authentication_port: 1645",
    ] {
        assert!(imported.scenario.contains(part), "{part}: {}", imported.scenario);
    }
    assert_eq!(load(&imported).expectations.len(), 12);
}

#[test]
fn a_radius_server_on_the_accounting_port_takes_accounting_on_another() {
    let text = with("").replace("10.1.1.51:49", "10.1.1.51:1813").replace(".99:49", ".99:1812");
    let imported = imported(&text.replace("protocol tcp", "protocol udp"));
    let scenario = load(&imported);
    let server = scenario.radius_servers.values().next().unwrap();
    assert_eq!((server.authentication_port, server.accounting_port), (1813, 1812));
}

#[test]
fn each_virtual_server_has_the_exchange_that_fits_its_port_and_protocol() {
    for (port, protocol, step, server) in [
        ("80", "tcp", "request: {http_get: {", "port: 80\n    form: http\n"),
        ("8080", "tcp", "request: {http_get: {", "port: 8080\n    form: http\n"),
        ("443", "tcp", "exchange: {tcp_exchange: {", "port: 443\n"),
        ("53", "udp", "name: www.example.org}}", "port: 53\n    form: {dns: {www.example.org: "),
        ("53", "tcp", "exchange: {tcp_exchange: {", "port: 53\n"),
        ("514", "udp", "exchange: {udp_exchange: {", "port: 514\n"),
    ] {
        let text = with("").replace(":49", &format!(":{port}"));
        let imported = imported(&text.replace("protocol tcp", &format!("protocol {protocol}")));
        let section = format!("{protocol}_servers:\n  - nodes: rs1\n    {server}");
        for part in [step, &section, "What is sent and answered is made up"] {
            assert!(imported.scenario.contains(part), "{part}: {}", imported.scenario);
        }
        assert!(!imported.scenario.contains("login"), "{}", imported.scenario);
        assert_eq!((imported.not_imported.len(), imported.warnings.len()), (0, 0), "{port}");
        load(&imported);
    }
}

#[test]
fn each_member_that_takes_new_clients_is_asked_once_where_members_take_turns() {
    let text = "ltm pool p { members { 10.1.1.51:80 { address 10.1.1.51 } 10.1.1.51:8080 { address 10.1.1.51 } \
                10.1.1.52:80 { address 10.1.1.52 } 10.1.1.53:80 { address 10.1.1.53 session user-disabled } } \
                profiles { ipip } }\n\
                ltm virtual vs { destination 172.16.4.99:80 ip-protocol tcp pool p translate-address disabled }\n";
    let imported = imported(text);
    load(&imported);
    for part in ["to: 172.16.4.99:80, times: 3}", "distribution: {nodes: [rs1, rs2], at_least: 1}"]
    {
        assert!(imported.scenario.contains(part), "{part}: {}", imported.scenario);
    }
    let persists = text
        .replace("pool p translate", "persist { source_addr { default yes } } pool p translate");
    assert!(!self::imported(&persists).scenario.contains("distribution"));
}

#[test]
fn a_virtual_server_whose_member_s_port_has_another_service_is_left_out() {
    let stanza = |name: &str, address: &str| {
        format!(
            "ltm virtual {name} {{ destination {address} ip-protocol tcp pool p translate-address disabled }}\n"
        )
    };
    let pool =
        "ltm pool p { members { 10.1.1.51:8443 { address 10.1.1.51 } } profiles { ipip } }\n";
    let [login, bytes] = [stanza("a", "172.16.4.98:49"), stanza("b", "172.16.4.97:443")];
    let both = imported(&format!("{pool}{login}{bytes}"));
    assert_eq!(load(&both).steps.len(), 1);
    let [note] = both.not_imported.as_slice() else { panic!("{:?}", both.not_imported) };
    let why = "another virtual server (x.conf:2) has its logins answered at port 8443/tcp of \
               10.1.1.51, where labsim's servers have one service";
    assert_eq!((note.what.as_str(), note.why.as_str()), ("ltm virtual b", why));
    let alone = imported(&format!("{pool}{bytes}"));
    assert_eq!((load(&alone).steps.len(), alone.not_imported.len()), (1, 0));
}

#[test]
fn no_name_is_the_word_for_nothing() {
    let text = with("").replace("ltm virtual vs", "ltm virtual NULL")
        + "ltm virtual b { destination 172.16.4.98:49 ip-protocol tcp pool p translate-address disabled }\n";
    assert_eq!(load(&imported(&text)).steps.len(), 2);
}

#[test]
fn a_member_keeps_a_tunnel_of_its_own() {
    let text = with("").replace(
        "10.1.1.51:49 {",
        "10.1.1.52:49 { address 10.1.1.52 profiles { gre } }\n        10.1.1.53:49 { address 10.1.1.53 profiles none }\n        10.1.1.51:49 {",
    );
    let imported = imported(&text);
    let pool = balancer(&imported).pools.into_values().next().unwrap();
    let own: Vec<_> = pool.members.iter().map(|member| member.profile).collect();
    let gre = Profile::Gre(GreOptions::default());
    assert_eq!((pool.profile, own), (Profile::Ipip, vec![Some(gre), Some(Profile::None), None]));
    assert_eq!(imported.not_imported, []);
    let servers = load(&imported).real_servers;
    let tunnels: Vec<_> = servers
        .values()
        .map(|server| server.tunnels.first().map(|one| one.name.to_string()))
        .collect();
    assert_eq!(tunnels, [Some("gre0".to_owned()), None, Some("tunl0".to_owned())]);
}

#[test]
fn members_that_are_switched_off_keep_their_state_and_none_is_expected_to_answer() {
    for (member, node, state) in [
        ("session user-disabled state up", "", "disabled"),
        ("session user-disabled state user-down", "", "forced_offline"),
        ("state user-down", "", "forced_offline"),
        ("", "session user-disabled", "disabled"),
        ("session user-disabled", "state user-down", "forced_offline"),
        ("session monitor-enabled state up", "session user-enabled", ""),
    ] {
        let off = format!("10.1.1.52:49 {{ address 10.1.1.52 {member} }}\n        10.1.1.51:49 {{");
        let node = format!("ltm node 10.1.1.52 {{ address 10.1.1.52 {node} }}\n");
        let imported = imported(&(with("").replacen("10.1.1.51:49 {", &off, 1) + &node));
        assert_eq!(imported.not_imported, []);
        let pool = balancer(&imported).pools.into_values().next().unwrap();
        let word = pool.members[0].state.word();
        assert_eq!(word, if state.is_empty() { "enabled" } else { state }, "{member}");
        let nodes = if state.is_empty() { "[rs1, rs2]" } else { "rs2" };
        let expected = format!("answered_by: {{node: {nodes}}}");
        assert!(imported.scenario.contains(&expected), "{}", imported.scenario);
    }
}

#[test]
fn without_a_member_that_takes_new_flows_the_login_is_expected_to_fail() {
    let off = "10.1.1.51:49 { session user-disabled";
    let imported = imported(&with("").replacen("10.1.1.51:49 {", off, 1));
    assert!(imported.scenario.contains("answer: {result: refused}"), "{}", imported.scenario);
    assert_eq!(load(&imported).expectations.len(), 1);
}

#[test]
fn a_load_balancer_on_one_segment_serves_none_on_another() {
    let text = "ltm pool a { members { 10.1.1.51:49 { address 10.1.1.51 } } }\n\
                ltm pool b { members { 10.2.2.51:49 { address 10.2.2.51 } } }\n\
                ltm virtual a { destination 172.16.4.1:49 ip-protocol tcp pool a translate-address disabled }\n\
                ltm virtual b { destination 172.16.4.2:49 ip-protocol tcp pool b translate-address disabled }\n";
    let imported = imported(text);
    load(&imported);
    let warnings: Vec<(usize, bool)> = imported
        .warnings
        .iter()
        .map(|note| (note.line, note.why.contains("has one interface, and it is on another")))
        .collect();
    assert_eq!(warnings, [(3, false), (4, false), (4, true)]);
}

#[test]
fn a_server_with_the_address_of_a_vip_has_no_place() {
    let text = "ltm pool a { members { 10.1.1.51:49 { address 10.1.1.51 } } profiles { ipip } }\n\
                ltm pool b { members { 172.16.4.1:49 { address 172.16.4.1 } } profiles { ipip } }\n\
                ltm virtual a { destination 172.16.4.1:49 ip-protocol tcp pool a translate-address disabled }\n\
                ltm virtual b { destination 172.16.4.2:49 ip-protocol tcp pool b translate-address disabled }\n";
    let imported = imported(text);
    load(&imported);
    assert_eq!(places(&imported.not_imported), ["2: server 172.16.4.1", "4: ltm virtual b"]);
}

#[test]
fn the_destination_is_translated_unless_it_is_said() {
    let text = with("").replace("    translate-address disabled\n", "");
    let imported = imported(&text);
    assert!(imported.scenario.contains("translate_address: true"));
    assert!(imported.warnings[0].why.contains("the destination is translated"));
}

#[test]
fn several_monitors_on_one_line_are_one_property() {
    for monitor in ["monitor a and b and c", "monitor min 1 of { a b }"] {
        let text = format!(
            "ltm pool p {{ {monitor} members {{ 10.1.1.51:49 {{ address 10.1.1.51 }} }} profiles {{ ip4ip4 }} }}\n\
             ltm virtual vs {{ destination 172.16.4.99:49 ip-protocol tcp pool p translate-address disabled }}\n"
        );
        let imported = imported(&text);
        let listed = places(&imported.not_imported);
        assert_eq!(listed.first().map(String::as_str), Some("1: ltm pool p: monitor a"));
        assert!(listed.iter().all(|one| one.starts_with("1: ltm pool p: monitor ")), "{listed:?}");
        assert_eq!(balancer(&imported).pools.values().next().unwrap().profile, Profile::Ipip);
    }
}

#[test]
fn a_member_of_every_port_is_written_once() {
    let text = with("")
        .replace("10.1.1.51:49 {", "10.1.1.51:any { address 10.1.1.51 }\n        10.1.1.51:49 {");
    let imported = imported(&text);
    load(&imported);
    assert!(imported.scenario.contains("members: [10.1.1.51:49]"));
}

#[test]
fn an_own_address_that_no_host_can_have_there_is_left_out() {
    // A host route's address, and the network address of the servers' subnet.
    let imported = imported(&format!("net self s {{ address 10.1.1.0/32 }}\n{}", with("")));
    load(&imported);
    assert_eq!(places(&imported.not_imported), ["1: own address 10.1.1.0/32"]);
}

#[test]
fn a_lab_has_an_end() {
    let mut text =
        "ltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 } } profiles { ipip } }\n"
            .to_owned();
    for number in 0..=200 {
        text.push_str(&format!(
            "ltm virtual v{number} {{ destination 172.16.5.{number}:49 ip-protocol tcp pool p translate-address disabled }}\n"
        ));
    }
    let imported = imported(&text);
    assert_eq!(load(&imported).steps.len(), 200);
    assert_eq!(places(&imported.not_imported), ["202: ltm virtual v200"]);

    let mut text = String::new();
    for pool in 0..3 {
        let members: String = (0..250).map(|one| format!("10.{pool}.{one}.1:49 {{ }} ")).collect();
        text.push_str(&format!(
            "ltm pool p{pool} {{ members {{ {members}}} profiles {{ ipip }} }}\n\
             ltm virtual v{pool} {{ destination 172.16.4.{pool}:49 ip-protocol tcp pool p{pool} translate-address disabled }}\n"
        ));
    }
    let imported = self::imported(&text);
    assert_eq!(load(&imported).topology.nodes.len(), 403);
    assert_eq!(imported.not_imported.len(), 151, "50 members of each pool, and a virtual server");
}

#[test]
fn accounting_ports_get_accounting_requests() {
    let stanza = |name: &str, port: u16| {
        format!(
            "ltm pool p-{name} {{ members {{ 10.1.1.51:{port} {{ address 10.1.1.51 }} }} profiles {{ ipip }} }}\n\
             ltm virtual {name} {{ destination 172.16.4.99:{port} ip-protocol udp pool p-{name} translate-address disabled }}\n"
        )
    };
    let both = imported(&format!("{}{}", stanza("auth", 1812), stanza("acct", 1813)));
    let scenario = load(&both);
    assert_eq!(scenario.radius_servers.len(), 1);
    assert!(!both.scenario.contains("udp_servers"), "{}", both.scenario);
    let part = "radius_accounting: {from: client, to: 172.16.4.99:1813, acct_status_type: start, user: violet";
    assert!(both.scenario.contains(part), "{}", both.scenario);
    assert!(!both.scenario.contains("accounting_port"), "{}", both.scenario);
    let old = imported(&format!("{}{}", stanza("auth", 1645), stanza("acct", 1646)));
    let server = load(&old).radius_servers.into_values().next().unwrap();
    assert_eq!((server.authentication_port, server.accounting_port), (1645, 1646));
    let alone = imported(&stanza("acct", 1813));
    assert!(alone.scenario.contains("record: {radius_accounting:"), "{}", alone.scenario);
    assert_eq!(load(&alone).radius_servers.len(), 1);
}
