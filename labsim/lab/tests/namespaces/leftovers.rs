//! Nothing of a lab is left, and nothing of the host's changes.

use crate::helpers::descriptors;
use crate::hosts::{node, udp};
use crate::shape::shipped;
use crate::teardown::{CloseError, close_and_wait};
use labsim_lab::{Capture, MarkerKind};
use labsim_test_support::soon;
use std::fs::{read_link, read_to_string};
use std::time::Instant;

labsim_test_support::tests![
    no_descriptor_is_left,
    no_thread_is_left,
    the_hosts_own_namespace_stays_as_it_is,
    the_kernel_lets_go_of_everything,
    a_namespace_that_is_still_held_is_named,
];

fn no_descriptor_is_left() {
    drop(shipped());
    let before = descriptors();
    for _ in 0..3 {
        let lab = shipped();
        let capture = Capture::start(&lab).unwrap();
        capture.mark(MarkerKind::Start, soon()).unwrap();
        drop(capture.stop().unwrap());
        let dropped = Capture::start(&lab).unwrap();
        drop(dropped);
        drop(lab);
    }
    assert_eq!(descriptors(), before);
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn no_thread_is_left() {
    let before = threads();
    let lab = shipped();
    let capture = Capture::start(&lab).unwrap();
    drop(capture);
    drop(lab);
    // A thread that has been joined is listed a moment longer.
    let deadline = soon();
    while threads() > before {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

/// What a lab could change in the namespace of this process.
fn host() -> Vec<String> {
    let names = read_to_string("/proc/self/net/dev").unwrap();
    let names = names.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
    let mut state = vec![names.collect::<Vec<_>>().join(" ")];
    state.push(read_link("/proc/self/ns/net").unwrap().to_string_lossy().into_owned());
    for file in ["route", "fib_trie", "if_inet6", "ipv6_route"] {
        state.push(read_to_string(format!("/proc/self/net/{file}")).unwrap_or_default());
    }
    for folder in std::fs::read_dir("/proc/sys/net/ipv4/conf").unwrap() {
        let folder = folder.unwrap().path();
        for setting in ["rp_filter", "arp_ignore", "arp_announce", "forwarding", "medium_id"] {
            let value = read_to_string(folder.join(setting)).unwrap_or_default();
            state.push(format!("{}/{setting} {value}", folder.display()));
        }
    }
    state.sort();
    state
}

fn the_hosts_own_namespace_stays_as_it_is() {
    let before = host();
    let lab = shipped();
    assert_eq!(host(), before);
    drop(lab);
    assert_eq!(host(), before);
}

fn the_kernel_lets_go_of_everything() {
    for _ in 0..3 {
        let lab = shipped();
        let capture = Capture::start(&lab).unwrap();
        capture.mark(MarkerKind::Start, soon()).unwrap();
        drop(capture);
        close_and_wait(lab, soon()).unwrap();
    }
}

fn a_namespace_that_is_still_held_is_named() {
    let lab = shipped();
    let held = udp(node(&lab, "rs2"), "0.0.0.0:0");
    let ended = close_and_wait(lab, Instant::now() + std::time::Duration::from_millis(500));
    match ended {
        Err(CloseError::StillThere { nodes }) => {
            assert!(nodes.contains(&"rs2".to_owned()), "{nodes:?}");
        }
        other => panic!("{other:?}"),
    }
    drop(held);
}
