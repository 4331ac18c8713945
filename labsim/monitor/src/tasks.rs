//! The tasks of all monitored members: each probes its member and reports changes to the forwarder.

use crate::health_table::{HealthTable, State};
use crate::machine::Machine;
use crate::probe::{ProbeContext, probe};
use crate::service::StateChange;
use labsim_dataplane::FwmarkRedirect;
use labsim_dataplane::forwarder::{Handle, MemberId};
use labsim_forwarder::Monitor;
use labsim_model::ProbeSources;
use labsim_sys::async_fd::register;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Probes at a time, each with a socket. Further probes wait; their timeout starts afterwards.
const MAX_CONCURRENT_PROBES: usize = 256;

/// A member with its monitor: the work of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MonitoredMember {
    pub(crate) id: Rc<MemberId>,
    pub(crate) monitor: Monitor,
    pub(crate) targets: Vec<SocketAddr>,
}

/// State shared by all tasks.
struct Shared {
    handle: Handle,
    health: HealthTable,
    context: ProbeContext,
    permits: Semaphore,
    on_change: Box<dyn Fn(&StateChange) + Send>,
    /// The origin of the state machines' clocks.
    start: Instant,
}

/// The tasks. Dropping them ends all probes.
pub(crate) struct MonitorTasks {
    shared: Rc<Shared>,
    tasks: BTreeMap<Rc<MemberId>, (Rc<MonitoredMember>, Task)>,
    /// One for each address family.
    redirects: Vec<(Rc<AsyncFd<FwmarkRedirect>>, Task)>,
}

/// A task that ends with this handle.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Task {
    fn spawn(work: impl Future<Output = ()> + 'static) -> Self {
        Self(tokio::task::spawn_local(work))
    }

    /// Ends the task; its sockets are closed when this returns.
    async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl MonitorTasks {
    /// No members yet.
    pub(crate) fn new(
        handle: Handle,
        health: HealthTable,
        on_change: Box<dyn Fn(&StateChange) + Send>,
    ) -> Self {
        let (context, permits) = (ProbeContext::default(), Semaphore::new(MAX_CONCURRENT_PROBES));
        let shared = Shared { handle, health, context, permits, on_change, start: Instant::now() };
        Self { shared: Rc::new(shared), tasks: BTreeMap::new(), redirects: Vec::new() }
    }

    /// Forwards redirected packets to their members from now on.
    pub(crate) fn redirect(&mut self, redirect: FwmarkRedirect) -> std::io::Result<()> {
        self.shared.context.mark.set(Some(redirect.mark()));
        let redirect = Rc::new(register(redirect)?);
        let (packets, shared) = (Rc::clone(&redirect), Rc::clone(&self.shared));
        let task = Task::spawn(async move {
            let mut room = vec![0; FwmarkRedirect::ROOM];
            while let Ok(mut ready) = packets.readable().await {
                shared.forward_redirected(packets.get_ref(), &mut room);
                ready.clear_ready();
            }
        });
        self.redirects.push((redirect, task));
        Ok(())
    }

    /// Monitors these members and no others. Members whose monitor is unchanged keep their
    /// schedule.
    pub(crate) fn configure(&mut self, members: Vec<MonitoredMember>) {
        let Self { shared, tasks, .. } = self;
        shared.health.set_members(members.iter().map(|member| MemberId::clone(&member.id)));
        let mut before = std::mem::take(tasks);
        let mut new = Vec::new();
        for member in members {
            match before.remove(&member.id) {
                Some((same, task)) if *same == member => {
                    tasks.insert(Rc::clone(&same.id), (same, task));
                }
                _ => new.push(Rc::new(member)),
            }
        }
        drop(before);
        let now = shared.start.elapsed();
        let count = new.len() as u32;
        for (place, member) in (0..).zip(new) {
            // First probes are spread over the interval, to avoid bursts.
            let first = now + member.monitor.interval * place / count;
            let machine = Machine::new(&member.monitor, first, shared.health.state(&member.id));
            let task = Task::spawn(Rc::clone(shared).watch(Rc::clone(&member), machine));
            tasks.insert(Rc::clone(&member.id), (member, task));
        }
    }

    /// Ends all probes. The forwarder has sent all of their packets when this returns.
    pub(crate) async fn stop(&mut self) -> ProbeSources {
        self.end_probes().await;
        for (redirect, task) in std::mem::take(&mut self.redirects) {
            task.end().await;
            self.shared.forward_redirected(redirect.get_ref(), &mut vec![0; FwmarkRedirect::ROOM]);
        }
        self.sources()
    }

    /// Ends all probes, as [`Self::stop`], until members are configured again, and forgets sources of
    /// probes that have long been over. Packets that the kernel still sends for probes go to their members.
    pub(crate) async fn pause(&mut self) -> ProbeSources {
        self.end_probes().await;
        for (redirect, _) in &self.redirects {
            self.shared.forward_redirected(redirect.get_ref(), &mut vec![0; FwmarkRedirect::ROOM]);
        }
        let sources = self.sources();
        self.shared.context.registry.begin_anew();
        sources
    }

    async fn end_probes(&mut self) {
        for (_, (_, task)) in std::mem::take(&mut self.tasks) {
            task.end().await;
        }
    }

    fn sources(&self) -> ProbeSources {
        // The forwarder answers after all earlier commands.
        let _ = self.shared.handle.count();
        self.shared.context.registry.sources()
    }
}

impl Shared {
    async fn watch(self: Rc<Self>, member: Rc<MonitoredMember>, mut machine: Machine) {
        loop {
            sleep_until(self.start + machine.due()).await;
            let Ok(place) = self.permits.acquire().await else { return };
            machine.probe_started(self.start.elapsed());
            let result = probe(&member, &self.context).await;
            drop(place);
            let passed = result.is_ok();
            let reason = result.unwrap_or_else(|reason| reason);
            let MemberId { pool, member: address } = &*member.id;
            tracing::debug!(pool, member = %address, passed, result = reason, "probe finished");
            let changed = machine.probe_finished(passed);
            if let Some(state) = changed {
                // The forwarder applies the state before the health table shows it.
                let member = MemberId::clone(&member.id);
                let _ = self.handle.set_down(member, state == State::Down);
            }
            self.health.record(&member.id, machine.state(), passed, reason.clone());
            if let Some(state) = changed {
                tracing::info!(pool, member = %address, state = state.name(), reason, "member state");
                let member = MemberId::clone(&member.id);
                (self.on_change)(&StateChange { member, state, reason });
            }
        }
    }

    /// Hands redirected packets to the forwarder; packets of unknown probes are dropped.
    fn forward_redirected(&self, redirect: &FwmarkRedirect, room: &mut [u8]) {
        while let Some(packet) = redirect.receive(room) {
            if let Some(member) = self.context.registry.member_of(packet) {
                self.handle.probe(MemberId::clone(&member), packet.to_vec());
            }
        }
    }
}
