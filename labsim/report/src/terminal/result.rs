//! The text of one scenario, as far as it has come.

use super::Paint;
use crate::expectation_text;
use crate::proof_text::{self, CausePlace};
use labsim_event::{CauseRecord, Event, Finding, Outcome, Proof};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Lines of a failure that are printed, its first and its last line among them; `-v` and the results
/// have all.
const LINES: usize = 15;
/// Lines of each list of a failed expectation in the full text; results have them all.
const SHOWN: usize = 12;
/// Of these in the short text.
const SHOWN_SHORT: usize = 3;

/// What is known of a scenario that runs.
#[derive(Debug, Default)]
pub(super) struct ScenarioText {
    /// The command that runs it again.
    pub(super) again: String,
    /// The command that proves its causes, if there is one.
    pub(super) prove: Option<String>,
    /// Whether all that is known is kept in results, if they are asked for.
    pub(super) has_results: bool,
    attempt: Try,
    /// What failed in tries before this one: the line of each and its causes.
    earlier: Vec<String>,
}

/// What is known of a try.
#[derive(Debug, Default)]
struct Try {
    engines: Vec<String>,
    warnings: Vec<String>,
    /// The programs without an isolation, by the isolation and the kernel's error.
    refused_isolation: BTreeMap<(String, String), Vec<String>>,
    steps: String,
    /// Findings that are causes, then the others.
    causes: Vec<CauseText>,
    findings: Vec<String>,
    proof: Option<Proof>,
    held: String,
    failed: String,
    failed_short: String,
    /// Errors of the file.
    errors: Vec<String>,
    frames: usize,
    points: usize,
    dropped: u64,
}

/// How a scenario ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<&'a str>,
    /// How many expectations held, and how many there are.
    pub(super) held: Option<(usize, usize)>,
    pub(super) took_ms: f64,
}

impl ScenarioText {
    pub(super) fn update(&mut self, event: &Event, paint: Paint) {
        let attempt = &mut self.attempt;
        match event {
            Event::Warned { warning } => attempt.warnings.push(warning.clone()),
            Event::FileRejected { errors } => attempt.errors.clone_from(errors),
            Event::LabBuilt { nodes, links, tunnel, impairments, took_ms, .. } => {
                let built = format!("{nodes} nodes and {links} links in {took_ms:.1} ms");
                attempt.engines.extend([built, format!("tunnel: {tunnel}")]);
                let impairments = impairments.as_ref().map(|it| format!("impairments: {it}"));
                attempt.engines.extend(impairments);
            }
            Event::Ready { capture_points, data_planes, .. } => {
                attempt.points = *capture_points;
                for (node, plane) in data_planes {
                    attempt.engines.push(format!("forwarder in {node}: {plane}"));
                }
            }
            // One login's result is in the expectations; the figures of several are here.
            Event::StepEnded { step, detail, attempts: 2.., .. } => {
                let _ = writeln!(attempt.steps, "  step {step}: {detail}");
            }
            Event::IsolationRefused { node, program, isolation, reason } => {
                let refused = (isolation.clone(), reason.clone());
                let programs = attempt.refused_isolation.entry(refused).or_default();
                programs.push(format!("`{program}` in {node}"));
            }
            Event::Observed { frames, dropped, .. } => {
                attempt.frames = *frames;
                attempt.dropped = *dropped;
            }
            Event::Judged(result) if result.passed => {
                expectation_text::write(&mut attempt.held, &paint.good("✓"), result, SHOWN);
            }
            Event::Judged(result) => {
                let mark = paint.bad("✗");
                expectation_text::write(&mut attempt.failed, &mark, result, SHOWN);
                expectation_text::write(&mut attempt.failed_short, &mark, result, SHOWN_SHORT);
            }
            Event::Diagnosed { step, findings, causes } => {
                let mut records = causes.iter();
                for finding in findings {
                    let line = format!("  why, in step {step}: {finding}");
                    if finding.code.is_some() {
                        attempt.causes.push(CauseText::new(line, finding, records.next()));
                    } else {
                        attempt.findings.push(line);
                    }
                }
            }
            Event::Proved(proof) => attempt.proof = Some(proof.clone()),
            _ => {}
        }
    }

    /// Keeps what failed in a try, before the next one.
    pub(super) fn end_try(&mut self, name: &str, ending: &Ending<'_>, paint: Paint) {
        let number = self.earlier.len() + 1;
        let attempt = std::mem::take(&mut self.attempt);
        let line = attempt.line(name, ending, paint);
        let causes = attempt.why(None);
        let causes = causes.iter().take(LINES / 3);
        let failed = attempt.failed_short.lines().filter(|line| line.contains('✗')).take(LINES / 3);
        let lines = causes.map(String::as_str).chain(failed).fold(
            format!("  try {number}: {line}"),
            |mut text, line| {
                text.extend(["  ", line, "\n"]);
                text
            },
        );
        self.earlier.push(lines);
    }

    /// The line of the scenario; `all` is for a text that goes on with its warnings.
    pub(super) fn line(&self, name: &str, ending: &Ending<'_>, all: bool, paint: Paint) -> String {
        let mut line = self.attempt.line(name, ending, paint);
        let count = self.attempt.warnings.len() + self.attempt.refused_isolation.len();
        if !all && count > 0 && ending.outcome == Outcome::Passed {
            let word = if count == 1 { "warning" } else { "warnings" };
            let warnings = paint.warning(&format!("{count} {word}"));
            line.truncate(line.trim_end().len());
            let _ = writeln!(line, "; {warnings} (-v)");
        }
        line
    }

