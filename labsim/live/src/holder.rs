//! The process that holds a lab: builds it, keeps it, and answers its clients.

use crate::built::Built;
use crate::configuration::Configuration;
use crate::desk::{CLIENT, Desk, Now, Order};
use crate::folder::{Claim, LabsFolder};
use crate::name::LabName;
use crate::presence::Presence;
use crate::protocol::{Answer, Origin, StepWalk, Work};
use crate::set::{of_node, set, undo};
use crate::stream::AnswerStream;
use crate::watch::{Watchers, lines, look};
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::Lab;
use labsim_model::{known_names, quote};
use labsim_runner::{Cancelled, Keeping, Kept, RunError, keep};
use labsim_scenario::model::{NodeName, Scenario, Step};
use labsim_verdict::Walk;
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::{Display, Write as _};
use std::future::poll_fn;
use std::io::{self, PipeReader};
use std::ops::Range;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use tracing::{debug, info};

/// How often what the servers logged is forgotten.
const FORGET: Duration = Duration::from_secs(1);

/// What a lab is made of.
#[derive(Debug)]
pub struct Held<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What it was read from.
    pub origin: Origin,
    /// How it is kept.
    pub keeping: Keeping,
    /// Whether this process made a user namespace for itself, which has to be entered first.
    pub in_user_namespace: bool,
}

/// The name of a lab, while the lab is built.
#[derive(Debug)]
pub enum Name {
    /// It is this lab's already.
    Claimed(Claim),
    /// It is an earlier lab's. Once the pipe says something, that one has ended.
    Earlier(LabsFolder, LabName, PipeReader),
}

/// What a holder reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Everything runs, and an earlier lab has the name.
    Built,
    /// Everything runs, and the lab can be found.
    Ready,
}

/// Builds a lab and holds it until it is told to end, or `cancelled`. `report` is told of each stage; if
/// it fails, nobody waits for the lab any more, and it ends. The lab's folder is removed in any case.
///
/// # Errors
/// Those of [`keep`], and what the holder itself lacks.
pub fn hold(
    held: &Held<'_>,
    name: Name,
    cancelled: &Cancelled,
    mut report: impl FnMut(Stage) -> io::Result<()>,
) -> Result<(), RunError> {
    labsim_sys::memory::give_back_large_blocks();
    let (mut claim, mut earlier) = match name {
        Name::Claimed(claim) => (Some(claim), None),
        Name::Earlier(folder, name, ended) => (None, Some((folder, name, ended))),
    };
    let ended = keep(held.scenario, &held.keeping, cancelled, async |kept| {
        let failed = |error: &dyn Display| RunError::Internal {
            code: run::HOLDER_FAILED,
            message: format!("the lab's holder: {error}"),
        };
        if let Some((folder, name, ended)) = earlier.take() {
            report(Stage::Built).map_err(|error| failed(&error))?;
            wait_for_word(ended).await.map_err(|error| failed(&error))?;
            claim = Some(folder.claim(&name).map_err(|error| failed(&error))?);
        }
        let Some(claim) = claim.as_mut() else { return Ok(()) };
        let presence = Presence::new(claim, hosts(&kept)).map_err(|error| failed(&error))?;
        let mut holder = Holder::new(held, kept, presence).map_err(|error| failed(&error))?;
        report(Stage::Ready).map_err(|error| failed(&error))?;
        holder.serve().await;
        Ok(())
    });
    if let Some(claim) = claim {
        claim.release();
    }
    ended
}

/// Waits until a pipe says something. An error if the other end was closed instead.
async fn wait_for_word(pipe: PipeReader) -> io::Result<()> {
    let mut word = [0];
    let mut pipe = pipe::Receiver::from_owned_fd(pipe.into())?;
    pipe.read_exact(&mut word).await.map(drop)
}

struct Holder<'a> {
    desk: Desk<'a>,
    lab: &'a Lab,
    built: Rc<Built<'a>>,
    configuration: Rc<Configuration<'a>>,
    now: RefCell<Now<'a>>,
    orders: UnboundedReceiver<Order<'a>>,
    watchers: Watchers,
    scenario: &'a Scenario,
}

