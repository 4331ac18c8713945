//! The monitors of one forwarder: their thread and its commands.

use crate::health_table::{HealthByPool, HealthTable, State};
use crate::tasks::{MonitorTasks, MonitoredMember};
use labsim_dataplane::forwarder::{Handle, MemberId};
use labsim_dataplane::{Error, FwmarkRedirect};
use labsim_forwarder::Config;
use labsim_model::ProbeSources;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError, mpsc};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

/// A change of a member's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The member.
    pub member: MemberId,
    /// Its new state.
    pub state: State,
    /// The result of the last probe, in a sentence.
    pub reason: String,
}

impl fmt::Display for StateChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member: MemberId { pool, member }, state, reason } = self;
        write!(f, "member {member} of {pool} is {}: {reason}", state.name())
    }
}

/// A command to the thread.
enum Command {
    Redirect(FwmarkRedirect),
    Configure(Config),
    Pause(mpsc::Sender<ProbeSources>),
    Resume(Config),
    Stop(mpsc::Sender<ProbeSources>),
}

/// Running monitors. They end with the process, or when this is dropped.
#[derive(Debug)]
pub struct Monitors {
    commands: UnboundedSender<Command>,
    health: HealthTable,
    /// Of which families packets are redirected: whether each is IPv6.
    redirects: Mutex<BTreeSet<bool>>,
}

impl Monitors {
    /// Starts the thread, which monitors no member until [`Self::configure`]. `on_change` is called
    /// for every change of state.
    ///
    /// # Errors
    /// The kernel refuses a thread or an event queue.
    pub fn start(
        handle: Handle,
        on_change: impl Fn(&StateChange) + Send + 'static,
    ) -> Result<Self, Error> {
        let failed =
            |what: &'static str| move |source| Error::System { what: what.to_owned(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed("the monitors' event queue (epoll(7))"))?;
        let health = HealthTable::default();
        let (commands, to_do) = unbounded_channel();
        let table = health.clone();
        std::thread::Builder::new()
            .name("monitors".to_owned())
            .spawn(move || {
                let tasks = MonitorTasks::new(handle, table, Box::new(on_change));
                LocalSet::new().block_on(&runtime, run_commands(tasks, to_do));
            })
            .map_err(failed("a thread for monitors"))?;
        Ok(Self { commands, health, redirects: Mutex::default() })
    }

    /// Creates what a configuration's monitors need of the kernel. Running monitors do not change.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub fn prepare(&self, config: &Config) -> Result<(), Error> {
        let watched = config
            .balancer
            .monitored_members()
            .into_iter()
            .filter(|watched| watched.monitor.transparent);
        let vips: BTreeSet<IpAddr> =
            watched.flat_map(|watched| watched.targets).map(|target| target.ip()).collect();
        if vips.is_empty() {
            return Ok(());
        }
        let families: BTreeSet<bool> = vips.iter().map(IpAddr::is_ipv6).collect();
        FwmarkRedirect::refuse_own(&config.interface, vips)?;
        let mut redirects = self.redirects.lock().unwrap_or_else(PoisonError::into_inner);
        for is_ipv6 in families {
            if !redirects.contains(&is_ipv6) {
                self.send(Command::Redirect(FwmarkRedirect::open(&config.interface, is_ipv6)?));
                redirects.insert(is_ipv6);
            }
        }
        Ok(())
    }

    /// Monitors the members of this configuration, which the forwarder already uses.
    pub fn configure(&self, config: &Config) {
        raise_descriptors();
        self.send(Command::Configure(config.clone()));
    }

    /// The health of each monitored member.
    #[must_use]
    pub fn health(&self) -> HealthByPool {
        self.health.health()
    }

    /// Ends all probes for good; members keep their state. Returns the sources of all probes, once
    /// this process has sent the last of their packets.
    #[must_use]
    pub fn stop(&self) -> ProbeSources {
        self.ask(Command::Stop)
    }

    /// Ends all probes until [`Self::resume`]; members keep their state. Returns the sources of the
    /// probes since shortly before the last pause, once this process has sent the last of their packets.
    #[must_use]
    pub fn pause(&self) -> ProbeSources {
        self.ask(Command::Pause)
    }

    /// Probes the members of this configuration again. Has no effect unless paused.
    pub fn resume(&self, config: &Config) {
        self.send(Command::Resume(config.clone()));
    }

    fn ask(&self, command: impl FnOnce(mpsc::Sender<ProbeSources>) -> Command) -> ProbeSources {
        let (answer, answered) = mpsc::channel();
        self.send(command(answer));
        answered.recv().unwrap_or_default()
    }

    fn send(&self, command: Command) {
        // The thread lives as long as this.
        let _ = self.commands.send(command);
    }
}

/// Whether members are probed.
enum Probing {
    Running,
    Paused,
    Stopped(ProbeSources),
}

async fn run_commands(mut tasks: MonitorTasks, mut commands: UnboundedReceiver<Command>) {
    let mut probing = Probing::Running;
    while let Some(command) = commands.recv().await {
        match (command, &probing) {
            (Command::Redirect(redirect), _) => {
                if let Err(error) = tasks.redirect(redirect) {
                    tracing::warn!(%error, "transparent probes will fail: packets cannot be redirected");
                }
            }
            (Command::Configure(config), Probing::Running)
            | (Command::Resume(config), Probing::Paused) => {
                probing = Probing::Running;
                tasks.configure(monitored_members(&config));
            }
            (Command::Configure(_) | Command::Resume(_), _) => {}
            // The caller of these may have given up.
            (Command::Stop(answer) | Command::Pause(answer), Probing::Stopped(sources)) => {
                let _ = answer.send(sources.clone());
            }
            (Command::Pause(answer), _) => {
                let _ = answer.send(tasks.pause().await);
                probing = Probing::Paused;
            }
            (Command::Stop(answer), _) => {
                let sources = tasks.stop().await;
                let _ = answer.send(sources.clone());
                probing = Probing::Stopped(sources);
            }
        }
    }
}

fn monitored_members(config: &Config) -> Vec<MonitoredMember> {
    let members = config.balancer.monitored_members().into_iter().map(|watched| MonitoredMember {
        id: Rc::new(MemberId { pool: watched.pool.to_owned(), member: watched.member }),
        monitor: watched.monitor.clone(),
        targets: watched.targets,
    });
    members.collect()
}

/// Raises the limit of descriptors as far as allowed: each running probe takes one.
fn raise_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // With a lower limit, probes beyond it fail with a message.
        if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            tracing::warn!(%error, soft, hard, "cannot raise the limit of open files");
        }
    }
}
