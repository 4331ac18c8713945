//! The two inner ends of an impaired link: sockets for the relay between them, and netem where
//! the kernel impairs.

use super::{NodeBuilder, SWITCH_NS, enter, refusal_error, refused};
use crate::capture::open_bound;
use crate::error::BuildError;
use crate::netlink::netem::{self, Queued};
use crate::netns::WorkerContext;
use crate::plan::{LabPlan, RelayPlan, VethLinkEnd};
use labsim_scenario::model::{Attachment, Impairment};
use labsim_sys::netlink::{Batch, Refusal, Socket};
use std::io;
use std::os::fd::OwnedFd;
use tracing::debug;

/// An impaired link's inner ends. What comes in at one has to be sent out of the other.
#[derive(Debug)]
pub struct Relay {
    /// In the plan's order.
    pub ends: [RelayEnd; 2],
}

/// Where the frames come in that one end of the link sends.
#[derive(Debug)]
pub struct RelayEnd {
    /// The interface that sends them; `None` if that is a segment's switch.
    pub sender: Option<Attachment>,
    /// A nonblocking packet socket (`SOCK_RAW`), bound to the inner end for every protocol.
    pub socket: OwnedFd,
    /// What is to become of them; `None` if nothing is.
    pub impairment: Option<Impairment>,
    /// The kernel's netem, which does that where they are sent on: at the other inner end. `None`
    /// if the relay does it.
    pub netem: Option<Netem>,
}

/// netem on an inner end.
#[derive(Debug)]
pub struct Netem {
    netlink: Socket,
    index: u32,
}

impl Netem {
    /// What it holds and has dropped.
    ///
    /// # Errors
    /// Those of the netlink request.
    pub fn queued(&mut self) -> io::Result<Queued> {
        netem::queued(&mut self.netlink, self.index).map_err(Into::into)
    }
}

/// Opens the ends of every relay, in the plan's order.
pub(super) fn open(
    plan: &LabPlan,
    switch_ns: Option<&mut NodeBuilder>,
    context: &mut WorkerContext,
) -> Result<Vec<Relay>, BuildError> {
    let mut relays = Vec::new();
    let Some(switch_ns) = switch_ns else { return Ok(relays) };
    for link in &plan.links {
        let Some(relay) = &link.relay else { continue };
        enter(SWITCH_NS, switch_ns, context)?;
        let [first, second] = &link.ends;
        let [to_first, to_second] = &relay.inner;
        let ends = [
            end(plan, relay, first, 0, to_first.index, to_second.index, switch_ns)?,
            end(plan, relay, second, 1, to_second.index, to_first.index, switch_ns)?,
        ];
        relays.push(Relay { ends });
    }
    Ok(relays)
}

/// Opens the inner end `here` of what `sender` sends, which is sent on at `there`.
fn end(
    plan: &LabPlan,
    relay: &RelayPlan,
    sender: &VethLinkEnd,
    side: usize,
    here: u32,
    there: u32,
    switch_ns: &mut NodeBuilder,
) -> Result<RelayEnd, BuildError> {
    let failed = |what| move |source| BuildError::Process { what, source };
    let socket = open_bound(here).map_err(failed("the packet socket of an impaired link"))?;
    let impairment = relay.impairments.get(side).cloned().flatten();
    if impairment.is_some() {
        let engine = if relay.netem { "netem" } else { "relay" };
        debug!(from = plan.end_name(sender), engine, "impaired link opened");
    }
    let netem = match &impairment {
        Some(impairment) if relay.netem => {
            impair(&plan.end_name(sender), there, impairment, switch_ns)?;
            let netlink =
                Socket::open().map_err(|errno| failed("a netlink socket")(errno.into()))?;
            Some(Netem { netlink, index: there })
        }
        _ => None,
    };
    Ok(RelayEnd { sender: plan.attachment(sender), socket, impairment, netem })
}

/// Sets netem, and believes it only when it is read back as it was set.
fn impair(
    sender: &str,
    index: u32,
    impairment: &Impairment,
    switch_ns: &mut NodeBuilder,
) -> Result<(), BuildError> {
    let operation = || format!("netem for frames from {sender}");
    let mut batch = Batch::default();
    batch.push(netem::request(index, impairment), ());
    batch.send(&mut switch_ns.netlink).map_err(|refusal| refused(refusal, |()| operation()))?;
    let differences = netem::differences(&mut switch_ns.netlink, index, impairment)
        .map_err(|errno| refusal_error(&Refusal::<()>::from(errno), operation()))?;
    match differences.is_empty() {
        true => Ok(()),
        false => Err(BuildError::NotAsSet { sender: sender.to_owned(), differences }),
    }
}
