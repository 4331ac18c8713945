//! The table of IPVS: what it means, what is left out, what is wrong with it.

use crate::common::{assert_problems, lb, load, places, problem};
use labsim_import::{Imported, ipvs};
use labsim_scenario::model::{
    IpProtocol, LoadBalancingMode, Maglev, MaglevHash, OuterSource, Persistence, Profile,
    SourceAddress, SourceTranslation,
};

fn imported(text: &str) -> Imported {
    crate::common::imported(ipvs::import, "lb1.txt", text)
}

/// As `ipvsadm-save -n` writes it.
const TUNNEL: &str = "\
-A -t 172.16.4.99:49 -s rr
-a -t 172.16.4.99:49 -r 10.1.1.51:49 -i -w 1
-a -t 172.16.4.99:49 -r 10.1.1.52:49 -i -w 1 --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 172.16.4.99:49 -r 10.1.1.53:49 -i -w 0 --tun-type gre --tun-csum
-A -u 172.16.4.99:1812 -s wrr -p 600
-a -u 172.16.4.99:1812 -r 10.1.1.51:1812 -i -w 3
";

#[test]
fn tunnels_are_direct_server_return_with_the_directors_own_outer_source() {
    let imported = imported(TUNNEL);
    let scenario = load(&imported);
    let lb = lb(&scenario);
    assert_eq!(lb.outer_source, OuterSource::Egress);
    let server = &lb.virtual_servers["vs_172.16.4.99_49_tcp"];
    assert_eq!(server.destination.to_string(), "172.16.4.99:49");
    assert!(!server.translate_address && !server.translate_port);
    assert_eq!(server.source_address_translation, SourceTranslation::None);
    assert_eq!(server.persistence, Persistence::None);
    let fastl4 = server.fastl4;
    assert_eq!(
        (fastl4.idle_timeout, fastl4.loose_close, fastl4.reset_on_timeout),
        (900, true, false)
    );
    let pool = &lb.pools["p_172.16.4.99_49_tcp"];
    assert_eq!(pool.load_balancing_mode, LoadBalancingMode::RoundRobin);
    let members: Vec<String> = pool
        .members
        .iter()
        .map(|one| format!("{} {} {:?}", one.address, one.ratio, pool.profile_of(one)))
        .collect();
    assert_eq!(
        members,
        [
            "10.1.1.51:49 1 Ipip",
            "10.1.1.52:49 1 Gue(GueOptions { port: 6081, variant: 0 })",
            "10.1.1.53:49 0 Gre(GreOptions { key: None, checksum: true })"
        ]
    );
    let radius = &lb.virtual_servers["vs_172.16.4.99_1812_udp"];
    assert_eq!(radius.ip_protocol, IpProtocol::Udp);
    assert_eq!(radius.fastl4.idle_timeout, 300);
    let source = SourceAddress { timeout: 600, prefix_length: None };
    assert_eq!(radius.persistence, Persistence::SourceAddress(source));
    let pool = &lb.pools["p_172.16.4.99_1812_udp"];
    assert_eq!(pool.load_balancing_mode, LoadBalancingMode::Ratio);
    assert_eq!(pool.members[0].ratio, 3);
    assert_eq!((imported.not_imported, imported.left_out), (vec![], vec![]));
}

#[test]
fn long_options_prompts_and_edits_mean_the_same() {
    let typed = "\
root@lb1:~# ipvsadm -C
root@lb1:~# ipvsadm --add-service --tcp-service 172.16.4.99:49 --scheduler=wlc
root@lb1:~# ipvsadm -E -t 172.16.4.99:49 -s rr   # in turn
$ sudo ipvsadm --add-server --tcp-service 172.16.4.99:49 --real-server 10.1.1.51 --ipip --weight 7
# ipvsadm -e -t 172.16.4.99:49 -r 10.1.1.51:49 -i
ipvsadm -a -t 172.16.4.99:49 -r 10.1.1.52:49 -i \\
    --tun-type gue --tun-port 6081
/sbin/ipvsadm -at 172.16.4.99:49 -r 10.1.1.53 -iw0 --tun-type=gre --tun-csum
ipvsadm -a -t 172.16.4.99:49 -r 10.1.1.54 -i
ipvsadm -d -t 172.16.4.99:49 -r 10.1.1.54
ipvsadm -A -u 172.16.4.99:1812 -s wrr -p 600
ipvsadm -a -u 172.16.4.99:1812 -r 10.1.1.51 -i -w 3
ipvsadm -Ln
";
    let (typed, saved) = (imported(typed), imported(TUNNEL));
    // But for the comments that say where each stood.
    let plain = |text: &str| -> String {
        text.lines()
            .map(|line| format!("{}\n", line.split(" # lb1.txt:").next().unwrap()))
            .collect()
    };
    assert_eq!(plain(&typed.scenario), plain(&saved.scenario));
    assert_eq!(typed.topology, saved.topology);
    assert_eq!(places(&typed.not_imported), ["9: -a -t 172.16.4.99:49 -r 10.1.1.54"]);
    assert_eq!(typed.left_out.len(), 6, "{:?}", typed.left_out);
}

