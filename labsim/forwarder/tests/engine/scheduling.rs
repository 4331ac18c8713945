//! Which member a new flow goes to, in each mode: ratios, flows, hashes, members that fail, and
//! members that are drained or switched off.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{
    AdminState, Config, LoadBalancingMode, Maglev, MaglevHash, Member, Outcome, Route,
};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Members 51, 52, ... with these ratios.
fn pool(mode: LoadBalancingMode, ratios: &[u16]) -> Config {
    let mut config = config();
    config.limits.flows = 1000;
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.load_balancing_mode = mode;
    let member = |(n, ratio): (usize, &u16)| {
        let address = address(&format!("10.1.1.{}:49", 51 + n));
        Member { ratio: *ratio, ..Member::from(address) }
    };
    pool.members = ratios.iter().enumerate().map(member).collect();
    config
}

fn maglev(hash: MaglevHash) -> LoadBalancingMode {
    LoadBalancingMode::Maglev(Maglev { hash, ..Maglev::default() })
}

fn from(source_port: u16, flags: labsim_wire::tcp::Flags) -> Vec<u8> {
    Tcp { source_port, ..tcp(flags) }.frame()
}

/// Feeds a packet that has to be forwarded, and tells to whom it was.
fn goes_to(bench: &mut Bench, frame: &[u8]) -> u8 {
    assert_eq!(bench.feed(frame), Outcome::Forwarded);
    tunnelled(&bench.take_one()).0.octets()[3]
}

/// Who gets flows that begin from these ports.
fn begin(bench: &mut Bench, ports: std::ops::Range<u16>) -> Vec<u8> {
    ports.map(|port| goes_to(bench, &from(port, SYN))).collect()
}

/// How many of them each of `count` members got.
fn counted(members: &[u8], count: u8) -> Vec<usize> {
    (51..51 + count).map(|one| members.iter().filter(|member| **member == one).count()).collect()
}

#[test]
fn ratios_share_flows_and_round_robin_does_not_look_at_them() {
    let mut bench = Bench::new(&pool(LoadBalancingMode::Ratio, &[3, 2, 1, 0]));
    assert_eq!(begin(&mut bench, 1..7), [51, 52, 51, 53, 52, 51]);
    assert_eq!(counted(&begin(&mut bench, 100..700), 4), [300, 200, 100, 0]);
    let mut bench = Bench::new(&pool(LoadBalancingMode::RoundRobin, &[3, 2, 1, 0]));
    assert_eq!(begin(&mut bench, 1..7), [51, 52, 53, 51, 52, 53]);
}

#[test]
fn least_connections_follow_flows_that_begin_and_end() {
    let mut bench = Bench::new(&pool(LoadBalancingMode::LeastConnections, &[5, 1, 1]));
    assert_eq!(begin(&mut bench, 1..7), [51, 52, 53, 51, 52, 53]);
    for port in [2, 5] {
        assert_eq!(goes_to(&mut bench, &from(port, RST)), 52);
    }
    assert_eq!(begin(&mut bench, 7..10), [52, 52, 51], "52 had none, and then all had two");
    // Half-open flows are over after five seconds, without a packet.
    goes_to(&mut bench, &from(1, ACK));
    bench.pass(Duration::from_secs(6));
    assert_eq!(
        begin(&mut bench, 20..23),
        [53, 52, 51],
        "51 has one, and who waited longest is first"
    );
}

#[test]
fn least_connections_by_ratio_keep_flows_in_proportion() {
    let mut bench = Bench::new(&pool(LoadBalancingMode::RatioLeastConnections, &[3, 1]));
    assert_eq!(counted(&begin(&mut bench, 1..401), 2), [300, 100]);
    for port in 1..401 {
        bench.feed(&from(port, RST));
    }
    bench.take();
    assert_eq!(counted(&begin(&mut bench, 1..9), 2), [6, 2]);
}

