//! Waits until a forwarder has counted so far.

use crate::balancers::Balancers;
use crate::fault::Fault;
use labsim_scenario::model::NodeName;
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
