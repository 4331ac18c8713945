//! Answers a holder's clients, one after the other, whether or not work is done meanwhile.

use crate::built::Built;
use crate::configuration::Configuration;
use crate::holder::{Held, no_node};
use crate::presence::Presence;
use crate::protocol::{
    Answer, LARGEST_ORIGIN, LONGEST_REQUEST, Logs, NodeStatus, Request, RunningStatus, Status,
    TapInterface, VERSION, Version, Versioned, Work,
};
use crate::recorder::Recorder;
use crate::watch::Watchers;
use labsim_lab::{Lab, Node};
use labsim_model::{NodeState, StatePart};
use labsim_runner::{Engines, Kept, Logbook, NodeLog, Running};
use labsim_scenario::model::NodeName;
use labsim_sys::descriptors;
use labsim_wire::decode::LinkType;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::yield_now;
use tokio::time::timeout;
use tracing::debug;

/// How long a client may take to ask, and to read its answer.
pub(crate) const CLIENT: Duration = Duration::from_secs(2);
/// How often the lab's folder is looked at.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

/// Where clients are answered.
pub(crate) struct Desk<'a> {
    held: &'a Held<'a>,
    lab: &'a Lab,
    engines: &'a Engines,
    logbook: Logbook,
    built: Rc<Built<'a>>,
    configuration: Rc<Configuration<'a>>,
    presence: Presence<'a>,
    recorder: Recorder,
    watchers: Watchers,
    pids: OwnedFd,
    user: Option<OwnedFd>,
    since: Instant,
    vips: BTreeSet<IpAddr>,
    orders: UnboundedSender<Order<'a>>,
}

/// Work, with the client that waits for it, and the lab, which is the worker's until it is done.
pub(crate) struct Order<'a> {
    pub(crate) client: UnixStream,
    pub(crate) work: Work,
    pub(crate) kept: Kept<'a>,
}

/// What is done in a lab.
pub(crate) enum Now<'a> {
    /// Nothing.
    Idle(Kept<'a>),
    /// Work, for a client.
    Busy(Busy),
}

/// Work, and what was known of the lab when it began.
#[derive(Debug, Clone)]
pub(crate) struct Busy {
    what: String,
    since: Instant,
    progress: Progress,
}

/// What runs in a lab, and the next step.
#[derive(Debug, Clone, Default)]
struct Progress {
    running: Vec<Running>,
    next: Option<String>,
    /// What differs from the scenario in the configuration of forwarders.
    forwarders: BTreeMap<NodeName, Vec<String>>,
}

impl Progress {
    async fn of(kept: &mut Kept<'_>) -> Self {
        let next = kept.steps().get(kept.next()).map(|step| step.name.to_string());
        let asked = timeout(CLIENT, kept.forwarder_changes()).await;
        let running = kept.running();
        let forwarders = asked.unwrap_or_else(|_| {
            let nodes = running.iter().map(|it| it.node.clone());
            let unknown = "what is configured is not known: a forwarder does not answer".to_owned();
            nodes.map(|node| (node, vec![unknown.clone()])).collect()
        });
        Self { running, next, forwarders }
    }
}

impl Busy {
    fn new(work: &Work, progress: Progress) -> Self {
        let what = match (work, &progress.next) {
            (Work::Check, _) => "a check".to_owned(),
            (Work::Step(step), _) | (Work::NextStep, Some(step)) => format!("step {step}"),
            (Work::NextStep, None) => "a step".to_owned(),
            (Work::StepsBefore(step), _) => format!("the steps before {step}"),
            (Work::Reset(_), _) => "a reset".to_owned(),
            (Work::Set { .. }, _) => "a change".to_owned(),
        };
        Self { what, since: Instant::now(), progress }
    }

    fn seconds(&self) -> u64 {
        self.since.elapsed().as_secs()
    }
}

