//! Configurations in and out: what is imported runs, and what is exported comes back.

use crate::support::{Desk, Ended, shipped};
use std::os::unix::fs::symlink;

const SCENARIO: &str = "scenarios/tacacs-ipip.yaml";

/// A desk with the document's own stanzas.
fn desk() -> Desk {
    let desk = Desk::new();
    let stanzas = shipped().join("labsim/import/tests/document.conf");
    std::fs::copy(stanzas, desk.path("bigip.conf")).unwrap();
    desk
}

#[test]
fn the_documents_stanzas_give_a_lab_that_passes() {
    let desk = desk();
    let ended = desk.labsim(&["import", "f5", "bigip.conf", "--out", "new/lab"]).exits(0);
    ended.says("written: new/lab/bigip.yaml").says("labsim run new/lab/bigip.yaml");
    ended.says("bigip.conf:36: ltm virtual vs_tacacs-test_49: vs-index");
    let ran = desk.labsim(&["run", "new/lab/bigip.yaml"]).exits(0);
    ran.says("PASS bigip").says("1 passed, 0 failed, 0 skipped");
}

#[test]
fn standard_input_and_pipes_are_imported_and_what_is_no_configuration_is_counted() {
    let desk = desk();
    let stanzas = std::fs::read_to_string(desk.path("bigip.conf")).unwrap();
    desk.write("pasted.txt", format!("```\n{stanzas}```\n---(less 42%)---\n"));
    let args = ["import", "f5", "-", "--out", "lab"];
    let mut command = desk.command(&args);
    command.stdin(std::fs::File::open(desk.path("pasted.txt")).unwrap());
    let ended = Ended::of(command.output()).exits(0);
    ended
        .says("written: lab/imported.yaml")
        .says("(-v lists them):\n  2 x Markdown fence\n  1 x line of a pager\n");
    assert!(!ended.stdout.contains("-:1: "), "{}", ended.stdout);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
    let path = format!("/proc/{}/fd/{fd}", std::process::id());
    let child = desk.command(&["-v", "import", "f5", &path, "--out", "piped"]);
    let child = std::thread::spawn(move || Ended::of({ child }.output()));
    std::io::Write::write_all(&mut writer, format!("```\n{stanzas}```\n").as_bytes()).unwrap();
    drop(writer);
    let ended = child.join().unwrap().exits(0);
    ended.says("  2 x Markdown fence\n").says(&format!("{path}:1: Markdown fence"));
}

/// Members that are disabled, enabled and forced offline, behind a virtual server that persists.
const SWITCHED_OFF: &str = "ltm pool p {
    members {
        10.1.1.51:49 { address 10.1.1.51 session user-disabled state up }
        10.1.1.52:49 { address 10.1.1.52 session monitor-enabled state up }
        10.1.1.53:49 { address 10.1.1.53 session user-disabled state user-down }
    }
    profiles { ipip }
}
ltm virtual vs {
    destination 172.16.4.99:49
    ip-protocol tcp
    mask 255.255.255.255
    persist { source_addr { default yes } }
    pool p
    profiles { fastL4 { } }
    translate-address disabled
}
";

#[test]
fn members_that_are_switched_off_are_in_the_lab_with_their_states() {
    let desk = Desk::new();
    desk.write("bigip.conf", SWITCHED_OFF);
    desk.labsim(&["import", "f5", "bigip.conf", "--out", "lab"]).exits(0);
    let scenario = std::fs::read_to_string(desk.path("lab/bigip.yaml")).unwrap();
    let members = "members: [{address: 10.1.1.51:49, state: disabled}, 10.1.1.52:49, \
                   {address: 10.1.1.53:49, state: forced_offline}]";
    assert!(scenario.contains(members), "{scenario}");
    assert!(scenario.contains("answered_by: {node: rs2}"), "{scenario}");
    desk.labsim(&["run", "lab/bigip.yaml"]).exits(0);
    // Each of them is a server of the lab, so that it can be switched on again.
    desk.write(
        "lab/on.yaml",
        "extends: bigip.yaml
steps:
  login: {tacacs_login: {times: 3}}
  on: {set_member: {node: lb, pool: p, member: 10.1.1.53:49, state: enabled}}
  off: {set_member: {node: lb, pool: p, member: 10.1.1.52:49, state: forced_offline}}
  again: {tacacs_login: {from: client, to: 172.16.4.99:49, user: violet, password: indigo}}
expect:
  again: {answered_by: {step: again, node: rs3}, pass: the other, fail: not the other}
  login: {answer: {step: login}}
  client_seen: {server_saw: {step: login}}
  pool_answers: {answered_by: {step: login}}
",
    );
    desk.labsim(&["run", "lab/on.yaml"]).exits(0).says("PASS on");
}

