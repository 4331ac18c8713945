//! The line that shows what is going on.

use labsim_event::{Event, Outcome};

/// The scenarios that run, and how many ended.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// How many there are; nothing if they are repeated until one fails.
    pub(super) planned: Option<usize>,
    ended: usize,
    failed: usize,
    /// Those that run; those that began first are first: they are waited for.
    doing: Vec<Doing>,
}

/// What a scenario does.
#[derive(Debug)]
struct Doing {
    scenario: String,
    what: String,
    /// What was found so far of what it waits for.
    found: String,
}

impl Running {
    pub(super) fn update(&mut self, name: &str, event: &Event) {
        let doing = match event {
            Event::ScenarioStarted { .. } | Event::TryFailed { .. } => "building the lab".into(),
            Event::LabBuilt { .. } => "starting servers and captures".into(),
            // Of a step that waits, this is what it waits for.
            Event::StepStarted { step, what } => format!("step {step}: {what}"),
            Event::StepWaits { found, .. } => {
                if let Some(known) = self.doing.iter_mut().find(|one| one.scenario == name) {
                    known.found = format!(" (now {found})");
                }
                return;
            }
            Event::Observed { .. } => "checking expectations".into(),
            Event::Diagnosed { .. } | Event::TrialEnded(_) => "proving causes".into(),
            Event::ScenarioEnded { outcome, .. } => {
                self.doing.retain(|one| one.scenario != name);
                self.ended += 1;
                self.failed += usize::from(matches!(outcome, Outcome::Failed | Outcome::Broken));
                return;
            }
            _ => return,
        };
        let doing = Doing { scenario: name.to_owned(), what: doing, found: String::new() };
        match self.doing.iter_mut().find(|one| one.scenario == name) {
            Some(known) => *known = doing,
            None => self.doing.push(doing),
        }
    }

    /// The line, cut one column before the terminal's end.
    pub(super) fn line(&self, columns: usize) -> String {
        let planned = self.planned.map(|planned| format!("/{planned}")).unwrap_or_default();
        let failed = match self.failed {
            0 => String::new(),
            failed => format!("{failed} failed; "),
        };
        let running = match self.doing.len() {
            0 | 1 => String::new(),
            running => format!("{running} running; "),
        };
        let doing: Vec<String> = self
            .doing
            .iter()
            .map(|Doing { scenario, what, found }| format!("{scenario}: {what}{found}"))
            .collect();
        let line = format!("[{}{planned}] {failed}{running}{}", self.ended, doing.join("; "));
        cut(&line, columns.saturating_sub(1))
    }
}

/// The beginning of a text that fits into so many columns. Texts come from files: what would move the cursor or
/// turn the direction of writing is shown as `?`, and a character that may be wide is counted as wide.
fn cut(text: &str, columns: usize) -> String {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut room = columns;
    text.chars()
        .map(|c| if c.is_control() || turns(c) { '?' } else { c })
        .take_while(|c| {
            let width = if c.is_ascii() { 1 } else { 2 };
            let fits = width <= room;
            room = room.saturating_sub(width);
            fits
        })
        .collect()
}