impl<'a> Holder<'a> {
    fn new(held: &'a Held<'a>, kept: Kept<'a>, presence: Presence<'a>) -> io::Result<Self> {
        let (orderer, orders) = unbounded_channel();
        let built = Rc::new(Built::new(kept.lab(), held.scenario));
        let configuration = Rc::new(Configuration::new(held.scenario, &held.origin));
        let known = (Rc::clone(&built), Rc::clone(&configuration));
        let watchers = Watchers::new(Instant::now());
        let desk = Desk::new(held, &kept, known, presence, watchers.clone(), orderer)?;
        let (lab, scenario) = (kept.lab(), held.scenario);
        let now = RefCell::new(Now::Idle(kept));
        Ok(Self { desk, lab, built, configuration, now, orders, watchers, scenario })
    }

    /// Serves clients, until one ends the lab.
    async fn serve(&mut self) {
        let Self { desk, lab, built, configuration, now, orders, watchers, scenario } = self;
        let now = &*now;
        let work = async {
            while let Some(Order { client, work, mut kept }) = orders.recv().await {
                do_work(client, &work, &mut kept, (built, configuration, watchers)).await;
                *now.borrow_mut() = Now::Idle(kept);
            }
        };
        tokio::select! {
            () = desk.serve(now) => {}
            () = work => {}
            never = go_on(now) => match never {},
            never = look(watchers, (lab, scenario), built, now) => match never {},
        }
    }
}

/// Does work for a client, until it is done or the client is gone.
async fn do_work(
    client: UnixStream,
    work: &Work,
    kept: &mut Kept<'_>,
    (built, configuration, watchers): (&Built<'_>, &Configuration<'_>, &Watchers),
) {
    let stream = AnswerStream::default();
    let emit = |event| {
        lines(&event).iter().for_each(|line| watchers.tell(line));
        stream.push(Answer::Event(Box::new(event)));
    };
    let working = async {
        let worked = match work {
            Work::Check => {
                kept.check(&emit).await;
                Ok(())
            }
            Work::Reset(node) => {
                reset(node.as_deref(), kept, (built, configuration), &stream).await
            }
            Work::Set { kind, fields } => {
                let known = (built, configuration);
                let warned = set((kind.as_str(), fields.as_str()), kept, known, &emit).await;
                warned.map(|warnings| stream.push(Answer::Warned(warnings)))
            }
            Work::NextStep | Work::Step(_) => match places(work, kept) {
                Ok(places) => step(places.start, kept, &emit, &stream).await,
                Err(reason) => Err(Answer::Refused(reason)),
            },
            Work::StepsBefore(_) => match places(work, kept) {
                Ok(places) => kept.step(places, &emit).await.map_err(failed),
                Err(reason) => Err(Answer::Refused(reason)),
            },
        };
        stream.push(worked.err().unwrap_or(Answer::Done));
    };
    let is_done = if is_whole(work, configuration) {
        working.await;
        true
    } else {
        tokio::select! {
            () = stream.write_until_gone(&client) => false,
            () = working => true,
        }
    };
    if !is_done {
        info!(?work, "interrupted, as the client is gone");
        watchers.tell("interrupted, as the client is gone");
        if let Err(error) = kept.recover().await {
            debug!(%error, "not all monitors probe again");
        }
    } else if !matches!(timeout(CLIENT, stream.finish(client)).await, Ok(Ok(()))) {
        debug!("a client did not read to the end");
    }
}

/// Whether work is done to its end, though its client is gone: a part of a configuration is none.
fn is_whole(work: &Work, configuration: &Configuration<'_>) -> bool {
    match work {
        Work::Set { kind, .. } => Configuration::is_of(kind),
        Work::Reset(_) => configuration.has_changes(),
        _ => false,
    }
}

fn failed(error: RunError) -> Answer {
    Answer::Failed(error.to_string())
}

/// Runs a step, and tells the way of its packets.
async fn step(
    place: usize,
    kept: &mut Kept<'_>,
    emit: &dyn Fn(Event),
    stream: &AnswerStream,
) -> Result<(), Answer> {
    let observations = kept.observed_step(place, emit).await.map_err(failed)?;
    let scenario = kept.scenario();
    if let Some(step) = scenario.steps.get(place) {
        let walk = Walk::of(&observations, scenario.load_balancers.keys(), &step.name);
        let (lines, source_seen) = (walk.lines(), walk.source_seen());
        stream.push(Answer::Walk(StepWalk { lines, source_seen }));
    }
    Ok(())
}

