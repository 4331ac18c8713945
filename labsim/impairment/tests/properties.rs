//! What holds on every line, whatever is set and whenever frames come.

#![allow(clippy::unwrap_used, reason = "tests")]

use labsim_impairment::{Impairment, Line, Share};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn shares() -> impl Strategy<Value = Share> {
    (0_u32..=1_000_000).prop_map(Share::of_millionths)
}

prop_compose! {
    fn impairments()(
        delay in 0_u64..50_000_000,
        jitter_share in 0_u64..=100,
        loss in shares(),
        duplicate in shares(),
        reorder in shares(),
        rate in proptest::option::of(1_u64..1_000_000_000),
        queue_frames in 1_usize..50,
        queue_bytes in 100_usize..50_000,
        seed in any::<u64>(),
    ) -> Impairment {
        let jitter = delay * jitter_share / 100;
        Impairment { delay, jitter, loss, duplicate, reorder, rate, queue_frames, queue_bytes, seed }
    }
}

/// What happens on a line: a frame of that length after so long, or a marker.
fn courses() -> impl Strategy<Value = Vec<(u64, usize, bool)>> {
    proptest::collection::vec(
        (0_u64..5_000_000, 14_usize..2000, proptest::bool::weighted(0.1)),
        0..200,
    )
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sent {
    Frame(usize),
    Marker(usize),
}

proptest! {
    #[test]
    fn no_frame_is_early_and_every_one_is_accounted_for(
        impairment in impairments(),
        course in courses(),
    ) {
        let mut line = Line::new(impairment);
        let mut now = 0;
        let mut went_in: BTreeMap<usize, u64> = BTreeMap::new();
        let mut came_out: Vec<(Sent, u64)> = Vec::new();
        for (place, (pause, length, marker)) in course.iter().enumerate() {
            now += pause;
            while let Some(sent) = line.release(now) {
                came_out.push((sent, now));
            }
            prop_assert!(line.next_release().is_none_or(|at| at > now));
            went_in.insert(place, now);
            if *marker {
                line.take_marker(Sent::Marker(place), now);
            } else {
                line.take(Sent::Frame(place), *length, now);
            }
            prop_assert!(line.waiting() <= impairment.queue_frames);
        }
        while let Some(at) = line.next_release() {
            prop_assert!(line.release(at.saturating_sub(1)).is_none() || at == 0);
            came_out.push((line.release(at).unwrap(), at));
        }
        let mut copies: BTreeMap<usize, usize> = BTreeMap::new();
        let mut markers = Vec::new();
        for (position, (sent, at)) in came_out.iter().enumerate() {
            match sent {
                Sent::Frame(place) => {
                    *copies.entry(*place).or_default() += 1;
                    let least = if impairment.reorder > Share::NONE { 0 } else {
                        impairment.delay - impairment.jitter
                    };
                    prop_assert!(*at >= went_in[place] + least);
                }
                Sent::Marker(place) => {
                    markers.push(*place);
                    // Whatever went in before it is out.
                    let later = &came_out[position..];
                    let behind = later.iter().all(|(sent, _)| match sent {
                        Sent::Frame(other) | Sent::Marker(other) => other >= place,
                    });
                    prop_assert!(behind);
                }
            }
        }
        prop_assert!(copies.values().all(|number| *number <= 2));
        let sent = course.iter().filter(|(_, _, marker)| *marker).count();
        prop_assert_eq!(markers.len(), sent);
        prop_assert!(markers.is_sorted());
        let counted = line.counters();
        prop_assert_eq!(counted.received as usize, course.len() - sent);
        prop_assert_eq!(counted.released as usize, copies.values().sum::<usize>());
        prop_assert_eq!(
            counted.received + counted.duplicated,
            counted.lost + counted.queue_full + counted.released
        );
        prop_assert_eq!(line.waiting(), 0);
    }

    #[test]
    fn a_rate_is_never_exceeded(
        rate in 1_000_u64..1_000_000_000,
        course in proptest::collection::vec((0_u64..100_000, 14_usize..2000), 1..100),
    ) {
        let impairment = Impairment { rate: Some(rate), ..Impairment::default() };
        let mut line = Line::new(impairment);
        let mut now = 0;
        for (pause, length) in &course {
            now += pause;
            line.take(*length, *length, now);
        }
        let mut before = 0;
        while let Some(at) = line.next_release() {
            let length = line.release(at).unwrap() as u64;
            prop_assert!((at - before) as u128 * rate as u128 >= length as u128 * 8_000_000_000);
            before = at;
        }
    }
}
