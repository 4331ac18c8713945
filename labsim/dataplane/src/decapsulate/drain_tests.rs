//! Emptying the queue on request. Datagram sockets stand in for the raw socket and the device.

use super::{Counters, Decapsulator, DrainError, InnerEnd};
use labsim_model::TunnelKind;
use std::net::UdpSocket;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

/// An outer header around an inner packet of 20 bytes.
fn packet() -> Vec<u8> {
    let mut packet = vec![0; 40];
    packet[0] = 0x45;
    packet[20] = 0x45;
    packet[23] = 20;
    packet
}

fn pair() -> (UdpSocket, UdpSocket) {
    let [one, other] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    (one, other)
}

/// A socket for answers, of which there are none here.
fn unused() -> std::os::fd::OwnedFd {
    UdpSocket::bind("127.0.0.1:0").unwrap().into()
}

#[test]
fn after_a_drain_everything_that_was_queued_is_counted() {
    let ((sender, outer), (inner, _node)) = (pair(), pair());
    let inner = InnerEnd::Tun(inner.into());
    let decapsulator =
        Decapsulator::start(TunnelKind::Ipip, vec![outer.into()], unused(), inner).unwrap();
    for round in 1..=20 {
        for _ in 0..100 {
            sender.send(&packet()).unwrap();
        }
        decapsulator.drain(DEADLINE).unwrap();
        let counters = decapsulator.counters();
        let expected =
            Counters { rx_packets: round * 100, rx_bytes: round * 2000, ..Counters::default() };
        assert_eq!(counters, expected);
    }
    // With nothing queued it returns as well, and so does stopping.
    decapsulator.drain(DEADLINE).unwrap();
    assert_eq!(decapsulator.stop().rx_packets, 2000);
}

#[test]
fn several_may_wait_at_the_same_time() {
    let ((sender, outer), (inner, _node)) = (pair(), pair());
    let inner = InnerEnd::Tun(inner.into());
    let decapsulator =
        Decapsulator::start(TunnelKind::Ipip, vec![outer.into()], unused(), inner).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let before = decapsulator.counters().rx_packets;
                    sender.send(&packet()).unwrap();
                    decapsulator.drain(DEADLINE).unwrap();
                    assert!(decapsulator.counters().rx_packets > before);
                }
            });
        }
    });
    assert_eq!(decapsulator.stop().rx_packets, 200);
}

#[test]
fn one_that_has_ended_says_so() {
    // A raw socket that is none: its thread ends at the first packet.
    let ((_sender, _outer), (inner, _node)) = (pair(), pair());
    let no_socket = std::fs::File::open("/dev/null").unwrap();
    let inner = InnerEnd::Tun(inner.into());
    let decapsulator =
        Decapsulator::start(TunnelKind::Ipip, vec![no_socket.into()], unused(), inner).unwrap();
    assert_eq!(decapsulator.drain(DEADLINE), Err(DrainError::Ended));
    assert_eq!(decapsulator.stop(), Counters::default());
}
