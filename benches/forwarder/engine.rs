//! The engine alone: ns a packet by profile and by the number of flows, and what a new flow takes.

use crate::frames::{self, BATCH, Clock, Frames, Rooms};
use crate::measure::{Rounds, resident_mib};
use crate::scale::Scale;
use labsim_forwarder::{
    Config, Engine, GreOptions, Limits, LoadBalancer, Outcome, OuterSource, Pool, Port, Profile,
    Route, SnatPorts, SourceTranslation, Transmit as _, VirtualServer,
};
use labsim_wire::tcp::{Flags, View as Segment};
use labsim_wire::{ethernet, ipv4};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

/// What is measured.
#[derive(Clone, Copy)]
struct Size {
    /// Flows of the table's columns.
    flows: [u32; 3],
    /// Rounds of a batch each.
    rounds: usize,
}

const FULL: Size = Size { flows: [1, 1_000, 1_000_000], rounds: 4_000 };
const SMOKE: Size = Size { flows: [1, 100, 1_000], rounds: 20 };
/// ns a packet with the most flows, at most.
const WANTED: f64 = 100.0;

/// Prints the tables; whether everything wanted was reached. The last column is what a packet takes
/// with the most flows, against reading its headers and copying it.
pub(crate) fn print(scale: Scale) -> bool {
    let size = scale.choose(FULL, SMOKE);
    let Size { flows: columns, rounds } = size;
    let [.., most] = columns;
    println!(
        "The engine alone, ns a packet: median (least) of {rounds} batches of {BATCH} packets"
    );
    print!("  {:<24}", "flows");
    columns.iter().for_each(|flows| print!("{flows:>20}"));
    println!("{:>14}", "of the copy");
    let began = began();
    let mut copy = copied(size);
    let floor = copy.median();
    println!("  {:<24}{}", "parsed and copied", figure(&mut copy));
    let mut kept = true;
    let mut openings = Vec::new();
    for (name, config) in profiles() {
        print!("  {name:<24}");
        let mut last = f64::NAN;
        for flows in columns {
            let (mut rounds, opened) = forwarded(&config, flows, rounds);
            last = rounds.median();
            print!("{}", figure(&mut rounds));
            openings.push((name, flows, opened));
        }
        println!("{:>14.1}", last / floor);
        kept &= last <= WANTED;
    }
    println!("  wanted: at most {WANTED} ns with {most} flows: {}", scale.judge(kept));
    println!("\nNew flows, ns each; resident memory as they fill the table");
    println!("  {:<24}{:>10.1} µs; {:.1} MiB more", "an engine without flows", began.0, began.1);
    for (name, flows, mut opened) in openings {
        if flows == most {
            println!(
                "  {name:<24}{}  {:.2} million a second; {:.0} MiB before, {:.0} MiB after",
                figure(&mut opened.rounds),
                1e3 / opened.rounds.median(),
                opened.before,
                opened.after,
            );
        }
    }
    kept
}

fn figure(rounds: &mut Rounds) -> String {
    format!("{:>12.1} ({:>5.1})", rounds.median(), rounds.least())
}

/// What it takes to begin with room for all flows: microseconds, and MiB. The first engine of the
/// process tells, as in a forwarder: later ones get memory that was used before.
fn began() -> (f64, f64) {
    let (_, config) = &profiles()[0];
    let (before, began) = (resident_mib(), Instant::now());
    let engine = engine(config);
    let took = began.elapsed();
    let more = resident_mib() - before;
    drop(engine);
    (took.as_secs_f64() * 1e6, more)
}

/// What no forwarder can do without: every header read, the IP header's sum checked, all copied.
fn copied(Size { flows: [.., most], rounds: number }: Size) -> Rounds {
    let (mut frames, mut tx) = (Frames::new(false), Rooms::new());
    let mut rounds = Rounds::new(BATCH);
    let mut random = Random::new();
    for _ in 0..number {
        frames.fill(Flags::ACK, random.below(most));
        let began = Instant::now();
        for frame in frames.iter() {
            let link = ethernet::View::new(black_box(frame)).expect("a frame");
            let ip = ipv4::View::new(link.payload()).expect("a packet");
            let segment = Segment::new(ip.payload()).expect("a segment");
            if ip.checksum_ok() && segment.destination_port() == 49 {
                tx.transmit(frame.len(), |room| {
                    room.copy_from_slice(frame);
                    Ok(())
                });
            }
        }
        rounds.add(began.elapsed());
    }
    rounds
}

/// How new flows came in.
struct Opened {
    rounds: Rounds,
    before: f64,
    after: f64,
}

