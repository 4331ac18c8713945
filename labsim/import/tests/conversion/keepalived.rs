//! `keepalived.conf`: what it means, what is left out, what is wrong with it.

use crate::common::{assert_problems, lb, load, places};
use labsim_import::{Imported, Source, ipvs, keepalived};
use labsim_scenario::model::{
    LoadBalancingMode, MonitorKind, OuterSource, Persistence, Profile, SourceAddress,
    SourceTranslation,
};
use std::time::Duration;

fn imported(text: &str) -> Imported {
    crate::common::imported(keepalived::import, "keepalived.conf", text)
}

const CONF: &str = "\
! Configuration File for keepalived
$NET=10.1.1
global_defs {
    router_id lb1
    lvs_timeouts tcp 600 udp 0
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    authentication {
        auth_type PASS
        auth_pass s3cret
    }
    virtual_ipaddress { ${NET}.99/24 }
}
virtual_server ${NET}.99 49 {     # TACACS+
    delay_loop 6
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server ${NET}.51 49 {
        weight 1
        inhibit_on_failure
        TCP_CHECK {
            connect_timeout 3
            retry 2
            connect_port 49
        }
    }
    real_server ${NET}.52 49
    {
        weight 0
        inhibit_on_failure
        TCP_CHECK {
            connect_timeout 3
            retry 2
        }
    }
}
";

#[test]
fn direct_routing_with_a_monitor_is_direct_server_return_on_one_segment() {
    let imported = imported(CONF);
    let scenario = load(&imported);
    let lb = lb(&scenario);
    assert_eq!(lb.outer_source, OuterSource::Client);
    let server = &lb.virtual_servers["vs_10.1.1.99_49_tcp"];
    assert!(!server.translate_address && !server.translate_port);
    assert_eq!(server.fastl4.idle_timeout, 600);
    let pool = &lb.pools["p_10.1.1.99_49_tcp"];
    assert_eq!(pool.load_balancing_mode, LoadBalancingMode::RoundRobin);
    assert_eq!(pool.profile, Profile::None);
    let members: Vec<(String, u16)> =
        pool.members.iter().map(|one| (one.address.to_string(), one.ratio)).collect();
    assert_eq!(members, [("10.1.1.51:49".to_owned(), 1), ("10.1.1.52:49".to_owned(), 0)]);
    let monitor = pool.monitor.as_ref().unwrap();
    assert_eq!((monitor.kind, monitor.port, monitor.fall), (MonitorKind::Tcp, None, 3));
    let times = (monitor.interval, monitor.timeout);
    assert_eq!(times, (Duration::from_secs(6), Duration::from_secs(3)));
    assert_eq!(places(&imported.not_imported), ["3: global_defs", "7: vrrp_instance VI_1"]);
    assert_eq!(places(&imported.warnings), ["24: virtual_server 10.1.1.99 49: monitor"]);
    let whys: Vec<&str> = imported.not_imported.iter().map(|note| note.why.as_str()).collect();
    assert_eq!(whys[1], "the lab has one load balancer");
    assert!(!imported.warnings[0].why.contains("drops"), "{}", imported.warnings[0]);
}

#[test]
fn a_tunnel_means_the_same_as_in_ipvsadm() {
    let conf = imported(
        "virtual_server 172.16.4.99 80 {
  lvs_sched wlc
  lvs_method TUN type gue port 6081 nocsum
  persistence_timeout
  persistence_granularity 255.255.255.0
  real_server 10.1.1.51 80 { weight 2 }
  real_server 10.1.1.52 80 { lvs_method TUN }
  real_server 10.1.1.53 80 { lvs_method TUN type gre csum }
}
",
    );
    let table = ipvs::import(&[Source::new(
        "table",
        "-A -t 172.16.4.99:80 -s wlc -p 360 -M 255.255.255.0
-a -t 172.16.4.99:80 -r 10.1.1.51:80 -i -w 2 --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 172.16.4.99:80 -r 10.1.1.52:80 -i -w 1
-a -t 172.16.4.99:80 -r 10.1.1.53:80 -i -w 1 --tun-type gre --tun-csum
",
    )])
    .unwrap();
    let (one, other) = (load(&conf), load(&table));
    assert_eq!(lb(&one), lb(&other));
    assert_eq!(lb(&one).outer_source, OuterSource::Egress);
    let server = lb(&one).virtual_servers.values().next().unwrap();
    let source = SourceAddress { timeout: 360, prefix_length: Some(24) };
    assert_eq!(server.persistence, Persistence::SourceAddress(source));
    assert_eq!(conf.not_imported, []);
    // Servers end the tunnel that the load balancer begins.
    assert!(conf.scenario.contains("tunnel: {gue: {port: 6081, variant: 0}}"), "{}", conf.scenario);
    assert!(conf.scenario.contains("tunnel: {gre: {checksum: true}}"), "{}", conf.scenario);
}