#[test]
fn a_members_own_tunnel_is_imported_and_its_server_ends_it() {
    let desk = Desk::new();
    let own = SWITCHED_OFF
        .replace("session user-disabled state up", "profiles { gre }")
        .replace("session user-disabled state user-down", "profiles { gre }")
        .replace("    persist { source_addr { default yes } }\n", "");
    desk.write("bigip.conf", own);
    let ended = desk.labsim(&["import", "f5", "bigip.conf", "--out", "lab"]).exits(0);
    assert!(!ended.stdout.contains("not imported"), "{}", ended.stdout);
    desk.write(
        "lab/three.yaml",
        "extends: bigip.yaml
steps: {login: {tacacs_login: {times: 3}}}
expect:
  all: {distribution: {nodes: [rs1, rs2, rs3], at_least: 1}, pass: each, fail: not each}
",
    );
    desk.labsim(&["run", "lab/three.yaml"]).exits(0).says("PASS three");
}

/// One virtual server of each family, in tunnels to a server of each, and one that translates.
const BOTH_FAMILIES: &str = "\
ltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 } 2001:db8:1::52.49 { address 2001:db8:1::52 } } profiles { ipip } }
ltm pool q { members { 2001:db8:1::53.80 { address 2001:db8:1::53 } } }
ltm virtual four { destination 172.16.4.99:49 ip-protocol tcp pool p translate-address disabled }
ltm virtual six { destination 2001:db8:4::99.49 ip-protocol tcp pool p translate-address disabled }
ltm virtual web { destination 2001:db8:4::98.80 ip-protocol tcp pool q source-address-translation { type automap } }
ltm pool r { members { 2001:db8:1::53.1812 { address 2001:db8:1::53 } } profiles { ipip } }
ltm pool a { members { 2001:db8:1::53.1813 { address 2001:db8:1::53 } } profiles { ipip } }
ltm virtual login { destination 2001:db8:4::99.1812 ip-protocol udp pool r translate-address disabled }
ltm virtual record { destination 2001:db8:4::99.1813 ip-protocol udp pool a translate-address disabled }
ltm virtual out { destination 2001:db8:4::97.80 ip-protocol tcp pool q }
";

#[test]
fn both_address_families_are_imported_and_what_is_expected_holds() {
    let desk = Desk::new();
    desk.write("bigip.conf", BOTH_FAMILIES);
    let ended = desk.labsim(&["import", "f5", "bigip.conf", "--out", "lab"]).exits(0);
    assert!(!ended.stdout.contains("not imported"), "{}", ended.stdout);
    desk.labsim(&["run", "lab/bigip.yaml"]).exits(0).says("PASS bigip");
}

