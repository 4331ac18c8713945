//! The run's last lines: failures once more, and how many scenarios ended how.

use labsim_event::{Outcome, Totals};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Failures that are printed once more; of a run with more, the numbers suffice.
const FAILURES: usize = 100;

/// What is kept of a run for its last lines.
#[derive(Debug)]
pub(super) struct Summary {
    /// How many scenarios there are; nothing if they are repeated until one fails.
    pub(super) planned: Option<usize>,
    /// How many others were found.
    not_selected: usize,
    /// The text of each failure.
    pub(super) failures: Failures,
    /// Skipped scenarios by the code of the reason.
    skipped: BTreeMap<String, usize>,
}

/// Texts of failures, so many at the most.
#[derive(Debug, Default)]
pub(super) struct Failures {
    texts: Vec<String>,
    more: usize,
}

impl Failures {
    pub(super) fn push(&mut self, text: String) {
        match self.texts.len() < FAILURES {
            true => self.texts.push(text),
            false => self.more += 1,
        }
    }
}

impl Summary {
    pub(super) fn new(not_selected: usize) -> Self {
        let skipped = BTreeMap::new();
        Self { planned: None, not_selected, failures: Failures::default(), skipped }
    }

    pub(super) fn count(&mut self, outcome: Outcome, code: Option<&str>) {
        if outcome == Outcome::Skipped {
            let code = code.unwrap_or("no code").to_owned();
            *self.skipped.entry(code).or_default() += 1;
        }
    }

    /// The last lines; `repeats` adds the failures once more.
    pub(super) fn text(
        &self,
        totals: &Totals,
        ended_early: Option<&str>,
        took_ms: f64,
        repeats: bool,
    ) -> String {
        let mut text = String::new();
        let Failures { texts, more } = &self.failures;
        // The failure of the only scenario has just been printed.
        if repeats && !texts.is_empty() && self.planned != Some(1) {
            let _ = writeln!(text, "\nfailures:\n");
            text.extend(texts.iter().map(String::as_str));
            if *more > 0 {
                let _ = writeln!(text, "... {more} more failures above");
            }
            text.push('\n');
        }
        if let Some(why) = ended_early {
            let _ = writeln!(text, "ended early: {why}");
        }
        let _ = writeln!(text, "ran for {:.1} s", took_ms / 1e3);
        let _ = writeln!(text, "{}", self.counts(totals));
        text
    }

    /// `76 passed, 1 failed, 1 skipped (program-missing 1)`.
    fn counts(&self, totals: &Totals) -> String {
        let Totals { passed, flaky, failed, errors, skipped, interrupted, not_run } = *totals;
        let reasons: Vec<String> =
            self.skipped.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let reasons = match reasons.as_slice() {
            [] => String::new(),
            reasons => format!(" ({})", reasons.join(", ")),
        };
        let error_word = if errors == 1 { "error" } else { "errors" };
        // Those that a good run has none of are named only if there are some.
        let parts = [
            (true, format!("{passed} passed")),
            (flaky > 0, format!("{flaky} flaky")),
            (true, format!("{failed} failed")),
            (errors > 0, format!("{errors} {error_word}")),
            (true, format!("{skipped} skipped{reasons}")),
            (interrupted > 0, format!("{interrupted} interrupted")),
            (not_run > 0, format!("{not_run} not run")),
            (self.not_selected > 0, format!("{} not selected", self.not_selected)),
        ];
        let parts = parts.into_iter().filter_map(|(is_shown, part)| is_shown.then_some(part));
        parts.collect::<Vec<_>>().join(", ")
    }
}
