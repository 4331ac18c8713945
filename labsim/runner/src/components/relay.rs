//! The relay between the ends of impaired links. It runs for both engines: labsim's own, and the
//! kernel's netem.

use crate::component::{Component, Pending, Shutdown, done};
use crate::error::RunError;
use crate::observations::Snapshot;
use crate::plan::RelayPart;
use labsim_codes::run;
use labsim_dataplane::relay::{Backlog, End, Onward, Queued, Relay};
use labsim_event::Event;
use labsim_impairment::{Impairment, QUEUE_BYTES, Share};
use labsim_lab::{self as lab, Lab, Netem, RelayEnd};
use labsim_scenario::model::{self, Attachment, Percent};
use labsim_verdict::LinkCounters;
use std::time::Duration;

/// The relay of all impaired links of a lab.
pub(super) struct LinkRelay {
    part: RelayPart,
    /// The links' inner ends, until the relay has them.
    links: Vec<lab::Relay>,
    /// The senders of what comes in at each end, in the relay's order.
    senders: Vec<[Option<Attachment>; 2]>,
    /// `None` of a lab without impaired links.
    relay: Option<Relay>,
}

impl LinkRelay {
    pub(super) fn new(part: RelayPart, links: Vec<lab::Relay>) -> Self {
        let senders =
            links.iter().map(|link| link.ends.each_ref().map(|end| end.sender.clone())).collect();
        Self { part, links, senders, relay: None }
    }
}

impl Component<Lab> for LinkRelay {
    fn name(&self) -> String {
        "the relay of impaired links".to_owned()
    }

    fn start(&mut self, _lab: &Lab, _emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let links = std::mem::take(&mut self.links);
        if !links.is_empty() {
            let ends = links.into_iter().map(|link| link.ends.map(end)).collect();
            let started = Relay::start(ends);
            self.relay =
                Some(started.map_err(RunError::from_source(run::RELAY_FAILED, self.name()))?);
        }
        Ok(())
    }

    fn observe<'a>(&'a mut self, _lab: &'a Lab, into: &'a mut Snapshot) -> Pending<'a> {
        let counters = self.relay.as_ref().map(Relay::counters).unwrap_or_default();
        for (sender, counters) in self.senders.iter().flatten().zip(counters.iter().flatten()) {
            let Some(sender) = sender.as_ref().filter(|it| self.part.senders.contains(it)) else {
                continue;
            };
            let by_name = counters.by_name().filter(|(_, count)| *count > 0);
            let by_name = by_name.map(|(name, count)| (name.to_owned(), count)).collect();
            let counters = LinkCounters { dropped: counters.dropped(), by_name };
            into.links.insert(sender.clone(), counters);
        }
        done(Ok(()))
    }

    fn stop<'a>(&'a mut self, _how: Shutdown, _emit: &'a dyn Fn(Event)) -> Pending<'a> {
        // Ends its thread.
        drop(self.relay.take());
        done(Ok(()))
    }
}

fn end(end: RelayEnd) -> End {
    let RelayEnd { sender, socket, impairment, netem } = end;
    let onward = match (netem, impairment) {
        (Some(netem), _) => Onward::Netem(backlog(netem)),
        (None, Some(impairment)) => Onward::Impaired(line(&impairment, sender.as_ref())),
        (None, None) => Onward::Impaired(Impairment::default()),
    };
    End { socket, onward }
}

fn backlog(mut netem: Netem) -> Backlog {
    Box::new(move || {
        let queued = netem.queued()?;
        Ok(Queued { waiting: queued.waiting.into(), dropped: queued.dropped.into() })
    })
}

fn line(impairment: &model::Impairment, sender: Option<&Attachment>) -> Impairment {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let share = |percent: Percent| Share::of_millionths(percent.millionths());
    Impairment {
        delay: nanoseconds(impairment.delay),
        jitter: nanoseconds(impairment.jitter),
        loss: share(impairment.loss),
        duplicate: share(impairment.duplicate),
        reorder: share(impairment.reorder),
        rate: impairment.rate,
        queue_frames: usize::try_from(impairment.queue).unwrap_or(usize::MAX),
        queue_bytes: QUEUE_BYTES,
        seed: impairment.seed ^ sender.map_or(0, seed_of),
    }
}

/// A number for each interface, so that the two ends of a link do not lose the same frames
/// (FNV-1a).
fn seed_of(sender: &Attachment) -> u64 {
    let name = [sender.node.as_str(), ":", sender.interface.as_str()].concat();
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
