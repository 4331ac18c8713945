//! The way of a step's first packet and of the first answer to it, as lines of text.

use crate::{Journey, Journeys, Observations, Sighting};
use labsim_scenario::model::{NodeName, StepName};
use std::net::IpAddr;

/// What became of a step's first packet.
#[derive(Debug)]
pub struct Walk {
    asked: Option<Journey>,
    answered: Option<Journey>,
}

impl Walk {
    /// That of a step, in what was captured while it was run.
    #[must_use]
    pub fn of<'a>(
        observations: &Observations,
        balancers: impl IntoIterator<Item = &'a NodeName>,
        step: &StepName,
    ) -> Self {
        let journeys = Journeys::without_probes(observations, balancers);
        let attempts = observations.step(step).map(|it| it.attempts.as_slice());
        let client = attempts.and_then(|all| all.first()?.local);
        let first = journeys.first_sent(client, 0, u64::MAX);
        let answer = first.and_then(|first| journeys.answer_to(first));
        let journey = |index: Option<usize>| index.and_then(|index| journeys.of_frame(index));
        Self { asked: journey(first), answered: journey(answer) }
    }

    /// The source of the first answer where the client saw it; nothing if none came home.
    #[must_use]
    pub fn source_seen(&self) -> Option<IpAddr> {
        let home = &self.asked.as_ref()?.sightings.first()?.node;
        let last = self.answered.as_ref()?.sightings.last()?;
        let packet = last.decoded.packet()?;
        (last.node == *home).then(|| packet.innermost().source)
    }

    /// A line for each place where a packet was seen, below one that says which packet it is.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Some(asked) = &self.asked else {
            return vec!["no packet was captured, monitors' probes apart".to_owned()];
        };
        let mut lines = vec![format!("its first packet, {}:", asked.packet)];
        lines.extend(places(asked));
        match &self.answered {
            Some(answered) => {
                lines.push(format!("the first answer to it, {}:", answered.packet));
                lines.extend(places(answered));
            }
            None => lines.push("no answer to it was captured".to_owned()),
        }
        lines
    }
}

/// Places at most, and of a packet that goes round, which passes the same ones again and again.
const PLACES: usize = 32;
const PLACES_OF_ROUNDS: usize = 12;

fn places(journey: &Journey) -> Vec<String> {
    let point = |seen: &Sighting| format!("{}:{} {}", seen.node, seen.interface, seen.direction);
    let most = if journey.rounds.is_some() { PLACES_OF_ROUNDS } else { PLACES };
    let shown = journey.sightings.iter().take(most);
    let width = shown.clone().map(|seen| point(seen).len()).max().unwrap_or_default();
    let mut lines: Vec<String> = shown
        .map(|seen| {
            let (point, frame) = (point(seen), seen.decoded.line(Some(seen.relative)));
            format!("  {point:width$}  {frame}")
        })
        .collect();
    if let Some(more) = journey.sightings.len().checked_sub(most).filter(|more| *more > 0) {
        lines.push(format!("  and at {more} more places"));
    }
    if let Some(rounds) = &journey.rounds {
        lines.push(format!("  it {rounds}"));
    }
    lines
}