#[test]
fn ipv6_is_imported_from_each_format_and_passes() {
    let desk = Desk::new();
    desk.write("a10.txt", "slb server rs1 2001:db8:1::51\n  port 1812 udp\nslb service-group g udp\n  member rs1 1812\n\
                           slb virtual-server v 2001:db8:4::99\n  port 1812 udp\n    service-group g\n    no-dest-nat\n    ipinip\n");
    desk.write(
        "ipvs.txt",
        "-A -t [2001:db8:1::99]:80 -s rr\n-a -t [2001:db8:1::99]:80 -r [2001:db8:1::51]:80 -g\n\
                            -a -t [2001:db8:1::99]:80 -r [2001:db8:1::52]:80 -g\n",
    );
    desk.write("keepalived.conf", "virtual_server 2001:db8:4::99 53 {\n lvs_method TUN type gre nocsum\n lvs_sched rr\n protocol UDP\n \
                                   real_server 2001:db8:1::51 53 {\n }\n}\n");
    for (format, file) in
        [("a10", "a10.txt"), ("ipvs", "ipvs.txt"), ("keepalived", "keepalived.conf")]
    {
        desk.labsim(&["import", format, file, "--out", format]).exits(0);
    }
    let ran = desk.labsim(&["run", "a10/a10.yaml", "ipvs/ipvs.yaml", "keepalived/keepalived.yaml"]);
    ran.exits(0).says("3 passed, 0 failed, 0 skipped");
}

/// Virtual servers of this name, port and protocol, all with the same two servers.
fn virtual_servers(all: &[(&str, u16, &str)], translation: &str) -> String {
    let stanza = |(name, port, protocol): &(&str, u16, &str)| {
        format!(
            "ltm pool p-{name} {{ members {{ 10.60.70.21:{port} {{ address 10.60.70.21 }} \
             10.60.70.22:{port} {{ address 10.60.70.22 }} }} profiles {{ ipip }} }}
ltm virtual {name} {{ destination 10.60.71.200:{port} ip-protocol {protocol} pool p-{name} {translation} }}
"
        )
    };
    all.iter().map(stanza).collect()
}

#[test]
fn virtual_servers_of_any_service_are_imported_at_their_ports_and_pass() {
    let desk = Desk::new();
    let all = [
        ("web", 80, "tcp"),
        ("tls", 443, "tcp"),
        ("names", 53, "udp"),
        ("log", 514, "udp"),
        ("radius", 1812, "udp"),
        ("accounting", 1813, "udp"),
    ];
    desk.write("dsr.conf", virtual_servers(&all, "translate-address disabled"));
    let plain = virtual_servers(&all, "").replace("profiles { ipip }", "");
    desk.write("dnat.conf", &plain);
    let automap = "pool p-$1 source-address-translation { type automap }";
    let snat = all.iter().fold(plain, |text, (name, ..)| {
        text.replace(&format!("pool p-{name}  }}"), &format!("{} }}", automap.replace("$1", name)))
    });
    assert!(snat.contains("automap"));
    desk.write("snat.conf", snat);
    for name in ["dsr", "dnat", "snat"] {
        let file = format!("{name}.conf");
        let ended = desk.labsim(&["import", "f5", &file, "--out", name]).exits(0);
        assert!(!ended.stdout.contains("not imported"), "{}", ended.stdout);
    }
    let args = ["run", "dsr/dsr.yaml", "dnat/dnat.yaml", "snat/snat.yaml"];
    desk.labsim(&args).exits(0).says("3 passed, 0 failed, 0 skipped");
}

/// A configuration of one pool and one virtual server, in one of the eight combinations.
fn combination(tunnel: bool, destination: bool, source: bool) -> String {
    let profiles = if tunnel { "profiles { ipip }" } else { "" };
    let automap = if source { "source-address-translation { type automap }" } else { "" };
    let address = if destination { "enabled" } else { "disabled" };
    format!(
        "ltm pool p {{ members {{ 10.60.70.21:49 {{ address 10.60.70.21 }} 10.60.70.22:49 {{ address \
         10.60.70.22 }} }} {profiles} }}
ltm virtual vs {{ destination 10.60.70.200:49 ip-protocol tcp pool p {automap} translate-address \
         {address} }}
net self own {{ address 10.60.70.5/24 }}
"
    )
}

