//! What was changed in labs that stay up, saved as scenarios.

use crate::support::labs::Labs;
use std::fs;

fn run(labs: &Labs, node: &str, script: &str) {
    labs.labsim(&["exec", node, "--name", "one", "--", "sh", "-ec", script]).exits(0);
}

/// What a node is set up with: addresses, routes and some sysctls.
fn setup(labs: &Labs, lab: &str, node: &str) -> String {
    let script = "
        ip -o address show | awk '{print $2, $3, $4}' | grep -v ' fe80' | sort
        ip route show | sed 's/ proto static//; s/ *$//' | sort
        cat /proc/sys/net/ipv4/conf/all/arp_ignore /proc/sys/net/ipv4/ip_default_ttl \
            /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/eth0/rp_filter
        ip link show | sed -n 's/.* \\([a-z0-9]*\\)[@:].*mtu \\([0-9]*\\).*/\\1 \\2/p'";
    labs.labsim(&["exec", node, "--name", lab, "--", "sh", "-c", script]).stdout
}

#[test]
fn a_saved_lab_is_built_again_as_it_was_when_it_was_saved() {
    let labs = Labs::new();
    labs.up("one");
    labs.labsim(&["save"]).exits(0).says("nothing was changed since one was built");
    run(
        &labs,
        "rs1",
        "ip addr del 172.16.4.99/32 dev lo
         ip route add 192.0.2.0/24 via 10.1.1.1
         echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore
         echo 77 >/proc/sys/net/ipv4/ip_default_ttl",
    );
    run(
        &labs,
        "rs2",
        "ip addr add 10.1.1.62/24 dev eth0
         ip link set eth0 mtu 1400
         ip link set tunl0 down
         echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter",
    );
    run(&labs, "client", "ip route del default; echo 1 >/proc/sys/net/ipv4/ip_forward");
    let save = labs.labsim(&["save", "-o", "broken.yaml"]).exits(0);
    save.says("the changes of one are in broken.yaml, broken-topology.yaml");
    assert!(!save.stderr.contains("not saved"), "{save:?}");
    labs.labsim(&["validate", "broken.yaml"]).exits(0).says("a valid scenario");
    labs.labsim(&["up", "broken.yaml", "--name", "two"]).exits(0);
    for node in ["client", "rs1", "rs2", "rs3", "router", "lb"] {
        assert_eq!(setup(&labs, "two", node), setup(&labs, "one", node), "{node}");
    }
    let status = labs.labsim(&["status", "two"]).exits(0);
    assert!(!status.stdout.contains("changed"), "{status:?}");
    labs.labsim(&["reset", "--name", "one"]).exits(0);
    let back = labs.labsim(&["save", "--name", "one"]).exits(0);
    back.says("nothing was changed since one was built");
}

#[test]
fn a_missing_vip_alone_needs_no_topology_and_is_what_a_run_finds() {
    let labs = Labs::new();
    labs.up("one");
    for server in ["rs1", "rs2", "rs3"] {
        run(&labs, server, "ip addr del 172.16.4.99/32 dev lo");
    }
    let text = labs.labsim(&["save", "-o", "-"]).exits(0).stdout;
    assert!(text.contains("  servers: null\n  rs1_saved:\n"), "{text}");
    labs.labsim(&["save"]).exits(0).says("the changes of one are in one-saved.yaml\n");
    assert_eq!(fs::read_to_string(labs.0.path("one-saved.yaml")).unwrap(), text);
    assert!(!labs.0.path("one-saved-topology.yaml").exists());
    labs.labsim(&["diagnose", "one-saved.yaml"]).says("[vip-missing]");
}

