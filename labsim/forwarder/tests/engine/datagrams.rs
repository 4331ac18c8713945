//! Datagrams that are balanced each for itself: which member gets one, its fragments, and that no flow
//! is kept.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{CheckedConfig, Config, Outcome, Persistence, SourceAddress, VirtualServer};
use labsim_wire::protocol;
use std::time::Duration;

/// The virtual server of UDP, changed.
fn udp_server(mut config: Config, change: impl Fn(&mut VirtualServer)) -> Config {
    change(config.balancer.virtual_servers.get_mut("udp").unwrap());
    config
}

fn balancing() -> Config {
    udp_server(config(), |server| server.datagram_load_balancing = true)
}

/// Who gets a datagram that always comes from the same port.
fn goes_to(bench: &mut Bench) -> u8 {
    assert_eq!(bench.feed(&udp(1645, 49, b"request")), Outcome::Forwarded);
    tunnelled(&bench.take_one()).0.octets()[3]
}

/// A part of the datagram with that identification.
fn part(id: u16, bytes: std::ops::Range<usize>) -> Vec<u8> {
    let whole = udp(1645, 49, &[7; 1992]);
    let payload = &whole[14 + 20..];
    let header = labsim_wire::ipv4::Header {
        id,
        dont_fragment: false,
        more_fragments: bytes.end < payload.len(),
        fragment_offset: bytes.start as u16,
        ..header_of(CLIENT, VIP, protocol::UDP)
    };
    frame(US, header, &payload[bytes])
}

/// Who gets a part.
fn part_goes_to(bench: &mut Bench, part: &[u8]) -> u8 {
    assert_eq!(bench.feed(part), Outcome::Forwarded);
    tunnelled(&bench.take_one()).0.octets()[3]
}

fn reconfigure(bench: &mut Bench, config: Config) {
    bench.engine.reconfigure(bench.now, CheckedConfig::new(config).unwrap()).unwrap();
}

#[test]
fn datagrams_of_one_port_take_turns_and_no_flow_is_kept() {
    let mut bench = Bench::new(&balancing());
    let members: Vec<u8> = (0..9).map(|_| goes_to(&mut bench)).collect();
    assert_eq!(members, [51, 52, 53, 51, 52, 53, 51, 52, 53]);
    assert_eq!((bench.counters().flows.opened, bench.counters().flows.open), (0, 0));
    let mut bench = Bench::new(&config());
    let members: Vec<u8> = (0..3).map(|_| goes_to(&mut bench)).collect();
    assert_eq!(members, [51, 51, 51], "a flow stays with its member");
}

#[test]
fn a_clients_datagrams_stay_with_one_member_if_it_persists() {
    let persisting = udp_server(balancing(), |server| {
        let rule = SourceAddress { timeout: 10, prefix_length: None };
        server.persistence = Persistence::SourceAddress(rule);
    });
    let mut bench = Bench::new(&persisting);
    assert_eq!([goes_to(&mut bench), goes_to(&mut bench), goes_to(&mut bench)], [51; 3]);
    bench.pass(Duration::from_secs(11));
    assert_eq!(goes_to(&mut bench), 52);
}

#[test]
fn the_fragments_of_a_datagram_go_where_its_first_went() {
    let mut bench = Bench::new(&balancing());
    let (one, two) = (part(1, 0..976), part(2, 0..976));
    assert_eq!(part_goes_to(&mut bench, &one), 51);
    assert_eq!(part_goes_to(&mut bench, &two), 52);
    assert_eq!(part_goes_to(&mut bench, &part(1, 976..1952)), 51);
    assert_eq!(part_goes_to(&mut bench, &part(2, 976..1952)), 52);
    assert_eq!(part_goes_to(&mut bench, &one), 51, "a copy of it as well");
    assert_eq!(part_goes_to(&mut bench, &part(1, 1952..2000)), 51);
    assert_eq!(part_goes_to(&mut bench, &part(2, 1952..2000)), 52);
    assert_eq!(goes_to(&mut bench), 53);
}

#[test]
fn later_fragments_to_a_member_that_was_taken_out_are_refused() {
    let mut bench = Bench::new(&balancing());
    assert_eq!(part_goes_to(&mut bench, &part(1, 0..976)), 51);
    let mut without = balancing();
    without.balancer.pools.get_mut("pool").unwrap().members.remove(0);
    reconfigure(&mut bench, without);
    assert_eq!(bench.feed(&part(1, 976..1952)), Outcome::FragmentRefused);
}

#[test]
fn a_flow_that_began_before_ends_with_its_next_packet() {
    let mut bench = Bench::new(&config());
    assert_eq!([goes_to(&mut bench), goes_to(&mut bench)], [51, 51]);
    reconfigure(&mut bench, balancing());
    assert_eq!([goes_to(&mut bench), goes_to(&mut bench)], [52, 53]);
    assert_eq!((bench.counters().flows.taken_out, bench.counters().flows.open), (1, 0));
    reconfigure(&mut bench, config());
    assert_eq!([goes_to(&mut bench), goes_to(&mut bench)], [51, 51], "flows are kept again");
}

#[test]
fn tcp_and_translated_sources_are_refused_with_their_remedies() {
    let mut wrong = udp_server(balancing(), |server| {
        server.source_address_translation = labsim_forwarder::SourceTranslation::Automap;
    });
    wrong.balancer.virtual_servers.get_mut("tcp").unwrap().datagram_load_balancing = true;
    let problems: Vec<String> = wrong.balancer.check().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "virtual_servers.tcp.datagram_load_balancing: TCP has no datagrams to balance: a connection stays \
             with its member; remove this, or write `ip_protocol: udp` [conflict]",
            "virtual_servers.udp.datagram_load_balancing: source address translation needs the flow, and none \
             is kept; remove this, or the translation [conflict]",
        ]
    );
}
