//! What a line does to frames, on a virtual clock.

#![allow(clippy::unwrap_used, reason = "tests")]

use labsim_impairment::{Impairment, Line, Share};

const MS: u64 = 1_000_000;

fn percent(number: u32) -> Share {
    Share::of_millionths(number * 10_000)
}

/// Puts a frame of 100 bytes in at each time, and tells which came out when.
fn through(impairment: Impairment, times: impl IntoIterator<Item = u64>) -> Vec<(usize, u64)> {
    let mut line = Line::new(impairment);
    for (frame, now) in times.into_iter().enumerate() {
        line.take(frame, 100, now);
    }
    drain(&mut line)
}

fn drain<F: Clone>(line: &mut Line<F>) -> Vec<(F, u64)> {
    let mut out = Vec::new();
    while let Some(at) = line.next_release() {
        out.push((line.release(at).unwrap(), at));
    }
    out
}

#[test]
fn without_impairments_frames_come_out_at_once_and_in_order() {
    let out = through(Impairment::default(), [5, 5, 6]);
    assert_eq!(out, [(0, 5), (1, 5), (2, 6)]);
}

#[test]
fn a_delay_is_kept_to_the_nanosecond() {
    let mut line = Line::new(Impairment { delay: 20 * MS, ..Impairment::default() });
    line.take('a', 60, 7);
    assert_eq!(line.release(20 * MS + 6), None, "a nanosecond early");
    assert_eq!(line.next_release(), Some(20 * MS + 7));
    assert_eq!(line.release(20 * MS + 7), Some('a'));
}

#[test]
fn jitter_spreads_evenly_about_the_delay() {
    let impairment = Impairment { delay: 10 * MS, jitter: 4 * MS, ..Impairment::default() };
    let mut delays: Vec<u64> = through(impairment, (0..1000).map(|i| i * 100 * MS))
        .into_iter()
        .map(|(frame, at)| at - frame as u64 * 100 * MS)
        .collect();
    delays.sort_unstable();
    assert!(delays[0] >= 6 * MS && delays[999] < 14 * MS);
    assert!(delays[0] < 7 * MS && delays[999] > 13 * MS, "both ends are reached");
    assert!((9 * MS..11 * MS).contains(&delays[500]), "{}", delays[500]);
}

#[test]
fn jitter_lets_later_frames_overtake() {
    let impairment = Impairment { delay: 10 * MS, jitter: 10 * MS, ..Impairment::default() };
    let out = through(impairment, 0..100);
    assert!(!out.is_sorted_by_key(|(frame, _)| *frame));
}

#[test]
fn a_share_is_lost_and_counted() {
    let mut line = Line::new(Impairment { loss: percent(10), ..Impairment::default() });
    for frame in 0..10_000 {
        line.take(frame, 60, 0);
        while line.release(0).is_some() {}
    }
    let counters = line.counters();
    assert!((900..1100).contains(&counters.lost), "{counters:?}");
    assert_eq!(counters.released + counters.lost, 10_000);
    assert_eq!(counters.queue_full, 0);
}

#[test]
fn everything_can_be_lost() {
    assert_eq!(through(Impairment { loss: Share::ALL, ..Impairment::default() }, 0..50), []);
}

#[test]
fn the_same_seed_loses_the_same_frames_whatever_else_is_set() {
    let lost = |impairment| {
        let mut kept: Vec<usize> =
            through(impairment, 0..500).into_iter().map(|(frame, _)| frame).collect();
        kept.sort_unstable();
        kept
    };
    let base = Impairment { loss: percent(30), seed: 7, ..Impairment::default() };
    let kept = lost(base);
    assert_eq!(lost(base), kept);
    let busy = Impairment { delay: MS, jitter: MS, reorder: percent(40), rate: Some(9), ..base };
    assert_eq!(lost(busy), kept);
    assert_ne!(lost(Impairment { seed: 8, ..base }), kept);
}