#[test]
fn direct_routing_puts_all_on_one_segment() {
    let imported = imported(
        "-A -t 10.1.1.99:80 -s rr\n-a -t 10.1.1.99:80 -r 10.1.1.51:80 -g\n-a -t 10.1.1.99:80 -r 10.1.1.52:80\n",
    );
    let scenario = load(&imported);
    let server = lb(&scenario).virtual_servers.values().next().unwrap();
    assert!(!server.translate_address);
    assert_eq!(lb(&scenario).pools.values().next().unwrap().profile, Profile::None);
    assert!(imported.topology.contains("lb: {interfaces: {eth0: 10.1.1.10/24}}"));
    assert_eq!((imported.not_imported, imported.warnings), (vec![], vec![]));
}

#[test]
fn masquerading_translates_and_answers_return_through_the_load_balancer() {
    let imported = imported("-A -t 10.9.9.9:80 -s rr\n-a -t 10.9.9.9:80 -r 10.1.1.51:8080 -m\n");
    let scenario = load(&imported);
    let server = lb(&scenario).virtual_servers.values().next().unwrap();
    assert!(server.translate_address && server.translate_port);
    assert_eq!(server.source_address_translation, SourceTranslation::Automap);
    let pool = lb(&scenario).pools.values().next().unwrap();
    assert_eq!(pool.members[0].address.to_string(), "10.1.1.51:8080");
    assert!(imported.scenario.contains("replies_cross"), "{}", imported.scenario);
    assert_eq!(places(&imported.warnings), ["1: -A -t 10.9.9.9:80"]);
}

#[test]
fn schedulers_are_the_nearest_modes_or_listed() {
    let maglev = |hash| LoadBalancingMode::Maglev(Maglev { hash, ..Maglev::default() });
    for (options, mode, warned, listed) in [
        ("-s rr", LoadBalancingMode::RoundRobin, 0, 0),
        ("-s wrr", LoadBalancingMode::Ratio, 0, 0),
        ("-s lc", LoadBalancingMode::LeastConnections, 1, 0),
        ("-s wlc", LoadBalancingMode::RatioLeastConnections, 1, 0),
        ("", LoadBalancingMode::RatioLeastConnections, 1, 0),
        ("-s mh", maglev(MaglevHash::SourceAddress), 1, 0),
        ("-s mh -b mh-port", maglev(MaglevHash::FiveTuple), 1, 0),
        ("-s mh -b mh-fallback,mh-port", maglev(MaglevHash::FiveTuple), 1, 1),
        ("-s sh", LoadBalancingMode::RoundRobin, 0, 1),
        ("-s sh -b sh-port", LoadBalancingMode::RoundRobin, 0, 2),
        ("-s nq", LoadBalancingMode::RoundRobin, 0, 1),
    ] {
        let imported = imported(&format!(
            "-A -t 10.9.9.9:80 {options}\n-a -t 10.9.9.9:80 -r 10.1.1.51:80 -i\n"
        ));
        let scenario = load(&imported);
        let pool = lb(&scenario).pools.values().next().unwrap();
        assert_eq!(pool.load_balancing_mode, mode, "{options}");
        let counts = (imported.warnings.len(), imported.not_imported.len());
        assert_eq!(counts, (warned, listed), "{options}: {:?}", imported.not_imported);
    }
}

