//! A real server's state, as commands show it, in a scenario.

use crate::common::{places, with, write};
use labsim_import::linux::{ImportedServer, import_into};
use labsim_import::{Diagnostics, Source, f5};
use labsim_scenario::model::{NodeName, RealServer, Scenario, Scope};
use proptest::prelude::*;

/// A lab whose one server, rs1, has the address 10.1.1.51, a tunnel and the VIP 172.16.4.99.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let imported = f5::import(&[Source::new("lb.conf", with(""))]).unwrap();
    write(&imported, folder.path());
    folder
}

fn rs1() -> NodeName {
    NodeName::new("rs1").unwrap()
}

fn import_text(folder: &tempfile::TempDir, text: &str) -> Result<ImportedServer, Diagnostics> {
    let base = labsim_scenario::load(&folder.path().join("lb.yaml")).unwrap().scenario;
    import_into(&[Source::new("host.txt", text)], (&base, "lb.yaml"), &rs1())
}

/// The server as the scenario has it that came of a text.
fn server(text: &str) -> (ImportedServer, Scenario, RealServer) {
    let folder = folder();
    let imported = import_text(&folder, text).unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("new.yaml");
    std::fs::write(&path, &imported.scenario).unwrap();
    let loaded = labsim_scenario::load(&path);
    let scenario = loaded.unwrap_or_else(|error| panic!("{error}\n{}", imported.scenario)).scenario;
    let server = scenario.real_servers[&rs1()].clone();
    (imported, scenario, server)
}

const LINKS: &str = "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
    inet 172.16.4.99/32 brd 172.16.4.99 scope global lo:7
2: bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP
    inet 10.1.1.51/24 brd 10.1.1.255 scope global bond0
4: tunl0@NONE: <NOARP> mtu 1480 qdisc noop state DOWN
    link/ipip 0.0.0.0 brd 0.0.0.0
";

#[test]
fn addresses_and_devices_are_the_hosts() {
    let (imported, _, server) = server(LINKS);
    let vip = &server.vips[0];
    assert_eq!((vip.scope, vip.label.as_deref()), (Scope::Global, Some("lo:7")));
    let tunnel = &server.tunnels[0];
    assert_eq!((tunnel.up, tunnel.address), (false, None));
    assert!(imported.not_imported.is_empty(), "{:?}", imported.not_imported);
}

#[test]
fn json_says_the_same_as_text() {
    let json = r#"[{"ifname":"lo","flags":["UP"],"mtu":65536,"link_type":"loopback","addr_info":[
        {"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo"},
        {"family":"inet","local":"172.16.4.99","prefixlen":32,"scope":"global","label":"lo:7"}]},
        {"ifname":"bond0","flags":["UP"],"mtu":1500,"link_type":"ether","addr_info":[
        {"family":"inet","local":"10.1.1.51","prefixlen":24,"scope":"global","label":"bond0"}]},
        {"ifname":"tunl0","flags":["NOARP"],"mtu":1480,"link_type":"ipip","addr_info":[]}]
net.ipv4.conf.bond0.rp_filter = 1
"#;
    let (_, _, of_json) = server(json);
    let (_, _, of_text) = server(&format!("{LINKS}net.ipv4.conf.bond0.rp_filter = 1\n"));
    assert_eq!(format!("{:?}", of_json.vips), format!("{:?}", of_text.vips));
    assert_eq!(format!("{:?}", of_json.tunnels), format!("{:?}", of_text.tunnels));
    // The interface has the lab's name.
    assert_eq!(of_json.sysctls["net.ipv4.conf.eth0.rp_filter"].value, "1");
}

#[test]
fn settings_that_no_text_shows_stay_as_they_were_and_are_warned_of() {
    let text =
        format!("{LINKS}net.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.all.arp_ignore = 0\n");
    let (imported, _, server) = server(&text);
    assert_eq!(server.sysctls["net.ipv4.conf.all.rp_filter"].value, "1");
    assert_eq!(server.sysctls["net.ipv4.conf.all.arp_ignore"].value, "0");
    assert_eq!(server.sysctls["net.ipv4.conf.all.arp_announce"].value, "2");
    let warned: Vec<&str> = imported.warnings.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(
        warned,
        [
            "kernel setting net.ipv4.conf.all.arp_announce",
            "kernel setting net.ipv4.conf.tunl0.rp_filter"
        ]
    );
}