#[test]
fn each_combination_of_tunnel_and_translations_has_expectations_that_hold() {
    let desk = Desk::new();
    let mut names = Vec::new();
    for number in 0..8 {
        let (tunnel, destination, source) = (number & 4 != 0, number & 2 != 0, number & 1 != 0);
        let name = format!("c{number}");
        let file = format!("{name}.conf");
        desk.write(&file, combination(tunnel, destination, source));
        desk.labsim(&["import", "f5", &file, "--out", &name]).exits(0);
        names.push(format!("{name}/{name}.yaml"));
    }
    let args: Vec<&str> = ["run"].into_iter().chain(names.iter().map(String::as_str)).collect();
    desk.labsim(&args).exits(0).says("8 passed, 0 failed, 0 skipped");
    // What a server does not answer is noticed, as each of them is asked.
    let whole = std::fs::read_to_string(desk.path("c0/c0.yaml")).unwrap();
    let stop = "steps:\n  stop: {stop_server: {node: rs2}}\n";
    desk.write("c0/broken.yaml", whole.replacen("steps:\n", stop, 1));
    desk.labsim(&["run", "c0/broken.yaml"]).exits(1);
}

#[test]
fn a_server_that_answers_arp_is_noticed_in_an_imported_lab_on_one_segment() {
    let desk = Desk::new();
    desk.write("npath.conf", combination(false, false, false));
    desk.labsim(&["import", "f5", "npath.conf", "--out", "lab"]).exits(0);
    let scenario = std::fs::read_to_string(desk.path("lab/npath.yaml")).unwrap();
    let careless =
        scenario.replace("net.ipv4.conf.all.arp_ignore: 3", "net.ipv4.conf.all.arp_ignore: 0");
    assert_ne!(careless, scenario);
    desk.write("lab/careless.yaml", careless);
    desk.labsim(&["run", "lab/npath.yaml"]).exits(0);
    desk.labsim(&["run", "lab/careless.yaml"]).exits(1);
}

#[test]
fn an_exported_load_balancer_is_imported_again_as_it_was_and_runs() {
    let desk = desk();
    let exported = desk.labsim(&["export", "f5", SCENARIO]).exits(0).stdout;
    assert!(exported.contains("ltm virtual vs_tacacs-test_49 {"), "{exported}");
    desk.write("again.conf", &exported);
    desk.labsim(&["import", "f5", "again.conf", "--out", "again"]).exits(0);
    // The folder as a whole: the topology lies beside the scenario.
    desk.labsim(&["run", "again"]).exits(0).says("PASS again");
    let twice = desk.labsim(&["export", "f5", "again/again.yaml"]).exits(0).stdout;
    let stanzas = |text: &str| text.lines().filter(|l| !l.starts_with('#')).collect::<String>();
    assert_eq!(stanzas(&twice), stanzas(&exported));
}

#[test]
fn a_real_servers_commands_are_printed_and_other_nodes_are_refused() {
    let desk = desk();
    let ended = desk.labsim(&["export", "linux", SCENARIO, "rs2"]).exits(0);
    ended.says("ip addr add 10.1.1.52 dev tunl0 scope host");
    ended.says("ip addr add 172.16.4.99 dev lo scope host label lo:0");
    for node in ["client", "nobody", "\u{1b}[2J"] {
        let ended = desk.labsim(&["export", "linux", SCENARIO, node]).exits(2);
        ended.says("unknown real server `").says("known: rs1, rs2, rs3");
        assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
    }
}

