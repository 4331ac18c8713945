//! Captures that hold anything: nothing panics, and what is said stays bounded.

use crate::lab::{Lab, VIP};
use crate::scenario::{at, at_real_server, balanced, node, scenario, step};
use labsim_codes::cause;
use labsim_scenario::model::{Check, Count, FrameMatch, LoginResult};
use labsim_verdict::judge;
use std::net::IpAddr;

/// Lines of one judgement or diagnosis at most: forty of a list, and a few around it.
const LINES: usize = 50;

/// A small generator (xorshift): the same bytes every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn checks() -> Vec<Check> {
    let vip = IpAddr::from(*VIP.ip());
    let rows = vec![FrameMatch { ttl: Some(126), ..FrameMatch::default() }; 60];
    let exchange =
        |at| Check::Exchange { at, step: step("login"), direction: None, frames: rows.clone() };
    vec![
        Check::Answer { step: step("login"), result: LoginResult::Pass, source: Some(vip) },
        Check::ServerSaw { step: step("login"), client: vip },
        Check::AnsweredBy { step: step("login"), nodes: vec![node("rs1")] },
        Check::Distribution { step: step("login"), nodes: vec![node("rs1")], at_least: 1 },
        Check::Diagnosis { step: step("login"), cause: cause::VIP_MISSING, node: None },
        exchange(at("lb", "eth0")),
        exchange(at_real_server("tunl0")),
        Check::Frames {
            at: at("router", "lb"),
            matching: FrameMatch { ttl: Some(126), ..FrameMatch::default() },
            count: Count::Exactly(1000),
        },
    ]
}

#[test]
fn changed_frames_neither_panic_nor_are_told_of_without_a_bound() {
    let scenario = balanced(scenario(checks()), 4949);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..100 {
        let mut lab = Lab::with_login();
        let original = lab.seen.capture.clone();
        for _ in 0..3 {
            for frame in original.frames() {
                let mut bytes = frame.bytes.to_vec();
                for _ in 0..random.below(4) {
                    let place = random.below(bytes.len());
                    bytes[place] = u8::try_from(random.below(256)).unwrap();
                }
                if random.below(8) == 0 {
                    bytes.truncate(random.below(bytes.len()));
                }
                let point = &original.points()[frame.record.point.0];
                let (node_name, interface) = (point.node.as_str(), point.interface.as_str());
                lab.push_as_it_is(node_name, interface, frame.record.direction, &bytes);
            }
        }
        let verdict = judge(&scenario, &lab.seen);
        for judgement in &verdict.expectations {
            assert!(judgement.seen.len() <= LINES && judgement.expected.len() <= LINES);
            assert!(judgement.frames.len() <= 41);
        }
        for diagnosis in &verdict.diagnoses {
            assert!(diagnosis.causes.iter().all(|found| found.frames.lines.len() <= 40));
            for trace in [&diagnosis.forward, &diagnosis.back].into_iter().flatten() {
                assert!(trace.path.len() <= LINES && trace.frames.lines.len() <= 40);
            }
        }
    }
}
