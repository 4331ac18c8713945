//! The run's output for a person, while it works and when it is over.
//!
//! A scenario has one line; one that failed has its cause and what differs as well, when it ends and
//! again at the run's end. On a terminal one more line shows what is going on and is erased again; in
//! a pipe there is none. The result of a scenario is printed in one piece, so that scenarios side by
//! side do not mix.

mod command;
mod progress;
mod result;
mod summary;

use labsim_event::{Event, EventRecord, Outcome, Sink, SinkError};
use progress::Running;
use result::{Ending, ScenarioText};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use summary::Summary;

/// What is printed, and how text may look on this output.
#[derive(Debug, Clone)]
pub struct Style {
    /// Whether a progress line may be drawn and erased (a terminal).
    pub progress: bool,
    /// Whether colours may be used.
    pub colour: bool,
    /// The terminal's width now, in columns; a progress line is shorter. Asked at every line.
    pub columns: fn() -> usize,
    /// How much is printed of a scenario.
    pub detail: Detail,
    /// How many scenarios were found and not selected.
    pub not_selected: usize,
    /// What runs one scenario again.
    pub again: Again,
}

/// The command that runs one scenario again.
#[derive(Debug, Clone)]
pub enum Again {
    /// `labsim run FILE`, with these options, a blank before each.
    Run(String),
    /// This one.
    Command(String),
}

/// How much is printed of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing, unless it failed.
    Failures,
    /// A line, and of one that failed what is most likely to be looked for.
    Lines,
    /// Everything, of one that passed as well.
    All,
}

/// Prints a run for a person.
pub struct Terminal<W> {
    out: W,
    style: Style,
    running: BTreeMap<String, ScenarioText>,
    progress: Running,
    summary: Summary,
}

/// Text with colours, or without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Passed.
    fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Failed.
    fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// A warning.
    fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What is less important.
    fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A word for how a scenario ended.
    fn outcome(self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Passed => self.paint("1;32", "PASS"),
            Outcome::Flaky => self.paint("1;33", "FLAKY"),
            Outcome::Failed => self.paint("1;31", "FAIL"),
            Outcome::Skipped => self.paint("1;33", "SKIP"),
            Outcome::Broken => self.paint("1;31", "ERROR"),
            Outcome::Interrupted => self.paint("1;33", "INTERRUPTED"),
        }
    }
}

impl<W: Write + Send> Terminal<W> {
    /// Prints to `out`.
    pub fn new(out: W, style: Style) -> Self {
        let (running, progress) = (BTreeMap::new(), Running::default());
        let summary = Summary::new(style.not_selected);
        Self { out, style, running, progress, summary }
    }

    /// The text that an event adds to the output.
    fn text(&mut self, record: &EventRecord) -> String {
        let paint = Paint(self.style.colour);
        match (&record.scenario, &record.event) {
            (Some(name), event) => self.update(name, event, paint),
            (None, Event::RunStarted { scenarios, .. }) => {
                self.progress.planned = *scenarios;
                self.summary.planned = *scenarios;
                String::new()
            }
            (None, Event::RunEnded { totals, ended_early, took_ms }) => {
                let repeats = self.style.detail != Detail::Failures;
                self.summary.text(totals, ended_early.as_deref(), *took_ms, repeats)
            }
            (None, _) => String::new(),
        }
    }

    fn update(&mut self, name: &str, event: &Event, paint: Paint) -> String {
        self.progress.update(name, event);
        let scenario = self.running.entry(name.to_owned()).or_default();
        match event {
            Event::ScenarioStarted { file } => {
                scenario.has_results = matches!(self.style.again, Again::Run(_));
                (scenario.again, scenario.prove) = match &self.style.again {
                    Again::Run(options) => {
                        (command::run_again(file, options), Some(command::diagnose(file)))
                    }
                    Again::Command(command) => (command.clone(), None),
                };
            }
            Event::TryFailed { number, outcome, reason, code, took_ms } => {
                let ending = Ending {
                    outcome: *outcome,
                    reason: reason.as_deref(),
                    held: None,
                    took_ms: *took_ms,
                };
                scenario.end_try(name, &ending, paint);
                if self.style.detail == Detail::Failures {
                    return String::new();
                }
                let code = code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
                return format!("{} {name}: try {number} failed{code}\n", paint.warning("RETRY"));
            }
            Event::ScenarioEnded { outcome, reason, code, held, expectations, took_ms } => {
                let scenario = self.running.remove(name).unwrap_or_default();
                let ending = Ending {
                    outcome: *outcome,
                    reason: reason.as_deref(),
                    held: Some((*held, *expectations)),
                    took_ms: *took_ms,
                };
                self.summary.count(*outcome, code.as_deref());
                return self.end(name, &scenario, &ending, paint);
            }
            event => scenario.update(event, paint),
        }
        String::new()
    }

    /// What is printed of a scenario that ended.
    fn end(
        &mut self,
        name: &str,
        scenario: &ScenarioText,
        ending: &Ending<'_>,
        paint: Paint,
    ) -> String {
        let all = self.style.detail == Detail::All;
        let line = scenario.line(name, ending, all, paint);
        match ending.outcome {
            Outcome::Failed | Outcome::Broken | Outcome::Flaky => {
                let short = scenario.failure(&line, ending, paint);
                let text =
                    if all { scenario.everything(&line, ending, paint) } else { short.clone() };
                self.summary.failures.push(short);
                text
            }
            _ if self.style.detail == Detail::Failures => String::new(),
            Outcome::Passed if all => scenario.everything(&line, ending, paint),
            Outcome::Passed | Outcome::Skipped | Outcome::Interrupted => line,
        }
    }

    fn show(&mut self, record: &EventRecord) -> std::io::Result<()> {
        let text = self.text(record);
        let mut shown = String::new();
        if self.style.progress {
            // Back to the first column and erase to the line's end (ECMA-48 CR, EL).
            shown.push_str("\r\x1b[K");
        }
        shown.push_str(&text);
        if self.style.progress && !matches!(record.event, Event::RunEnded { .. }) {
            let _ = write!(shown, "{}", self.progress.line((self.style.columns)()));
        }
        self.out.write_all(shown.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write + Send> Sink for Terminal<W> {
    fn consume(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let failed = |source| SinkError { target: "the output".to_owned(), source };
        self.show(record).map_err(failed)
    }
}

#[cfg(test)]
mod tests;
