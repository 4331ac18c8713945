//! The process that holds a lab: builds it, keeps it, and answers its clients.

use crate::desk::{CLIENT, Desk, Now, Order};
use crate::folder::Claim;
use crate::presence::Presence;
use crate::protocol::{Answer, Work};
use crate::stream::AnswerStream;
use labsim_codes::run;
use labsim_model::{known_names, quote};
use labsim_runner::{Cancelled, Keeping, Kept, RunError, keep};
use labsim_scenario::model::{Scenario, Step};
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::{Display, Write as _};
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;
use tokio::net::UnixStream;
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
    /// Its file, for people.
    pub file: PathBuf,
    /// How it is kept.
    pub keeping: Keeping,
    /// Whether this process made a user namespace for itself, which has to be entered first.
    pub in_user_namespace: bool,
}

/// Builds a lab and holds it until it is told to end, or `cancelled`. `ready` is called when everything
/// runs; if it fails, nobody waits for the lab any more, and it ends. The lab's folder is removed in any
/// case.
///
/// # Errors
/// Those of [`keep`], and what the holder itself lacks.
pub fn hold(
    held: &Held<'_>,
    mut claim: Claim,
    cancelled: &Cancelled,
    ready: impl FnOnce() -> io::Result<()>,
) -> Result<(), RunError> {
    let ended = keep(held.scenario, &held.keeping, cancelled, async |kept| {
        let failed = |error: &dyn Display| RunError::Internal {
            code: run::HOLDER_FAILED,
            message: format!("the lab's holder: {error}"),
        };
        let presence = Presence::new(&mut claim, hosts(&kept)).map_err(|error| failed(&error))?;
        let mut holder = Holder::new(held, kept, presence).map_err(|error| failed(&error))?;
        ready().map_err(|error| failed(&error))?;
        holder.serve().await;
        Ok(())
    });
    claim.release();
    ended
}

struct Holder<'a> {
    desk: Desk<'a>,
    now: RefCell<Now<'a>>,
    orders: UnboundedReceiver<Order<'a>>,
}

impl<'a> Holder<'a> {
    fn new(held: &'a Held<'a>, kept: Kept<'a>, presence: Presence<'a>) -> io::Result<Self> {
        let (orderer, orders) = unbounded_channel();
        let desk = Desk::new(held, &kept, presence, orderer)?;
        Ok(Self { desk, now: RefCell::new(Now::Idle(kept)), orders })
    }

    /// Serves clients, until one ends the lab.
    async fn serve(&mut self) {
        let Self { desk, now, orders } = self;
        let now = &*now;
        let work = async {
            while let Some(Order { client, work, mut kept }) = orders.recv().await {
                do_work(client, &work, &mut kept).await;
                *now.borrow_mut() = Now::Idle(kept);
            }
        };
        tokio::select! {
            () = desk.serve(now) => {}
            () = work => {}
            never = go_on(now) => match never {},
        }
    }
}

/// Does work for a client, until it is done or the client is gone.
async fn do_work(client: UnixStream, work: &Work, kept: &mut Kept<'_>) {
    let stream = AnswerStream::default();
    let emit = |event| stream.push(Answer::Event(Box::new(event)));
    let working = async {
        stream.push(match places(work, kept) {
            Err(reason) => Answer::Refused(reason),
            Ok(None) => {
                kept.check(&emit).await;
                Answer::Done
            }
            Ok(Some(places)) => match kept.step(places, &emit).await {
                Ok(()) => Answer::Done,
                Err(error) => Answer::Failed(error.to_string()),
            },
        });
    };
    let is_done = tokio::select! {
        () = stream.write_until_gone(&client) => false,
        () = working => true,
    };
    if !is_done {
        info!(?work, "interrupted, as the client is gone");
        if let Err(error) = kept.recover().await {
            debug!(%error, "not all monitors probe again");
        }
    } else if !matches!(timeout(CLIENT, stream.finish(client)).await, Ok(Ok(()))) {
        debug!("a client did not read to the end");
    }
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

/// The places of the steps that work consists of; `None` if it is a check. Or why it cannot be done.
fn places(work: &Work, kept: &Kept<'_>) -> Result<Option<Range<usize>>, String> {
    let steps = kept.steps();
    let place = |name: &str| {
        let found = steps.iter().position(|step| step.name.as_str() == name);
        found.ok_or_else(|| {
            format!("the scenario has no {}", no_step(name, steps))
        })
    };
    match work {
        Work::Check => Ok(None),
        Work::Step(name) => place(name).map(|place| Some(place..place + 1)),
        Work::StepsBefore(name) => place(name).map(|place| Some(0..place)),
        Work::NextStep if kept.next() < steps.len() => Ok(Some(kept.next()..kept.next() + 1)),
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
