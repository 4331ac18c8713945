//! Where a frame's network layer begins below every link layer, mirror and trailer.

use crate::support::{Classic, FLOW, ethernet, ipv4, packet, pcap, read};
use labsim_captures::{Direction, F5Flow, Known, Reader};
use proptest::prelude::*;

/// Frames that were captured whole.
fn whole(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let classic = Classic { link, ..Classic::default() };
    let mut file = pcap(link, &[]);
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [1, 2, length, length] {
            file.extend(classic.word(word));
        }
        file.extend(frame);
    }
    file
}

#[test]
fn the_same_packet_is_found_below_every_link_layer() {
    let behind = |before: &[u8]| [before, &packet()].concat();
    let tag = [&[0, 5, 8, 0][..], &packet()].concat();
    for (link, frame) in [
        (1, ethernet(0x0800, &packet())),
        (1, ethernet(0x8100, &tag)),
        (0, behind(&[2, 0, 0, 0])),
        (0, behind(&[0, 0, 0, 2])),
        (108, behind(&[0, 0, 0, 2])),
        (12, packet()),
        (101, packet()),
        (228, packet()),
        (9, behind(&[0xff, 3, 0, 0x21])),
        (113, behind(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0])),
        (276, behind(&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0])),
    ] {
        let file = whole(link, &[frame]);
        let frames = read(&file).unwrap();
        let flow = frames[0].decode().flow().unwrap_or_else(|| panic!("link type {link}"));
        assert_eq!(flow.to_string(), FLOW, "link type {link}");
        assert_eq!(frames[0].network_layer(), packet());
    }
}

#[test]
fn each_device_of_a_cooked_capture_is_a_point() {
    let cooked = |device: u8, kind: u8| {
        let mut frame = vec![8, 0, 0, 0, 0, 0, 0, device, 0, 1, kind, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        frame.extend(packet());
        frame
    };
    let file = whole(276, &[cooked(2, 0), cooked(5, 0), cooked(2, 4), cooked(2, 3)]);
    let mut reader = Reader::new(&file[..]).unwrap();
    let mut seen = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        seen.push((reader.points()[frame.point.0].device.unwrap(), frame.direction));
    }
    let (into, out) = (Some(Direction::In), Some(Direction::Out));
    assert_eq!(seen, [(2, into), (5, into), (2, out), (2, None)]);
}

#[test]
fn a_link_type_that_is_not_known_is_counted_and_its_frames_have_no_packet() {
    let file = whole(105, &[packet(), packet()]);
    let mut reader = Reader::new(&file[..]).unwrap();
    while let Some(frame) = reader.next_frame().unwrap() {
        assert!(frame.decode().packet().is_none());
    }
    assert_eq!(reader.notices().unknown_links, [(105, 2)].into());
}

#[test]
fn a_mirror_port_s_tunnel_is_taken_off() {
    let inner = ethernet(0x8100, &[&[0, 7, 8, 0][..], &packet()].concat());
    for (name, header) in [
        ("transparent bridging", vec![0, 0, 0x65, 0x58]),
        ("ERSPAN I", vec![0, 0, 0x88, 0xbe]),
        ("ERSPAN II", [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1][..], &[0x10; 8]].concat()),
        ("ERSPAN III", [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[0x20; 12]].concat()),
        (
            "ERSPAN III with a subheader",
            [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[0x20; 11], &[0x21], &[9; 8]].concat(),
        ),
    ] {
        let outer = ethernet(0x0800, &ipv4(47, &[header, inner.clone()].concat()));
        let frames = read(&whole(1, &[outer])).unwrap();
        let frame = &frames[0];
        assert_eq!(frame.mirrors, 1, "{name}");
        assert_eq!(frame.link.vlan, Some(7), "{name}");
        assert_eq!(frame.decode().flow().unwrap().to_string(), FLOW, "{name}");
    }
    // A tunnel of packets is none of a mirror's.
    let tunnel = ethernet(0x0800, &ipv4(47, &[&[0, 0, 8, 0][..], &packet()].concat()));
    let frames = read(&whole(1, &[tunnel])).unwrap();
    assert_eq!(frames[0].mirrors, 0);
    assert!(frames[0].decode().outer().is_some());
}

/// A frame with an F5's trailer behind it.
fn with_trailer(padding: usize, trailer: &[u8]) -> Vec<u8> {
    [&ethernet(0x0800, &packet())[..], &vec![0; padding], trailer].concat()
}

fn new_trailer() -> Vec<u8> {
    let name = b"/Common/vs";
    let mut low = vec![0, 1, 0, 1, 0, 22, 0, 3, 1, 0, 2, 10];
    low.extend(name);
    let mut medium = vec![0, 1, 0, 2, 0, 0, 0, 4];
    medium.extend(0x1234u64.to_be_bytes());
    medium.extend(0x5678u64.to_be_bytes());
    medium.extend([0; 8]);
    medium.extend([1, 0, 0, 1, 0, 49, 3]);
    let cause = [&[2, 0, 0, 0, 0, 0, 1, 0, 7][..], b"Policy action"].concat();
    medium.push(u8::try_from(cause.len()).unwrap());
    medium.extend(cause);
    medium[5] = u8::try_from(medium.len()).unwrap();
    let mut all = 0xf5de_b0f5u32.to_be_bytes().to_vec();
    all.extend(u16::try_from(8 + low.len() + medium.len()).unwrap().to_be_bytes());
    all.extend([0, 1]);
    [all, low, medium].concat()
}

