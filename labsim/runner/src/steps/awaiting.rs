//! Waits until a forwarder has counted so far, or its monitors have found a member up or down.

use crate::balancers::Balancers;
use crate::fault::Fault;
use labsim_monitor::State;
use labsim_scenario::model::{MemberState, NodeName};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two questions: a forwarder tells its counters when it is asked, and has no event for
/// their rise. Short beside anything that is waited for.
const BETWEEN: Duration = Duration::from_millis(2);

/// What is waited for.
pub(super) struct Wanted<'a> {
    pub(super) node: &'a NodeName,
    pub(super) counter: &'a str,
    pub(super) at_least: u64,
}

/// A sentence about how it came about, or about what there was instead when the time was over.
pub(super) async fn counter(
    balancers: &mut Balancers<'_>,
    wanted: &Wanted<'_>,
    limit: Duration,
) -> Result<Result<String, String>, Fault> {
    let Wanted { node, counter, at_least } = wanted;
    let deadline = Instant::now() + limit;
    loop {
        let is = balancers.counter(node, counter).await?;
        if let Some(is) = is.filter(|is| is >= at_least) {
            return Ok(Ok(format!("{counter} of {node} is {is}")));
        }
        if Instant::now() >= deadline {
            return Ok(Err(match is {
                Some(is) => format!(
                    "{counter} of {node} is {is} after {limit:?}, and at least {at_least} was \
                     waited for"
                ),
                None => format!("the forwarder in {node} has no counter named {counter}"),
            }));
        }
        sleep(BETWEEN).await;
    }
}

/// The member that is waited for.
pub(super) struct WantedMember<'a> {
    pub(super) node: &'a NodeName,
    pub(super) pool: &'a str,
    pub(super) member: SocketAddr,
    pub(super) state: MemberState,
}

/// A sentence about how it came about, or about how the member fares when the time was over. What
/// counts is what a probe leaves that ends after this began: what was found before may be over.
pub(super) async fn member(
    balancers: &mut Balancers<'_>,
    wanted: &WantedMember<'_>,
    limit: Duration,
) -> Result<Result<String, String>, Fault> {
    let WantedMember { node, pool, member, state } = *wanted;
    let deadline = Instant::now() + limit;
    let is_it = |found| match state {
        MemberState::Up => found == State::Up,
        MemberState::Down => found == State::Down,
    };
    let before = balancers.health(node, pool, member).await?.map_or(0, |health| health.probes);
    loop {
        let health = balancers.health(node, pool, member).await?;
        let since = health.as_ref().filter(|health| health.probes > before);
        if let Some(health) = since.filter(|health| is_it(health.state)) {
            let reason = &health.reason;
            return Ok(Ok(format!("{member} of {pool} is {}: {reason}", state.word())));
        }
        if Instant::now() >= deadline {
            return Ok(Err(match health {
                Some(health) => format!(
                    "{member} of {pool} is {} after {limit:?}, and {} was waited for; its last \
                     probe: {}",
                    health.state.word(),
                    state.word(),
                    if health.reason.is_empty() { "none yet" } else { &health.reason }
                ),
                None => format!("nobody watches {member} of {pool} in {node}"),
            }));
        }
        sleep(BETWEEN).await;
    }
}
