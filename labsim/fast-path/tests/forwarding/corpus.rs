//! What the fuzzer of the engine is fed, as frames on the wire: each kept file, and bytes made up here.

use crate::support::arm::{Arm, arm};
use crate::support::bench::drive::{Bytes, Event, config_of};
use crate::support::bench::ipv6::{Tcp6, tcp6};
use crate::support::bench::{SYN, Tcp, tcp};
use crate::support::engine::{By, Pair};
use labsim_test_support::Completion;
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};
use std::cell::{Cell, RefCell};

labsim_test_support::tests![
    frames_of_the_engines_kept_files_go_to_the_engine_or_leave_as_it_sends_them,
    nearly_right_frames_go_to_the_engine_or_leave_as_it_sends_them,
];

/// The kept files of the engine's fuzz target.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../forwarder/tests/regressions");

/// A packet socket sends no shorter frame, and the interface takes no longer one.
const LENGTHS: std::ops::RangeInclusive<usize> = 14..=4000;

/// The clients' ports of `drive::template`.
const PORTS: std::ops::Range<u16> = 40_000..40_004;

/// Passes each frame that the bytes tell of through an engine and a program that have just been given the
/// flows; returns how many the program forwarded.
fn pass_all(arm: &mut Arm, bytes: &[u8]) -> usize {
    let mut bytes = Bytes(bytes);
    let (kind, families) = (bytes.byte(), bytes.byte());
    let config = config_of(kind, families);
    let mut forwarded = 0;
    while let Some(event) = bytes.event() {
        let Event::Frame { frame, .. } = event else { continue };
        if !LENGTHS.contains(&frame.len()) {
            continue;
        }
        let Some(mut pair) = Pair::new(arm, &config) else { return forwarded };
        for port in PORTS {
            let like = Tcp { source_port: port, ..tcp(SYN) };
            // A load balancer without a VIP of the family, or without a port for it, opens none.
            let _ = pair.try_open(&like.frame());
            let _ = pair.try_open(&Tcp6 { like, ..tcp6(SYN) }.frame());
        }
        forwarded += usize::from(pair.pass(&frame) == By::Program);
    }
    forwarded
}

fn frames_of_the_engines_kept_files_go_to_the_engine_or_leave_as_it_sends_them() -> Completion {
    let mut arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    let files = std::fs::read_dir(FILES).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "bin")).collect();
    files.sort();
    assert!(!files.is_empty(), "no file in {FILES}");
    for file in files {
        pass_all(&mut arm, &std::fs::read(&file).unwrap());
    }
    Completion::Completed
}

/// A frame of some kind, right or with a few bytes changed, cut, or with a false length.
fn frame_event() -> impl Strategy<Value = Vec<u8>> {
    let what = prop_oneof![3 => Just(8_u8), 3 => Just(64), 1 => 8..16_u8, 1 => 64..72_u8];
    // ACK alone and a TTL that lasts, as the program forwards; or anything.
    let shape = prop_oneof![3 => (0..4_u8).prop_map(|port| 4 | port), 1 => any::<u8>()];
    let kind = (what, shape, 0..1473_u16, any::<bool>());
    (kind, prop::collection::vec(any::<u8>(), 9)).prop_map(|(kind, changes)| {
        let (what, shape, length, right) = kind;
        let [high, low] = length.to_be_bytes();
        let changes = if right { &[0][..] } else { &changes[..] };
        [&[what, shape, high, low][..], changes].concat()
    })
}

fn nearly_right_frames_go_to_the_engine_or_leave_as_it_sends_them() -> Completion {
    let arm = match arm() {
        Ok(arm) => RefCell::new(arm),
        Err(ignored) => return ignored,
    };
    let cases = (any::<u8>(), any::<u8>(), frame_event());
    let forwarded = Cell::new(0);
    let mut runner =
        TestRunner::new(Runs { cases: 1000, failure_persistence: None, ..Runs::default() });
    let result = runner.run(&cases, |(kind, families, event)| {
        let passed = pass_all(&mut arm.borrow_mut(), &[vec![kind, families], event].concat());
        forwarded.set(forwarded.get() + passed);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    // The program does see flows of its own among them.
    assert!(forwarded.get() > 100, "{} of 1000", forwarded.get());
    Completion::Completed
}
