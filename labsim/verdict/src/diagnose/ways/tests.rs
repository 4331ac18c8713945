#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::observe::PointId;
use labsim_scenario::model::{Direction, InterfaceName};
use labsim_wire::decode::LinkType;

/// An IPv4 packet with UDP; addresses are `10.0.0.N`.
fn udp(from: (u8, u16), to: (u8, u16), ttl: u8, text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(28 + text.len()).unwrap();
    let mut bytes = vec![0x45, 0, 0, length, 0, 0, 0x40, 0, ttl, 17, 0, 0];
    bytes.extend([10, 0, 0, from.0, 10, 0, 0, to.0]);
    bytes.extend(from.1.to_be_bytes());
    bytes.extend(to.1.to_be_bytes());
    bytes.extend([0, length - 20, 0, 0]);
    bytes.extend(text);
    bytes
}

/// A packet in one of another tunnel.
fn ipip(ttl: u8, inner: &[u8]) -> Vec<u8> {
    let length = u8::try_from(20 + inner.len()).unwrap();
    let mut bytes = vec![0x45, 0, 0, length, 0, 1, 0, 0, ttl, 4, 0, 0];
    bytes.extend([10, 0, 0, 50, 10, 0, 0, 60]);
    bytes.extend(inner);
    bytes
}

struct Lab {
    capture: Capture,
    time: u64,
}

impl Lab {
    fn new(nodes: &[&str]) -> Self {
        let mut capture = Capture::new();
        for node in nodes {
            let interface = InterfaceName::new("tun0").unwrap();
            capture.add_point(NodeName::new(node).unwrap(), interface, LinkType::Raw);
        }
        Self { capture, time: 0 }
    }

    fn see(&mut self, point: usize, direction: Direction, bytes: &[u8]) {
        self.time += 1000;
        let length = u32::try_from(bytes.len()).unwrap();
        self.capture.push(self.time, PointId(point), direction, length, bytes);
    }

    fn ways(&self) -> Vec<TopicWays> {
        ways(&self.capture, &[NodeName::new("lb").unwrap()])
    }
}

#[test]
fn a_packet_is_one_way_through_translation_encapsulation_and_ttl() {
    use Direction::{In, Out};
    let mut lab = Lab::new(&["client", "lb", "rs"]);
    let (client, vip, server) = ((1, 4000), (2, 49), (3, 1049));
    lab.see(0, Out, &udp(client, vip, 64, b"ask"));
    lab.see(1, In, &udp(client, vip, 64, b"ask"));
    let translated = udp(client, server, 63, b"ask");
    lab.see(1, Out, &ipip(64, &translated));
    lab.see(2, In, &ipip(64, &translated));
    lab.see(2, Out, &udp(server, client, 64, b"answer"));
    lab.see(1, In, &udp(server, client, 64, b"answer"));
    lab.see(1, Out, &udp(vip, client, 63, b"answer"));
    let topics = lab.ways();
    assert_eq!(topics.len(), 1, "{topics:?}");
    let Topic::Flow(flow) = topics[0].topic else { unreachable!() };
    assert_eq!(flow.to_string(), "10.0.0.1:4000 > 10.0.0.2:49");
    let seen: Vec<(bool, &[usize])> =
        topics[0].ways.iter().map(|way| (way.is_reply, way.frames.as_slice())).collect();
    assert_eq!(seen, [(false, &[0, 1, 2, 3][..]), (true, &[4, 5, 6][..])]);
}

#[test]
fn a_packet_that_is_sent_again_has_a_way_for_each_sending() {
    let mut lab = Lab::new(&["client", "lb"]);
    let packet = udp((1, 4000), (2, 49), 64, b"ask");
    for _ in 0..3 {
        lab.see(0, Direction::Out, &packet);
    }
    lab.see(1, Direction::In, &packet);
    let topics = lab.ways();
    let sendings: Vec<(usize, usize, usize)> =
        topics[0].ways.iter().map(|way| (way.sending, way.sendings, way.frames.len())).collect();
    assert_eq!(sendings, [(1, 3, 1), (2, 3, 1), (3, 3, 2)]);
}

#[test]
fn datagrams_of_one_length_with_other_texts_are_other_packets() {
    let mut lab = Lab::new(&["client", "lb"]);
    for (point, direction) in [(0, Direction::Out), (1, Direction::In)] {
        lab.see(point, direction, &udp((1, 4000), (2, 49), 64, b"one"));
        lab.see(point, direction, &udp((1, 4000), (2, 49), 64, b"two"));
    }
    let frames: Vec<Vec<usize>> = lab.ways()[0].ways.iter().map(|way| way.frames.clone()).collect();
    assert_eq!(frames, [[0, 2], [1, 3]]);
}
