//! The monitors of one forwarder: a thread beside its own, and what it is told.

use crate::board::{Board, HealthByPool, State};
use crate::origin::Origins;
use crate::watch::{Job, Watch};
use labsim_dataplane::forwarder::{Handle, MemberId};
use labsim_dataplane::{Diversion, Error};
use labsim_forwarder::Config;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError, mpsc};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

/// A member went down, or is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub member: MemberId,
    /// What it is now.
    pub state: State,
    /// How the last probe ended.
    pub reason: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member: MemberId { pool, member }, state, reason } = self;
        write!(f, "member {member} of {pool} is {}: {reason}", state.word())
    }
}

/// What the thread is told.
enum Command {
    Divert(Diversion),
    Configure(Config),
    Stop(mpsc::Sender<Origins>),
}

/// Monitors at work. They end with the process, or when this is dropped.
#[derive(Debug)]
pub struct Monitors {
    commands: UnboundedSender<Command>,
    board: Board,
    /// Whether packets are diverted.
    diverts: Mutex<bool>,
}

impl Monitors {
    /// Starts the thread, which watches nobody until [`Self::configure`]. `tell` hears of every change.
    ///
    /// # Errors
    /// The kernel refuses a thread or an event queue.
    pub fn start(handle: Handle, tell: impl Fn(&Change) + Send + 'static) -> Result<Self, Error> {
        let failed =
            |what: &'static str| move |source| Error::System { what: what.to_owned(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed("the monitors' event queue (epoll(7))"))?;
        let board = Board::default();
        let (commands, to_do) = unbounded_channel();
        let watch = (handle, board.clone(), Box::new(tell));
        std::thread::Builder::new()
            .name("monitors".to_owned())
            .spawn(move || {
                let (handle, board, tell) = watch;
                let watch = Watch::new(handle, board, tell);
                LocalSet::new().block_on(&runtime, obey(watch, to_do));
            })
            .map_err(failed("a thread for monitors"))?;
        Ok(Self { commands, board, diverts: Mutex::new(false) })
    }

    /// Makes what a configuration's monitors need of the kernel. Nothing changes for those at work.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub fn prepare(&self, config: &Config) -> Result<(), Error> {
        let watched = config.watched().into_iter().filter(|watched| watched.monitor.transparent);
        let vips: BTreeSet<IpAddr> =
            watched.flat_map(|watched| watched.targets).map(|target| target.ip()).collect();
        if vips.is_empty() {
            return Ok(());
        }
        Diversion::refuse_own(&config.interface, vips)?;
        let mut diverts = self.diverts.lock().unwrap_or_else(PoisonError::into_inner);
        if !*diverts {
            self.give(Command::Divert(Diversion::open(&config.interface)?));
            *diverts = true;
        }
        Ok(())
    }

    /// Watches the members of this configuration, which is in force, from here on.
    pub fn configure(&self, config: &Config) {
        raise_descriptors();
        self.give(Command::Configure(config.clone()));
    }

    /// How each watched member fares.
    #[must_use]
    pub fn health(&self) -> HealthByPool {
        self.board.health()
    }

    /// Ends all probes for good, members stay as they were found. Returns where probes came from,
    /// once nothing of them is on its way in this process any more.
    #[must_use]
    pub fn stop(&self) -> Origins {
        let (answer, answered) = mpsc::channel();
        self.give(Command::Stop(answer));
        answered.recv().unwrap_or_default()
    }

    fn give(&self, command: Command) {
        // The thread lives as long as this.
        let _ = self.commands.send(command);
    }
}

async fn obey(mut watch: Watch, mut commands: UnboundedReceiver<Command>) {
    let mut origins = None;
    while let Some(command) = commands.recv().await {
        match command {
            // Without an event queue for it every transparent probe fails, and says so.
            Command::Divert(diversion) => drop(watch.divert(diversion)),
            Command::Configure(config) if origins.is_none() => watch.configure(jobs(&config)),
            Command::Configure(_) => {}
            Command::Stop(answer) => {
                if origins.is_none() {
                    origins = Some(watch.stop().await);
                }
                // Whoever asked may be gone.
                let _ = answer.send(origins.clone().unwrap_or_default());
            }
        }
    }
}

fn jobs(config: &Config) -> Vec<Job> {
    let jobs = config.watched().into_iter().map(|watched| Job {
        member: Rc::new(MemberId { pool: watched.pool.to_owned(), member: watched.member }),
        monitor: watched.monitor.clone(),
        targets: watched.targets,
    });
    jobs.collect()
}

/// As many descriptors as the process may have: each probe under way takes one.
fn raise_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // With fewer, probes beyond them fail and say so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