#[test]
fn what_a_scenario_cannot_begin_with_is_named_and_alone_makes_no_file() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/repair.yaml", "--name", "one"]).exits(0);
    // The step would put it in once more.
    labs.labsim(&["step", "close"]).exits(0);
    run(
        &labs,
        "rs1",
        "ip rule add from 10.9.0.0/16 lookup 77 priority 100
         ip link add \"$(printf 'a\\033[31m')\" type bridge",
    );
    let none = labs.labsim(&["save", "-o", "none.yaml"]).exits(1);
    none.says(
        "a saved scenario does not begin with that, or its steps could not; no file was written",
    )
    .says("not saved: rs1: new: chain inet firewall prerouting");
    assert!(!labs.0.path("none.yaml").exists());
    run(&labs, "rs1", "echo 77 >/proc/sys/net/ipv4/ip_default_ttl");
    let save = labs.labsim(&["save", "-o", "some.yaml"]).exits(0);
    save.says("not saved: rs1: new: IPv4 rule 100: from 10.9.0.0/16 lookup 77")
        .says("not saved: rs1: new: device a\\u{1b}[31m");
    let text = fs::read_to_string(labs.0.path("some.yaml")).unwrap();
    assert!(text.contains("#   rs1: new: IPv4 rule 100: from 10.9.0.0/16 lookup 77\n"), "{text}");
    assert!(text.contains("      net.ipv4.ip_default_ttl: 77\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    labs.labsim(&["validate", "some.yaml"]).exits(0);
}

#[test]
fn where_the_labs_files_are_gone_or_others_they_are_written_too() {
    let labs = Labs::new();
    let file = labs.0.over("mine", "tacacs-ipip", "tags: [mine]\n");
    labs.labsim(&["up", &file, "--name", "one"]).exits(0);
    run(&labs, "rs1", "echo 77 >/proc/sys/net/ipv4/ip_default_ttl");
    labs.0.over("mine", "tacacs-ipip", "tags: [others]\n");
    let save = labs.labsim(&["save", "-o", "changed.yaml"]).exits(0);
    save.says("changed.yaml, changed-topology.yaml, changed-base-topology.yaml, changed-base.yaml");
    fs::remove_file(labs.0.path(&file)).unwrap();
    labs.labsim(&["save", "-o", "gone.yaml"]).exits(0).says("gone-base.yaml");
    for saved in ["changed.yaml", "gone.yaml"] {
        labs.labsim(&["up", saved, "--name", "two"]).exits(0);
        assert_eq!(setup(&labs, "two", "rs1"), setup(&labs, "one", "rs1"));
        labs.labsim(&["down", "two"]).exits(0);
        assert!(labs.labsim(&["show", saved]).exits(0).stdout.contains("mine"));
    }
}

#[test]
fn no_file_is_replaced_and_none_is_left_of_what_could_not_be_written() {
    let labs = Labs::new();
    labs.labsim(&["save"]).exits(2).says("no lab is up; `labsim up FILE` makes one");
    labs.up("one");
    labs.labsim(&["save", "--name", "two"]).exits(2).says("no lab `two` is up");
    run(&labs, "client", "echo 77 >/proc/sys/net/ipv4/ip_default_ttl");
    for name in ["mine.yaml", "other-topology.yaml"] {
        fs::write(labs.0.path(name), "mine").unwrap();
    }
    let refused = |out: &str, file: &str| {
        let refused = labs.labsim(&["save", "-o", out]).exits(2);
        refused.says(&format!("{file}: it exists already; name another file, or remove it"));
    };
    refused("mine.yaml", "mine.yaml");
    refused("other.yaml", "other-topology.yaml");
    assert!(!labs.0.path("other.yaml").exists());
    for name in ["mine.yaml", "other-topology.yaml"] {
        assert_eq!(fs::read(labs.0.path(name)).unwrap(), b"mine", "{name}");
    }
    labs.labsim(&["save", "-o", "-"]).exits(2).says("this takes more than one file");
    labs.labsim(&["save", "-o", "file"]).exits(2).says("ends in .yaml");
    labs.labsim(&["save", "-o", "nowhere/a.yaml"]).exits(2).says("No such file or directory");
}
