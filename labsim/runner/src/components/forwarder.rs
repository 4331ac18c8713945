//! The forwarder of a load balancer: a process in its node, which can be killed and started again.

mod connection;
mod counters;
mod differences;
mod log;

pub(crate) use counters::by_name;
pub(super) use differences::{differences, keep_members};

use super::configure::Done;
use crate::component::{Component, Pending, Shutdown};
use crate::error::RunError;
use crate::logbook::Logbook;
use crate::observations::Snapshot;
use crate::plan::ForwarderPart;
use connection::{Connection, WaitingProcess};
use labsim_codes::run;
use labsim_control::{MemberName, MemberSettings, NewMember, Request};
use labsim_dataplane::forwarder::DataPlaneChoice;
use labsim_event::Event;
use labsim_forwarder::MirroredFlow;
use labsim_lab::{Lab, NewLab, Node};
use labsim_model::{Engine, FailoverState, ForwarderConfig, ProbeSources};
use labsim_monitor::Health;
use labsim_scenario::model::{MemberChange, MemberUpdate, NodeName};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

/// What it is.
pub(super) const WHAT: &str = "forwarder";

/// A forwarder.
pub(crate) struct Forwarder {
    part: ForwarderPart,
    logbook: Logbook,
    /// labsim itself.
    program: PathBuf,
    /// As the last failover left it, if there was one.
    failover_state: Option<FailoverState>,
    /// Copies of its flows when it was killed, for the load balancer that takes over.
    last_mirrored: Vec<Vec<MirroredFlow>>,
    /// The process of the first start, if it was started before; or why it could not be.
    waiting: Option<io::Result<WaitingProcess>>,
    /// `None` where it does not run.
    connection: Option<Connection>,
    /// Where its monitors' probes came from, as far as it is known.
    probe_sources: ProbeSources,
}

impl Forwarder {
    pub(super) fn new(
        part: ForwarderPart,
        waiting: Option<io::Result<WaitingProcess>>,
        program: &Path,
        logbook: Logbook,
    ) -> Self {
        let (program, probe_sources) = (program.to_owned(), ProbeSources::default());
        Self {
            part,
            logbook,
            program,
            failover_state: None,
            last_mirrored: Vec::new(),
            waiting,
            connection: None,
            probe_sources,
        }
    }

    /// Its node.
    pub(crate) fn node(&self) -> &NodeName {
        &self.part.node
    }

    /// How it moves frames; `None` where it does not run.
    pub(crate) fn data_plane(&self) -> Option<&str> {
        self.connection.as_ref().map(Connection::data_plane)
    }

    /// Its counters by name. It replies after everything that reached it before the request has
    /// been processed.
    pub(crate) async fn counters(&mut self) -> Result<BTreeMap<String, u64>, RunError> {
        Ok(by_name(&self.running()?.counters().await?))
    }

    /// Changes a member while packets flow; it is changed when this returns.
    pub(crate) async fn change(&mut self, change: &MemberUpdate) -> Result<(), RunError> {
        let MemberUpdate { pool, member, to, .. } = change;
        let (pool, member) = (pool.clone(), *member);
        let request = match *to {
            MemberChange::Added { ratio, profile, state } => {
                Request::AddMember(NewMember { pool, member, ratio, profile, state })
            }
            MemberChange::Set { ratio, state } => {
                Request::SetMember(MemberSettings { pool, member, ratio, state })
            }
            MemberChange::Removed => Request::RemoveMember(MemberName { pool, member }),
        };
        self.running()?.change(&request).await
    }

    /// Has it apply another configuration, in which members stay as they were set while it ran unless the
    /// file has others. Without a process, the next one starts with it. Returns what was done, if
    /// anything.
    pub(crate) async fn configure(
        &mut self,
        config: &ForwarderConfig,
    ) -> Result<Option<Done>, RunError> {
        if self.part.config == *config {
            return Ok(None);
        }
        let was = self.part.config.balancer.failover_state;
        if was != config.balancer.failover_state {
            self.failover_state = None;
        }
        let Some(connection) = &mut self.connection else {
            self.part.config = config.clone();
            return Ok(Some(Done::ForwarderWaits));
        };
        let running = connection.config().await?;
        let mut kept = keep_members(config, &self.part.config, &running);
        if was == config.balancer.failover_state {
            kept.balancer.failover_state = running.balancer.failover_state;
        }
        // Before it is applied: one that is refused may be applied in part, which the earlier one undoes.
        self.part.config = config.clone();
        connection.change(&Request::Configure(Box::new(kept))).await?;
        Ok(Some(Done::Applied))
    }