#[test]
fn two_load_balancers_agree_whatever_the_order_of_their_members() {
    let config = pool(maglev(MaglevHash::FiveTuple), &[1, 2, 3, 4]);
    let mut one = Bench::new(&config);
    let mut turned = config;
    turned.balancer.pools.get_mut("pool").unwrap().members.reverse();
    let mut other = Bench::new(&turned);
    let members = begin(&mut one, 1..900);
    // The other meets the flows in another order, and in their middle.
    for port in (1..900).rev() {
        assert_eq!(goes_to(&mut other, &from(port, ACK)), members[usize::from(port) - 1]);
    }
    let shares = counted(&members, 4);
    assert!(
        shares.iter().zip([90, 180, 270, 360]).all(|(had, due)| had.abs_diff(due) < 45),
        "{shares:?}"
    );
}

#[test]
fn by_source_address_a_client_has_one_member_and_clients_have_all() {
    let mut bench = Bench::new(&pool(maglev(MaglevHash::SourceAddress), &[1, 1, 1]));
    let members = begin(&mut bench, 1..100);
    assert!(members.iter().all(|member| *member == members[0]));
    let clients = (0..=255).map(|last| {
        let source = Ipv4Addr::new(192, 168, 12, last);
        goes_to(&mut bench, &Tcp { source, ..tcp(SYN) }.frame())
    });
    let clients: Vec<u8> = clients.collect();
    assert!(counted(&clients, 3).iter().all(|had| (60..110).contains(had)), "{clients:?}");
}

/// A router of its own for the second member, which does not answer; and the time it takes to see.
fn second_fails(config: &Config) -> Bench {
    let mut table = routes();
    let other: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 7);
    table.push(Route {
        destination: "10.1.1.52/32".parse().unwrap(),
        via: Some(other.into()),
        mtu: None,
    });
    let mut bench = Bench::unresolved(config, &table);
    bench.tick();
    bench.feed(&arp_reply());
    bench.pass(Duration::from_secs(4));
    bench.take();
    bench
}

/// The second member's router answers.
fn second_comes_back(bench: &mut Bench) {
    let mac = labsim_wire::ethernet::Mac([2, 0, 0, 0, 0, 7]);
    let message = labsim_wire::arp::Packet {
        operation: labsim_wire::arp::operation::REPLY,
        sender_mac: mac,
        sender_ip: Ipv4Addr::new(10, 9, 9, 7),
        target_mac: US,
        target_ip: OUR_IP,
    };
    assert_eq!(bench.feed(&arp_frame(US, &message)), Outcome::ArpLearned);
    bench.take();
}

#[test]
fn in_every_mode_a_member_that_fails_gets_nothing_until_it_is_back() {
    for mode in [
        LoadBalancingMode::RoundRobin,
        LoadBalancingMode::Ratio,
        LoadBalancingMode::LeastConnections,
        LoadBalancingMode::RatioLeastConnections,
        maglev(MaglevHash::FiveTuple),
    ] {
        let config = pool(mode, &[1, 1, 1]);
        let mut bench = second_fails(&config);
        let away = begin(&mut bench, 1..301);
        let shares = counted(&away, 3);
        assert!(shares[1] == 0 && shares[0].abs_diff(shares[2]) < 50, "{mode:?}: {shares:?}");
        bench.pass(Duration::from_secs(6));
        second_comes_back(&mut bench);
        let back = begin(&mut bench, 301..601);
        let shares = counted(&back, 3);
        assert!(shares.iter().all(|had| had.abs_diff(100) < 35), "{mode:?}: {shares:?}");
        if let LoadBalancingMode::Maglev(_) = mode {
            // Whose member never failed is where it was.
            let mut whole = Bench::new(&config);
            for (port, member) in (1..301).zip(&away) {
                let usual = goes_to(&mut whole, &from(port, SYN));
                assert!(usual == 52 || usual == *member, "port {port}: {usual}, {member}");
            }
        }
    }
}

