//! The thread between two ends that are pairs of datagram sockets instead of devices.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{End, Onward, Queued, Relay};
use labsim_impairment::{Impairment, Share};
use labsim_wire::ethernet::ethertype;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bounds what hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Stands for the kernel's note: the relay passes it on.
const NOTE: [u8; 3] = [7, 8, 9];

struct Bench {
    left: UnixDatagram,
    right: UnixDatagram,
    relay: Relay,
}

fn pair() -> (UnixDatagram, UnixDatagram) {
    let (outer, inner) = UnixDatagram::pair().unwrap();
    outer.set_read_timeout(Some(PATIENCE)).unwrap();
    inner.set_nonblocking(true).unwrap();
    (outer, inner)
}

fn bench(onward: Onward) -> Bench {
    let ((left, a), (right, b)) = (pair(), pair());
    let back = Onward::Impaired(Impairment::default());
    let ends = [End { socket: a.into(), onward }, End { socket: b.into(), onward: back }];
    Bench { left, right, relay: Relay::spawn(vec![ends], NOTE.len()).unwrap() }
}

fn frame(ethertype: u16, number: u8) -> Vec<u8> {
    [&NOTE[..], &[0; 12], &ethertype.to_be_bytes(), &[number]].concat()
}

fn data(number: u8) -> Vec<u8> {
    frame(ethertype::IPV4, number)
}

fn marker(number: u8) -> Vec<u8> {
    frame(ethertype::MARKER, number)
}

fn receive(socket: &UnixDatagram) -> Vec<u8> {
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn frames_go_both_ways_as_they_are() {
    let Bench { left, right, relay: _relay } = bench(Onward::Impaired(Impairment::default()));
    left.send(&data(1)).unwrap();
    assert_eq!(receive(&right), data(1));
    right.send(&data(2)).unwrap();
    assert_eq!(receive(&left), data(2));
}

#[test]
fn a_frame_is_never_early_and_a_marker_comes_behind_it() {
    let delay = Duration::from_millis(20);
    let impairment = Impairment { delay: 20_000_000, ..Impairment::default() };
    let Bench { left, right, relay } = bench(Onward::Impaired(impairment));
    let began = Instant::now();
    left.send(&data(1)).unwrap();
    left.send(&marker(2)).unwrap();
    assert_eq!(receive(&right), data(1));
    assert!(began.elapsed() >= delay);
    assert_eq!(receive(&right), marker(2));
    let [there, back] = relay.counters()[0];
    assert_eq!((there.taken, there.sent, there.dropped(), back.taken), (1, 1, 0, 0));
}

#[test]
fn what_is_lost_is_counted_when_the_next_marker_arrives() {
    let impairment = Impairment { loss: Share::ALL, ..Impairment::default() };
    let Bench { left, right, relay } = bench(Onward::Impaired(impairment));
    for number in 0..5 {
        left.send(&data(number)).unwrap();
    }
    left.send(&marker(9)).unwrap();
    assert_eq!(receive(&right), marker(9));
    let [there, _] = relay.counters()[0];
    assert_eq!((there.taken, there.lost, there.sent), (5, 5, 0));
}

#[test]
fn what_the_other_end_refuses_is_counted() {
    let Bench { left, right, relay } = bench(Onward::Impaired(Impairment::default()));
    drop(right);
    left.send(&data(1)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A marker has it told, though nobody is there to see it.
        left.send(&marker(2)).unwrap();
        if relay.counters()[0][0].send_refused == 1 {
            break;
        }
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn a_marker_waits_until_netem_is_empty_and_frames_do_not() {
    let waiting = Arc::new(AtomicU64::new(1));
    let asked = Arc::new(AtomicU64::new(0));
    let backlog = {
        let (waiting, asked) = (Arc::clone(&waiting), Arc::clone(&asked));
        Box::new(move || {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(Queued { waiting: waiting.load(Ordering::SeqCst), dropped: 3 })
        })
    };
    let Bench { left, right, relay } = bench(Onward::Netem(backlog));
    left.send(&marker(1)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while asked.load(Ordering::SeqCst) < 3 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    left.send(&data(2)).unwrap();
    assert_eq!(receive(&right), data(2), "the marker is still held");
    waiting.store(0, Ordering::SeqCst);
    assert_eq!(receive(&right), marker(1));
    assert_eq!(relay.counters()[0][0].netem_dropped, 3);
}
