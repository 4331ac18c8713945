//! Reset on timeout: what both ends of an idle flow are told, and who is told nothing.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{Config, Outcome, Profile, SourceTranslation};
use labsim_wire::checksum::ChecksumState;
use labsim_wire::tcp::Flags;
use labsim_wire::{ipv4, tcp as segment};
use std::net::Ipv4Addr;
use std::time::Duration;

fn resetting() -> Config {
    with_fastl4(config(), |fastl4| {
        fastl4.reset_on_timeout = true;
        fastl4.idle_timeout = 60;
    })
}

/// The packet at `start`, which is a reset with right checksums: its ends, and its numbers.
fn reset_at(frame: &[u8], start: usize) -> ((Ipv4Addr, u16), (Ipv4Addr, u16), (u32, u32)) {
    let ip = ipv4::View::new(&frame[start..]).unwrap();
    assert!(ip.checksum_ok());
    assert_eq!((ip.ttl(), ip.total_length()), (64, 40));
    let tcp = segment::View::new(ip.payload()).unwrap();
    assert_eq!(tcp.checksum_state(&ip.addresses()), ChecksumState::Good);
    assert_eq!(tcp.flags(), Flags::RST.with(Flags::ACK));
    let numbers = (tcp.sequence(), tcp.acknowledgement());
    ((ip.source(), tcp.source_port()), (ip.destination(), tcp.destination_port()), numbers)
}

/// A session whose client has sent its SYN and ten bytes: its next number is 1010, and the server's
/// 2000.
fn open(bench: &mut Bench) {
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    assert_eq!(bench.feed(&Tcp { data: 10, ..tcp(ACK) }.frame()), Outcome::Forwarded);
    bench.take();
}

/// What is sent while that many seconds pass, ARP aside.
fn sent_in(bench: &mut Bench, seconds: u64) -> Vec<Vec<u8>> {
    bench.pass(Duration::from_secs(seconds));
    bench.take().into_iter().filter(|frame| frame[12..14] == [8, 0]).collect()
}

#[test]
fn an_idle_flows_client_and_member_get_the_reset_that_each_of_them_believes() {
    let mut bench = Bench::new(&resetting());
    open(&mut bench);
    assert!(sent_in(&mut bench, 59).is_empty());
    assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
    let sent = sent_in(&mut bench, 2);
    assert_eq!(sent.len(), 2, "{sent:02x?}");
    let (client, vip) = ((CLIENT, 61067), (VIP, 49));
    assert_eq!(reset_at(&sent[0], 14), (vip, client, (2000, 1010)));
    assert_eq!(tunnelled(&sent[1]).0, Ipv4Addr::new(10, 1, 1, 51));
    assert_eq!(reset_at(&sent[1], 34), (client, vip, (1010, 2000)));
    let counters = bench.counters();
    let flows = counters.flows;
    assert_eq!((flows.open, flows.timed_out, flows.reset_on_timeout), (0, 1, 1));
    assert_eq!(counters.answers.tcp_reset, 2);
    assert_eq!(counters.members["pool"]["10.1.1.51:49"].sent.packets, 2, "only the client's own");
}

#[test]
fn a_repeated_packet_and_a_keep_alive_take_the_numbers_back_nowhere() {
    let mut bench = Bench::new(&resetting());
    open(&mut bench);
    // Its sequence number is 1000, ten bytes behind.
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::Forwarded);
    bench.take();
    bench.pass(Duration::from_secs(30));
    assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
    let sent = sent_in(&mut bench, 31);
    assert_eq!(reset_at(&sent[0], 14).2, (2000, 1010));
}

#[test]
fn a_packet_that_finds_its_flow_over_comes_after_the_reset() {
    let config = with_fastl4(resetting(), |fastl4| fastl4.loose_initiation = false);
    let mut bench = Bench::new(&config);
    open(&mut bench);
    bench.now = bench.now.after(Duration::from_secs(60));
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::NoFlow);
    assert_eq!(bench.counters().flows.reset_on_timeout, 1);
    assert_eq!(bench.counters().answers.tcp_reset, 3, "and it is answered itself");
}

#[test]
fn a_translated_flows_member_is_reset_in_the_name_that_it_knows() {
    let mut config = resetting();
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::None;
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = true;
        server.source_address_translation = SourceTranslation::Automap;
    }
    let mut bench = Bench::new(&config);
    open(&mut bench);
    bench.pass(Duration::from_secs(30));
    assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
    let sent = sent_in(&mut bench, 31);
    let (us, member) = ((OUR_IP, 61067), (Ipv4Addr::new(10, 1, 1, 51), 49));
    let (from, to, numbers) = reset_at(&sent[1], 14);
    assert_eq!((from.0, to, numbers), (us.0, member, (1010, 2000)));
    assert!((61_000..65_000).contains(&from.1), "{from:?}");
    assert_eq!(bench.counters().snat.ports, 0, "the port is free again");
}

#[test]
fn nobody_is_told_of_flows_that_end_otherwise() {
    // Half-open: nothing was acknowledged, and a flood's sources never sent anything.
    let mut bench = Bench::new(&resetting());
    bench.feed(&tcp(SYN).frame());
    // Closed by FIN, by RST; and UDP.
    for (source_port, last) in [(1, FIN), (2, RST)] {
        bench.feed(&Tcp { source_port, ..tcp(SYN) }.frame());
        bench.feed(&Tcp { source_port, ..tcp(last) }.frame());
    }
    bench.feed(&udp(3, 49, b"x"));
    bench.take();
    assert!(sent_in(&mut bench, 62).is_empty());
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.timed_out, flows.reset_on_timeout), (0, 1, 0));
    assert_eq!((flows.handshake_timed_out, flows.closed_by_fin, flows.closed_by_reset), (1, 1, 1));
}

#[test]
fn without_reset_on_timeout_an_idle_flow_ends_in_silence() {
    let config = with_fastl4(resetting(), |fastl4| fastl4.reset_on_timeout = false);
    let mut bench = Bench::new(&config);
    open(&mut bench);
    assert!(sent_in(&mut bench, 62).is_empty());
    assert_eq!(bench.counters().flows.timed_out, 1);
}

#[test]
fn flows_that_expire_together_are_removed_a_thousand_at_a_time() {
    let mut config = config();
    config.limits.flows = 2500;
    let mut bench = Bench::new(&config);
    for port in 1..=2500 {
        assert_eq!(bench.feed(&udp(port, 49, &[7])), Outcome::Forwarded);
    }
    bench.now = bench.now.after(Duration::from_secs(400));
    let mut open = vec![bench.counters().flows.open];
    while open.last() != Some(&0) && open.len() < 9 {
        assert!(bench.engine.next_deadline().is_some_and(|due| due <= bench.now));
        bench.tick();
        open.push(bench.counters().flows.open);
    }
    assert_eq!(open, [2500, 1476, 452, 0]);
}
