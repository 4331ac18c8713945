//! The user's programs: started in their nodes before the steps, watched, ended after them.

mod log;
mod lookup;
mod once;
mod process;

pub(crate) use lookup::check_installed;
pub(crate) use once::run_to_end;
pub(crate) use process::{fmt_status, log_event};

use crate::component::{Component, Pending, Shutdown, done};
use crate::error::RunError;
use crate::logbook::Logbook;
use crate::plan::ProgramPart;
use labsim_codes::{Code, run};
use labsim_event::Event;
use labsim_lab::{Lab, Port};
use labsim_scenario::model::{NodeName, Readiness};
use process::ProgramProcess;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks at a process or a port, which have no event that the lab could wait for.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A program in a node.
pub(crate) struct Program {
    part: ProgramPart,
    logbook: Logbook,
    /// `None` where it does not run.
    process: Option<ProgramProcess>,
    /// Whether it ended because that is how it becomes ready.
    is_done: bool,
}

impl Program {
    pub(super) fn new(part: ProgramPart, logbook: Logbook) -> Self {
        Self { part, logbook, process: None, is_done: false }
    }

    pub(super) fn node(&self) -> &NodeName {
        &self.part.node
    }

    /// What it is: `process radiusd`.
    pub(super) fn what(&self) -> String {
        format!("process {}", self.part.process.name)
    }

    /// How it ended though it should run; `None` while it runs, and if its end is how it became ready.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut().filter(|_| !self.is_done)?;
        process.try_wait().ok().flatten()
    }

    fn running(&mut self) -> Result<&mut ProgramProcess, RunError> {
        let name = self.name();
        let not_running = || RunError::inconsistent(format!("{name} does not run"));
        self.process.as_mut().ok_or_else(not_running)
    }

    /// An error about it, with the last lines of what it printed. It is killed.
    fn error(&mut self, code: Code, what: &str) -> RunError {
        let lines = self.process.as_mut().map(|process| process.kill().last_lines());
        RunError::internal(code, format!("{} {what}{}", self.name(), lines.unwrap_or_default()))
    }

    async fn await_ready(&mut self, lab: &Lab) -> Result<(), RunError> {
        let ProgramPart { node, process, .. } = self.part.clone();
        let node = lab.node(&node).ok_or_else(|| RunError::unknown_node(&node))?;
        let deadline = Instant::now() + process.timeout;
        let is_open = |port| {
            let context = "the open ports of a node";
            node.is_open(port).map_err(RunError::from_source(run::COUNTERS_UNREADABLE, context))
        };
        loop {
            let running = self.running()?;
            let ended = running.try_wait()?;
            let ready = match &process.ready {
                Readiness::Tcp(port) => is_open(Port::Tcp(*port))?,
                Readiness::Udp(port) => is_open(Port::Udp(*port))?,
                Readiness::Line(_) => running.has_printed_line(),
                Readiness::Exit => ended.is_some_and(|status| status.success()),
            };
            match (ready, ended) {
                (true, ended) => {
                    self.is_done = ended.is_some() && process.ready == Readiness::Exit;
                    return Ok(());
                }
                (false, Some(status)) => {
                    let what = format!("{} before it was ready", fmt_status(status));
                    return Err(self.error(run::PROGRAM_ENDED, &what));
                }
                (false, None) if Instant::now() >= deadline => {
                    let (limit, unmet) = (process.timeout, fmt_unmet(&process.ready));
                    let what = format!("was not ready after {limit:?}: {unmet}");
                    return Err(self.error(run::PROGRAM_NOT_READY, &what));
                }
                (false, None) => sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Waits until it has ended, at most until `deadline`.
    async fn await_end(&mut self, deadline: Instant) -> Result<(), RunError> {
        let Some(process) = &mut self.process else { return Ok(()) };
        while process.try_wait()?.is_none() && Instant::now() < deadline {
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

impl Component<Lab> for Program {
    fn name(&self) -> String {
        format!("the process `{}` in {}", self.part.process.name, self.part.node)
    }

    fn start(&mut self, lab: &Lab, emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let ProgramPart { node: name, process, .. } = &self.part;
        let node = lab.node(name).ok_or_else(|| RunError::unknown_node(name))?;
        let line = match &process.ready {
            Readiness::Line(text) => Some(text.clone()),
            _ => None,
        };
        let context = format!("{} cannot be started", self.name());
        let writer = self.logbook.writer(name, &self.what());
        let started = ProgramProcess::start(node, &process.program, line, writer)
            .map_err(RunError::from_source(run::PROGRAM_NOT_STARTED, context))?;
        started.isolation_events(name, &process.name.to_string()).for_each(emit);
        (self.process, self.is_done) = (Some(started), false);
        Ok(())
    }

    fn ready<'a>(&'a mut self, lab: &'a Lab) -> Pending<'a> {
        Box::pin(self.await_ready(lab))
    }

    fn check(&mut self) -> Result<(), RunError> {
        let Some(process) = self.process.as_mut().filter(|_| !self.is_done) else { return Ok(()) };
        match process.try_wait()? {
            Some(status) => {
                let what = format!("{} before the steps ended", fmt_status(status));
                Err(self.error(run::PROGRAM_ENDED, &what))
            }
            None => Ok(()),
        }
    }

    fn request_stop(&mut self) {
        if let Some(process) = &self.process {
            process.terminate();
        }
    }

    /// Waits for its end until the deadline; then it is killed, and its log is emitted.
    fn stop<'a>(&'a mut self, how: Shutdown, emit: &'a dyn Fn(Event)) -> Pending<'a> {
        if self.process.is_none() {
            return done(Ok(()));
        }
        Box::pin(async move {
            let ended = match how {
                Shutdown::Graceful { deadline } => self.await_end(deadline.into()).await,
                Shutdown::Immediate => Ok(()),
            };
            if let Some(mut process) = self.process.take() {
                let (file, node) = (self.part.log_file.clone(), &self.part.node);
                emit(log_event(file, node, &process.kill()));
            }
            ended
        })
    }
}

/// What readiness still lacks.
fn fmt_unmet(ready: &Readiness) -> String {
    match ready {
        Readiness::Tcp(port) => format!("no process listens on TCP port {port}"),
        Readiness::Udp(port) => format!("no process has UDP port {port} open"),
        Readiness::Line(text) => format!("no line with `{text}` was printed"),
        Readiness::Exit => "it is still running".to_owned(),
    }
}
