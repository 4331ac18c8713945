//! One login, captured at three points on three clocks that are wrong: the differences are known.

use labsim_captures::TextReader;
use labsim_explain::{Bounds, Clocks, Contradiction, Matching, Sighting};
use proptest::prelude::*;

const PAGE: &str = include_str!("../../../captures/tests/data/login.md");

/// The page's packets; points are client, load balancer and server.
fn sightings() -> Vec<Sighting> {
    let mut reader = TextReader::new(PAGE.as_bytes());
    let mut sightings = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let time_ns = i64::try_from(frame.time.unwrap().ns).unwrap();
        sightings.push(Sighting { point: frame.section, time_ns, known: frame.known });
    }
    assert_eq!(sightings.len(), 40);
    sightings
}

/// The sightings of some points, numbered anew.
fn of(points: &[usize]) -> Vec<Sighting> {
    let place = |point| points.iter().position(|it| *it == point);
    let renumbered = |it: Sighting| Some(Sighting { point: place(it.point)?, ..it });
    sightings().into_iter().filter_map(renumbered).collect()
}

fn clocks(sightings: &[Sighting]) -> Clocks {
    Clocks::new(&Matching::new(sightings)).unwrap()
}

fn bounds(lower_us: i64, upper_us: i64) -> Bounds {
    Bounds { lower_ns: Some(lower_us * 1000), upper_ns: Some(upper_us * 1000) }
}

#[test]
fn three_captures_bound_each_clock_by_the_other_two() {
    let clocks = clocks(&sightings());
    assert_eq!(clocks.difference(0, 1), bounds(5_779_194, 5_782_072));
    assert_eq!(clocks.difference(0, 2), bounds(-601_648, -598_770));
    assert_eq!(clocks.difference(2, 1), bounds(6_380_842, 6_383_720));
}

#[test]
fn acknowledgements_bound_the_clock_of_a_point_that_replies_never_pass() {
    let client_and_balancer = clocks(&of(&[0, 1]));
    assert_eq!(client_and_balancer.difference(0, 1), bounds(5_778_609, 5_782_072));
    let balancer_and_server = clocks(&of(&[1, 2]));
    assert_eq!(balancer_and_server.difference(1, 0), bounds(6_380_842, 6_384_539));
}

#[test]
fn the_order_of_the_points_is_found() {
    let clocks = clocks(&sightings());
    let (client, vip) =
        ("192.168.11.201:61067".parse().unwrap(), "172.16.4.99:49".parse().unwrap());
    assert!(clocks.passes_first(client, vip, 0, 1));
    assert!(clocks.passes_first(client, vip, 1, 2));
    assert!(clocks.passes_first(vip, client, 2, 0));
    assert!(!clocks.passes_first(vip, client, 0, 2));
}

#[test]
fn a_clock_that_was_set_in_the_midst_is_a_contradiction() {
    let mut sightings = sightings();
    let server: Vec<_> = sightings.iter_mut().filter(|it| it.point == 2).collect();
    for sighting in server.into_iter().skip(5) {
        sighting.time_ns += 1_000_000_000;
    }
    let contradiction = Clocks::new(&Matching::new(&sightings)).unwrap_err();
    assert!(
        matches!(contradiction, Contradiction { by_ns: 900_000_000.., .. }),
        "{contradiction:?}"
    );
}

#[test]
fn one_point_and_no_packets_bound_nothing() {
    let nothing = Bounds { lower_ns: None, upper_ns: None };
    let alone = of(&[1]);
    let mut strange = alone.clone();
    let known = labsim_captures::Known::Other;
    strange.push(Sighting { point: 1, time_ns: 0, known });
    assert_eq!(clocks(&strange).difference(0, 1), nothing);
    assert_eq!(clocks(&[]).difference(0, 1), nothing);
}

#[test]
fn a_point_that_saw_nothing_is_not_bounded() {
    let nothing = Bounds { lower_ns: None, upper_ns: None };
    // The server is the last point: without it, there are two.
    let two = clocks(&of(&[0, 1]));
    for (first, second) in [(0, 2), (1, 2), (2, 0), (2, 1), (2, 2)] {
        assert_eq!(two.difference(first, second), nothing, "{first} {second}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn clocks_that_are_moved_move_their_bounds_and_nothing_else(
        moved in proptest::collection::vec(-4_000_000_000_000i64..4_000_000_000_000, 3),
    ) {
        let mut sightings = sightings();
        for sighting in &mut sightings {
            sighting.time_ns += moved[sighting.point];
        }
        let (before, after) = (clocks(&self::sightings()), clocks(&sightings));
        for first in 0..3 {
            for second in 0..3 {
                let by = moved[second] - moved[first];
                let (old, new) = (before.difference(first, second), after.difference(first, second));
                prop_assert_eq!(new.lower_ns, old.lower_ns.map(|it| it + by));
                prop_assert_eq!(new.upper_ns, old.upper_ns.map(|it| it + by));
            }
        }
    }

    #[test]
    fn packets_that_are_missing_widen_the_bounds(
        kept in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let all = clocks(&sightings());
        let some: Vec<_> =
            sightings().into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(it, _)| it).collect();
        let clocks = clocks(&some);
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            let (all, some) = (all.difference(first, second), clocks.difference(first, second));
            if let Some(upper) = some.upper_ns {
                prop_assert!(upper >= all.upper_ns.unwrap());
            }
            if let Some(lower) = some.lower_ns {
                prop_assert!(lower <= all.lower_ns.unwrap());
            }
        }
    }
}
