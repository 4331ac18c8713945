//! Files that configure a host at every start, and labs that are made around a host.

use crate::common::{load, places, shipped, write};
use labsim_import::linux::{ImportedServer, LAB, LabAround, import_into, lab_around};
use labsim_import::{Source, export};
use labsim_scenario::model::{NodeName, RealServer, Scenario};
use proptest::prelude::*;

fn rs1() -> NodeName {
    NodeName::new("rs1").unwrap()
}

/// The lab around a host, and the host in it.
fn alone(sources: &[Source]) -> (LabAround, Scenario, ImportedServer, Scenario) {
    let around = lab_around(sources).unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let path = write(&around.lab, folder.path());
    let healthy = crate::common::read(&path);
    let server = import_into(sources, (&healthy, &format!("{LAB}.yaml")), &rs1())
        .unwrap_or_else(|error| panic!("{error}\n{}", around.lab.scenario));
    let path = folder.path().join("new.yaml");
    std::fs::write(&path, &server.scenario).unwrap();
    let found = crate::common::read(&path);
    (around, healthy, server, found)
}

fn text(text: &str) -> [Source; 1] {
    [Source::new("host.txt", text)]
}

fn problem(of: &str) -> String {
    lab_around(&text(of)).map(|_| ()).unwrap_err().to_string()
}

/// What is in a server of a scenario that another host can have.
fn parts(server: &RealServer) -> String {
    let RealServer { group: _, tunnels, vips, sysctls, routes } = server;
    let sysctls: Vec<_> = sysctls.iter().map(|(key, it)| (key, it.value.as_str())).collect();
    format!("{tunnels:?}\n{vips:?}\n{sysctls:?}\n{routes:?}")
}

#[test]
fn a_servers_exported_files_are_the_server_again() {
    for name in ["tacacs-ipip.yaml", "tacacs-gre.yaml", "tacacs-gue.yaml", "l2-dsr.yaml"] {
        let mut before = shipped(name);
        let server = before.real_servers.get_mut(&rs1()).unwrap();
        (server.routes.mtu, server.routes.advmss) = (Some(1400), Some(1300));
        let exported = export::linux_files(&before, &rs1()).unwrap();
        assert_eq!(exported.not_exported, []);
        let sources: Vec<Source> =
            exported.files.iter().map(|(path, text)| Source::new(path, text.as_str())).collect();
        let (around, _, imported, after) = alone(&sources);
        assert_eq!(imported.not_imported, [], "{name}");
        assert_eq!(
            parts(&after.real_servers[&rs1()]),
            parts(&before.real_servers[&rs1()]),
            "{name}"
        );
        let interface = |scenario: &Scenario| {
            let node = scenario.topology.node(&rs1()).unwrap();
            format!("{:?} {:?}", node.interfaces, node.routes)
        };
        assert_eq!(interface(&after), interface(&before), "{name}");
        let profile = |scenario: &Scenario| {
            crate::common::lb(scenario).pools.values().next().map(|pool| pool.profile)
        };
        assert_eq!(profile(&after), profile(&before), "{name}: {:?}", around.assumptions);
    }
}

const NETWORKD: &str = "\
[NetDev]
Name=dsr0
Kind=ipip
MTUBytes=1480
[Tunnel]
Local=10.1.1.51
[Match]
Name=dsr0
[Network]
Address=10.1.1.51/32
[Match]
Name=lo
[Address]
Address=172.16.4.99/32
[Match]
Name=ens1
[Network]
Address=10.1.1.51/24
Gateway=10.1.1.254
DNS=10.1.1.2
";

