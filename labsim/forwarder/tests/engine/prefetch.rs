//! What is read ahead changes nothing: the same outcomes, frames and counters with it and without,
//! also for frames of one batch that make, change and end each other's flows.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{Config, Engine, Profile, SourceTranslation};
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::time::Duration;

fn translating() -> Config {
    let mut config = config();
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::None;
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = true;
        server.source_address_translation = SourceTranslation::Automap;
    }
    config
}

/// A client's packet, a member's answer, another protocol's, or one that is cut off.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop::sample::select(vec![SYN, ACK, ACK, FIN, RST]);
    (0..8u8, 1..12u16, flags).prop_map(|(kind, port, flags)| match kind {
        0 => udp(port, 49, b"x"),
        1 => Tcp {
            source: Ipv4Addr::new(10, 1, 1, 51),
            destination: OUR_IP,
            source_port: 49,
            destination_port: 61_000 + port,
            ..tcp(flags)
        }
        .frame(),
        2 => {
            let mut frame = tcp(flags).frame();
            frame.truncate(usize::from(port) * 5);
            frame
        }
        3 => ipv6::Tcp6 { like: Tcp { source_port: port, ..tcp(flags) }, ..ipv6::tcp6(flags) }
            .frame(),
        4 => ipv6::udp6(port, 49, b"x"),
        _ => Tcp { source_port: port, ..tcp(flags) }.frame(),
    })
}

proptest! {
    #[test]
    fn a_batch_that_is_read_ahead_comes_out_as_its_frames_do_one_by_one(
        batches in prop::collection::vec(
            (prop::collection::vec(frames(), 0..2 * Engine::PREFETCH), 0..400u64),
            1..6,
        ),
        translated in any::<bool>(),
    ) {
        let mut config = if translated { translating() } else { config() };
        let v6 = ipv6::config_of(true, false).balancer.virtual_servers;
        if !translated {
            config.balancer.virtual_servers.extend(v6.into_iter().map(|(name, server)| (name + "6", server)));
        }
        let (mut ahead, mut single) = (Bench::new(&config), Bench::new(&config));
        for (batch, seconds) in batches {
            for part in batch.chunks(Engine::PREFETCH) {
                ahead.engine.prefetch(part.iter().map(Vec::as_slice));
                for frame in part {
                    assert_eq!(ahead.feed(frame), single.feed(frame));
                }
            }
            for bench in [&mut ahead, &mut single] {
                bench.pass(Duration::from_secs(seconds));
                bench.feed(&arp_reply());
            }
            assert_eq!(ahead.take(), single.take());
        }
        assert_eq!(ahead.counters(), single.counters());
    }
}
