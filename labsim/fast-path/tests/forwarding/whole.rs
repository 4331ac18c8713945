//! Super-frames (GSO) stay whole: the kernel cuts them behind the program, and each segment is the frame
//! that the engine sends for it. Checksums may be half made on the way in.

use crate::support::arm::{Arm, arm};
use crate::support::bench::ipv6::{CLIENT6, Tcp6, VIP6, config_of, tcp6};
use crate::support::bench::{ACK, CLIENT, SYN, Tcp, VIP, resum, tcp};
use crate::support::engine::{By, Pair, without_outer_id};
use labsim_forwarder::{GreOptions, Profile, SourceTranslation, Tally};
use labsim_model::GueOptions;
use labsim_sys::device::disable_offloads;
use labsim_sys::netlink::Socket;
use labsim_test_support::Completion;
use labsim_wire::checksum::AddressPair;
use labsim_wire::tcp as wire_tcp;

labsim_test_support::tests![
    the_segments_of_a_super_frame_are_the_engines_frames,
    a_half_made_checksum_stays_half_made_through_translation_and_tunnels,
    a_super_frame_whose_segments_do_not_fit_goes_to_the_engine,
];

const SEGMENT: usize = 1000;
/// Each family's TCP header begins here, and its data.
const HEADERS: [(usize, usize); 2] = [(34, 54), (54, 74)];

/// `struct virtio_net_hdr` (linux/virtio_net.h): a checksum to finish, and where frames are to be cut.
fn vnet(v6: bool, segment: usize) -> Vec<u8> {
    let (transport, data) = HEADERS[usize::from(v6)];
    let kind = match (segment, v6) {
        (0, _) => 0,
        (_, false) => 1,
        (_, true) => 4,
    };
    let mut header = vec![1, kind];
    for number in [data as u16, segment as u16, transport as u16, 16] {
        header.extend_from_slice(&number.to_ne_bytes());
    }
    header
}

fn frame(v6: bool, data: usize) -> Vec<u8> {
    let like = Tcp { data, ..tcp(ACK) };
    if v6 { Tcp6 { like, ..tcp6(ACK) }.frame() } else { like.frame() }
}

fn addresses(v6: bool) -> AddressPair {
    if v6 { AddressPair::V6(CLIENT6, VIP6) } else { AddressPair::V4(CLIENT, VIP) }
}

/// The same frame with the pseudo-header's sum alone.
fn half_made(mut frame: Vec<u8>, v6: bool) -> Vec<u8> {
    let transport = HEADERS[usize::from(v6)].0;
    let mut segment = wire_tcp::ViewMut::new(&mut frame[transport..]).unwrap();
    segment.leave_checksum(&addresses(v6));
    frame
}

/// What the kernel cuts a frame into.
fn segments(whole: &[u8], v6: bool) -> Vec<Vec<u8>> {
    let (transport, data) = HEADERS[usize::from(v6)];
    let parts = whole[data..].chunks(SEGMENT).enumerate();
    let cut = parts.map(|(number, part)| {
        let mut frame = [&whole[..data], part].concat();
        let length = frame.len() - 14;
        if v6 {
            frame[18..20].copy_from_slice(&(length as u16 - 40).to_be_bytes());
        } else {
            frame[16..18].copy_from_slice(&(length as u16).to_be_bytes());
            let id = u16::from_be_bytes([frame[18], frame[19]]) + number as u16;
            frame[18..20].copy_from_slice(&id.to_be_bytes());
            resum(&mut frame);
        }
        let sequence = 1000 + (number * SEGMENT) as u32;
        frame[transport + 4..][..4].copy_from_slice(&sequence.to_be_bytes());
        let mut segment = wire_tcp::ViewMut::new(&mut frame[transport..]).unwrap();
        segment.fill_checksum(&addresses(v6));
        frame
    });
    cut.collect()
}

fn profiles() -> Vec<(bool, Profile)> {
    let gre = |key, checksum| Profile::Gre(GreOptions { key, checksum });
    let gue = |variant| Profile::Gue(GueOptions { port: 6080, variant });
    let kinds = [Profile::Ipip, gre(None, false), gre(Some(7), false), gue(0), gue(1)];
    kinds.into_iter().flat_map(|kind| [(false, kind), (true, kind)]).collect()
}

fn without_offloads(arm: &Arm) {
    arm.balancer.run(|| disable_offloads(&Socket::open().unwrap(), "eth0")).unwrap();
}

