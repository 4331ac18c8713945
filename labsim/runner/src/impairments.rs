//! Who impairs links: the kernel's netem, or labsim's relay; and the relay that runs for both.

use crate::fault::Fault;
use labsim_dataplane::relay::{Backlog, End, Onward, Queued, Relay};
use labsim_impairment::{Impairment, QUEUE_BYTES, Share};
use labsim_lab::{Lab, Netem, Plan, RelayEnd, probe};
use labsim_scenario::model::{self, Attachment, Percent, Scenario};
use labsim_verdict::LinkCounters;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who impairs links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impairments {
    /// The kernel's netem if there is one, otherwise labsim.
    Auto,
    /// The kernel's netem; without it the scenario cannot run.
    Kernel,
    /// labsim's relay.
    Relay,
}

/// Who was chosen, and for what reason.
pub(crate) struct Engine {
    netem: bool,
    /// `None` if no link is impaired.
    pub(crate) told: Option<String>,
}

impl Engine {
    /// Decides for a scenario, by trying.
    pub(crate) fn choose(wanted: Impairments, scenario: &Scenario) -> Result<Self, Fault> {
        if scenario.impairments.is_empty() {
            return Ok(Self { netem: false, told: None });
        }
        let because = match wanted {
            Impairments::Relay => "as asked for".to_owned(),
            Impairments::Auto | Impairments::Kernel => match probe::kernel_netem() {
                Ok(()) => return Ok(Self { netem: true, told: Some("netem".to_owned()) }),
                Err(missing) if wanted == Impairments::Kernel => {
                    let what = format!("the kernel's netem was asked for, and {missing}");
                    return Err(Fault::Cannot(what));
                }
                Err(missing) => missing.reason,
            },
        };
        Ok(Self { netem: false, told: Some(format!("labsim's relay ({because})")) })
    }

    /// The plan as this engine wants it.
    pub(crate) fn plan(&self, plan: Plan) -> Plan {
        if self.netem { plan.with_netem() } else { plan }
    }
}

/// The relay of a lab's impaired links; dropping it ends its thread.
pub(crate) struct Impaired {
    /// `None` of a lab without any.
    relay: Option<Relay>,
    /// Who sends what comes in at each end, in the relay's order.
    senders: Vec<[Option<Attachment>; 2]>,
}

impl Impaired {
    /// Starts relaying between the ends of every impaired link.
    pub(crate) fn start(lab: &mut Lab) -> Result<Self, Fault> {
        let links = lab.take_relays();
        let senders: Vec<_> =
            links.iter().map(|link| link.ends.each_ref().map(|end| end.sender.clone())).collect();
        if links.is_empty() {
            return Ok(Self { relay: None, senders });
        }
        let ends = links.into_iter().map(|link| link.ends.map(end)).collect();
        let relay = Relay::start(ends).map_err(Fault::broken("the relay of impaired links"))?;
        Ok(Self { relay: Some(relay), senders })
    }

    /// What became of the frames that each impaired interface sent.
    pub(crate) fn counted(&self, scenario: &Scenario) -> BTreeMap<Attachment, LinkCounters> {
        let counters = self.relay.as_ref().map(Relay::counters).unwrap_or_default();
        let ends = self.senders.iter().flatten().zip(counters.iter().flatten());
        ends.filter_map(|(sender, counters)| {
            let sender = sender.clone().filter(|it| scenario.impairments.contains_key(it))?;
            let by_name = counters.by_name().filter(|(_, count)| *count > 0);
            let by_name = by_name.map(|(name, count)| (name.to_owned(), count)).collect();
            Some((sender, LinkCounters { dropped: counters.dropped(), by_name }))
        })
        .collect()
    }
}

/// The longest time that a frame may be on the impaired links of a scenario, each passed once.
pub(crate) fn longest_way(scenario: &Scenario) -> Duration {
    let link = |(end, it): (&Attachment, &model::Impairment)| {
        let packet = scenario.topology.node(&end.node).and_then(|node| {
            node.interfaces.iter().find(|one| one.name == end.interface).map(|one| one.mtu)
        });
        let bits = u64::from(packet.unwrap_or(1500) + 14) * 8 * u64::from(it.queue);
        let queue = it.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(bits / rate + 1));
        it.delay + it.jitter + queue
    };
    scenario.impairments.iter().map(link).sum()
}

fn end(end: RelayEnd) -> End {
    let RelayEnd { sender, socket, impairment, netem } = end;
    let onward = match (netem, impairment) {
        (Some(netem), _) => Onward::Netem(backlog(netem)),
        (None, Some(impairment)) => Onward::Impaired(of(&impairment, sender.as_ref())),
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

fn of(impairment: &model::Impairment, sender: Option<&Attachment>) -> Impairment {
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
        seed: impairment.seed ^ sender.map_or(0, own),
    }
}

/// A number of an interface's own, so that the two ends of a link do not lose the same frames
/// (FNV-1a).
fn own(sender: &Attachment) -> u64 {
    let name = [sender.node.as_str(), ":", sender.interface.as_str()].concat();
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
