//! What all exchanges have: clients, how often, from which port, to where.

use super::{ServerStep, number, seconds};
use crate::file::RawExchange;
use crate::model::{Exchange, ExchangeForm, NodeName, StepAction};
use crate::resolve::Report;
use labsim_codes::file;
use labsim_yaml::Located;
use std::net::SocketAddr;
use std::time::Duration;

/// Most exchanges of a client, and of a step.
const TIMES: u32 = 100_000;
/// Most exchanges at a time: each has a socket and a port.
const CONCURRENCY: u32 = 10_000;

/// What carries an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Tcp,
    Udp,
}

impl Carrier {
    /// How long an exchange over TCP may take, and how long an answer to a datagram, in seconds.
    const fn timeout(self) -> u64 {
        match self {
            Self::Tcp => 5,
            Self::Udp => 1,
        }
    }
}

/// What all exchanges have.
pub(super) struct Common {
    /// What one is called: `exchange`, `login`.
    noun: &'static str,
    from: Vec<NodeName>,
    times: u32,
    concurrency: u32,
    source_port: Option<u16>,
    pub(super) to: SocketAddr,
    timeout: Duration,
    background: bool,
}

impl Common {
    pub(super) fn new(
        fields: &RawExchange,
        (carrier, noun): (Carrier, &'static str),
        step: &ServerStep<'_>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let nodes = step.lookup.nodes(&fields.from, report);
        let from: Vec<NodeName> = nodes.into_iter().map(|node| node.value).collect();
        let to = step.to(&fields.to, &from, report);
        let times = times(fields.times, &from, noun, report);
        let concurrency = number(fields.concurrency, (1, CONCURRENCY), "concurrency", report);
        check_source_port(fields, (times, concurrency), carrier, report);
        let timeout = seconds(fields.timeout, carrier.timeout(), report);
        let background = fields.background.is_some_and(|background| background.value);
        let source_port = fields.source_port.map(|port| port.value);
        let to = to.filter(|_| !from.is_empty())?;
        Some(Self { noun, from, times, concurrency, source_port, to, timeout, background })
    }

    /// How many exchanges all clients make.
    pub(super) fn number(&self) -> u64 {
        u64::from(self.times) * self.from.len() as u64
    }

    /// Checks that the exchange can wait for the step that resumes it.
    pub(super) fn check_pause(&self, pause: Located<bool>, report: &mut Report<'_>) {
        if self.number() > 1 {
            let noun = self.noun;
            let message =
                format!("only a single {noun} can pause; name one client, and no `times`");
            report.at(pause.span, file::CONFLICT, message);
        }
        if self.background {
            let message = "`pause` and `background` exclude each other; leave `background` out";
            report.at(pause.span, file::CONFLICT, message);
        }
    }

    /// The step, with what is said.
    pub(super) fn with(self, pause: bool, form: ExchangeForm) -> StepAction {
        let Self { noun: _, from, times, concurrency, source_port, to, timeout, background } = self;
        StepAction::Exchange(Box::new(Exchange {
            from,
            times,
            concurrency,
            source_port,
            to,
            timeout,
            pause,
            background,
            form,
        }))
    }
}

/// How often each client does something; all of them together not too often.
fn times(
    written: Option<Located<u32>>,
    from: &[NodeName],
    what: &str,
    report: &mut Report<'_>,
) -> u32 {
    let times = number(written, (1, TIMES), "times", report);
    if let Some(written) = written
        && u32::try_from(from.len()).is_ok_and(|clients| clients.saturating_mul(times) > TIMES)
    {
        let message = format!("at most {TIMES} {what}s of all clients are allowed");
        report.at(written.span, file::TOO_MANY, message);
    }
    times
}

/// Checks that the exchanges can share a port: one after the other, and over TCP not at all.
fn check_source_port(
    fields: &RawExchange,
    (times, concurrency): (u32, u32),
    carrier: Carrier,
    report: &mut Report<'_>,
) {
    let Some(port) = fields.source_port else { return };
    if port.value == 0 {
        let message = "port 0 does not exist; write 1 to 65535, or leave `source_port` out";
        report.at(port.span, file::OUT_OF_RANGE, message);
    }
    if carrier == Carrier::Tcp && times > 1 {
        let message = "a port that a connection had rests before it can have the next (TIME_WAIT); leave \
                       `times` or `source_port` out";
        report.at(port.span, file::CONFLICT, message);
    } else if let Some(written) = fields.concurrency.filter(|_| concurrency > 1 && times > 1) {
        let message = "the exchanges of one port follow each other, as no answer tells which of several it \
                       is for; leave `concurrency` or `source_port` out";
        report.at(written.span, file::CONFLICT, message);
    }
}