impl<'a> Desk<'a> {
    pub(crate) fn new(
        held: &'a Held<'a>,
        kept: &Kept<'a>,
        (built, configuration): (Rc<Built<'a>>, Rc<Configuration<'a>>),
        presence: Presence<'a>,
        watchers: Watchers,
        orders: UnboundedSender<Order<'a>>,
    ) -> io::Result<Self> {
        let namespace = |name: &str| File::open(format!("/proc/self/ns/{name}")).map(OwnedFd::from);
        let servers =
            held.scenario.load_balancers.values().flat_map(|it| it.virtual_servers.values());
        Ok(Self {
            held,
            lab: kept.lab(),
            engines: kept.engines(),
            logbook: kept.logbook(),
            built,
            configuration,
            presence,
            recorder: Recorder::start(kept.lab(), held.origin.keep_mib)?,
            watchers,
            pids: namespace("pid")?,
            user: held.in_user_namespace.then(|| namespace("user")).transpose()?,
            since: Instant::now(),
            vips: servers.map(|server| server.destination.ip()).collect(),
            orders,
        })
    }

    /// Answers one client after the other, until one ends the lab. Work is left to the worker, and
    /// refused while other work is done.
    pub(crate) async fn serve(&mut self, now: &RefCell<Now<'a>>) {
        let mut now_and_then = tokio::time::interval(NOW_AND_THEN);
        // Reading one takes a while, and clients come first.
        let mut unread: VecDeque<&Node> = self.lab.nodes().collect();
        loop {
            tokio::select! {
                biased;
                _ = now_and_then.tick() => {
                    if let Err(error) = self.presence.renew() {
                        debug!(%error, "the lab cannot be found");
                    }
                }
                client = self.presence.client() => {
                    let Ok(client) = client else { continue };
                    match self.answer(client, now).await {
                        Ok(Request::Down) => return,
                        Ok(_) => {}
                        Err(error) => debug!(%error, "a client was not answered"),
                    }
                }
                () = yield_now(), if !unread.is_empty() => self.built.know(unread.pop_front()),
            }
        }
    }

    /// Answers a client, and returns what it asked for.
    async fn answer(&self, mut client: UnixStream, now: &RefCell<Now<'a>>) -> io::Result<Request> {
        let peer = getsockopt(&client, sockopt::PeerCredentials)?;
        if peer.uid() != geteuid().as_raw() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut line = Vec::new();
        let mut reader = BufReader::new(&mut client).take(LONGEST_REQUEST);
        in_time(reader.read_until(b'\n', &mut line)).await?;
        let Version { version } = serde_json::from_slice(&line)?;
        let request: Versioned<Request> = match serde_json::from_slice(&line) {
            Ok(request) => request,
            // The client learns the version from the answer.
            Err(error) => {
                let text =
                    format!("labsim {VERSION} does not understand labsim {version:?}: {error}");
                send(&mut client, Answer::Refused(text), &[]).await?;
                return Err(error.into());
            }
        };
        let request = request.message;
        match &request {
            Request::Status => {
                let status = self.status(now).await;
                send(&mut client, Answer::Status(status), &[]).await?;
            }
            Request::Origin => send(&mut client, self.origin(), &[]).await?,
            Request::Tap { node } => match self.tap(node) {
                Ok((socket, interfaces)) => {
                    send(&mut client, Answer::Tap(interfaces), &[socket.as_fd()]).await?;
                }
                Err(reason) => send(&mut client, Answer::Refused(reason), &[]).await?,
            },
            Request::Kept { since_ns } => self.recorder.answer(client, *since_ns),
            Request::Setups { node } => {
                let node = self.node(node).ok_or_else(|| no_node(self.lab, node));
                let answer = match node.and_then(|node| self.built.setups(node)) {
                    Ok(setups) => Answer::Setups(Box::new(setups)),
                    Err(reason) => Answer::Refused(reason),
                };
                send(&mut client, answer, &[]).await?;
            }
            Request::Logs { node } => {
                let answer = match self.node(node) {
                    Some(node) => Answer::Logs(self.logs(node)),
                    None => Answer::Refused(no_node(self.lab, node)),
                };
                send(&mut client, answer, &[]).await?;
            }
            Request::Work(work) => {
                self.built.know(self.lab.nodes());
                // The first byte comes with descriptors, or without.
                descriptors_first(&client, &[]).await?;
                if let Err((mut client, busy)) = self.order(client, work, now).await {
                    let (what, seconds) = (&busy.what, busy.seconds());
                    let text = format!(
                        "the lab is busy: {what}, for {seconds} s; wait for it, or interrupt it where \
                         it was started"
                    );
                    send_text(&mut client, Answer::Refused(text)).await?;
                }
            }
            Request::Watch => {
                descriptors_first(&client, &[]).await?;
                if let Err(mut client) = self.watchers.join(client) {
                    let text = "too many watch the lab; end another `labsim watch` first";
                    send_text(&mut client, Answer::Refused(text.to_owned())).await?;
                }
            }
            Request::Down => {
                // It ends whether or not the client reads that.
                let _ = send(&mut client, Answer::Down, &[]).await;
            }
            Request::Enter { node } => match self.node(node) {
                Some(node) => {
                    self.built.know([node]);
                    let namespaces = self.lab.namespaces();
                    let network = namespaces.filter(|(name, _)| *name == node.name().as_str());
                    let others = [Some(&self.pids), self.user.as_ref()].into_iter().flatten();
                    let all: Vec<BorrowedFd<'_>> =
                        network.map(|(_, it)| it).chain(others.map(AsFd::as_fd)).collect();
                    send(&mut client, Answer::Enter, &all).await?;
                }
                None => {
                    send(&mut client, Answer::Refused(no_node(self.lab, node)), &[]).await?;
                }
            },
        }
        Ok(request)
    }