#[test]
fn a_service_of_every_port_persists() {
    let imported =
        imported("-A -t 10.9.9.9 -s rr -p -M 255.255.255.0\n-a -t 10.9.9.9:0 -r 10.1.1.51 -i\n");
    let scenario = load(&imported);
    let server = lb(&scenario).virtual_servers.values().next().unwrap();
    assert!(server.destination.ports().is_any());
    let source = SourceAddress { timeout: 360, prefix_length: Some(24) };
    assert_eq!(server.persistence, Persistence::SourceAddress(source));
    assert_eq!(places(&imported.warnings), ["1: -A -t 10.9.9.9: -p without a time"]);
}

#[test]
fn what_a_lab_cannot_have_is_listed_with_its_reason() {
    let text = "\
-A -f 5 -s rr
-a -f 5 -r 10.1.1.51:0 -g
-A -t [2001:db8::1]:80 -s rr
-a -t [2001:db8::1]:80 -r 10.1.1.51:80 -m
-A --sctp-service 10.9.9.8:80 -s rr
-A -u 10.9.9.9:53 -s rr -o --pe sip -p 60
-a -u 10.9.9.9:53 -r [2001:db8::2]:53 -g
-a -u 10.9.9.9:53 -r 10.1.1.51:5353 -i -x 100 -y 0 -w 70000
-a -u 10.9.9.9:53 -r 10.1.1.52:53 -m
-a -u 10.9.9.9:53 -r 10.1.1.51:53 -i
-a -u 10.9.9.9:53 -r 10.1.1.53:53 -i --tun-type gue --tun-port 6080 --tun-remcsum
-a -u 10.9.9.7:53 -r 10.1.1.51:53 -i
-A -u 10.9.9.9:53
--set 600 60 200
--start-daemon master --mcast-interface eth0
modprobe ip_vs
TCP  10.9.9.9:80 wlc
";
    let imported = imported(text);
    let scenario = load(&imported);
    let server = lb(&scenario).virtual_servers.values().next().unwrap();
    assert_eq!(server.fastl4.idle_timeout, 200);
    assert!(server.datagram_load_balancing, "one-packet scheduling");
    assert_eq!(
        places(&imported.not_imported),
        [
            "1: -A -f 5",
            "2: -a -f 5 -r 10.1.1.51:0",
            "3: -A -t [2001:db8::1]:80",
            "4: -A -t [2001:db8::1]:80: member 10.1.1.51",
            "5: -A --sctp-service 10.9.9.8:80",
            "6: -A -u 10.9.9.9:53: --pe",
            "7: -A -u 10.9.9.9:53: member 2001:db8::2",
            "8: -a -u 10.9.9.9:53 -r 10.1.1.51:5353: --u-threshold",
            "9: -a -u 10.9.9.9:53 -r 10.1.1.52:53",
            "10: -a -u 10.9.9.9:53 -r 10.1.1.51:53",
            "11: -a -u 10.9.9.9:53 -r 10.1.1.53:53: remcsum",
            "12: -a -u 10.9.9.7:53 -r 10.1.1.51:53",
            "13: -A -u 10.9.9.9:53",
            "14: --set: tcpfin",
            "15: --start-daemon",
            "16: line modprobe",
            "17: line TCP",
        ]
    );
    let reasons: Vec<&str> = imported.not_imported.iter().map(|note| note.why.as_str()).collect();
    assert!(reasons[0].contains("the firewall's rules"), "{}", reasons[0]);
    assert_eq!(reasons[3], "labsim translates no IPv6 to IPv4");
    assert!(reasons[6].starts_with("only a tunnel carries IPv4"), "{}", reasons[6]);
    assert_eq!(reasons[9], "duplicate member (lb1.txt:8)");
    assert!(reasons[16].contains("ipvsadm-save -n"), "{}", reasons[16]);
    assert_eq!(
        places(&imported.warnings),
        [
            "3: -A -t [2001:db8::1]:80",
            "8: -a -u 10.9.9.9:53 -r 10.1.1.51:5353: port 5353",
            "8: -a -u 10.9.9.9:53 -r 10.1.1.51:5353: weight",
        ]
    );
}

#[test]
fn a_cleared_table_is_empty() {
    let text = format!("{TUNNEL}-D -t 172.16.4.99:49\n-C\n");
    let problem = problem(ipvs::import, "lb1.txt", &text);
    assert!(
        problem
            .contains("lb1.txt:1:1: -A -t 172.16.4.99:49: a later command deletes it (lb1.txt:7)"),
        "{problem}"
    );
    assert!(problem.contains("(lb1.txt:8)"), "{problem}");
    assert!(problem.contains("no virtual server can be imported"), "{problem}");
}

