//! Waits for conditions in a forwarder: a counter's value, a member's state; and changes of
//! members.

use super::StepEnd;
use crate::components::balancer::Balancer;
use crate::error::RunError;
use labsim_event::Event;
use labsim_monitor::State;
use labsim_scenario::model::{MemberChange, MemberState, MemberUpdate, StepName, settings_text};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two requests: a forwarder has no event for a rising counter. Short compared to anything
/// that a step waits for.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Between two events about one wait.
const TELL_INTERVAL: Duration = Duration::from_millis(500);

/// Tells what a step has found while it waits.
pub(super) struct Telling<'a> {
    emit: &'a dyn Fn(Event),
    step: &'a StepName,
    next: Instant,
    told: String,
}

impl<'a> Telling<'a> {
    pub(super) fn new(emit: &'a dyn Fn(Event), step: &'a StepName) -> Self {
        Self { emit, step, next: Instant::now() + TELL_INTERVAL, told: String::new() }
    }

    /// Emits what was found, if it is time and it is new.
    fn tell(&mut self, found: impl FnOnce() -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + TELL_INTERVAL;
        let found = found();
        if found != self.told {
            self.told.clone_from(&found);
            (self.emit)(Event::StepWaits { step: self.step.to_string(), found });
        }
    }
}

/// A forwarder's counter has risen so far.
pub(super) struct Counter<'a> {
    pub(super) counter: &'a str,
    pub(super) at_least: u64,
}

impl Counter<'_> {
    /// Waits for it, `limit` at most.
    pub(super) async fn wait(
        &self,
        forwarder: &mut Balancer,
        limit: Duration,
        mut telling: Telling<'_>,
    ) -> Result<StepEnd, RunError> {
        let Self { counter, at_least } = self;
        let deadline = Instant::now() + limit;
        loop {
            let value = forwarder.counters().await?.get(*counter).copied();
            let node = forwarder.node();
            match value {
                Some(value) if value >= *at_least => {
                    return Ok(StepEnd::done(format!("{counter} of {node} is {value}")));
                }
                _ if Instant::now() < deadline => {
                    telling.tell(|| match value {
                        Some(value) => format!("{counter} of {node} is {value}"),
                        None => format!("{node} has no counter {counter}"),
                    });
                    sleep(POLL_INTERVAL).await;
                }
                Some(value) => {
                    let detail = format!(
                        "{counter} of {node} is {value} after {limit:?}, expected at least \
                         {at_least}"
                    );
                    return Ok(StepEnd::timed_out(detail));
                }
                None => {
                    let detail = format!("the forwarder in {node} has no counter `{counter}`");
                    return Ok(StepEnd::timed_out(detail));
                }
            }
        }
    }
}

/// A member's monitor has found it in a state.
pub(super) struct Member<'a> {
    pub(super) pool: &'a str,
    pub(super) member: SocketAddr,
    pub(super) state: MemberState,
}

impl Member<'_> {
    /// Waits for it, `limit` at most. Only a probe that ends after this began counts: what an
    /// earlier one found may be outdated.
    pub(super) async fn wait(
        &self,
        forwarder: &mut Balancer,
        limit: Duration,
        mut telling: Telling<'_>,
    ) -> Result<StepEnd, RunError> {
        let Self { pool, member, state } = *self;
        let deadline = Instant::now() + limit;
        let expected = match state {
            MemberState::Up => State::Up,
            MemberState::Down => State::Down,
        };
        let before = forwarder.health(pool, member).await?.map_or(0, |health| health.probes);
        loop {
            let health = forwarder.health(pool, member).await?;
            let current = health.as_ref().filter(|health| health.probes > before);
            if let Some(health) = current.filter(|health| health.state == expected) {
                let reason = &health.reason;
                let detail = format!("{member} of {pool} is {}: {reason}", state.word());
                return Ok(StepEnd::done(detail));
            }
            if Instant::now() >= deadline {
                return Ok(StepEnd::timed_out(match health {
                    Some(health) => format!(
                        "{member} of {pool} is {} after {limit:?}, expected {}; its last probe: {}",
                        health.state.name(),
                        state.word(),
                        if health.reason.is_empty() { "none yet" } else { &health.reason }
                    ),
                    None => {
                        format!("{member} of {pool} of {} has no monitor", forwarder.node())
                    }
                }));
            }
            telling.tell(|| match &health {
                Some(health) => {
                    let reason = if health.reason.is_empty() { "none yet" } else { &health.reason };
                    let state = health.state.name();
                    format!("{member} of {pool} is {state}; its last probe: {reason}")
                }
                None => format!("{member} of {pool} has no monitor"),
            });
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// The state of a member after a change.
pub(super) fn fmt_change(change: &MemberUpdate) -> String {
    let MemberUpdate { node, pool, member, to } = change;
    match to {
        MemberChange::Added { .. } => format!("{member} was added to {pool} of {node}"),
        MemberChange::Set { ratio: Some(0), state: None } => {
            format!("{member} of {pool} of {node} receives no new flows")
        }
        MemberChange::Set { ratio, state } => {
            let settings = settings_text(*ratio, *state);
            format!("{member} of {pool} of {node} has {settings}")
        }
        MemberChange::Removed => format!("{member} was removed from {pool} of {node}"),
    }
}