/// The programs that an export for containerlab starts, in the nodes of a lab.
#[test]
fn an_exported_load_balancer_and_the_built_in_servers_run_as_programs() {
    let desk = desk();
    let config = desk.labsim(&["export", "forwarder", SCENARIO, "lb"]).exits(0).stdout;
    let config = config.trim_end().replace('\n', "\n        ");
    let (labsim, scenario) = (env!("CARGO_BIN_EXE_labsim"), desk.path(SCENARIO));
    let scenario = scenario.display();
    let server = |node: &str| {
        format!(
            "  {node}-servers:\n    nodes: [{node}]\n    \
             command: [{labsim}, server, \"{scenario}\", {node}]\n    ready: {{line: ready}}\n"
        )
    };
    let servers = ["rs1", "rs2", "rs3"].map(server).concat();
    let text = format!(
        "extends: tacacs-ipip.yaml
load_balancers: null
tacacs_servers: null
steps: {{login: {{tacacs_login: {{secret: tacacs-test}}}}}}
processes:
{servers}  forwarder:
    nodes: [lb]
    command: [{labsim}, forwarder, --config, \"{{dir}}/lb.yaml\"]
    ready: {{line: ready}}
    files:
      lb.yaml: |
        {config}
expect:
  client_seen: null
  pool_answers: null
  client_wire: null
  balancer_in: null
  balancer_out: null
  server_wire: null
"
    );
    desk.write("scenarios/programs.yaml", text);
    let ended = desk.labsim(&["run", "scenarios/programs.yaml", "--out", "out"]).exits(0);
    ended.says("PASS programs");
    let logs = ["rs1", "rs2", "rs3"].map(|node| {
        let log = desk.path(&format!("out/programs/logs/{node}-servers.log"));
        std::fs::read_to_string(log).unwrap()
    });
    assert!(logs.concat().contains("authentication PASS user `violet`"), "{logs:?}");
    for args in
        [["server", SCENARIO, "client"].as_slice(), &["export", "forwarder", SCENARIO, "rs1"]]
    {
        desk.labsim(args).exits(2).says("unknown ").says("known: ");
    }
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let desk = desk();
    std::fs::create_dir(desk.path("lab")).unwrap();
    desk.write("lab/bigip.yaml", "mine");
    let args = ["import", "f5", "bigip.conf", "--out", "lab"];
    desk.labsim(&args).exits(2).says("lab/bigip.yaml exists already");
    assert_eq!(std::fs::read_to_string(desk.path("lab/bigip.yaml")).unwrap(), "mine");
    assert!(!desk.path("lab/topology.yaml").exists(), "half of an import is left");
}

#[test]
fn a_link_that_somebody_laid_is_not_written_through() {
    let desk = desk();
    std::fs::create_dir(desk.path("lab")).unwrap();
    symlink(desk.path("elsewhere"), desk.path("lab/topology.yaml")).unwrap();
    let args = ["import", "f5", "bigip.conf", "--out", "lab"];
    desk.labsim(&args).exits(2).says("lab/topology.yaml exists already");
    assert!(!desk.path("elsewhere").exists());
}

#[test]
fn broken_configurations_are_told_with_their_places_and_write_nothing() {
    let desk = desk();
    desk.write("bad.conf", "ltm pool p {\n  members {\n");
    let ended = desk.labsim(&["import", "f5", "bad.conf", "--out", "lab"]).exits(2);
    ended.says("bad.conf:").says("never closed");
    desk.write("zero.conf", [0xffu8; 64]);
    desk.labsim(&["import", "a10", "zero.conf", "--out", "lab"]).exits(2).says("not UTF-8 text");
    desk.labsim(&["import", "a10", "gone.conf", "--out", "lab"]).exits(2).says("no such file");
    desk.labsim(&["import", "a10", "scenarios", "--out", "lab"])
        .exits(2)
        .says("not a regular file");
    assert!(!desk.path("lab").exists());
}

#[test]
fn acos_text_gives_a_lab_that_passes() {
    let desk = desk();
    desk.write(
        "acos.txt",
        "slb server rs1 10.1.1.51\n  port 49 tcp\n\
         slb server rs2 10.1.1.52\n  port 49 tcp\n\
         slb service-group sg tcp\n  member rs1 49\n  member rs2 49\n\
         slb virtual-server vip 172.16.4.99\n  port 49 tcp\n    service-group sg\n    \
         no-dest-nat\n    ipinip\n",
    );
    desk.labsim(&["import", "a10", "acos.txt", "--out", "acos"]).exits(0);
    desk.labsim(&["run", "acos/acos.yaml"]).exits(0).says("PASS acos");
}

#[test]
fn linux_virtual_servers_in_tunnels_and_by_direct_routing_give_labs_that_pass() {
    let desk = Desk::new();
    desk.write(
        "table.txt",
        "-A -t 172.16.4.99:49 -s rr
-a -t 172.16.4.99:49 -r 10.1.1.51:49 -i -w 1
-a -t 172.16.4.99:49 -r 10.1.1.52:49 -i -w 1 --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 172.16.4.99:49 -r 10.1.1.53:49 -i -w 1 --tun-type gre --tun-csum
-A -t 172.16.4.98:80 -s rr
-a -t 172.16.4.98:80 -r 10.1.1.54:8080 -m -w 1
",
    );
    // The checks' times are long: their first probes decide.
    desk.write(
        "keepalived.conf",
        "! lb1
virtual_server 10.1.1.99 49 {
    delay_loop 60
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.1.1.51 49 {
        TCP_CHECK { connect_timeout 60 }
    }
    real_server 10.1.1.52 49 {
        TCP_CHECK { connect_timeout 60 }
    }
}
",
    );
    let ended = desk.labsim(&["import", "ipvs", "table.txt", "--out", "tun"]).exits(0);
    ended.says("written: tun/table.yaml");
    assert!(!ended.stdout.contains("not imported"), "{}", ended.stdout);
    let ended = desk.labsim(&["import", "keepalived", "keepalived.conf", "--out", "dr"]).exits(0);
    assert!(!ended.stdout.contains("not imported"), "{}", ended.stdout);
    let ran = desk.labsim(&["run", "tun/table.yaml", "dr/keepalived.yaml"]).exits(0);
    ran.says("PASS table").says("PASS keepalived").says("2 passed, 0 failed, 0 skipped");
    let ended = desk.labsim(&["import", "ipvs", "keepalived.conf", "--out", "no"]).exits(2);
    ended.says("no virtual server can be imported");
    assert!(!desk.path("no").exists());
}

/// Each format's export is imported again, and the lab that comes of it runs.
#[test]
fn exports_for_other_load_balancers_are_imported_again_and_run() {
    for vendor in ["a10", "ipvs", "keepalived"] {
        let desk = desk();
        let exported = desk.labsim(&["export", vendor, SCENARIO]).exits(0);
        desk.write("again.conf", &exported.stdout);
        desk.labsim(&["import", vendor, "again.conf", "--out", "again"]).exits(0);
        desk.labsim(&["run", "again"]).exits(0).says("PASS again");
        let again = desk.labsim(&["export", vendor, "again/again.yaml", "lb"]).exits(0).stdout;
        let rules =
            |text: &str| text.lines().filter(|line| !line.starts_with('!')).collect::<String>();
        assert_eq!(rules(&again), rules(&exported.stdout), "{vendor}");
        desk.labsim(&["export", vendor, SCENARIO, "rs1"])
            .exits(2)
            .says("unknown load balancer `rs1`")
            .says("known: lb");
    }
    // What IPVS cannot say is beside the rules, which have no comments.
    let ended = desk().labsim(&["export", "ipvs", SCENARIO]).exits(0);
    assert!(ended.stderr.contains("not exported: outer_source: client: "), "{}", ended.stderr);
    assert!(ended.stdout.lines().all(|line| line.starts_with('-')), "{}", ended.stdout);
}

#[test]
fn a_real_servers_files_are_written_once() {
    let desk = desk();
    let args = ["export", "linux", SCENARIO, "rs2", "--persistent", "host"];
    desk.labsim(&args).exits(0).says("written: host/etc/sysctl.d/90-labsim.conf");
    let network = desk.path("host/etc/systemd/network/50-labsim-tunl0.network");
    assert!(std::fs::read_to_string(&network).unwrap().contains("Address=10.1.1.52/32\n"));
    std::fs::remove_file(desk.path("host/etc/modules-load.d/50-labsim.conf")).unwrap();
    desk.labsim(&args).exits(2).says("90-labsim.conf exists already and is not overwritten");
    // All of them or none.
    assert!(!desk.path("host/etc/modules-load.d/50-labsim.conf").exists());
}