#[test]
fn nat_is_the_default_and_its_ports_are_translated() {
    let imported = imported(
        "virtual_server 10.9.9.9 80 {\n lvs_sched rr\n real_server 10.1.1.51 8080 {\n }\n}\n",
    );
    let scenario = load(&imported);
    let server = lb(&scenario).virtual_servers.values().next().unwrap();
    assert!(server.translate_address && server.translate_port);
    assert_eq!(server.source_address_translation, SourceTranslation::Automap);
    let pool = lb(&scenario).pools.values().next().unwrap();
    assert_eq!(pool.members[0].address.to_string(), "10.1.1.51:8080");
}

#[test]
fn a_group_makes_virtual_servers_with_one_pool() {
    let imported = imported(
        "virtual_server_group web {
  10.9.9.9 80
  10.9.9.10-11 80
  fwmark 5
  2001:db8::1-2 80
}
virtual_server_group unused {
  10.9.9.20 80
}
virtual_server group web {
  lvs_sched rr
  lvs_method TUN
  real_server 10.1.1.51 80 { }
}
virtual_server group nobody {
}
virtual_server fwmark 7 {
}
",
    );
    let scenario = load(&imported);
    let names: Vec<&str> = lb(&scenario).virtual_servers.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "vs_10.9.9.10_80_tcp",
            "vs_10.9.9.11_80_tcp",
            "vs_10.9.9.9_80_tcp",
            "vs_2001:db8::1_80_tcp",
            "vs_2001:db8::2_80_tcp",
        ]
    );
    assert_eq!(lb(&scenario).pools.len(), 1);
    assert_eq!(
        places(&imported.not_imported),
        [
            "4: virtual_server_group web: fwmark",
            "7: virtual_server_group unused",
            "15: virtual_server group nobody",
            "17: virtual_server fwmark 7",
        ]
    );
}

#[test]
fn large_groups_and_many_virtual_servers_are_bounded_and_listed() {
    let group = "virtual_server_group g {\n 10.0.0.1-10.9.0.0 80\n fwmark 1\n}\n";
    let one = "virtual_server group g {\n lvs_method TUN\n lvs_sched rr\n real_server 10.10.1.1 80 { }\n}\n";
    let imported = imported(&format!("{group}{}", one.repeat(1001)));
    let all: Vec<String> = imported.not_imported.iter().map(ToString::to_string).collect();
    let count = |text: &str| all.iter().filter(|note| note.contains(text)).count();
    assert_eq!(count("a lab takes 200 addresses of a group"), 1);
    assert_eq!(count("fwmark"), 1);
    assert_eq!(count("more than 1000 virtual servers are not read"), 1);
}