    /// Leaves work to the worker, or returns the client and what is done already.
    async fn order(
        &self,
        client: UnixStream,
        work: &Work,
        now: &RefCell<Now<'a>>,
    ) -> Result<(), (UnixStream, Busy)> {
        let (progress, kept) = match self.progress(now).await {
            Ok(found) => found,
            Err(busy) => return Err((client, busy)),
        };
        *now.borrow_mut() = Now::Busy(Busy::new(work, progress));
        // The worker lives as long as this.
        let _ = self.orders.send(Order { client, work: work.clone(), kept });
        Ok(())
    }

    /// What is known of a lab in which no work is done, and the lab, which has to be given back, or to a
    /// worker; or what is done in it.
    async fn progress(&self, now: &RefCell<Now<'a>>) -> Result<(Progress, Kept<'a>), Busy> {
        let looked_at = Now::Busy(Busy {
            what: "a look at it".to_owned(),
            since: Instant::now(),
            progress: Progress::default(),
        });
        let was = match &*now.borrow() {
            Now::Busy(busy) => Err(busy.clone()),
            Now::Idle(_) => Ok(()),
        };
        was?;
        match now.replace(looked_at) {
            Now::Idle(mut kept) => Ok((Progress::of(&mut kept).await, kept)),
            // It was idle, and nothing has happened since.
            Now::Busy(busy) => Err(busy),
        }
    }

    fn node(&self, name: &str) -> Option<&Node> {
        NodeName::new(name).ok().and_then(|name| self.lab.node(&name))
    }

    /// A node's frames from now on.
    fn tap(&self, name: &str) -> Result<(OwnedFd, Vec<TapInterface>), String> {
        let node = self.node(name).ok_or_else(|| no_node(self.lab, name))?;
        let (socket, points) = self.lab.tap(node).map_err(|error| error.to_string())?;
        let interfaces = points.into_iter().map(|point| TapInterface {
            index: point.index,
            name: point.interface,
            ethernet: point.link == LinkType::Ethernet,
        });
        Ok((socket, interfaces.collect()))
    }

