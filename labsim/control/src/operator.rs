//! Answers requests: the one place where a running forwarder's configuration changes.

use crate::edit;
use crate::metrics::{Exposed, metrics};
use crate::protocol::{Answer, Request, Status};
use labsim_dataplane::forwarder::{Handle, Refusal};
use labsim_forwarder::{Config, Plan, Problem};
use labsim_monitor::Monitors;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file that the configuration came from.
pub struct ConfigFile {
    /// Its name, for sentences.
    pub name: String,
    /// Reads it again; every mistake of it with its place, if there are any.
    pub read: Box<dyn Fn() -> Result<Config, Vec<String>> + Send + Sync>,
}

/// Operates one forwarder. Threads share it; one change is made at a time.
pub struct Operator {
    handle: Handle,
    monitors: Monitors,
    file: ConfigFile,
    present: Mutex<Present>,
}

struct Present {
    config: Config,
    taken: u64,
    refused: u64,
}

impl Operator {
    /// For a forwarder that was started with that configuration, out of that file, and its monitors.
    #[must_use]
    pub fn new(handle: Handle, monitors: Monitors, config: Config, file: ConfigFile) -> Self {
        let present = Mutex::new(Present { config, taken: 0, refused: 0 });
        Self { handle, monitors, file, present }
    }

    /// Answers.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        match request {
            Request::Counters => self.counted(Answer::Counters),
            Request::Status => {
                let config = self.present().config.clone().without_secrets();
                let health = self.monitors.health();
                self.counted(|counted| Answer::Status(Box::new(Status { config, health, counted })))
            }
            Request::Metrics => match self.metrics() {
                Some(text) => Answer::Metrics(text),
                None => gone(),
            },
            Request::Health => Answer::Health(self.monitors.health()),
            Request::StopMonitors => Answer::MonitorsStopped(self.monitors.stop()),
            Request::Reload => self.reload(),
            Request::Configure(config) => self.change(|present| {
                *present = (**config).clone();
                Ok(())
            }),
            Request::AddMember(what) => self.change(|config| edit::add(config, what)),
            Request::SetMember(what) => self.change(|config| edit::set(config, what)),
            Request::RemoveMember(what) => self.change(|config| edit::remove(config, what)),
        }
    }

    /// Reads the file again and takes it over.
    #[must_use]
    pub fn reload(&self) -> Answer {
        let mut present = self.present();
        let result = (self.file.read)().and_then(|config| {
            let named = |sentences: Vec<String>| {
                let name = &self.file.name;
                sentences.iter().map(|sentence| format!("{name}: {sentence}")).collect()
            };
            self.take_over(&mut present.config, config).map_err(named)
        });
        counted_result(&mut present, result)
    }

    /// The metrics; `None` if the forwarder has ended.
    #[must_use]
    pub fn metrics(&self) -> Option<String> {
        let counted = self.handle.count()?;
        let present = self.present();
        let Present { config, taken, refused } = &*present;
        let (health, taken, refused) = (&self.monitors.health(), *taken, *refused);
        Some(metrics(&Exposed { config, counted: &counted, health, taken, refused }))
    }

    /// Watches the members of the configuration that the forwarder was started with, once it runs.
    pub fn watch(&self) {
        self.monitors.configure(&self.present().config);
    }

    /// Ends the monitors, and takes away what they had made of the kernel, once the forwarder has
    /// ended.
    pub fn end(&self) {
        let _ = self.monitors.stop();
    }

    /// Ends the forwarder.
    pub fn stop(&self) {
        self.handle.stop();
    }

    fn change(&self, edit: impl FnOnce(&mut Config) -> Result<(), String>) -> Answer {
        let mut present = self.present();
        let mut config = present.config.clone();
        let result = edit(&mut config).map_err(|reason| vec![reason]);
        let result = result.and_then(|()| self.take_over(&mut present.config, config));
        counted_result(&mut present, result)
    }

    fn take_over(&self, present: &mut Config, config: Config) -> Result<Answer, Vec<String>> {
        let sentences =
            |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        // What takes long is made here, beside the forwarder.
        let plan = Plan::new(config.clone()).map_err(sentences)?;
        self.monitors.prepare(&config).map_err(|error| vec![error.to_string()])?;
        match self.handle.reconfigure(plan) {
            Ok(changes) => {
                self.monitors.configure(&config);
                *present = config;
                Ok(Answer::Changed(changes))
            }
            Err(Refusal::Problems(problems)) => Err(sentences(problems)),
            Err(refusal @ Refusal::Kernel(_)) => {
                self.monitors.configure(&config);
                *present = config;
                Err(vec![refusal.to_string()])
            }
            Err(refusal @ Refusal::Gone) => Err(vec![refusal.to_string()]),
        }
    }

    fn counted(
        &self,
        answer: impl FnOnce(labsim_dataplane::forwarder::Snapshot) -> Answer,
    ) -> Answer {
        self.handle.count().map_or_else(gone, answer)
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        // A panic of another thread leaves a configuration that was in force.
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counted_result(present: &mut Present, result: Result<Answer, Vec<String>>) -> Answer {
    match result {
        Ok(answer) => {
            present.taken += 1;
            answer
        }
        Err(reasons) => {
            present.refused += 1;
            Answer::Refused(reasons)
        }
    }
}

fn gone() -> Answer {
    Answer::refused("the forwarder has ended")
}