const NETPLAN: &str = "\
network:
  version: 2
  renderer: networkd
  ethernets:
    lo:
      addresses: [ \"172.16.4.99/32\" ]
    ens1:
      addresses:
        - 10.1.1.51/24
      routes:
        - to: default
          via: 10.1.1.254
      nameservers:
        addresses: [10.1.1.2]
  tunnels:
    dsr0:
      mode: ipip
      mtu: 1480
      local: 10.1.1.51
      addresses: [10.1.1.51/32]
";

const INTERFACES: &str = "\
auto lo ens1
iface lo inet loopback
iface lo inet static
    address 172.16.4.99/32
iface ens1 inet static
    address 10.1.1.51
    netmask 255.255.255.0
    gateway 10.1.1.254
    dns-nameservers 10.1.1.2
iface dsr0 inet tunnel
    address 10.1.1.51
    mode ipip
    local 10.1.1.51
    mtu 1480
";

const IFCFG: &str = "\
DEVICE=lo
IPADDR=127.0.0.1
NETMASK=255.0.0.0
IPADDR1=172.16.4.99
PREFIX1=32
DEVICE=ens1
TYPE=Ethernet
ONBOOT=yes
IPADDR=10.1.1.51
PREFIX=24
GATEWAY=10.1.1.254
DNS1=10.1.1.2
DEVICE=dsr0
TYPE=IPIP
MTU=1480
MY_INNER_IPADDR=10.1.1.51
";

const COMMANDS: &str = "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536
    link/loopback 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
    inet 172.16.4.99/32 scope global lo
2: ens1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500
    inet 10.1.1.51/24 brd 10.1.1.255 scope global ens1
5: dsr0@NONE: <NOARP,UP,LOWER_UP> mtu 1480
    link/ipip 10.1.1.51 brd 0.0.0.0
    inet 10.1.1.51/32 scope global dsr0
default via 10.1.1.254 dev ens1
";

#[test]
fn each_kind_of_file_says_what_the_commands_show() {
    let (_, _, _, expected) = alone(&text(COMMANDS));
    for (format, of) in
        [("networkd", NETWORKD), ("netplan", NETPLAN), ("interfaces", INTERFACES), ("ifcfg", IFCFG)]
    {
        let (_, _, imported, found) = alone(&text(of));
        assert_eq!(places(&imported.not_imported), [""; 0], "{format}");
        let (found, expected) = (&found.real_servers[&rs1()], &expected.real_servers[&rs1()]);
        assert_eq!(parts(found), parts(expected), "{format}");
    }
}

#[test]
fn what_files_say_beside_addresses_is_listed_or_left_out() {
    let of = format!(
        "{COMMANDS}
[Match]
Name=ens*
[Match]
Name=ens1
[Network]
Address=10.1.1.60/24
DHCP=yes
[RoutingPolicyRule]
From=10.0.0.0/8
[Address]
Address=here
iface ens2 inet dhcp
    post-up ip route add 10.0.0.0/8 via 10.1.1.3
    netmask 255.0.255.0
DEVICE=ens3
BOOTPROTO=dhcp
PREFIX=24
network:
  ethernets:
    ens4:
      dhcp4: true
      gateway4: nowhere
ip_vs
"
    );
    let (_, _, imported, _) = alone(&text(&of));
    let listed = places(&imported.not_imported);
    assert_eq!(
        listed,
        [
            "13: unit for ens*",
            "18: ens1: DHCP",
            "20: ens1: routing rule",
            "22: address here of ens1",
            "23: interface ens2: dhcp",
            "24: interface ens2: post-up",
            "25: interface ens2: netmask",
            "27: ens3: BOOTPROTO",
            "28: ens3: PREFIX",
            "32: ens4: dhcp",
            "33: route via nowhere",
        ]
    );
    // What the host has counts, and what a file would give it is said.
    let warned = places(&imported.warnings);
    assert!(warned.contains(&"17: address 10.1.1.60/24 of ens1".to_owned()), "{warned:?}");
    assert!(!imported.scenario.contains("10.1.1.60"));
}

#[test]
fn a_lab_is_made_as_the_hosts_tunnel_and_sockets_show() {
    let sockets = "\
tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
tcp LISTEN 0 128 0.0.0.0:80 0.0.0.0:*
tcp LISTEN 0 128 0.0.0.0:49 0.0.0.0:*
udp UNCONN 0 0 172.16.4.98:1812 0.0.0.0:*
";
    let of = COMMANDS.replace(
        "    inet 172.16.4.99/32 scope global lo\n",
        "    inet 172.16.4.99/32 scope global lo\n    inet 172.16.4.98/32 scope global lo\n",
    );
    let (around, healthy, _, _) = alone(&text(&format!("{of}{sockets}")));
    let lb = crate::common::lb(&healthy);
    let names: Vec<&String> = lb.virtual_servers.keys().collect();
    assert_eq!(
        names,
        ["vs_172.16.4.98_1812_udp", "vs_172.16.4.99_49_tcp", "vs_172.16.4.99_80_tcp"]
    );
    assert!(lb.pools.values().all(|pool| pool.members[0].address.ip().to_string() == "10.1.1.51"));
    // The router has the gateway's address.
    assert!(around.lab.topology.contains("10.1.1.254"), "{}", around.lab.topology);
    assert_eq!(around.assumptions.len(), 3, "{:?}", around.assumptions);
    // Without a tunnel, the load balancer is on the server's segment.
    let plain: Vec<&str> = COMMANDS.lines().filter(|line| !line.contains("dsr0")).collect();
    let plain = plain.join("\n").replace("    link/ipip 10.1.1.51 brd 0.0.0.0\n", "");
    let (around, healthy, _, _) = alone(&text(&plain));
    assert!(
        around.lab.topology.contains("lb: {interfaces: {eth0: 10.1.1."),
        "{}",
        around.lab.topology
    );
    assert!(around.assumptions.iter().any(|one| one.contains("TCP port 49")));
    assert_eq!(load(&around.lab).name, healthy.name);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lines of all formats in any order, some of them cut.
    #[test]
    fn lines_in_any_order_make_a_valid_lab_or_are_refused(
        picked in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8), 0..60),
    ) {
        let all = [NETWORKD, NETPLAN, INTERFACES, IFCFG, COMMANDS].concat();
        let lines: Vec<&str> = all.lines().collect();
        let picked = picked.iter().map(|(line, end, cut)| {
            let line = line.get(&lines);
            let end = if *cut == 0 { end.index(line.len() + 1) } else { line.len() };
            format!("{}\n", line.get(..end).unwrap_or(line))
        });
        let sources = text(&picked.collect::<String>());
        if let Ok(around) = lab_around(&sources) {
            let folder = tempfile::tempdir().unwrap();
            let path = write(&around.lab, folder.path());
            let healthy = crate::common::read(&path);
            if let Ok(server) = import_into(&sources, (&healthy, "lab.yaml"), &rs1()) {
                let path = folder.path().join("new.yaml");
                std::fs::write(&path, &server.scenario).unwrap();
                crate::common::read(&path);
            }
        }
    }
}

#[test]
fn what_a_lab_needs_and_is_not_shown_is_an_error_with_its_remedy() {
    let no_vip = COMMANDS.replace("    inet 172.16.4.99/32 scope global lo\n", "");
    for (of, expected) in [
        ("", "nothing here is a host's state"),
        ("net.ipv4.ip_forward = 0\n", "the host's own address is not among these files"),
        (no_vip.as_str(), "no address of this host looks like a VIP"),
    ] {
        let problem = problem(of);
        assert!(problem.contains(expected), "{problem}");
    }
}
