//! A customer's load balancer and real server, imported from what people collect: the customer's fault
//! shows, and its cause is named.

use crate::support::{Desk, shipped};

/// `ip addr` and `ip route` of the server 10.1.1.52, as they are pasted from a terminal.
const ADDRESSES: &str = "\
[root@aaa2 ~]# ip addr
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet 172.16.4.99/32 scope host lo:0
       valid_lft forever preferred_lft forever
2: ens192: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000
    link/ether 00:50:56:aa:bb:cc brd ff:ff:ff:ff:ff:ff
    inet 10.1.1.52/24 brd 10.1.1.255 scope global noprefixroute ens192
       valid_lft forever preferred_lft forever
3: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN group default qlen 1000
    link/ipip 0.0.0.0 brd 0.0.0.0
    inet 10.1.1.52/32 scope host tunl0
       valid_lft forever preferred_lft forever
[root@aaa2 ~]# ip route
default via 10.1.1.1 dev ens192 proto static metric 100
10.1.1.0/24 dev ens192 proto kernel scope link src 10.1.1.52 metric 100
";

const SYSCTLS: &str = "\
kernel.hostname = aaa2
net.core.somaxconn = 4096
net.ipv4.conf.all.arp_announce = 2
net.ipv4.conf.all.arp_ignore = 3
net.ipv4.conf.all.rp_filter = 2
net.ipv4.conf.default.rp_filter = 1
net.ipv4.conf.ens192.rp_filter = 1
net.ipv4.conf.lo.rp_filter = 0
net.ipv4.conf.tunl0.rp_filter = 0
";

const SOCKETS: &str = "\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port
tcp   LISTEN 0      128          0.0.0.0:49        0.0.0.0:*
";

/// The document's load balancer as a lab, and in it the server with these texts.
fn customer(addresses: &str, sysctls: &str, sockets: &str) -> Desk {
    let desk = Desk::new();
    let stanzas = shipped().join("labsim/import/tests/document.conf");
    std::fs::copy(stanzas, desk.path("bigip.conf")).unwrap();
    std::fs::create_dir(desk.path("aaa2")).unwrap();
    desk.write("aaa2/addresses.txt", addresses);
    desk.write("aaa2/sysctl-a", sysctls);
    desk.write("aaa2/ss.txt", sockets);
    desk.labsim(&["import", "f5", "bigip.conf", "--out", "lab"]).exits(0);
    let args = ["import", "linux", "aaa2", "--into", "lab/bigip.yaml", "rs2", "--out", "lab"];
    desk.labsim(&args).exits(0).says("written: lab/bigip-rs2.yaml");
    desk
}

#[test]
fn a_healthy_server_passes_in_the_lab() {
    let desk = customer(ADDRESSES, SYSCTLS, SOCKETS);
    desk.labsim(&["run", "lab/bigip-rs2.yaml"]).exits(0).says("PASS bigip-rs2");
}

#[test]
fn a_strict_reverse_path_filter_is_named_with_the_lines_to_change() {
    let strict = SYSCTLS.replace("all.rp_filter = 2", "all.rp_filter = 1");
    let desk = customer(ADDRESSES, &strict, SOCKETS);
    let diagnosed = desk.labsim(&["diagnose", "lab/bigip-rs2.yaml"]).exits(1);
    diagnosed.says("[rp-filter]").says("proof: all expectations hold with one change");
    diagnosed
        .says("extends: bigip-rs2.yaml")
        .says("on Linux hosts:\n")
        .says("rs2: sysctl -w net.ipv4");
}

#[test]
fn a_vip_that_the_server_lacks_is_named() {
    let without = ADDRESSES.replace("    inet 172.16.4.99/32 scope host lo:0\n", "");
    let desk = customer(&without, SYSCTLS, SOCKETS);
    desk.labsim(&["run", "lab/bigip-rs2.yaml"]).exits(1).says("[vip-missing]");
}

#[test]
fn a_tunnel_device_that_is_down_is_named() {
    let down = ADDRESSES.replace("<NOARP,UP,LOWER_UP>", "<NOARP>");
    let desk = customer(&down, SYSCTLS, SOCKETS);
    desk.labsim(&["run", "lab/bigip-rs2.yaml"]).exits(1).says("[tunnel-down]");
}

#[test]
fn a_server_that_listens_at_its_own_address_alone_is_named() {
    let own = SOCKETS.replace("  0.0.0.0:49", "10.1.1.52:49");
    let desk = customer(ADDRESSES, SYSCTLS, &own);
    desk.labsim(&["run", "lab/bigip-rs2.yaml"]).exits(1).says("[not-listening-at-vip]");
}

#[test]
fn another_hosts_files_are_refused_and_nothing_is_written() {
    let desk = customer(ADDRESSES, SYSCTLS, SOCKETS);
    let args = ["import", "linux", "aaa2", "--into", "lab/bigip.yaml", "rs1", "--out", "lab"];
    desk.labsim(&args)
        .exits(2)
        .says("no interface in these files has the address of rs1 (10.1.1.51)");
    assert!(!desk.path("lab/bigip-rs1.yaml").exists());
    let args = ["import", "linux", "aaa2", "--into", "lab/bigip.yaml", "rs9", "--out", "lab"];
    desk.labsim(&args).exits(2).says("unknown node `rs9`");
    // A lab of its own would be in place of the other one.
    let args = ["import", "linux", "aaa2", "--out", "lab"];
    desk.labsim(&args).exits(2).says("topology.yaml exists already and is not overwritten");
    let args = ["import", "linux", "bigip.conf", "--into", "lab/bigip.yaml", "rs1", "--out", "lab"];
    desk.labsim(&args).exits(2).says("nothing here is a host's state");
    let again = ["import", "linux", "aaa2", "--into", "lab/bigip.yaml", "rs2", "--out", "lab"];
    desk.labsim(&again).exits(2).says("exists already and is not overwritten");
}

#[test]
fn a_host_without_a_scenario_gets_a_lab_of_its_own() {
    let desk = customer(ADDRESSES, SYSCTLS, SOCKETS);
    let args = ["import", "linux", "aaa2", "--out", "alone"];
    desk.labsim(&args)
        .exits(0)
        .says("written: alone/lab-rs1.yaml")
        .says("the lab around it, with a healthy server: alone/lab.yaml")
        .says("assumptions:\n")
        .says("tunl0: IP in IP, and not GUE");
    desk.labsim(&["run", "alone/lab.yaml"]).exits(0).says("PASS lab");
    desk.labsim(&["run", "alone/lab-rs1.yaml"]).exits(0).says("PASS lab-rs1");
    // Its fault shows there, as in a customer's lab.
    let strict = SYSCTLS.replace("tunl0.rp_filter = 0", "tunl0.rp_filter = 1");
    desk.write("aaa2/sysctl-a", strict.replace("all.rp_filter = 2", "all.rp_filter = 1"));
    desk.labsim(&["import", "linux", "aaa2", "--out", "faulty"]).exits(0);
    desk.labsim(&["run", "faulty/lab-rs1.yaml"]).exits(1).says("[rp-filter");
    // Nothing is left of a lab that cannot be made.
    std::fs::remove_file(desk.path("aaa2/addresses.txt")).unwrap();
    desk.labsim(&["import", "linux", "aaa2", "--out", "none"])
        .exits(2)
        .says("the host's own address is not among these files");
    assert!(!desk.path("none/topology.yaml").exists());
}