#[test]
fn what_is_not_carried_over_is_listed_with_its_line() {
    let text = format!(
        "{LINKS}{}",
        "5: ens224: <BROADCAST,UP> mtu 1500 qdisc mq state UP
    inet 192.168.50.12/24 scope global ens224
default via 10.1.1.250 dev bond0
10.2.0.0/16 via 10.1.1.249 dev bond0
0:\tfrom all lookup local
100:\tfrom 172.16.4.99 lookup dsr
table ip t {
\tchain c {
\t\ttype filter hook input priority filter; policy accept;
\t\tip protocol 4 drop
\t}
}
*filter
:INPUT DROP [0:0]
-A INPUT -p 4 -j DROP
COMMIT
net.ipv4.ip_forward = 1
something else
"
    );
    let (imported, _, _) = server(&text);
    assert_eq!(
        places(&imported.not_imported),
        [
            "9: device ens224",
            "11: route to 0.0.0.0/0 via 10.1.1.250",
            "12: route to 10.2.0.0/16 via 10.1.1.249",
            "14: routing rule 100",
            "18: rule of nftables",
            "22: policy of a chain of iptables",
            "23: rule of iptables",
            "25: kernel setting net.ipv4.ip_forward",
            "26: line",
        ]
    );
}

#[test]
fn a_service_listens_where_the_hosts_sockets_do() {
    for (sockets, listens) in [
        ("LISTEN 0 128 *:49 *:*", [].as_slice()),
        ("tcp LISTEN 0 128 10.1.1.51:49 0.0.0.0:*", &["10.1.1.51"]),
        ("tcp 0 0 172.16.4.99:49 0.0.0.0:* LISTEN", &["172.16.4.99"]),
    ] {
        let (_, scenario, _) = server(&format!("{LINKS}{sockets}\n"));
        let found = scenario.tacacs_servers[&rs1()].addresses.iter().map(ToString::to_string);
        assert_eq!(found.collect::<Vec<_>>(), listens, "{sockets}");
    }
    // The one server of the lab has the secret that the login needs.
    let (imported, _, _) = server(&format!("{LINKS}tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n"));
    assert_eq!(places(&imported.not_imported), ["1: port 49 without a socket"]);
}

#[test]
fn a_text_without_addresses_leaves_vip_and_tunnel_as_they_were() {
    let (imported, _, server) = server("net.ipv4.conf.all.rp_filter = 1\n");
    assert!(server.tunnels[0].up && server.vips.len() == 1);
    assert!(imported.warnings.iter().any(|note| note.why.contains("no `ip addr`")));
}

#[test]
fn counters_of_dropped_packets_are_warned_of() {
    let text = format!("{LINKS}TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 532\n");
    let (imported, _, _) = server(&text);
    assert_eq!(
        places(&imported.warnings),
        ["1: kernel settings", "10: TcpExtIPReversePathFilter 532"]
    );
}

#[test]
fn a_list_of_servers_is_refused_with_the_remedy() {
    let folder = folder();
    let path = folder.path().join("lb.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("  servers:\n    nodes: rs1\n", "  - nodes: rs1\n");
    std::fs::write(&path, text).unwrap();
    let error = import_text(&folder, LINKS).unwrap_err().to_string();
    assert!(error.contains("`real_servers` is a list; give its parts names"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Lines of a good text in any order, some of them broken.
    #[test]
    fn what_comes_of_changed_text_is_valid_or_refused(
        lines in proptest::collection::vec((0..24_usize, 0..60_usize, any::<bool>()), 0..30)
    ) {
        let good = format!(
            "{LINKS}    inet 172.16.4.98/24 scope link lo\n    inet6 2001:db8::1/128 scope global\n\
             5: gre1@NONE: <UP> mtu 1476\n    link/gre 10.1.1.51 peer 10.1.1.2\n\
             \x20   gre remote 10.1.1.2 local any ikey 0.0.0.7 icsum\n\
             6: dummy0: <UP> mtu 1500\n    inet 172.16.4.99/32 scope global dummy0\n\
             default via 10.1.1.1 dev bond0 mtu 1400 advmss 1300\n\
             net.ipv4.conf.tunl0.rp_filter = 1\nnet.ipv4.conf.gre1.rp_filter = 1\n\
             net.ipv4.tcp_timestamps = 0\nLISTEN 0 1 10.1.1.51:49 *:*\n"
        );
        let good: Vec<&str> = good.lines().collect();
        let mut text = String::from("2: bond0: <UP> mtu 1500\n    inet 10.1.1.51/24 scope global bond0\n");
        for (line, cut, whole) in lines {
            let line = good[line % good.len()];
            text.push_str(if whole { line } else { line.get(..cut).unwrap_or(line) });
            text.push('\n');
        }
        let folder = folder();
        // `link/loopback` may have come below the server's own interface.
        let Ok(imported) = import_text(&folder, &text) else { return Ok(()) };
        let path = folder.path().join("new.yaml");
        std::fs::write(&path, &imported.scenario).unwrap();
        let loaded = labsim_scenario::load(&path);
        prop_assert!(loaded.is_ok(), "{}\n{text}\n{}", loaded.unwrap_err(), imported.scenario);
    }
}
