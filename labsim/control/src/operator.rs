//! Handles requests: the only place where a running forwarder's configuration changes.

use crate::edit;
use crate::metrics::{MetricsSource, metrics};
use crate::protocol::{Answer, Request, Status};
use labsim_dataplane::forwarder::{Handle, ReconfigureError};
use labsim_forwarder::{Changes, CheckedConfig, Config, Problem};
use labsim_monitor::Monitors;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file that the configuration came from.
pub struct ConfigFile {
    /// The file's name, for messages.
    pub name: String,
    /// Reads the file again; all of its errors with their places, if there are any.
    pub read: Box<dyn Fn() -> Result<Config, Vec<String>> + Send + Sync>,
}

/// Operates one forwarder. Threads share it; changes are serialised.
pub struct Operator {
    handle: Handle,
    monitors: Monitors,
    file: ConfigFile,
    current: Mutex<Current>,
}

struct Current {
    config: Config,
    applied: u64,
    refused: u64,
}

impl Operator {
    /// An operator of a forwarder that was started with `config`, read from `file`.
    #[must_use]
    pub fn new(handle: Handle, monitors: Monitors, config: Config, file: ConfigFile) -> Self {
        let current = Mutex::new(Current { config, applied: 0, refused: 0 });
        Self { handle, monitors, file, current }
    }

    /// Handles a request.
    #[must_use]
    pub fn handle(&self, request: &Request) -> Answer {
        match request {
            Request::Counters => self.with_snapshot(Answer::Counters),
            Request::Status => {
                let config = self.current().config.clone().without_secrets();
                let health = self.monitors.health();
                self.with_snapshot(|counted| {
                    Answer::Status(Box::new(Status { config, health, counted }))
                })
            }
            Request::Metrics => match self.metrics() {
                Some(text) => Answer::Metrics(text),
                None => forwarder_ended(),
            },
            Request::Health => Answer::Health(self.monitors.health()),
            Request::StopMonitors => Answer::MonitorsStopped(self.monitors.stop()),
            Request::PauseMonitors => Answer::MonitorsStopped(self.monitors.pause()),
            Request::ResumeMonitors => {
                self.monitors.resume(&self.current().config);
                Answer::MonitorsResumed
            }
            Request::BeginAnew => match self.handle.begin_anew() {
                true => Answer::Changed(Changes::default()),
                false => forwarder_ended(),
            },
            Request::Reload => self.reload(),
            Request::Configure(config) => self.edit(|current| {
                *current = (**config).clone();
                Ok(())
            }),
            Request::AddMember(what) => self.edit(|config| edit::add(config, what)),
            Request::SetMember(what) => self.edit(|config| edit::set(config, what)),
            Request::RemoveMember(what) => self.edit(|config| edit::remove(config, what)),
            Request::SetFailoverState(state) => self.edit(|config| {
                config.balancer.failover_state = *state;
                Ok(())
            }),
            Request::MirroredFlows { from } => {
                let page = self.handle.mirrored_flows(*from);
                page.map_or_else(forwarder_ended, Answer::MirroredFlows)
            }
            Request::AddMirroredFlows(flows) => {
                let added = self.handle.add_mirrored_flows(flows.clone());
                added.map_or_else(forwarder_ended, Answer::FlowsAdded)
            }
        }
    }

    /// Reads the file again and applies it.
    #[must_use]
    pub fn reload(&self) -> Answer {
        let mut current = self.current();
        let result = (self.file.read)().and_then(|config| {
            let named = |sentences: Vec<String>| {
                let name = &self.file.name;
                sentences.iter().map(|sentence| format!("{name}: {sentence}")).collect()
            };
            self.apply(&mut current.config, config).map_err(named)
        });
        record_result(&mut current, result)
    }

    /// The metrics; `None` if the forwarder has ended.
    #[must_use]
    pub fn metrics(&self) -> Option<String> {
        let counted = self.handle.count()?;
        let current = self.current();
        let Current { config, applied, refused } = &*current;
        let (health, applied, refused) = (&self.monitors.health(), *applied, *refused);
        Some(metrics(&MetricsSource { config, counted: &counted, health, applied, refused }))
    }

    /// Starts the monitors of the current configuration; call it once the forwarder runs.
    pub fn start_monitors(&self) {
        self.monitors.configure(&self.current().config);
    }

    /// Stops the monitors and removes their kernel objects; call it once the forwarder has ended.
    pub fn stop_monitors(&self) {
        let _ = self.monitors.stop();
    }

    /// Stops the forwarder.
    pub fn stop(&self) {
        self.handle.stop();
    }

    fn edit(&self, change: impl FnOnce(&mut Config) -> Result<(), String>) -> Answer {
        let mut current = self.current();
        let mut config = current.config.clone();
        let result = change(&mut config).map_err(|reason| vec![reason]);
        let result = result.and_then(|()| self.apply(&mut current.config, config));
        record_result(&mut current, result)
    }

    fn apply(&self, current: &mut Config, config: Config) -> Result<Answer, Vec<String>> {
        let sentences =
            |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        // The slow part runs on this thread, not on the forwarder's.
        let checked = CheckedConfig::new(config.clone()).map_err(sentences)?;
        self.monitors.prepare(&config).map_err(|error| vec![error.to_string()])?;
        match self.handle.reconfigure(checked) {
            Ok(changes) => {
                self.monitors.configure(&config);
                *current = config;
                tracing::info!(?changes, "configuration applied");
                Ok(Answer::Changed(changes))
            }
            Err(ReconfigureError::Problems(problems)) => Err(sentences(problems)),
            Err(refusal @ ReconfigureError::Kernel(_)) => {
                self.monitors.configure(&config);
                *current = config;
                Err(vec![refusal.to_string()])
            }
            Err(refusal @ ReconfigureError::Gone) => Err(vec![refusal.to_string()]),
        }
    }

    fn with_snapshot(
        &self,
        answer: impl FnOnce(labsim_dataplane::forwarder::Snapshot) -> Answer,
    ) -> Answer {
        self.handle.count().map_or_else(forwarder_ended, answer)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // After a panic of another thread it is still a configuration that was applied.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record_result(current: &mut Current, result: Result<Answer, Vec<String>>) -> Answer {
    match result {
        Ok(answer) => {
            current.applied += 1;
            answer
        }
        Err(reasons) => {
            current.refused += 1;
            tracing::warn!(reasons = reasons.join("; "), "configuration refused");
            Answer::Refused(reasons)
        }
    }
}

fn forwarder_ended() -> Answer {
    Answer::refused("the forwarder has ended")
}
