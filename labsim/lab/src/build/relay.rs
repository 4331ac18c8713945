//! The two inner ends of an impaired link: sockets for whoever relays between them, and netem where
//! the kernel is to impair.

use super::{Site, enter, refusal_error, refused};
use crate::capture::bind_to_device;
use crate::enter::Entrance;
use crate::error::BuildError;
use crate::netlink::netem::{self, Queued};
use crate::netlink::{Batch, Netlink, Refusal, Request};
use crate::plan::{CableEnd, Plan, RelayPlan};
use labsim_scenario::model::{Attachment, Impairment};
use std::io;
use std::os::fd::OwnedFd;

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
    /// if whoever relays does it.
    pub netem: Option<Netem>,
}

/// netem on an inner end.
#[derive(Debug)]
pub struct Netem {
    netlink: Netlink,
    index: u32,
}

impl Netem {
    /// What it holds and has dropped.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn queued(&mut self) -> io::Result<Queued> {
        netem::queued(&mut self.netlink, self.index).map_err(Into::into)
    }
}

/// Opens the ends of every relay, in the plan's order.
pub(super) fn open(
    plan: &Plan,
    fabric: Option<&mut Site>,
    entrance: &mut Entrance,
) -> Result<Vec<Relay>, BuildError> {
    let mut relays = Vec::new();
    let Some(fabric) = fabric else { return Ok(relays) };
    for cable in &plan.cables {
        let Some(relay) = &cable.relay else { continue };
        enter("the fabric", fabric, entrance)?;
        let [first, second] = &cable.ends;
        let [to_first, to_second] = &relay.inner;
        let ends = [
            end(plan, relay, (first, 0), (to_first.index, to_second.index), fabric)?,
            end(plan, relay, (second, 1), (to_second.index, to_first.index), fabric)?,
        ];
        relays.push(Relay { ends });
    }
    Ok(relays)
}

/// Opens the inner end `here` of what `sender` sends, which is sent on at `there`.
fn end(
    plan: &Plan,
    relay: &RelayPlan,
    (sender, side): (&CableEnd, usize),
    (here, there): (u32, u32),
    fabric: &mut Site,
) -> Result<RelayEnd, BuildError> {
    let failed = |what| move |source| BuildError::Process { what, source };
    let socket = bind_to_device(here).map_err(failed("the packet socket of an impaired link"))?;
    let impairment = relay.impairments.get(side).cloned().flatten();
    let netem = match &impairment {
        Some(impairment) if relay.netem => {
            impair(&plan.end_name(sender), there, impairment, fabric)?;
            let netlink =
                Netlink::open().map_err(|errno| failed("a netlink socket")(errno.into()))?;
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
    fabric: &mut Site,
) -> Result<(), BuildError> {
    let operation = || format!("netem behind {sender}");
    let mut batch = Batch::default();
    batch.push(Request::netem(index, impairment), ());
    batch.send(&mut fabric.netlink).map_err(|refusal| refused(refusal, |()| operation()))?;
    let differences = netem::differences(&mut fabric.netlink, index, impairment)
        .map_err(|errno| refusal_error(&Refusal::<()>::from(errno), operation()))?;
    match differences.is_empty() {
        true => Ok(()),
        false => Err(BuildError::NotAsSet { sender: sender.to_owned(), differences }),
    }
}