/// Opens that many flows, and then sends packets of flows of no order.
fn forwarded(config: &Config, flows: u32, number: usize) -> (Rounds, Opened) {
    let ipv6 = config.balancer.virtual_servers.values().any(|server| server.destination.is_ipv6());
    let (mut frames, mut tx) = (Frames::new(ipv6), Rooms::new());
    let mut clock = Clock::new();
    let mut engine = engine(config);
    engine.tick(clock.next(), &mut tx);
    engine.process(clock.next(), &frames::arp_reply(), &mut tx);
    engine.process(clock.next(), &frames::advertisement(), &mut tx);
    let mut opened = Opened { rounds: Rounds::new(BATCH), before: resident_mib(), after: 0.0 };
    for first in (0..flows).step_by(BATCH) {
        let batch = BATCH.min((flows - first) as usize);
        frames.fill(Flags::SYN, first..flows);
        let began = Instant::now();
        let now = clock.next();
        engine.prefetch(frames.iter().take(batch));
        for frame in frames.iter().take(batch) {
            assert_eq!(engine.process(now, frame, &mut tx), Outcome::Forwarded);
        }
        if batch == BATCH {
            opened.rounds.add(began.elapsed());
        }
        frames.fill(Flags::ACK, first..flows);
        for frame in frames.iter().take(batch) {
            assert_eq!(engine.process(now, frame, &mut tx), Outcome::Forwarded);
        }
    }
    opened.after = resident_mib();
    assert_eq!(engine.counters().flows.open, u64::from(flows));
    let mut rounds = Rounds::new(BATCH);
    let mut random = Random::new();
    for _ in 0..number {
        frames.fill(Flags::ACK, random.below(flows));
        let began = Instant::now();
        let now = clock.next();
        engine.prefetch(frames.iter());
        for frame in frames.iter() {
            let outcome = engine.process(now, frame, &mut tx);
            assert_eq!(outcome, Outcome::Forwarded);
        }
        rounds.add(began.elapsed());
    }
    assert_eq!(engine.counters().flows.open, u64::from(flows));
    (rounds, opened)
}

fn engine(config: &Config) -> Engine {
    let port = Port {
        mac: frames::US,
        mtu: 1500,
        addresses: [format!("{}/24", frames::OUR_IP), format!("{}/64", frames::OUR_IP6)]
            .map(|own| own.parse().expect("a prefix"))
            .to_vec(),
        elsewhere: Vec::new(),
        host_routes: Vec::new(),
    };
    let routers = [("0.0.0.0/0", frames::ROUTER_IP.into()), ("::/0", frames::ROUTER_IP6.into())];
    let routes = routers.map(|(destination, router)| Route {
        destination: destination.parse().expect("a prefix"),
        via: Some(router),
        mtu: None,
    });
    Engine::new(config, port, &routes).expect("a configuration")
}

/// IPIP, GRE, and SNAT from so many addresses that every client's port can be kept; and IPv6 in IP
/// of both families.
fn profiles() -> [(&'static str, Config); 5] {
    let addresses = (1..=20).map(|last| IpAddr::from(Ipv4Addr::new(172, 16, 5, last)));
    let mut snat = config(Profile::None);
    for server in snat.balancer.virtual_servers.values_mut() {
        server.translate_address = true;
        server.source_address_translation = SourceTranslation::Snat(addresses.clone().collect());
    }
    let mut in_v4 = config(Profile::Ipip);
    for server in in_v4.balancer.virtual_servers.values_mut() {
        server.destination = SocketAddr::new(frames::VIP6.into(), 49).into();
    }
    let mut in_v6 = in_v4.clone();
    for (member, last) in
        in_v6.balancer.pools.values_mut().flat_map(|pool| &mut pool.members).zip(51..)
    {
        member.address = SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, last), 49));
    }
    [
        ("IPIP", config(Profile::Ipip)),
        ("GRE", config(Profile::Gre(GreOptions::default()))),
        ("SNAT", snat),
        ("IPv6 in IPv4", in_v4),
        ("IPv6 in IPv6", in_v6),
    ]
}

fn config(profile: Profile) -> Config {
    let server = VirtualServer::new(SocketAddr::new(frames::VIP.into(), 49), "pool");
    let members = (51..=53).map(|last| SocketAddr::from((Ipv4Addr::new(10, 1, 1, last), 49)));
    let pool = Pool { profile, members: members.map(Into::into).collect(), ..Pool::default() };
    Config {
        interface: "eth0".to_owned(),
        routed_interfaces: Vec::new(),
        balancer: LoadBalancer {
            outer_source: OuterSource::Egress,
            virtual_servers: BTreeMap::from([("server".to_owned(), server)]),
            pools: BTreeMap::from([("pool".to_owned(), pool)]),
            ..LoadBalancer::default()
        },
        snat_ports: SnatPorts::default(),
        limits: Limits { flows: FULL.flows[2], ..Limits::default() },
    }
}

/// Numbers of no order, the same in every run (xorshift64).
struct Random(u64);

impl Random {
    const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn below(&mut self, limit: u32) -> impl Iterator<Item = u32> {
        std::iter::repeat_with(move || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u32 % limit
        })
    }
}
