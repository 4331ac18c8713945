//! The packet table: a row is an engine, a frame that comes in, what it is called and counted as,
//! and every frame that goes out for it, byte for byte. The bytes are an independent encoder's.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../engine/support/mod.rs"]
mod support;

mod checks;
mod faulty;
mod forwarded;
mod forwarded6;
mod fragments;
mod fragments6;
mod icmp;
mod icmp6;
mod link;
mod ndp;
mod packet;
mod packet6;
mod refused;
mod refused6;
mod tunnel;
mod tunnel6;

use labsim_forwarder::{Config, Outcome, Route};
use std::collections::BTreeMap;
use std::time::Duration;
use support::{Bench, Full};

/// One row.
struct Row {
    name: &'static str,
    config: Config,
    routes: Vec<Route>,
    /// Whether the router's link address is known.
    resolved: bool,
    /// Whether the data plane has room for frames.
    room: bool,
    /// Came before; what it led to is of no interest here.
    before: Vec<Vec<u8>>,
    /// The member that is down when the frame comes.
    down: Option<&'static str>,
    /// Passes between them and the frame.
    wait: Duration,
    frame: Vec<u8>,
    /// What the frame's processing returns.
    outcome: Outcome,
    /// Passes after the frame, with all that falls due.
    then: Duration,
    /// Outcomes counted for this frame and for those that waited for it; the frame's own, unless it
    /// waits, if nothing else is said.
    counted: Option<Vec<Outcome>>,
    /// Every frame that goes out for it, in order.
    goes_out: Vec<Vec<u8>>,
}

/// A row on the usual engine (`support::config`), which knows its router.
fn row(name: &'static str, frame: Vec<u8>, outcome: Outcome) -> Row {
    Row {
        name,
        config: support::config(),
        routes: support::routes(),
        resolved: true,
        room: true,
        before: Vec::new(),
        down: None,
        wait: Duration::ZERO,
        frame,
        outcome,
        then: Duration::ZERO,
        counted: None,
        goes_out: Vec::new(),
    }
}

impl Row {
    fn on(self, config: Config) -> Self {
        Self { config, ..self }
    }

    fn after(self, before: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { before: before.into_iter().collect(), ..self }
    }

    fn goes_out(self, frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { goes_out: frames.into_iter().collect(), ..self }
    }

    fn counted(self, outcomes: &[Outcome]) -> Self {
        Self { counted: Some(outcomes.to_vec()), ..self }
    }

    fn check(&self) {
        let name = self.name;
        let mut bench = Bench::unresolved(&self.config, &self.routes);
        bench.tick();
        if self.resolved {
            let learned = [
                bench.feed(&support::arp_reply()) == Outcome::ArpLearned,
                bench.feed(&support::ipv6::router_advertises()) == Outcome::NdpLearned,
            ];
            assert_ne!(learned, [false; 2], "{name}");
        }
        for frame in &self.before {
            bench.feed(frame);
        }
        bench.pass(self.wait);
        bench.take();
        if let Some(member) = self.down.map(support::address) {
            assert!(bench.engine.set_down(bench.now, "pool", member, true), "{name}");
        }
        let tallies = tallies(&bench);
        let outcome = if self.room {
            bench.feed(&self.frame)
        } else {
            bench.engine.process(bench.now, &self.frame, &mut Full)
        };
        assert_eq!(outcome, self.outcome, "{name}");
        bench.pass(self.then);
        let sent = bench.take();
        for (place, expected) in self.goes_out.iter().enumerate() {
            let sent =
                sent.get(place).unwrap_or_else(|| panic!("{name}: frame {place} is missing"));
            assert_eq!(text(sent), text(expected), "{name}: frame {place}");
        }
        let rest: Vec<_> = sent.iter().skip(self.goes_out.len()).map(|frame| text(frame)).collect();
        assert!(rest.is_empty(), "{name}: beyond its row: {rest:?}");
        let mut expected = tallies;
        let own = if outcome.is_last() { vec![outcome] } else { Vec::new() };
        for outcome in self.counted.as_ref().unwrap_or(&own) {
            *expected.get_mut(outcome.name()).unwrap() += 1;
        }
        assert_eq!(self::tallies(&bench), expected, "{name}");
    }
}

fn tallies(bench: &Bench) -> BTreeMap<String, u64> {
    let outcomes = bench.counters().outcomes.into_iter();
    outcomes.map(|(name, tally)| (name, tally.packets)).collect()
}

/// A frame as lines of 16 bytes, so that a difference shows its place.
fn text(frame: &[u8]) -> Vec<String> {
    let hex = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect();
    frame.chunks(16).map(hex).collect()
}
