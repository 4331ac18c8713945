//! What a person reads while a run works and when it is over.
//!
//! On a terminal one line tells what is going on and is wiped again; in a pipe there is none. The
//! result of a scenario is printed in one piece, so that scenarios side by side do not mix.

use crate::judged::Judged;
use labsim_event::{Event, Outcome, Sink, Told, Totals};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

/// Lines of what was expected, what was seen and of frames that are shown; results keep them all.
const SHOWN: usize = 12;

/// How text may look on this output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether a progress line may be drawn and wiped (a terminal).
    pub progress: bool,
    /// Whether colours may be used.
    pub colour: bool,
    /// The width that a progress line is cut at, in columns.
    pub columns: usize,
}

/// Prints a run for a person.
pub struct Terminal<W> {
    out: W,
    style: Style,
    running: BTreeMap<String, Block>,
    done: usize,
    planned: usize,
}

/// What is known of a scenario that runs.
#[derive(Default)]
struct Block {
    doing: String,
    way: Vec<String>,
    warnings: String,
    steps: String,
    judged: String,
    why: String,
    frames: usize,
    points: usize,
    dropped: u64,
}

impl<W: Write + Send> Terminal<W> {
    /// Prints to `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self { out, style, running: BTreeMap::new(), done: 0, planned: 0 }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.style.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn update(&mut self, name: &str, event: &Event) -> std::io::Result<()> {
        let good = self.paint("32", "✓");
        let bad = self.paint("31", "✗");
        let block = self.running.entry(name.to_owned()).or_default();
        match event {
            Event::ScenarioStarted { .. } => block.doing = "building the lab".into(),
            Event::Warned { warning } => {
                let mark = self.paint("33", "!");
                let block = self.running.entry(name.to_owned()).or_default();
                let _ = writeln!(block.warnings, "  {mark} {warning}");
            }
            Event::LabBuilt { nodes, links, tunnel, impairments, took_ms } => {
                block.doing = "starting servers and captures".into();
                block.way.push(format!("{nodes} nodes and {links} links in {took_ms:.1} ms"));
                block.way.push(format!("tunnel: {tunnel}"));
                block.way.extend(impairments.as_ref().map(|it| format!("impairments: {it}")));
            }
            Event::Ready { capture_points, data_planes, .. } => {
                block.points = *capture_points;
                for (node, plane) in data_planes {
                    block.way.push(format!("forwarder in {node}: {plane}"));
                }
            }
            Event::StepStarted { step, .. } => block.doing = format!("step {step}"),
            // One login speaks in the expectations; of several, the figures are told here.
            Event::StepEnded { step, detail, attempts: 2.., .. } => {
                let _ = writeln!(block.steps, "  step {step}: {detail}");
            }
            Event::Observed { frames, dropped, .. } => {
                block.doing = "judging".into();
                block.frames = *frames;
                block.dropped = *dropped;
            }
            Event::Judged { name: _, passed, sentence, place, expected, seen, frames } => {
                let mark = if *passed { &good } else { &bad };
                let passed = *passed;
                Judged { mark, passed, sentence, place, expected, seen, frames }
                    .write(&mut block.judged, SHOWN);
            }
            Event::Diagnosed { step, findings } => {
                for finding in findings {
                    let _ = writeln!(block.why, "  why, in step {step}: {finding}");
                }
            }
            Event::ScenarioEnded { outcome, reason, held, expectations, took_ms } => {
                let block = self.running.remove(name).unwrap_or_default();
                self.done += 1;
                return self.print(
                    name,
                    &block,
                    *outcome,
                    reason.as_deref(),
                    (*held, *expectations, *took_ms),
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn print(
        &mut self,
        name: &str,
        block: &Block,
        outcome: Outcome,
        reason: Option<&str>,
        (held, expectations, took_ms): (usize, usize, f64),
    ) -> std::io::Result<()> {
        let word = match outcome {
            Outcome::Passed => self.paint("1;32", "PASS"),
            Outcome::Failed => self.paint("1;31", "FAIL"),
            Outcome::Skipped => self.paint("1;33", "SKIP"),
            Outcome::Broken => self.paint("1;31", "BROKEN"),
            Outcome::Interrupted => self.paint("1;33", "INTERRUPTED"),
        };
        let mut text = String::new();
        match (outcome, reason) {
            (Outcome::Passed | Outcome::Failed, _) => {
                let _ = writeln!(
                    text,
                    "{word} {name}: {held} of {expectations} expectations held; {} frames at {} \
                     points, {}; {took_ms:.0} ms",
                    block.frames,
                    block.points,
                    if block.dropped == 0 {
                        "none lost".to_owned()
                    } else {
                        format!("{} LOST", block.dropped)
                    },
                );
                let _ = writeln!(text, "  {}", self.paint("2", &block.way.join("; ")));
            }
            (_, reason) => {
                let reason = reason.unwrap_or("no reason was given");
                let _ = writeln!(text, "{word} {name}: {}", reason.replace('\n', "\n  "));
            }
        }
        text.push_str(&block.warnings);
        text.push_str(&block.steps);
        // The cause first: it is what the reader of a failure came for.
        text.push_str(&block.why);
        text.push_str(&block.judged);
        self.out.write_all(text.as_bytes())
    }

    fn summary(&mut self, totals: &Totals, took_ms: f64) -> std::io::Result<()> {
        let Totals { passed, failed, skipped, interrupted } = totals;
        let interrupted = match interrupted {
            0 => String::new(),
            n => format!(" ({n} interrupted)"),
        };
        writeln!(self.out, "ran for {took_ms:.0} ms{interrupted}")?;
        writeln!(self.out, "{passed} passed, {failed} failed, {skipped} skipped")
    }

    fn draw_progress(&mut self) -> std::io::Result<()> {
        let doing: Vec<String> =
            self.running.iter().map(|(name, block)| format!("{name}: {}", block.doing)).collect();
        let line = format!("[{}/{}] {}", self.done, self.planned, doing.join("; "));
        let cut: String = line.chars().take(self.style.columns.saturating_sub(1)).collect();
        write!(self.out, "{cut}")?;
        self.out.flush()
    }

    fn show(&mut self, told: &Told) -> std::io::Result<()> {
        if self.style.progress {
            // Back to the first column and wipe to the line's end (ECMA-48 CR, EL).
            write!(self.out, "\r\x1b[K")?;
        }
        match (&told.scenario, &told.event) {
            (Some(name), event) => self.update(name, event)?,
            (None, Event::RunStarted { scenarios, .. }) => self.planned = *scenarios,
            (None, Event::RunEnded { totals, took_ms }) => {
                self.summary(totals, *took_ms)?;
                return self.out.flush();
            }
            (None, _) => {}
        }
        if self.style.progress {
            self.draw_progress()?;
        }
        self.out.flush()
    }
}

impl<W: Write + Send> Sink for Terminal<W> {
    fn take(&mut self, told: &Told) -> Result<(), String> {
        self.show(told).map_err(|error| format!("the output could not be written: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const PIPE: Style = Style { progress: false, colour: false, columns: 80 };

    fn told(scenario: Option<&str>, event: Event) -> Told {
        Told { at_ms: 0.0, scenario: scenario.map(str::to_owned), event }
    }

    fn printed(style: Style, events: Vec<Told>) -> String {
        let mut terminal = Terminal::new(Vec::new(), style);
        for event in &events {
            terminal.take(event).unwrap();
        }
        String::from_utf8(terminal.out).unwrap()
    }

    fn started(name: &str) -> Told {
        told(Some(name), Event::ScenarioStarted { file: PathBuf::from("x.yaml") })
    }

    fn ended(name: &str, outcome: Outcome, reason: Option<&str>) -> Told {
        let reason = reason.map(str::to_owned);
        let event =
            Event::ScenarioEnded { outcome, reason, held: 1, expectations: 2, took_ms: 7.0 };
        told(Some(name), event)
    }

    fn judged(name: &str, passed: bool, sentence: &str) -> Told {
        let event = Event::Judged {
            name: "n".into(),
            passed,
            sentence: sentence.into(),
            place: "x.yaml:9".into(),
            expected: vec!["ttl 126".into()],
            seen: vec!["ttl 127".into()],
            frames: vec!["frame one".into(), "frame two".into()],
        };
        told(Some(name), event)
    }

    #[test]
    fn scenarios_side_by_side_are_printed_in_one_piece_each() {
        let text = printed(
            PIPE,
            vec![
                started("a"),
                started("b"),
                judged("a", true, "a holds"),
                judged("b", true, "b holds"),
                ended("b", Outcome::Passed, None),
                ended("a", Outcome::Passed, None),
            ],
        );
        let order: Vec<&str> =
            text.lines().filter(|l| l.contains("PASS") || l.contains("holds")).collect();
        assert_eq!(order.len(), 4, "{text}");
        assert!(order[0].starts_with("PASS b"), "{text}");
        assert!(order[1].contains("b holds"), "{text}");
        assert!(order[2].starts_with("PASS a"), "{text}");
    }

    #[test]
    fn a_failed_expectation_shows_what_was_expected_and_seen_with_its_place_and_frames() {
        let text = printed(
            PIPE,
            vec![started("a"), judged("a", false, "no"), ended("a", Outcome::Failed, None)],
        );
        for part in [
            "✗ no  (x.yaml:9)",
            "expected: ttl 126",
            "seen: ttl 127",
            "        frame two",
            "FAIL a",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn long_lists_are_cut_and_the_place_of_the_rest_is_named() {
        let mut told = judged("a", false, "no");
        let Event::Judged { frames, .. } = &mut told.event else { unreachable!() };
        *frames = (0..SHOWN + 3).map(|n| format!("frame {n}.")).collect();
        let text = printed(PIPE, vec![started("a"), told, ended("a", Outcome::Failed, None)]);
        assert!(text.contains("frame 11.") && !text.contains("frame 12."), "{text}");
        assert!(text.contains("3 more in events.jsonl"), "{text}");
    }

    #[test]
    fn the_cause_of_a_failure_comes_before_its_details() {
        let why =
            Event::Diagnosed { step: "login".into(), findings: vec!["the VIP is gone".into()] };
        let events =
            vec![judged("a", false, "no"), told(Some("a"), why), ended("a", Outcome::Failed, None)];
        let text = printed(PIPE, events);
        assert!(text.find("the VIP is gone") < text.find("✗ no"), "{text}");
    }

    #[test]
    fn a_pipe_gets_no_progress_line_and_no_escape() {
        let text = printed(PIPE, vec![started("a"), ended("a", Outcome::Passed, None)]);
        assert!(!text.contains('\r') && !text.contains('\x1b'), "{text:?}");
    }

    #[test]
    fn a_terminal_gets_a_progress_line_that_is_wiped_and_never_wider_than_it() {
        let style = Style { progress: true, colour: false, columns: 20 };
        let text = printed(style, vec![started("a-scenario-with-a-long-name")]);
        let line = text.rsplit("\x1b[K").next().unwrap();
        assert_eq!(line, "[0/0] a-scenario-wi");
        let text = printed(style, vec![started("a"), ended("a", Outcome::Passed, None)]);
        assert!(text.contains("\r\x1b[KPASS a"), "{text:?}");
    }

    #[test]
    fn warnings_stand_below_the_result() {
        let warned = told(Some("a"), Event::Warned { warning: "a.yaml:3:1: no".into() });
        let text = printed(PIPE, vec![started("a"), warned, ended("a", Outcome::Passed, None)]);
        assert!(text.ends_with("\n  ! a.yaml:3:1: no\n"), "{text}");
    }

    #[test]
    fn many_logins_are_summed_up_and_one_is_not() {
        let step = |attempts| Event::StepEnded {
            step: "logins".into(),
            result: "pass".into(),
            detail: format!("{attempts} logins"),
            attempts,
            local: None,
            took_ms: 1.0,
        };
        let events = [1, 300].map(|attempts| told(Some("a"), step(attempts)));
        let events = [vec![started("a")], events.into(), vec![ended("a", Outcome::Passed, None)]];
        let text = printed(PIPE, events.concat());
        assert!(text.contains("  step logins: 300 logins\n"), "{text}");
        assert!(!text.contains("1 logins"), "{text}");
    }

    #[test]
    fn a_skipped_scenario_says_why() {
        let text = printed(PIPE, vec![ended("a", Outcome::Skipped, Some("no ipip module"))]);
        assert_eq!(text, "SKIP a: no ipip module\n");
    }

    #[test]
    fn the_last_line_counts_what_passed_failed_and_was_skipped() {
        let totals = Totals { passed: 3, failed: 1, skipped: 2, interrupted: 0 };
        let text = printed(PIPE, vec![told(None, Event::RunEnded { totals, took_ms: 1.0 })]);
        assert!(text.ends_with("\n3 passed, 1 failed, 2 skipped\n"), "{text}");
    }
}
