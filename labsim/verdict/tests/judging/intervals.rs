//! A counter is evidence only for packets that were on their way while it rose.

use crate::diagnosing::{causes, lost_after};
use crate::lab::{Lab, reaches};
use crate::scenario::{node, scenario, step};
use labsim_verdict::{IntervalCounters, diagnose};

/// A second of nanoseconds; the login's packets are sent in the second one.
const SECOND: u64 = 1_000_000_000;

/// The login's packets reach rs2's tunnel device, and IpInAddrErrors rises by 2 in that second.
fn with_errors_in(second: u64) -> Lab {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInAddrErrors", 2);
    for (number, name) in ["before", "login", "after"].into_iter().enumerate() {
        let number = number as u64;
        let (from_ns, until_ns) = (number * SECOND, (number + 1) * SECOND - 1);
        let mut interval = IntervalCounters { from_ns, until_ns, ..IntervalCounters::default() };
        if number == second {
            let counters = [("IpInAddrErrors".to_owned(), 2)].into();
            interval.kernel.insert(node("rs2"), counters);
        }
        lab.seen.step_counters.insert(step(name), interval);
    }
    lab
}

fn sentences(lab: &Lab) -> Vec<String> {
    let diagnosis = diagnose(&scenario(Vec::new()), &lab.seen, &step("login")).unwrap();
    causes(&diagnosis).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_counter_that_rose_in_another_steps_time_is_no_evidence() {
    assert_eq!(sentences(&with_errors_in(0)), Vec::<String>::new());
    assert_eq!(sentences(&with_errors_in(2)), Vec::<String>::new());
    assert_eq!(
        sentences(&with_errors_in(1)),
        [
            "rs2 dropped 2 packets for 172.16.4.99 (IpInAddrErrors +2): no interface has this address"
        ]
    );
}

#[test]
fn a_retransmission_in_a_later_steps_time_is_counted_there() {
    let mut lab = with_errors_in(2);
    lab.wait(2 * SECOND);
    lab.client_sends(lab.client(labsim_wire::tcp::Flags::SYN, 0, 0, 0), reaches::RS_TUNNEL);
    assert_eq!(sentences(&lab).len(), 1);
}