#[test]
fn trailers_of_f5_tell_direction_tmm_virtual_server_flow_and_cause_of_a_reset() {
    let old = [
        // Low, version 1; medium, version 0 with 64-bit flows.
        &[1, 15, 1, 0, 0, 3, 10][..],
        b"/Common/vs",
        &[2, 27, 0],
        &0x1234u64.to_be_bytes(),
        &0x5678u64.to_be_bytes(),
        &[0; 10],
    ]
    .concat();
    for (trailer, direction, tmm, cause) in
        [(new_trailer(), Direction::In, 2, Some("Policy action")), (old, Direction::Out, 3, None)]
    {
        for padding in [0, 6] {
            let frames = read(&whole(1, &[with_trailer(padding, &trailer)])).unwrap();
            let f5 = frames[0].f5.as_ref().unwrap();
            assert_eq!(frames[0].direction, Some(direction));
            assert_eq!((f5.slot, f5.tmm), (Some(1), Some(tmm)));
            assert_eq!(f5.virtual_server.as_deref(), Some("/Common/vs"));
            assert_eq!(f5.flow, Some(F5Flow { id: 0x1234, peer: 0x5678 }));
            assert_eq!(f5.reset_cause.as_deref(), cause);
            assert_eq!(frames[0].decode().flow().unwrap().to_string(), FLOW);
        }
    }
}

#[test]
fn bytes_behind_a_packet_that_are_no_trailer_are_none() {
    let cut = new_trailer();
    for behind in [&[0; 6][..], &[1, 15, 1, 0, 0], &cut[..cut.len() - 1], &[9; 40]] {
        let frames = read(&whole(1, &[with_trailer(0, behind)])).unwrap();
        assert_eq!(frames[0].f5, None, "{behind:?}");
    }
}

#[test]
fn the_first_frame_of_f5_is_about_the_capture() {
    let mut first = vec![0; 12];
    first.extend([0x05, 0xff]);
    first.extend(
        b"F5-Pseudo-pkt\0CMD: tcpdump -s0 -nni 0.0:nnn host 192.0.2.1\0VER: 15.1.0\0HOST: adc\0",
    );
    let file = whole(1, &[first, ethernet(0x0800, &packet())]);
    let mut reader = Reader::new(&file[..]).unwrap();
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!(frame.number, 2);
    let banner = reader.notices().f5.as_ref().unwrap();
    assert_eq!(banner.command.as_deref(), Some("tcpdump -s0 -nni 0.0:nnn host 192.0.2.1"));
    assert_eq!(banner.host.as_deref(), Some("adc"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_below_any_link_type_are_read(
        link in prop::sample::select(vec![0u32, 1, 9, 12, 108, 113, 276, 105]),
        frame in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let frames = read(&whole(link, std::slice::from_ref(&frame))).unwrap();
        prop_assert_eq!(&frames[0].bytes, &frame);
        let _ = frames[0].decode();
    }

    #[test]
    fn any_bytes_behind_a_packet_are_read(
        trailer in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let frames = read(&whole(1, &[with_trailer(0, &trailer)])).unwrap();
        prop_assert_eq!(frames[0].decode().flow().unwrap().to_string(), FLOW);
    }
}

#[test]
fn the_first_fragment_of_a_tunnels_packet_shows_the_packet_inside() {
    let mut inside = packet();
    inside.extend([0; 16]);
    inside[3] = 56;
    let whole_tunnel = ipv4(4, &inside);
    let mut fragment = ipv4(4, &inside[..inside.len() - 8]);
    fragment[6] = 0x20;
    let mut last = ipv4(4, &inside[inside.len() - 8..]);
    last[7] = u8::try_from((inside.len() - 8) / 8).unwrap();
    let known = |packet: &[u8]| {
        let file = whole(101, &[packet.to_vec()]);
        match read(&file).unwrap()[0].known() {
            Known::Ip(packet) => packet,
            other => panic!("{other:?}"),
        }
    };
    let (one, first) = (known(&whole_tunnel), known(&fragment));
    assert_eq!((&first.inner, &first.transport), (&one.inner, &one.transport));
    assert_eq!(first.inner.len(), 1);
    assert_eq!(first.outermost.fragment, Some((0, true)));
    // Others, and a fragment that was cut before the packet inside, show nothing of it.
    assert!(known(&last).inner.is_empty());
    let mut short = ipv4(4, &inside[..16]);
    short[6] = 0x20;
    assert!(known(&short).inner.is_empty());
}
