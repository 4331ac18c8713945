//! What was changed in a lab that is up.

use crate::support::labs::Labs;

/// The changes that `labsim status` lists, without the nodes' names.
fn changes(labs: &Labs) -> Vec<String> {
    let status = labs.labsim(&["status"]).exits(0);
    let changes = status.stdout.lines().filter_map(|line| line.strip_prefix("  changed: "));
    changes.map(str::to_owned).collect()
}

#[test]
fn what_was_changed_since_the_lab_was_built_is_listed_until_it_is_taken_back() {
    let labs = Labs::new();
    labs.up("one");
    assert_eq!(changes(&labs), [""; 0]);
    // What steps do for themselves is no change.
    labs.labsim(&["check"]).exits(0);
    assert_eq!(changes(&labs), [""; 0]);
    let run = |script: &str| labs.labsim(&["exec", "rs1", "--", "sh", "-ec", script]).exits(0);
    run("ip addr del 172.16.4.99/32 dev lo
         ip route add 192.0.2.0/24 via 10.1.1.1
         echo 77 >/proc/sys/net/ipv4/ip_default_ttl
         ip link set eth0 mtu 1400");
    assert_eq!(
        changes(&labs),
        [
            "the MTU of eth0 is 1400, was 1500",
            "gone: address 172.16.4.99/32 on lo",
            "new: route 192.0.2.0/24 via 10.1.1.1 dev eth0",
            "net.ipv4.ip_default_ttl is 77, was 64",
        ]
    );
    run("ip addr add 172.16.4.99/32 dev lo
         ip route del 192.0.2.0/24
         echo 64 >/proc/sys/net/ipv4/ip_default_ttl
         ip link set eth0 mtu 1500");
    assert_eq!(changes(&labs), [""; 0]);
    run("ip link add \"$(printf 'a\\033[31m')\" type bridge");
    assert_eq!(changes(&labs), ["new: device a\\u{1b}[31m"]);
    labs.labsim(&["restart"]).exits(0);
    assert_eq!(changes(&labs), [""; 0]);
}