#[test]
fn mistakes_are_reported_with_places_and_remedies() {
    let server = |options: &str| format!("-A -t 10.9.9.9:80\n-a -t 10.9.9.9:80 {options}");
    let cases = [
        ("-A -t 10.9.9.9:80 -z".to_owned(), "1:19: ipvsadm has no option `-z`"),
        ("-A -t 10.9.9.9:80 --wait".to_owned(), "1:19: ipvsadm has no option `--wait`"),
        ("-A -t 10.9.9.9:80 rr".to_owned(), "1:19: `rr` belongs to no option; remove it"),
        ("-A -t".to_owned(), "1:4: `--tcp-service` has no value"),
        ("-A -s rr".to_owned(), "1:1: no service is named"),
        ("-t 10.9.9.9:80".to_owned(), "1:1: no command is in this line"),
        ("-A -a -t 10.9.9.9:80".to_owned(), "1:4: a line has one command"),
        ("-A -t 10.9.9.9:80 -u 10.9.9.9:80".to_owned(), "1:19: a command names one service"),
        ("-A -t 10.9.9.9:80 -s rr -s rr".to_owned(), "1:25: `--scheduler` is written twice"),
        ("-A -t 10.9.9.9".to_owned(), "1:1: a service without a port needs persistence"),
        ("-A -t www:80".to_owned(), "1:7: `www` is not an address"),
        ("-A -t 10.9.9.9:nosuch".to_owned(), "1:7: `nosuch` is no name of a port that is known"),
        ("-A -t 10.9.9.9:any".to_owned(), "1:7: `any` is no name of a port that is known"),
        ("-A -t 10.9.9.9:65536".to_owned(), "1:7: `65536` is not a port"),
        ("-A -t 127.0.0.1:80".to_owned(), "1:7: 127.0.0.1 is a loopback address"),
        ("-A -t 10.9.9.9:80 -p 0".to_owned(), "1:22: `0` is not a time in seconds"),
        ("-A -t 10.9.9.9:80 -M 255.0.0.0".to_owned(), "1:19: a mask needs persistence"),
        ("-A -t 10.9.9.9:80 -p 1 -M 255.0.255.0".to_owned(), "1:27: `255.0.255.0` is not a mask"),
        ("-A -f 0".to_owned(), "1:7: `0` is not a mark"),
        ("--set 1 2".to_owned(), "1:1: `--set` has three times"),
        ("--set 1 2 x".to_owned(), "1:11: `x` is not a time in seconds"),
        (server(""), "2:1: no real server is named"),
        (server("-r 10.1.1.51 -i -m"), "2:35: a server has one forwarding method"),
        (server("-r 10.1.1.51 -w x"), "2:35: `x` is not a weight"),
        (server("-r 10.1.1.51 --tun-type gre"), "2:43: the options of a tunnel need -i"),
        (server("-r 10.1.1.51 -i --tun-type gue"), "2:46: a tunnel of `gue` needs its UDP port"),
        (server("-r 10.1.1.51 -i --tun-type vxlan"), "2:46: `vxlan` is no tunnel of IPVS"),
        (server("-r 10.1.1.51 -i --tun-port 1"), "2:46: a tunnel of `ipip` has no port"),
        (server("-r 10.1.1.51 -i --tun-csum"), "2:35: a tunnel of `ipip` has no such checksum"),
    ];
    assert_problems(ipvs::import, "lb1.txt", &cases);
}

#[test]
fn names_of_ports_are_those_of_services() {
    let named = imported(
        "-A -u 10.9.9.9:radius -s rr\n-a -u 10.9.9.9:radius -r 10.1.1.51:radius -i\n-A -t 10.9.9.9:http -s rr\n-a -t 10.9.9.9:http -r 10.1.1.51:http -i\n",
    );
    let numbered = imported(
        "-A -u 10.9.9.9:1812 -s rr\n-a -u 10.9.9.9:1812 -r 10.1.1.51:1812 -i\n-A -t 10.9.9.9:80 -s rr\n-a -t 10.9.9.9:80 -r 10.1.1.51:80 -i\n",
    );
    assert_eq!(named.scenario, numbered.scenario);
    load(&named);
}