#[test]
fn ratio_0_drains_a_member_in_every_mode() {
    for mode in [
        LoadBalancingMode::RoundRobin,
        LoadBalancingMode::Ratio,
        LoadBalancingMode::LeastConnections,
        LoadBalancingMode::RatioLeastConnections,
        maglev(MaglevHash::FiveTuple),
    ] {
        let mut bench = Bench::new(&pool(mode, &[1, 1, 1]));
        let before = begin(&mut bench, 1..61);
        bench.change_member(52, |member| member.ratio = 0);
        let after = begin(&mut bench, 100..160);
        assert_eq!(counted(&after, 3)[1], 0, "{mode:?}");
        for (port, member) in (1..61).zip(&before) {
            assert_eq!(goes_to(&mut bench, &from(port, ACK)), *member, "{mode:?}: its flows stay");
        }
        bench.change_member(52, |member| member.ratio = 1);
        let again = counted(&begin(&mut bench, 200..260), 3);
        assert!(again[1] > 5, "{mode:?}: {again:?}");
        for last in 51..54 {
            bench.change_member(last, |member| member.ratio = 0);
        }
        assert_eq!(bench.feed(&from(300, SYN)), Outcome::NoMemberReachable, "{mode:?}");
        assert_eq!(bench.take_one()[47], 0x14, "RST and ACK");
        assert_eq!(goes_to(&mut bench, &from(1, ACK)), before[0], "{mode:?}");
    }
}

#[test]
fn a_member_that_is_switched_off_is_not_scheduled_in_any_mode() {
    for mode in [
        LoadBalancingMode::RoundRobin,
        LoadBalancingMode::Ratio,
        LoadBalancingMode::LeastConnections,
        LoadBalancingMode::RatioLeastConnections,
        maglev(MaglevHash::FiveTuple),
    ] {
        for off in [AdminState::Disabled, AdminState::ForcedOffline] {
            let mut config = pool(mode, &[1, 1, 1]);
            config.balancer.pools.get_mut("pool").unwrap().members[1].state = off;
            let mut bench = Bench::new(&config);
            let before = counted(&begin(&mut bench, 1..61), 3);
            assert_eq!(before[1], 0, "{mode:?} {off:?}: from the start");
            bench.change_member(52, |member| member.state = AdminState::Enabled);
            let flows = begin(&mut bench, 100..160);
            assert!(counted(&flows, 3)[1] > 5, "{mode:?}: enabled again");
            bench.change_member(52, |member| member.state = off);
            assert_eq!(counted(&begin(&mut bench, 200..260), 3)[1], 0, "{mode:?} {off:?}");
            for (port, member) in (100..160).zip(&flows) {
                assert_eq!(goes_to(&mut bench, &from(port, ACK)), *member, "its flows stay");
            }
        }
    }
}

#[test]
fn a_ratio_that_changes_changes_the_share() {
    for mode in [
        LoadBalancingMode::Ratio,
        LoadBalancingMode::RatioLeastConnections,
        maglev(MaglevHash::FiveTuple),
    ] {
        let mut bench = Bench::new(&pool(mode, &[1, 1]));
        bench.change_member(51, |member| member.ratio = 3);
        let shares = counted(&begin(&mut bench, 1..401), 2);
        assert!(shares[0].abs_diff(300) < 40, "{mode:?}: {shares:?}");
    }
}

#[test]
fn what_cannot_work_is_refused_in_sentences() {
    let mut config = config();
    let sized = |config: &mut Config, name: &str, table_size| {
        let mut pool = config.balancer.pools["pool"].clone();
        let hash = MaglevHash::FiveTuple;
        pool.load_balancing_mode = LoadBalancingMode::Maglev(Maglev { hash, table_size });
        config.balancer.pools.insert(name.to_owned(), pool);
    };
    sized(&mut config, "a", 65_536);
    sized(&mut config, "b", 1);
    sized(&mut config, "c", 2);
    sized(&mut config, "d", 5_000_012);
    sized(&mut config, "good", 5_000_011);
    let problems: Vec<String> = config.check().iter().map(ToString::to_string).collect();
    let at = |pool: &str, message: &str| {
        format!("pools.{pool}.load_balancing_mode.maglev.table_size: {message} [out-of-range]")
    };
    assert_eq!(
        problems,
        [
            at("a", "65536 is not a prime; write one such as 65537"),
            at("b", "a table of 1 places; write a prime from 2 to 5000011"),
            at("c", "2 places are too few for 3 members; write a prime of 300 or more"),
            at("d", "a table of 5000012 places; write a prime from 2 to 5000011"),
        ]
    );
    for name in [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t",
    ] {
        sized(&mut config, name, 5_000_011);
    }
    let problems: Vec<String> = config.check().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(
        problems[0].starts_with(
            "pools: 105000231 places in all Maglev tables together; at most 100000000"
        )
    );
}