#[test]
fn what_a_lab_cannot_have_is_listed_with_its_reason() {
    let imported = imported(
        "include other.conf
@backup priority 50
auth_pass s3cret
virtual_server 10.9.9.9 53 {
  lvs_sched sed
  lvs_method DR
  protocol UDP
  ops
  quorum 2
  sorry_server 10.1.1.60 53
  persistence_granularity 255.255.255.0
  real_server 10.1.1.51 53 {
    notify_down /bin/x
    DNS_CHECK { name x }
    PING_CHECK { bindto 10.1.1.2 }
    TCP_CHECK { }
  }
  real_server 10.1.1.52 5353 {
    PING_CHECK { connect_timeout 100 }
  }
  real_server 10.1.1.53 53 { lvs_method NAT }
  real_server 2001:db8::1 53 { }
}
virtual_server 10.9.9.8 53 {
  protocol SCTP
}
",
    );
    let scenario = load(&imported);
    let monitor = lb(&scenario).pools.values().next().unwrap().monitor.clone().unwrap();
    assert_eq!((monitor.kind, monitor.interval.as_secs()), (MonitorKind::Icmp, 60));
    assert!(lb(&scenario).virtual_servers.values().all(|server| server.datagram_load_balancing));
    let own = "virtual_server 10.9.9.9 53";
    assert_eq!(
        places(&imported.not_imported),
        [
            "1: include".to_owned(),
            "2: line @backup".to_owned(),
            "3: auth_pass".to_owned(),
            format!("5: {own}: scheduler sed"),
            format!("9: {own}: quorum"),
            format!("10: {own}: sorry_server"),
            format!("11: {own}: persistence_granularity"),
            format!("13: {own}: real_server 10.1.1.51 53: notify_down"),
            format!("14: {own}: real_server 10.1.1.51 53: DNS_CHECK"),
            format!("15: {own}: real_server 10.1.1.51 53: PING_CHECK: bindto"),
            format!("16: {own}: real_server 10.1.1.51 53: TCP_CHECK"),
            format!("19: {own}: real_server 10.1.1.52 5353: its checker"),
            format!("21: {own}: real_server 10.1.1.53 53"),
            format!("22: {own}: member 2001:db8::1"),
            "24: virtual_server 10.9.9.8 53".to_owned(),
        ]
    );
    assert_eq!(
        places(&imported.warnings),
        [
            format!("15: {own}: monitor"),
            format!("18: {own}: real_server 10.1.1.52 5353: port 5353"),
            format!("19: {own}: real_server 10.1.1.52 5353: PING_CHECK: connect_timeout"),
            format!("22: {own}: real_server 2001:db8::1 53"),
        ]
    );
    let all: Vec<String> = imported.not_imported.iter().map(ToString::to_string).collect();
    assert!(!all.concat().contains("s3cret"), "{all:?}");
    let unexplained = all.iter().filter(|note| note.ends_with("labsim does not support it"));
    assert_eq!(unexplained.collect::<Vec<_>>(), [&all[2]]);
}

#[test]
fn mistakes_are_reported_with_places_and_remedies() {
    let server = |line: &str| format!("virtual_server 10.9.9.9 80 {{\n{line}\n}}\n");
    let cases = [
        ("virtual_server {\n}".to_owned(), "1:1: `virtual_server` has no value"),
        ("virtual_server www 80 {\n}".to_owned(), "1:16: `www` is not an address"),
        ("virtual_server $X 80 {\n}".to_owned(), "1:16: `$X` is not an address"),
        ("virtual_server 10.9.9.9 http {\n}".to_owned(), "1:25: `http` is not a port"),
        ("virtual_server 10.9.9.9 {\n}".to_owned(), "1:1: a virtual server without a port"),
        ("virtual_server 10.9.9.9 80 {".to_owned(), "1:1: this block is not closed"),
        ("a {\n lvs_timeouts tcp\n}".to_owned(), "2:2: write `lvs_timeouts tcp SECONDS"),
        ("}".to_owned(), "1:1: this `}` closes no block"),
        (server("lvs_method FULLNAT"), "2:12: `FULLNAT` is no method of IPVS"),
        (server("lvs_method TUN type gue"), "2:21: a tunnel of `gue` needs its UDP port"),
        (server("lvs_method DR type gre"), "2:20: the options of a tunnel need TUN"),
        (server("lvs_method TUN ipip"), "2:16: `ipip` is no option of a tunnel"),
        (server("protocol ICMP"), "2:10: `ICMP` is no protocol"),
        (server("delay_loop soon"), "2:12: `soon` is not a time"),
        (server("lvs_sched"), "2:1: `lvs_sched` has no value"),
        (server("real_server 10.1.1.51 80 { weight -1 }"), "2:35: `-1` is not a weight"),
        (
            server("real_server 10.1.1.51 80 { TCP_CHECK { connect_port 0 } }"),
            "2:53: `0` is not a port",
        ),
        ("$A=b \\\n c\n".to_owned(), "1:1: a definition of several lines is not read"),
        (
            "virtual_server_group a {\n}\nvirtual_server_group a {\n}".to_owned(),
            "3:1: a group of this name is there already (keepalived.conf:1)",
        ),
    ];
    assert_problems(keepalived::import, "keepalived.conf", &cases);
}
