//! Diagnoses a step: how far its packets came, and why, as far as frames, counters and state show
//! it.
//!
//! Evidence comes before configuration: a [`Cause`] is reported only with the frames, counters or
//! log lines that show it; configuration and state explain it. Without such evidence only the place
//! where the packets were last seen is reported.

mod begun_flows;
mod cause;
mod change;
pub(crate) mod copies;
mod evidence;
mod fix;
mod groups;
mod roles;
mod subject;
pub(crate) mod trace;
mod ways;

pub use cause::{Cause, CauseRecord, Fix};
pub use change::Change;
pub(crate) use change::scalar;
pub use copies::Rounds;
pub use evidence::named_drops;
pub use trace::Trace;
pub use ways::{Topic, TopicWays, Way, ways};

pub(crate) use groups::{EXAMINED, GROUPS, diagnose_step};

use subject::Subject;

use crate::check_result::CheckContext;
use crate::frames::{Conversation, SHOWN};
use crate::observe::Attempt;
use crate::servers;
use labsim_scenario::model::StepName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who sends the packets of logins and requests.
const CLIENT: &str = "client";

/// Log lines that a diagnosis shows at most.
const LOGGED: usize = 10;

/// What became of a step's packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The step.
    pub step: StepName,
    /// Which of the step's logins or requests this is about, if there are several: `3 of 9 logins
    /// failed, all on rs2; rs1 and rs3 served theirs; this is login 17 from client2
    /// (192.168.11.202:40001)`.
    pub about: Option<String>,
    /// The way of the client's packets; `None` if none was captured.
    pub forward: Option<Trace>,
    /// The way of the answers; `None` if none was captured.
    pub back: Option<Trace>,
    /// The causes that something shows, in the order in which the packets met them.
    pub causes: Vec<Cause>,
    /// What the servers logged about the step.
    pub server_log: Vec<String>,
    /// Who sent the packets: `client`; `None` of a step that only waits for something.
    sender: Option<&'static str>,
}

impl Diagnosis {
    /// Everything in sentences, in the order in which a person asks: how far the packets came,
    /// what shows why, what came back, what the servers say.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.about.iter().cloned().map(Finding::of).collect();
        let way = |trace: &Option<Trace>, whose: &str, none: &str| match trace {
            Some(trace) => trace.finding(whose),
            None => Finding::of(none.to_owned()),
        };
        if let Some(sender) = self.sender {
            let none = format!("no packet of the {sender} was captured anywhere");
            findings.push(way(&self.forward, &format!("{sender}'s"), &none));
        }
        findings.extend(self.causes.iter().map(|cause| Finding {
            code: Some(cause.code.name().to_owned()),
            sentence: cause.sentence.clone(),
            fix: Some(cause.fix.what.clone()),
            frame_indices: cause.frames.indices(),
        }));
        if self.sender.is_some() {
            findings.push(way(&self.back, "server's", "no reply was captured anywhere"));
        }
        findings.extend(self.server_log.iter().cloned().map(Finding::of));
        findings
    }

    /// The causes as an event and a report hold them.
    #[must_use]
    pub fn records(&self) -> Vec<CauseRecord> {
        self.causes.iter().map(|cause| cause.record(&self.step)).collect()
    }
}

/// A sentence of a diagnosis. Displays with the code in brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The stable code of a cause (`labsim help CODE`); absent for what is not a cause: the
    /// packets' path and the servers' logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was found.
    pub sentence: String,
    /// What cures a cause, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The frames that show it, by their places in the run's capture: those of a cause, the last
    /// one of a path. For the comments of `capture.pcapng`.
    #[serde(skip)]
    pub frame_indices: Vec<usize>,
}

impl Finding {
    fn of(sentence: String) -> Self {
        Self { sentence, ..Self::default() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} [{code}]", self.sentence),
            None => f.write_str(&self.sentence),
        }
    }
}

/// Diagnoses one of a step's logins or requests.
fn diagnose_attempt<'a>(
    context: &'a CheckContext<'a>,
    step: &'a StepName,
    attempt: &'a Attempt,
) -> Diagnosis {
    let entries = servers::entries(context, step, attempt);
    let server_log: Vec<String> = entries.into_iter().take(LOGGED).map(servers::say).collect();
    let mut diagnosis = Diagnosis {
        step: step.clone(),
        about: None,
        forward: None,
        back: None,
        causes: Vec::new(),
        server_log,
        sender: Some(CLIENT),
    };
    let Some(subject) = subject_of(context, step, attempt) else {
        diagnosis.causes.extend(evidence::sending::without_route(context, attempt));
        return diagnosis;
    };
    diagnosis.forward = trace::follow(&subject, &subject.forward);
    diagnosis.back = trace::follow(&subject, &subject.back);
    diagnosis.causes =
        evidence::collect(&subject, diagnosis.forward.as_ref(), diagnosis.back.as_ref());
    diagnosis.causes.truncate(SHOWN);
    diagnosis
}

/// One login or request with its packets; `None` if its client had no address and port.
fn subject_of<'a>(
    context: &'a CheckContext<'a>,
    step: &'a StepName,
    attempt: &'a Attempt,
) -> Option<Subject<'a>> {
    let flow = attempt.flow()?;
    let client = &attempt.from;
    let Conversation { mut forward, mut back } = context.frames.conversation(flow);
    for to_client in context.frames.flows_to(flow.protocol, flow.source) {
        back.extend(context.frames.of_flow(to_client));
    }
    back.sort_unstable();
    back.dedup();
    context.retain_own(attempt, &mut forward);
    context.retain_own(attempt, &mut back);
    // A segment floods what it cannot place: that is no part of the packets' way.
    for way in [&mut forward, &mut back] {
        way.retain(|index| {
            context.frames.get(*index).is_some_and(|frame| context.frames.is_meant(&frame))
        });
    }
    let counted = subject::counted(context, step, &[&forward, &back]);
    Some(Subject { context, step, attempt, flow, client, forward, back, counted })
}
