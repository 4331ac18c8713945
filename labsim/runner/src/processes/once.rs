//! A program that a step runs to its end.

use super::log::Log;
use super::{BETWEEN, Started, said};
use crate::fault::Fault;
use labsim_lab::Lab;
use labsim_scenario::model::{LoginResult, Run};
use labsim_verdict::Attempt;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::time::{Instant, sleep};

/// How it went, and what it printed.
pub(crate) struct Ended {
    pub(crate) attempt: Attempt,
    pub(crate) log: Log,
}

/// Runs it, no longer than it may.
pub(crate) async fn to_its_end(lab: &Lab, run: &Run) -> Result<Ended, Fault> {
    let node = lab.node(&run.node).ok_or_else(|| Fault::no_node(&run.node))?;
    let name = super::lookup::shown(&run.program);
    let began = std::time::Instant::now();
    let deadline = Instant::now() + run.timeout;
    let mut started = Started::start(node, &run.program, None)
        .map_err(Fault::broken(&format!("{name} cannot be started in {}", run.node)))?;
    let status = loop {
        match started.ended()? {
            Some(status) => break Some(status),
            None if Instant::now() >= deadline => break None,
            None => sleep(BETWEEN).await,
        }
    };
    let duration_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let log = started.end();
    let (result, how) = match status {
        Some(status) if status.code() == Some(i32::from(run.exit)) => {
            (LoginResult::Pass, said(status))
        }
        Some(status) => {
            (LoginResult::Fail, format!("{}, and {} was wanted", said(status), run.exit))
        }
        None => (LoginResult::Timeout, format!("had not ended after {:?}", run.timeout)),
    };
    let lines = match result {
        LoginResult::Pass => String::new(),
        _ => log.last_lines(),
    };
    let attempt = Attempt {
        from: run.node.clone(),
        protocol: 0,
        result,
        detail: format!("{name} {how}{lines}"),
        local: None,
        remote: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        duration_ns,
    };
    Ok(Ended { attempt, log })
}
