//! A program that a step runs to its end.

use super::POLL_INTERVAL;
use super::log::Log;
use super::process::{ProgramProcess, fmt_status};
use crate::error::RunError;
use crate::logbook::Logbook;
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::Lab;
use labsim_scenario::model::{LoginResult, Run, StepName};
use labsim_verdict::Attempt;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::time::{Instant, sleep};

/// How it went, and what it printed.
pub(crate) struct EndedProgram {
    pub(crate) attempt: Attempt,
    pub(crate) log: Log,
}

/// Runs a step's program until it ends or its timeout is over, which kills it.
pub(crate) async fn run_to_end(
    lab: &Lab,
    step: &StepName,
    run: &Run,
    logbook: &Logbook,
    emit: &dyn Fn(Event),
) -> Result<EndedProgram, RunError> {
    let node = lab.node(&run.node).ok_or_else(|| RunError::unknown_node(&run.node))?;
    let name = super::lookup::display_name(&run.program);
    let (began, began_ns) = (std::time::Instant::now(), labsim_lab::now_ns());
    let deadline = Instant::now() + run.timeout;
    let writer = logbook.writer(&run.node, &format!("step {step}"));
    let mut started =
        ProgramProcess::start(node, &run.program, None, writer).map_err(RunError::from_source(
            run::PROGRAM_NOT_STARTED,
            &format!("{name} cannot be started in {}", run.node),
        ))?;
    started.isolation_events(&run.node, step.as_str()).for_each(emit);
    let status = loop {
        match started.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() >= deadline => break None,
            None => sleep(POLL_INTERVAL).await,
        }
    };
    let duration_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let log = started.kill();
    let (result, how) = match status {
        Some(status) if status.code() == Some(i32::from(run.exit)) => {
            (LoginResult::Pass, fmt_status(status))
        }
        Some(status) => {
            (LoginResult::Fail, format!("{}, expected {}", fmt_status(status), run.exit))
        }
        None => (LoginResult::Timeout, format!("was still running after {:?}", run.timeout)),
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
        began_ns,
        duration_ns,
    };
    Ok(EndedProgram { attempt, log })
}
