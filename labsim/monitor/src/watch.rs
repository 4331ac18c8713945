//! The tasks of all watched members: each probes, learns, and has the forwarder act.

use crate::board::{Board, State};
use crate::machine::Machine;
use crate::origin::Origins;
use crate::probe::{Means, probe};
use crate::readiness::register;
use crate::service::Change;
use labsim_dataplane::Diversion;
use labsim_dataplane::forwarder::{Handle, MemberId};
use labsim_forwarder::Monitor;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Probes at a time, each with a socket; others wait, and their time has not begun then.
const AT_ONCE: usize = 256;

/// What one task does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) member: Rc<MemberId>,
    pub(crate) monitor: Monitor,
    pub(crate) targets: Vec<SocketAddr>,
}

/// What tasks share.
struct Shared {
    handle: Handle,
    board: Board,
    means: Means,
    room: Semaphore,
    tell: Box<dyn Fn(&Change) + Send>,
    /// The fixed moment of the machines' clocks.
    start: Instant,
}

/// The tasks. Dropping them ends all probes.
pub(crate) struct Watch {
    shared: Rc<Shared>,
    tasks: BTreeMap<Rc<MemberId>, (Rc<Job>, Task)>,
    diversion: Option<Rc<AsyncFd<Diversion>>>,
    diverting: Option<Task>,
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

    /// Ends it; its sockets are closed when this returns.
    async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Watch {
    /// Watches nobody yet.
    pub(crate) fn new(handle: Handle, board: Board, tell: Box<dyn Fn(&Change) + Send>) -> Self {
        let (means, room) = (Means::default(), Semaphore::new(AT_ONCE));
        let shared = Shared { handle, board, means, room, tell, start: Instant::now() };
        Self { shared: Rc::new(shared), tasks: BTreeMap::new(), diversion: None, diverting: None }
    }

    /// Has diverted packets go to the members that they are for, from here on.
    pub(crate) fn divert(&mut self, diversion: Diversion) -> std::io::Result<()> {
        self.shared.means.mark.set(Some(diversion.mark()));
        let diversion = Rc::new(register(diversion)?);
        let (packets, shared) = (Rc::clone(&diversion), Rc::clone(&self.shared));
        self.diversion = Some(diversion);
        self.diverting = Some(Task::spawn(async move {
            let mut room = vec![0; Diversion::ROOM];
            while let Ok(mut ready) = packets.readable().await {
                shared.hand_over(packets.get_ref(), &mut room);
                ready.clear_ready();
            }
        }));
        Ok(())
    }

    /// Watches these members and no others. Who is watched as before stays in its turn.
    pub(crate) fn configure(&mut self, jobs: Vec<Job>) {
        let Self { shared, tasks, .. } = self;
        shared.board.watch(jobs.iter().map(|job| MemberId::clone(&job.member)));
        let mut before = std::mem::take(tasks);
        let mut new = Vec::new();
        for job in jobs {
            match before.remove(&job.member) {
                Some((same, task)) if *same == job => {
                    tasks.insert(Rc::clone(&same.member), (same, task));
                }
                _ => new.push(Rc::new(job)),
            }
        }
        drop(before);
        let now = shared.start.elapsed();
        let count = new.len() as u32;
        for (place, job) in (0..).zip(new) {
            // Spread over the interval, so that they do not come in bursts.
            let first = now + job.monitor.interval * place / count;
            let machine = Machine::new(&job.monitor, first, shared.board.state(&job.member));
            let task = Task::spawn(Rc::clone(shared).watch(Rc::clone(&job), machine));
            tasks.insert(Rc::clone(&job.member), (job, task));
        }
    }

    /// Ends all probes. What they sent has left the forwarder when this returns.
    pub(crate) async fn stop(&mut self) -> Origins {
        for (_, (_, task)) in std::mem::take(&mut self.tasks) {
            task.end().await;
        }
        if let Some(task) = self.diverting.take() {
            task.end().await;
        }
        if let Some(diversion) = self.diversion.take() {
            self.shared.hand_over(diversion.get_ref(), &mut vec![0; Diversion::ROOM]);
        }
        // It answers after everything that was ordered before.
        let _ = self.shared.handle.count();
        self.shared.means.registry.origins()
    }
}

impl Shared {
    async fn watch(self: Rc<Self>, job: Rc<Job>, mut machine: Machine) {
        loop {
            sleep_until(self.start + machine.due()).await;
            let Ok(place) = self.room.acquire().await else { return };
            machine.began(self.start.elapsed());
            let result = probe(&job, &self.means).await;
            drop(place);
            let passed = result.is_ok();
            let reason = result.unwrap_or_else(|reason| reason);
            let changed = machine.ended(passed);
            if let Some(state) = changed {
                // Whoever reads the board can rely on it: the forwarder acts first.
                let member = MemberId::clone(&job.member);
                let _ = self.handle.set_down(member, state == State::Down);
            }
            self.board.note(&job.member, machine.state(), passed, reason.clone());
            if let Some(state) = changed {
                let member = MemberId::clone(&job.member);
                (self.tell)(&Change { member, state, reason });
            }
        }
    }

    /// Hands diverted packets to the forwarder. Nobody's are dropped.
    fn hand_over(&self, diversion: &Diversion, room: &mut [u8]) {
        while let Some(packet) = diversion.receive(room) {
            if let Some(member) = self.means.registry.member_of(packet) {
                self.handle.probe(MemberId::clone(&member), packet.to_vec());
            }
        }
    }
}
