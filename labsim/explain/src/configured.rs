//! Captures against configuration: what contradicts the wire, and what is decided within a set of causes.

mod balancer;
mod counters;
mod director;
mod host;

use crate::known::Known;
use crate::sentence::Sentence;
use crate::verdict::{Kind, Verdict};
use labsim_codes::Code;

/// What a file says, and what follows from it.
#[derive(Debug)]
pub(crate) struct Finding {
    /// With file and line.
    text: String,
    effect: Effect,
}

/// What follows for the verdict.
#[derive(Debug)]
enum Effect {
    /// Nothing: configuration and wire differ.
    Differs,
    /// It is a cause, if the packets came so far.
    Is(Code),
    /// These causes are more likely than others.
    Likely(Vec<Code>),
    /// It is none of these causes.
    Excludes(Vec<Code>),
}

impl Finding {
    fn new(text: String, effect: Effect) -> Self {
        Self { text, effect }
    }

    fn sentence(self) -> Sentence {
        Sentence { text: self.text, evidence: Vec::new() }
    }
}

/// The verdict with what configuration decides, and in sentences where configuration and wire differ.
pub(crate) fn with_configuration(known: &Known<'_>, verdict: Verdict) -> (Verdict, Vec<Sentence>) {
    let configuration = &known.trace.configuration;
    if configuration.is_empty() {
        return (verdict, Vec::new());
    }
    let mut findings = Vec::new();
    let hosts = configuration.hosts_of(known);
    for host in &hosts {
        findings.extend(host::findings(known, host));
        findings.extend(counters::findings(known, host));
    }
    findings.extend(director::findings(known));
    findings.extend(balancer::findings(known));
    findings.extend(host::arp(known, &configuration.hosts, &verdict));
    match (verdict.cause, verdict.kind) {
        (Some(cause), _) => explain(cause, verdict, findings),
        (None, Kind::Healthy) => (verdict, differences(findings)),
        // Several servers' files do not say which of them got the packets.
        (None, _) if hosts.len() > 1 => (verdict, differences(findings)),
        (None, _) => decide(known, verdict, findings),
    }
}

/// What differs from a verdict that stays as it is.
fn differences(findings: Vec<Finding>) -> Vec<Sentence> {
    let is_shown = |it: &Finding| matches!(it.effect, Effect::Differs | Effect::Is(_));
    findings.into_iter().filter(is_shown).map(Finding::sentence).collect()
}

/// Adds to a cause the lines that make it.
fn explain(cause: Code, mut verdict: Verdict, findings: Vec<Finding>) -> (Verdict, Vec<Sentence>) {
    let mut differing = Vec::new();
    for finding in findings {
        match &finding.effect {
            Effect::Is(code) if *code == cause => verdict.because.push(finding.sentence()),
            Effect::Likely(codes) if codes.contains(&cause) => {
                verdict.because.push(finding.sentence());
            }
            Effect::Excludes(codes) if !codes.contains(&cause) => {}
            Effect::Likely(_) => {}
            Effect::Differs | Effect::Is(_) | Effect::Excludes(_) => {
                differing.push(finding.sentence());
            }
        }
    }
    (verdict, differing)
}

/// Narrows a set of causes, and names the cause where a server's state is one of the set.
fn decide(
    known: &Known<'_>,
    mut verdict: Verdict,
    findings: Vec<Finding>,
) -> (Verdict, Vec<Sentence>) {
    // Nothing is known of where an unanswered request stopped: what a state shows is possible, and not shown.
    let is_open = verdict.possible.is_empty() && known.connection.replies.is_empty();
    let (mut causes, mut shown, mut because, mut differing) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut likely = Vec::new();
    for mut finding in findings {
        match &finding.effect {
            Effect::Is(code) if verdict.possible.contains(code) => {
                causes.push(*code);
                shown.push(finding.sentence());
            }
            Effect::Is(code) if is_open => {
                likely.push(*code);
                because.push(finding.sentence());
            }
            Effect::Likely(codes) => {
                let before = likely.len();
                likely.extend(codes.iter().filter(|it| is_open || verdict.possible.contains(it)));
                if likely.len() > before {
                    because.push(finding.sentence());
                }
            }
            Effect::Excludes(codes) => {
                let is_excluded = |it: &&Code| codes.contains(it);
                let excluded: Vec<&str> =
                    verdict.possible.iter().filter(is_excluded).map(|it| it.name()).collect();
                if !excluded.is_empty() {
                    finding.text = format!("{}: not {}", finding.text, excluded.join(", not "));
                    verdict.possible.retain(|it| !codes.contains(it));
                    because.push(finding.sentence());
                }
            }
            Effect::Differs | Effect::Is(_) => differing.push(finding.sentence()),
        }
    }
    if let Some(cause) = causes.first().copied() {
        shown.append(&mut verdict.because);
        shown.append(&mut because);
        verdict = Verdict::shown(cause, Vec::new(), shown);
        let further = causes.iter().skip(1).map(|it| it.remedy().to_owned());
        verdict.next.extend(further);
    } else {
        verdict.because.append(&mut because);
        verdict.put_first(&likely);
    }
    (verdict, differing)
}
