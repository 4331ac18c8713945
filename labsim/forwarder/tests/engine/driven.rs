//! Any bytes, taken as a course of events, leave the engine's promises whole: files that
//! are kept (seeds, and what the fuzzer of `labsim/fuzz` finds), and bytes made up here.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::drive::{drive, drive_faulty};
use labsim_forwarder::DeliberateFault;
use proptest::prelude::*;

/// Those whose frames are no longer than the link takes.
const FAULTS: [DeliberateFault; 2] = [DeliberateFault::IcmpByOuter, DeliberateFault::ForgetFlows];

#[test]
fn every_file_that_is_kept_leaves_the_promises_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regressions");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "bin"));
    files.sort();
    assert!(!files.is_empty(), "no file in {folder}");
    for file in files {
        // The name is in the output of a test that fails.
        println!("{}", file.display());
        drive(&std::fs::read(&file).unwrap());
    }
}

/// An event: time that passes, bytes as a frame, a member that goes down or comes up, or a frame
/// that is nearly right.
fn event() -> impl Strategy<Value = Vec<u8>> {
    let time = any::<u16>().prop_map(|time| [&[0][..], &(time % 3000).to_be_bytes()].concat());
    let raw = prop::collection::vec(any::<u8>(), 0..120).prop_map(|bytes| {
        let length = bytes.len() as u16;
        [&[1][..], &length.to_be_bytes(), &bytes].concat()
    });
    let what = prop_oneof![8..16u8, 64..72u8];
    let shape = (what, any::<u8>(), 0..1473u16, prop::bool::weighted(0.5));
    let made = (shape, prop::collection::vec(any::<u8>(), 5)).prop_map(|(shape, changes)| {
        let (what, shape, length, right) = shape;
        let [high, low] = length.to_be_bytes();
        let changes = if right { &[0][..] } else { &changes[..] };
        [&[what, shape, high, low][..], changes].concat()
    });
    let down = any::<u8>().prop_map(|what| vec![255, what]);
    prop_oneof![1 => time, 1 => raw, 1 => down, 8 => made]
}

proptest! {
    #[test]
    fn any_bytes_leave_the_promises_whole(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drive(&bytes);
    }

    #[test]
    fn events_that_are_nearly_right_leave_the_promises_whole(
        kind in any::<u8>(),
        families in any::<u8>(),
        events in prop::collection::vec(event(), 0..60),
    ) {
        drive(&[vec![kind, families], events.concat()].concat());
    }

    #[test]
    fn so_does_an_engine_that_is_faulty_on_purpose(
        kind in any::<u8>(),
        families in any::<u8>(),
        events in prop::collection::vec(event(), 0..60),
        faults in prop::sample::subsequence(&FAULTS[..], 1..=FAULTS.len()),
    ) {
        drive_faulty(&[vec![kind, families], events.concat()].concat(), &faults);
    }
}