    /// What its configuration differs in from the one that it was given; nothing where it does not run.
    pub(crate) async fn differences(&mut self) -> Result<Vec<String>, RunError> {
        match &mut self.connection {
            Some(connection) => Ok(differences(&self.part.config, &connection.config().await?)),
            None => Ok(Vec::new()),
        }
    }

    /// What a member's monitor has found; `None` if the member has no monitor.
    pub(crate) async fn health(
        &mut self,
        pool: &str,
        member: SocketAddr,
    ) -> Result<Option<Health>, RunError> {
        let mut all = self.running()?.health().await?;
        Ok(all.get_mut(pool).and_then(|pool| pool.remove(&member.to_string())))
    }

    /// Ends the probes of its monitors, so that it sends nothing unprompted, and returns where
    /// probes came from since the lab was built.
    pub(crate) async fn stop_monitors(&mut self) -> Result<&ProbeSources, RunError> {
        if let Some(connection) = &mut self.connection {
            self.probe_sources.add(connection.stop_monitors().await?);
        }
        Ok(&self.probe_sources)
    }

    /// Ends the probes of its monitors for a while, and returns where probes came from since the last
    /// pause.
    pub(crate) async fn pause_monitors(&mut self) -> Result<ProbeSources, RunError> {
        let mut sources = std::mem::take(&mut self.probe_sources);
        if let Some(connection) = &mut self.connection {
            sources.add(connection.pause_monitors().await?);
        }
        Ok(sources)
    }

    /// Has its monitors probe again, if it runs.
    pub(crate) async fn resume_monitors(&mut self) -> Result<(), RunError> {
        match &mut self.connection {
            Some(connection) => connection.resume_monitors().await,
            None => Ok(()),
        }
    }

    /// Has it forget flows, clients that persist, neighbours and counters, if it runs. Members keep
    /// their state.
    pub(crate) async fn begin_anew(&mut self) -> Result<(), RunError> {
        match &mut self.connection {
            Some(connection) => connection.change(&Request::BeginAnew).await,
            None => Ok(()),
        }
    }

    /// Whether it serves its VIPs, if it runs.
    pub(crate) fn failover_state(&self) -> FailoverState {
        self.failover_state.unwrap_or(self.part.config.balancer.failover_state)
    }

    /// Makes it active or puts it on standby. Without a process, the next one starts so.
    pub(crate) async fn set_failover_state(
        &mut self,
        state: FailoverState,
    ) -> Result<(), RunError> {
        if let Some(connection) = &mut self.connection {
            connection.change(&Request::SetFailoverState(state)).await?;
        }
        self.failover_state = Some(state);
        Ok(())
    }

    /// Has its next process start as the scenario says, whatever failovers there were.
    pub(super) fn forget_failover(&mut self) {
        self.failover_state = None;
    }

    /// Whether its process runs.
    pub(crate) fn runs(&self) -> bool {
        self.connection.is_some()
    }

    /// Copies of the flows whose virtual servers mirror them: of now, or of when it was killed.
    pub(crate) async fn mirrored_flows(&mut self) -> Result<Vec<Vec<MirroredFlow>>, RunError> {
        match &mut self.connection {
            Some(connection) => connection.mirrored_flows().await,
            None => Ok(std::mem::take(&mut self.last_mirrored)),
        }
    }

    /// Has it take copies of flows over; returns how many it took.
    pub(crate) async fn add_mirrored_flows(
        &mut self,
        flows: Vec<MirroredFlow>,
    ) -> Result<u64, RunError> {
        self.running()?.add_mirrored_flows(flows).await
    }

    /// Kills it by SIGKILL; it is gone when this returns. Where its monitors' probes came from, and the flows that
    /// another load balancer has copies of, are asked for before, since they are not known afterwards.
    pub(crate) async fn kill(&mut self) -> Result<(), RunError> {
        self.last_mirrored = self.running()?.mirrored_flows().await?;
        self.stop_monitors().await?;
        // The handle kills and reaps.
        drop(self.connection.take());
        Ok(())
    }