    /// Everything that is known.
    pub(super) fn everything(&self, line: &str, ending: &Ending<'_>, paint: Paint) -> String {
        let mut text = line.to_owned();
        let attempt = &self.attempt;
        if !attempt.engines.is_empty() {
            let _ = writeln!(text, "  {}", paint.faint(&attempt.engines.join("; ")));
        }
        text.extend(self.earlier.iter().map(String::as_str));
        attempt.write_warnings(&mut text, paint);
        text.push_str(&attempt.steps);
        attempt.write_why(&mut text, self.prove.as_deref());
        text.push_str(&attempt.failed);
        text.push_str(&attempt.held);
        if ending.outcome != Outcome::Passed {
            let _ = writeln!(text, "  again: {}", self.again);
        }
        text
    }

    /// A failure in a few lines: the cause first, and the command that runs it again.
    pub(super) fn failure(&self, line: &str, ending: &Ending<'_>, paint: Paint) -> String {
        let mut body = String::new();
        body.extend(self.earlier.iter().map(String::as_str));
        let attempt = &self.attempt;
        attempt.write_why(&mut body, self.prove.as_deref());
        if ending.outcome != Outcome::Flaky && attempt.proof.is_none() {
            body.push_str(&attempt.failed_short);
        }
        attempt.write_warnings(&mut body, paint);
        let mut text = line.to_owned();
        // The last line is the command; that there is more takes one. A proof was asked for.
        let room = match attempt.proof {
            None => LINES.saturating_sub(text.lines().count() + 1),
            Some(_) => usize::MAX,
        };
        let lines = body.lines().count();
        let shown = if lines > room { room.saturating_sub(1) } else { lines };
        for line in body.lines().take(shown) {
            let _ = writeln!(text, "{line}");
        }
        if lines > shown {
            let more = lines - shown;
            let results = if self.has_results { ", all in events.jsonl (--out DIR)" } else { "" };
            let _ = writeln!(text, "  ... {more} more lines with -v{results}");
        }
        let _ = writeln!(text, "  again: {}", self.again);
        text
    }
}

impl Try {
    fn line(&self, name: &str, ending: &Ending<'_>, paint: Paint) -> String {
        let word = paint.outcome(ending.outcome);
        if let Some(reason) = ending.reason {
            return format!("{word} {name}: {}\n", reason.replace('\n', " "));
        }
        let held = ending.held.map(|(held, all)| format!("{held} of {all} expectations held; "));
        let lost = match self.dropped {
            0 => "none lost".to_owned(),
            dropped => format!("{dropped} LOST"),
        };
        format!(
            "{word} {name}: {}{} frames at {} points, {lost}; {:.0} ms\n",
            held.unwrap_or_default(),
            self.frames,
            self.points,
            ending.took_ms
        )
    }

    fn write_warnings(&self, text: &mut String, paint: Paint) {
        let mark = paint.warning("!");
        for warning in &self.warnings {
            let _ = writeln!(text, "  {mark} {warning}");
        }
        if !self.refused_isolation.is_empty() {
            let _ = writeln!(text, "  {mark} {}", fmt_refused_isolation(&self.refused_isolation));
        }
    }

    /// Why it failed: causes first, as a reader of a failure looks for them.
    fn write_why(&self, text: &mut String, prove: Option<&str>) {
        for line in self.why(prove) {
            let _ = writeln!(text, "{line}");
        }
        if let Some(proof) = &self.proof {
            proof_text::write(text, proof);
        }
        for error in &self.errors {
            let _ = writeln!(text, "  {error}");
        }
    }
}

impl Try {
    /// Causes and what else was found, a line each. `prove` is the command that proves causes; it is
    /// told once.
    fn why(&self, prove: Option<&str>) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, cause) in self.causes.iter().enumerate() {
            let of_proof =
                self.proof.as_ref().map(|proof| proof_text::standing(proof, &cause.place));
            let standing = match (of_proof, prove) {
                (Some(standing), _) => standing.map(|words| format!(" ({words})")),
                (None, Some(prove)) if number == 0 => {
                    Some(format!(" (not proved; {prove} proves it)"))
                }
                (None, Some(_)) => Some(" (not proved)".to_owned()),
                (None, None) => None,
            };
            lines.push(format!("{}{}", cause.line, standing.unwrap_or_default()));
            lines.extend(cause.fix.iter().map(|fix| format!("  fix: {fix}")));
        }
        lines.extend(self.findings.iter().cloned());
        lines
    }
}

/// A cause as it is printed.
#[derive(Debug)]
struct CauseText {
    line: String,
    fix: Option<String>,
    place: CausePlace,
}

impl CauseText {
    fn new(line: String, finding: &Finding, record: Option<&CauseRecord>) -> Self {
        let place = record.map(|record| CausePlace {
            code: record.code.clone(),
            node: record.node.clone(),
            device: record.device.clone(),
        });
        Self { line, fix: finding.fix.clone(), place: place.unwrap_or_default() }
    }
}

/// One sentence for all that the kernel refused.
fn fmt_refused_isolation(refused: &BTreeMap<(String, String), Vec<String>>) -> String {
    let each = refused.iter().map(|((isolation, reason), programs)| {
        format!("no {isolation} for {} ({reason})", programs.join(", "))
    });
    format!("the kernel refused isolation: {}", each.collect::<Vec<_>>().join("; "))
}