    /// What the lab was made of.
    fn origin(&self) -> Answer {
        let origin = &self.held.origin;
        if origin.size() <= LARGEST_ORIGIN {
            return Answer::Origin(origin.clone());
        }
        let most = LARGEST_ORIGIN >> 20;
        Answer::Refused(format!(
            "the lab's files have more than {most} MiB, which it does not pass on; `labsim down` and \
             `labsim up` build it again"
        ))
    }

    /// What was printed and logged in a node.
    fn logs(&self, node: &Node) -> Logs {
        let NodeLog { lines, lost } = self.logbook.of(node.name());
        let lines = lines.into_iter().map(|line| (line.program.to_string(), line.text));
        Logs { lines: lines.collect(), lost }
    }

    async fn status(&self, now: &RefCell<Now<'a>>) -> Status {
        let (progress, busy) = match self.progress(now).await {
            Ok((progress, kept)) => {
                *now.borrow_mut() = Now::Idle(kept);
                (progress, None)
            }
            Err(busy) => {
                let seconds = busy.seconds();
                (busy.progress, Some((busy.what, seconds)))
            }
        };
        let Progress { running, next, forwarders } = progress;
        self.built.know(self.lab.nodes());
        let engines = self.engines;
        let nodes = self.lab.nodes().map(|node| {
            let (state, changed) = self.built.compare(node);
            let (addresses, unread) = self.addresses(state);
            let mut reconfigured = self.configuration.changed(node.name());
            reconfigured.extend(forwarders.get(node.name()).into_iter().flatten().cloned());
            let running = running.iter().filter(|it| it.node == *node.name());
            let status = |it: &labsim_runner::Running| RunningStatus {
                what: it.what.clone(),
                ended: it.ended.clone(),
            };
            NodeStatus {
                name: node.name().to_string(),
                addresses,
                unread,
                changed,
                reconfigured,
                virtual_servers: self.configuration.virtual_servers(node.name()),
                running: running.map(status).collect(),
            }
        });
        Status {
            file: self.held.origin.file.clone(),
            seconds: self.since.elapsed().as_secs(),
            tunnel: engines.tunnel.clone(),
            impairments: engines.impairments.clone(),
            next: (next, self.held.scenario.steps.len()),
            busy,
            nodes: nodes.collect(),
        }
    }

    /// A node's addresses, and why they could not be read.
    fn addresses(&self, state: io::Result<NodeState>) -> (Vec<String>, Option<String>) {
        match state {
            Ok(mut state) => {
                let unread = state.incomplete.remove(&StatePart::Addresses);
                let shown = state.addresses.iter().filter(|it| !it.address.addr().is_loopback());
                let shown = shown.map(|it| {
                    let vip = if self.vips.contains(&it.address.addr()) { " (VIP)" } else { "" };
                    format!("{} {}{vip}", it.device, it.address)
                });
                (shown.collect(), unread)
            }
            Err(error) => (Vec::new(), Some(error.to_string())),
        }
    }
}

pub(crate) async fn send(
    client: &mut UnixStream,
    answer: Answer,
    namespaces: &[BorrowedFd<'_>],
) -> io::Result<()> {
    descriptors_first(client, namespaces).await?;
    send_text(client, answer).await
}

/// What a client lets the holder do, in the time that it has for it: what the holder itself does meanwhile
/// may take longer.
async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CLIENT, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn descriptors_first(client: &UnixStream, all: &[BorrowedFd<'_>]) -> io::Result<()> {
    let write = || Ok(descriptors::send(client.as_fd(), 0, all)?);
    in_time(client.async_io(Interest::WRITABLE, write)).await
}

async fn send_text(client: &mut UnixStream, answer: Answer) -> io::Result<()> {
    let text = serde_json::to_vec(&Versioned::new(answer))?;
    in_time(async {
        client.write_all(&text).await?;
        client.shutdown().await
    })
    .await
}