#[test]
fn a_doubled_frame_comes_out_twice() {
    let impairment = Impairment { duplicate: Share::ALL, delay: MS, ..Impairment::default() };
    let out = through(impairment, [0, 1]);
    assert_eq!(out, [(0, MS), (0, MS), (1, MS + 1), (1, MS + 1)]);
}

#[test]
fn a_reordered_frame_is_not_delayed_and_overtakes() {
    let impairment =
        Impairment { reorder: percent(25), delay: 10 * MS, seed: 3, ..Impairment::default() };
    let mut line = Line::new(impairment);
    for frame in 0..100_u64 {
        line.take(frame, 60, frame);
    }
    let reordered = line.counters().reordered;
    let out = drain(&mut line);
    let early = out.iter().filter(|(frame, at)| at == frame).count() as u64;
    assert!((10..40).contains(&early), "{early}");
    // The first frame has nobody to overtake.
    assert!(reordered == early || reordered + 1 == early);
    assert!(out.iter().all(|(frame, at)| at == frame || *at == frame + 10 * MS));
}

#[test]
fn a_rate_gives_each_frame_its_time() {
    // 100 bytes at 800 kbit/s take a millisecond.
    let impairment = Impairment { rate: Some(800_000), ..Impairment::default() };
    assert_eq!(through(impairment, [0, 0, 0]), [(0, MS), (1, 2 * MS), (2, 3 * MS)]);
    // After a pause the link is free again.
    assert_eq!(through(impairment, [0, 10 * MS]), [(0, MS), (1, 11 * MS)]);
}

#[test]
fn delay_and_rate_add_up_for_a_frame_alone_and_overlap_for_many() {
    let impairment = Impairment { rate: Some(800_000), delay: 5 * MS, ..Impairment::default() };
    assert_eq!(through(impairment, [0, 0]), [(0, 6 * MS), (1, 7 * MS)]);
}

#[test]
fn a_full_queue_loses_the_newcomer_and_counts_it() {
    let impairment = Impairment { delay: MS, queue_frames: 2, ..Impairment::default() };
    let mut line = Line::new(impairment);
    for frame in 0..3 {
        line.take(frame, 60, 0);
    }
    assert_eq!((line.counters().queue_full, line.waiting()), (1, 2));
    assert_eq!(line.release(MS), Some(0));
    line.take(3, 60, MS);
    assert_eq!((line.counters().queue_full, line.waiting()), (1, 2), "there is room again");
    let mut line = Line::new(Impairment { delay: MS, queue_bytes: 100, ..impairment });
    line.take(0, 60, 0);
    line.take(1, 41, 0);
    line.take(2, 40, 0);
    assert_eq!((line.counters().queue_full, line.waiting()), (1, 2));
}

#[test]
fn a_marker_comes_out_behind_everything_and_is_never_lost() {
    let impairment = Impairment {
        delay: 10 * MS,
        jitter: 10 * MS,
        loss: percent(50),
        duplicate: percent(50),
        reorder: percent(20),
        rate: Some(1_000_000),
        queue_frames: 20,
        ..Impairment::default()
    };
    let mut line = Line::new(impairment);
    for frame in 0..100 {
        line.take(Some(frame), 100, frame);
    }
    line.take_marker(None, 100);
    let out = drain(&mut line);
    assert_eq!(out.iter().filter(|(frame, _)| frame.is_none()).count(), 1);
    assert_eq!(out.last().unwrap().0, None);
    assert!(out.len() > 10);
}

#[test]
fn a_marker_on_an_empty_line_comes_out_at_once_and_in_its_order() {
    let mut line = Line::new(Impairment { delay: MS, loss: Share::ALL, ..Impairment::default() });
    line.take_marker(1, 5);
    line.take_marker(2, 5);
    assert_eq!(drain(&mut line), [(1, 5), (2, 5)]);
    assert_eq!(line.counters(), Default::default());
}
