//! Labs that stay up, brought back to what they were when they were built.

use crate::support::DEADLINE;
use crate::support::labs::Labs;
use std::fs;
use std::time::Instant;

/// Runs a script in a node.
fn run(labs: &Labs, node: &str, script: &str) {
    labs.labsim(&["exec", node, "--", "sh", "-ec", script]).exits(0);
}

/// The changes that `labsim status` lists, without the nodes' names.
fn changes(labs: &Labs) -> Vec<String> {
    let status = labs.labsim(&["status"]).exits(0);
    let changes = status.stdout.lines().filter_map(|line| line.strip_prefix("  changed: "));
    changes.map(str::to_owned).collect()
}

#[test]
fn whatever_was_changed_is_undone_and_the_lab_works_again() {
    let labs = Labs::new();
    labs.up("one");
    labs.labsim(&["reset"]).exits(0).says("one is as it was built");
    run(
        &labs,
        "rs1",
        "ip addr del 172.16.4.99/32 dev lo
         ip addr add 10.1.1.61/24 dev eth0
         ip route replace default via 10.1.1.9
         ip route add blackhole 192.0.2.0/24
         ip route add 198.51.100.0/24 dev eth0 table 77
         ip rule add from 10.9.0.0/16 lookup 77 priority 100
         ip neigh replace 10.1.1.250 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
         echo 77 >/proc/sys/net/ipv4/ip_default_ttl
         echo 1 >/proc/sys/net/ipv4/ip_forward
         ip link set lo down",
    );
    run(
        &labs,
        "rs2",
        "ip link set eth0 down
         ip link set eth0 address 02:11:22:33:44:55
         ip link set eth0 name wan
         ip link set wan mtu 1000",
    );
    let reset = labs.labsim(&["reset", "rs1"]).exits(0);
    reset
        .says("rs1: undone: gone: address 172.16.4.99/32 on lo")
        .says("rs1: undone: new: address 10.1.1.61/24 on eth0")
        .says("rs1: undone: new: route 198.51.100.0/24 dev eth0 table 77")
        .says("rs1: undone: new: IPv4 rule 100: from 10.9.0.0/16 lookup 77")
        .says("rs1: undone: new: neighbour 10.1.1.250 dev eth0 lladdr 02:00:00:00:00:99")
        .says("rs1: undone: net.ipv4.ip_forward is 1, was 0")
        .says("rs1: undone: lo is down")
        .says("rs1 of one is as it was built");
    assert!(!reset.stdout.contains("rs2"), "{reset:?}");
    let left = changes(&labs);
    assert!(left.contains(&"gone: device eth0".to_owned()), "rs2 stays: {left:?}");
    assert!(left.iter().all(|change| !change.contains("172.16.4.99")), "{left:?}");
    labs.labsim(&["reset"]).exits(0).says("rs2: undone: new: device wan");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["check"]).exits(0).says("PASS one");
}

#[test]
fn addresses_and_routes_of_ipv6_come_back_with_their_device() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/ipv6/tacacs-6in6.yaml", "--name", "six"]).exits(0);
    for node in ["client", "rs1"] {
        run(
            &labs,
            node,
            "ip -6 route add unreachable 2001:db8:ffff::/48
             ip -6 rule add from 2001:db8::/32 lookup 9 priority 9
             ip link set lo down",
        );
    }
    run(&labs, "rs1", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
    // Below IPv6's least MTU a device has none of it.
    run(&labs, "rs2", "ip link set eth0 mtu 1000; ip link set eth0 down");
    labs.labsim(&["reset"]).exits(0).says("six is as it was built");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["check"]).exits(0).says("PASS six");
}

#[test]
fn what_steps_have_changed_is_undone_and_what_has_ended_runs_again() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/failover.yaml", "--at", "start"]).exits(0);
    labs.labsim(&["status"]).exits(0).says("6 steps, the next one is start");
    labs.labsim(&["reset", "rs1"]).exits(0).says("rs1 of failover is as it was built");
    labs.labsim(&["status"]).exits(0).says("6 steps, the next one is start");
    labs.labsim(&["reset"]).exits(0).says("lb: started again: forwarder");
    labs.labsim(&["status"]).exits(0).says("6 steps, the next one is login");
    labs.labsim(&["check"]).exits(0).says("PASS failover");
    labs.labsim(&["down"]).exits(0);
    let end = labs.0.path("end");
    let steps = format!(
        "\
steps:
  stop: {{stop_server: {{node: rs1}}}}
  unplug: {{set_link: {{node: rs2, interface: eth0, state: down}}}}
  buffers: {{set_sysctls: {{node: rs3, sysctls: {{net.ipv4.tcp_rmem: 4096 8192 16384}}}}}}
processes:
  waiter:
    nodes: [client]
    command: [sh, -c, \"echo ready; while [ ! -e {} ]; do sleep 0.01; done\"]
    ready: {{line: ready}}
",
        end.display()
    );
    let file = labs.0.over("stops", "tacacs-ipip", &steps);
    labs.labsim(&["up", &file]).exits(0);
    for step in ["stop", "unplug", "buffers"] {
        labs.labsim(&["step", step]).exits(0);
    }
    fs::write(&end, "").unwrap();
    let began = Instant::now();
    while !labs.labsim(&["status"]).exits(0).stdout.contains("process waiter: ended") {
        assert!(began.elapsed() < DEADLINE);
    }
    fs::remove_file(&end).unwrap();
    let reset = labs.labsim(&["reset"]).exits(0);
    reset
        .says("rs1: started again: TACACS+ server")
        .says("client: started again: process waiter")
        .says("rs2: undone: eth0 is down")
        .says("rs3: undone: net.ipv4.tcp_rmem is 4096 8192 16384, was 4096 ");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["step", "login"]).exits(0).says("step login: pass");
}

#[test]
fn a_filter_that_a_step_has_put_in_is_out_again_and_what_it_counted_stays_counted() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/repair.yaml"]).exits(0);
    labs.labsim(&["step", "close"]).exits(0).says("the filter firewall is in");
    let is_changed = |changes: Vec<String>| {
        changes.iter().any(|change| change.starts_with("new: chain inet firewall prerouting"))
    };
    assert!(is_changed(changes(&labs)));
    labs.labsim(&["reset"]).exits(0).says("rs1: undone: new: chain inet firewall");
    assert_eq!(changes(&labs), [""; 0]);
    // Its steps put the filter in and take it out, and count what it drops.
    labs.labsim(&["check"]).exits(0).says("PASS repair");
}

#[test]
fn what_cannot_be_undone_is_named_with_what_helps() {
    let labs = Labs::new();
    labs.labsim(&["reset"]).exits(2).says("no lab is up; `labsim up FILE` makes one");
    labs.up("one");
    let slip = labs.labsim(&["reset", "rs9"]).exits(2);
    slip.says("the lab has no node `rs9`; did you mean `rs1`? Its nodes: ");
    labs.labsim(&["reset", "--name", "two"]).exits(2).says("no lab `two` is up");
    run(&labs, "rs1", "ip link del eth0; echo 77 >/proc/sys/net/ipv4/ip_default_ttl");
    let reset = labs.labsim(&["reset"]).exits(1);
    reset
        .says("rs1: undone: net.ipv4.ip_default_ttl is 77, was 64")
        .says("rs1: not undone: gone: device eth0")
        .says("`labsim restart one` builds the lab again");
    labs.labsim(&["restart"]).exits(0);
    assert_eq!(changes(&labs), [""; 0]);
}