    /// How its process ended by itself; `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.connection.as_mut().and_then(|connection| connection.try_wait().ok().flatten())
    }

    fn running(&mut self) -> Result<&mut Connection, RunError> {
        let node = &self.part.node;
        self.connection.as_mut().ok_or_else(|| {
            RunError::step_impossible(format!("the forwarder in {node} does not run"))
        })
    }
}

/// Starts a process that waits.
fn spawn(
    node: &Node,
    program: &Path,
    config: &ForwarderConfig,
    data_plane: DataPlaneChoice,
) -> io::Result<WaitingProcess> {
    let config = serde_json::to_string(config)?;
    WaitingProcess::spawn(node, program, &config, data_plane)
}

/// Processes of forwarders that were started ahead of everything else, by node; or why one could not be.
#[derive(Default)]
pub(crate) struct WaitingForwarders(BTreeMap<NodeName, io::Result<WaitingProcess>>);

impl WaitingForwarders {
    /// Starts a process for each forwarder of labsim's. They get ready while the lab is built.
    pub(crate) fn spawn(parts: &[ForwarderPart], lab: &NewLab<'_>, program: &Path) -> Self {
        let own = parts.iter().filter(|part| part.config.balancer.engine == Engine::Labsim);
        let waiting = own.filter_map(|ForwarderPart { node: name, config, data_plane }| {
            let node = lab.node(name)?;
            Some((name.clone(), spawn(node, program, config, *data_plane)))
        });
        Self(waiting.collect())
    }

    /// That of a node.
    pub(super) fn take(&mut self, node: &NodeName) -> Option<io::Result<WaitingProcess>> {
        self.0.remove(node)
    }
}

impl Component<Lab> for Forwarder {
    fn name(&self) -> String {
        format!("the forwarder in {}", self.part.node)
    }

    fn start(&mut self, lab: &Lab, _emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let waiting = self.waiting.take();
        let ForwarderPart { node: name, config, data_plane } = &self.part;
        if self.connection.is_some() {
            return Err(RunError::step_impossible(format!("{} already runs", self.name())));
        }
        let node = lab.node(name).ok_or_else(|| RunError::unknown_node(name))?;
        let failed = |error: io::Error| {
            let message = format!("{} cannot be started: {error}", self.name());
            RunError::internal(run::FORWARDER_NOT_STARTED, message)
        };
        let waiting = waiting.unwrap_or_else(|| {
            let mut config = config.clone();
            config.balancer.failover_state = self.failover_state();
            spawn(node, &self.program, &config, *data_plane)
        });
        let writer = self.logbook.writer(name, WHAT);
        let started = waiting.and_then(|process| Connection::begin(process, writer));
        self.connection = Some(started.map_err(failed)?);
        self.last_mirrored.clear();
        Ok(())
    }

    fn ready<'a>(&'a mut self, _lab: &'a Lab) -> Pending<'a> {
        Box::pin(async { self.running()?.await_ready().await })
    }

    fn flush(&mut self, _deadline: Instant) -> Pending<'_> {
        Box::pin(async {
            match &mut self.connection {
                Some(connection) => connection.counters().await.map(drop),
                None => Ok(()),
            }
        })
    }

    fn observe<'a>(&'a mut self, _lab: &'a Lab, into: &'a mut Snapshot) -> Pending<'a> {
        Box::pin(async {
            if self.connection.is_some() {
                let counters = self.counters().await?;
                into.forwarders.insert(self.part.node.clone(), counters);
            }
            Ok(())
        })
    }

    fn request_stop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.request_stop();
        }
    }

    fn stop<'a>(&'a mut self, how: Shutdown, _emit: &'a dyn Fn(Event)) -> Pending<'a> {
        Box::pin(async move {
            self.waiting = None;
            let Some(connection) = self.connection.take() else { return Ok(()) };
            // It keeps nothing that an orderly end would save: one that is late is killed.
            if let Shutdown::Graceful { deadline } = how {
                connection.ended(deadline).await;
            }
            Ok(())
        })
    }
}