/// Brings a node, or all, back to what it was when it was built.
async fn reset(
    node: Option<&str>,
    kept: &mut Kept<'_>,
    (built, configuration): (&Built<'_>, &Configuration<'_>),
    stream: &AnswerStream,
) -> Result<(), Answer> {
    let lab = kept.lab();
    let all: Vec<NodeName> = lab.nodes().map(|node| node.name().clone()).collect();
    let nodes: Vec<NodeName> = match node {
        None => all,
        Some(name) => match all.iter().find(|node| node.as_str() == name) {
            Some(node) => vec![node.clone()],
            None => return Err(Answer::Refused(no_node(lab, name))),
        },
    };
    let mut resets = built.restore(&nodes);
    let one = nodes.first().filter(|_| node.is_some());
    // Those of members go with the forwarder's restart.
    let members = kept.forwarder_changes().await;
    for (node, changes) in members.into_iter().filter(|(node, _)| nodes.contains(node)) {
        of_node(&node, &mut resets).changed.extend(changes);
    }
    undo(one, kept, configuration, &mut resets).await?;
    for (node, what) in kept.start_again(&nodes).await.map_err(failed)? {
        let reset = resets.iter_mut().find(|reset| reset.name == node.as_str());
        reset.into_iter().for_each(|reset| reset.started.push(what.clone()));
    }
    if node.is_none() {
        kept.begin_anew().map_err(failed)?;
    }
    built.look_again(&mut resets);
    for (node, changes) in kept.forwarder_changes().await {
        if nodes.contains(&node) {
            of_node(&node, &mut resets).left.extend(changes);
        }
    }
    stream.push(Answer::Reset(resets));
    Ok(())
}

/// That a lab has no node of that name.
pub(crate) fn no_node(lab: &Lab, name: &str) -> String {
    let nodes: Vec<&str> = lab.nodes().map(|node| node.name().as_str()).collect();
    let known = known_names(name, "its nodes", nodes);
    format!("the lab has no node {}; {known}", quote(name))
}

/// What goes on in the lab while no work is done.
async fn go_on(now: &RefCell<Now<'_>>) -> Infallible {
    let mut forget = tokio::time::interval(FORGET);
    loop {
        tokio::select! {
            _ = forget.tick() => {
                if let Now::Idle(kept) = &mut *now.borrow_mut() {
                    kept.forget_server_log();
                }
            }
            never = poll_fn(|context| match &mut *now.borrow_mut() {
                Now::Idle(kept) => kept.poll_open_logins(context),
                Now::Busy(_) => Poll::Pending,
            }) => match never {},
        }
    }
}

/// The places of the steps that work consists of, or why it cannot be done.
fn places(work: &Work, kept: &Kept<'_>) -> Result<Range<usize>, String> {
    let steps = kept.steps();
    let place = |name: &str| {
        let found = steps.iter().position(|step| step.name.as_str() == name);
        found.ok_or_else(|| format!("the scenario has no {}", no_step(name, steps)))
    };
    match work {
        Work::Check | Work::Reset(_) | Work::Set { .. } => Ok(0..0),
        Work::Step(name) => place(name).map(|place| place..place + 1),
        Work::StepsBefore(name) => place(name).map(|place| 0..place),
        Work::NextStep if kept.next() < steps.len() => Ok(kept.next()..kept.next() + 1),
        Work::NextStep if steps.is_empty() => Err("the scenario has no steps".to_owned()),
        Work::NextStep => Err("the last step was run; `labsim step NAME` runs one once more, and \
            `labsim check` all of them"
            .to_owned()),
    }
}

/// That there is no step of that name, after `has no`.
#[must_use]
pub fn no_step(name: &str, steps: &[Step]) -> String {
    let known = known_names(name, "its steps", steps.iter().map(|step| step.name.as_str()));
    format!("step {}; {known}", quote(name))
}

/// The nodes' data addresses by name, in the form of hosts(5): those of the interfaces, not VIPs.
fn hosts(kept: &Kept<'_>) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for node in kept.lab().nodes() {
        let plan = node.plan();
        let has = |name| plan.interfaces.iter().any(|interface| interface.name == name);
        for address in plan.addresses.iter().filter(|it| has(it.interface.clone())) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {}", address.address.addr(), node.name());
        }
    }
    text
}