fn the_segments_of_a_super_frame_are_the_engines_frames() -> Completion {
    let mut arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    // The kernel cuts at the interface, instead of handing the frame over whole.
    without_offloads(&arm);
    for (vip_v6, member_v6) in [(false, false), (false, true), (true, false), (true, true)] {
        for (translate, profile) in profiles() {
            let sums = matches!(profile, Profile::Gue(_)) && member_v6;
            let mut config = config_of(vip_v6, member_v6);
            config.balancer.pools.values_mut().for_each(|pool| pool.profile = profile);
            if translate {
                for server in config.balancer.virtual_servers.values_mut() {
                    server.source_address_translation = SourceTranslation::Automap;
                }
            }
            let Some(mut pair) = Pair::new(&mut arm, &config) else { continue };
            let syn = tcp(SYN);
            let syn6 = Tcp6 { like: syn.clone(), ..tcp6(SYN) };
            pair.open(&if vip_v6 { syn6.frame() } else { syn.frame() });
            let before = pair.arm.fast_path.counters(0, 0).unwrap().forwarded;
            let whole = half_made(frame(vip_v6, 3 * SEGMENT + 1), vip_v6);
            let seen = pair.arm.pass_offloaded(&whole, &vnet(vip_v6, SEGMENT));
            let what = format!("{vip_v6} {member_v6} {translate} {profile:?}");
            if sums {
                assert_eq!(seen.to_engine, [whole], "{what}");
                continue;
            }
            assert!(seen.to_engine.is_empty(), "{what}");
            let (mut expected, mut bytes) = (Vec::new(), 0);
            for segment in segments(&whole, vip_v6) {
                bytes += segment.len() as u64;
                pair.bench.feed(&segment);
                expected.push(without_outer_id(&pair.bench.take_one()));
            }
            let sent: Vec<Vec<u8>> = seen.sent.iter().map(|it| without_outer_id(it)).collect();
            assert_eq!(sent, expected, "{what}");
            let after = pair.arm.fast_path.counters(0, 0).unwrap().forwarded;
            let counted = Tally {
                packets: after.packets - before.packets,
                bytes: after.bytes - before.bytes,
            };
            assert_eq!(counted, Tally { packets: 4, bytes }, "{what}");
        }
    }
    Completion::Completed
}

fn a_half_made_checksum_stays_half_made_through_translation_and_tunnels() -> Completion {
    let mut arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    // The kernel finishes checksums at the interface.
    without_offloads(&arm);
    let summed = [Profile::Gre(GreOptions { key: Some(9), checksum: true }), Profile::None];
    let all = profiles().into_iter().chain(summed.into_iter().map(|profile| (true, profile)));
    for (translate, profile) in all {
        for (vip_v6, member_v6) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut config = config_of(vip_v6, member_v6);
            config.balancer.pools.values_mut().for_each(|pool| pool.profile = profile);
            if translate {
                for server in config.balancer.virtual_servers.values_mut() {
                    server.source_address_translation = SourceTranslation::Automap;
                    server.translate_address = vip_v6 == member_v6;
                }
            }
            let Some(mut pair) = Pair::new(&mut arm, &config) else { continue };
            let syn = tcp(SYN);
            let syn6 = Tcp6 { like: syn.clone(), ..tcp6(SYN) };
            pair.open(&if vip_v6 { syn6.frame() } else { syn.frame() });
            let finished = frame(vip_v6, 77);
            let seen =
                pair.arm.pass_offloaded(&half_made(finished.clone(), vip_v6), &vnet(vip_v6, 0));
            assert!(seen.to_engine.is_empty(), "{vip_v6} {member_v6} {translate} {profile:?}");
            pair.bench.feed(&finished);
            let expected = without_outer_id(&pair.bench.take_one());
            let sent: Vec<Vec<u8>> = seen.sent.iter().map(|it| without_outer_id(it)).collect();
            assert_eq!(sent, [expected], "{vip_v6} {member_v6} {translate} {profile:?}");
            assert_eq!(pair.pass(&finished), By::Program);
        }
    }
    Completion::Completed
}

fn a_super_frame_whose_segments_do_not_fit_goes_to_the_engine() -> Completion {
    let mut arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    let mut pair = Pair::new(&mut arm, &config_of(false, false)).unwrap();
    pair.open(&tcp(SYN).frame());
    let whole = half_made(frame(false, 3000), false);
    // 20 bytes of outer header, 20 of IP's and 20 of TCP's: 1440 is the most.
    for (segment, fits) in [(1440, true), (1441, false)] {
        let seen = pair.arm.pass_offloaded(&whole, &vnet(false, segment));
        assert_eq!((seen.sent.is_empty(), seen.to_engine.is_empty()), (!fits, fits), "{segment}");
    }
    Completion::Completed
}
