//! `labsim run --step`: the steps of a scenario one by one, each when a line of standard input says so.

use crate::{live_steps, output, prediction};
use labsim_event::Event;
use labsim_runner::{Cancelled, Keeping, Kept, RunError, keep};
use labsim_scenario::model::{Check, Scenario, Step};
use labsim_verdict::Walk;
use std::future::poll_fn;
use std::io::{self, BufRead as _, Read as _};
use tokio::sync::mpsc::{Receiver, channel};

/// Runs the steps in a lab of their own, each after a line of standard input, and prints the way of its
/// packets. What ends that early ends the run that follows too, which says so; anything else is printed.
pub(crate) fn by_steps(scenario: &Scenario, keeping: &Keeping, cancelled: &Cancelled) {
    let mut lines = Lines::read();
    let kept = keep(scenario, keeping, cancelled, async |mut kept| {
        for (place, step) in scenario.steps.iter().enumerate() {
            run_step(&mut kept, scenario, (place, step), &mut lines).await?;
        }
        Ok(())
    });
    match kept {
        Ok(()) => output::line("\nNow all steps in a new lab, without stops, and the verdict:"),
        Err(RunError::Interrupted | RunError::Unsupported { .. }) => {}
        Err(error) => output::error(error),
    }
}

/// Says what a step will do, waits, runs it, and prints what was seen.
async fn run_step(
    kept: &mut Kept<'_>,
    scenario: &Scenario,
    (place, step): (usize, &Step),
    lines: &mut Lines,
) -> Result<(), RunError> {
    let asks = asks_for_source(scenario, step);
    let (number, all) = (place + 1, scenario.steps.len());
    let what = step.action.description();
    output::visible_line(format_args!("\nstep {number} of {all}, {}: {what}", step.name));
    output::line(if asks {
        "  which source address will the client see? Write it, or nothing, then Enter"
    } else {
        "  Enter runs it"
    });
    let line = lines.next(kept).await;
    let predicted = line.as_deref().map(str::trim).filter(|line| asks && !line.is_empty());
    let emit = |event: Event| live_steps::print(&event, false);
    let observations = kept.observed_step(place, &emit).await?;
    let walk = Walk::of(&observations, scenario.load_balancers.keys(), &step.name);
    for line in walk.lines() {
        output::visible_line(format_args!("  {line}"));
    }
    if asks {
        output::visible_line(format_args!(
            "  {}",
            prediction::compared(predicted, walk.source_seen())
        ));
    }
    Ok(())
}

/// Whether an expectation is about the source that the client of a step sees.
fn asks_for_source(scenario: &Scenario, step: &Step) -> bool {
    scenario.expectations.iter().any(|expectation| match &expectation.check {
        Check::Answer { step: of, source: Some(_), .. } => *of == step.name,
        _ => false,
    })
}

/// Bytes of a line of standard input at most; what is longer is several lines.
const LONGEST_LINE: u64 = 4096;

/// The lines of standard input.
struct Lines {
    lines: Receiver<String>,
    has_ended: bool,
}

impl Lines {
    /// Reads them on a thread of their own, which nothing waits for.
    fn read() -> Self {
        // It reads ahead by one line, whatever the input is.
        let (sender, lines) = channel(1);
        std::thread::spawn(move || {
            let mut input = io::stdin().lock();
            loop {
                let mut line = Vec::new();
                let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
                let text = String::from_utf8_lossy(&line).into_owned();
                if !matches!(read, Ok(1..)) || sender.blocking_send(text).is_err() {
                    return;
                }
            }
        });
        Self { lines, has_ended: false }
    }

    /// Waits for the next one, while logins that earlier steps left open go on; none after the input's
    /// end, which is said once.
    async fn next(&mut self, kept: &mut Kept<'_>) -> Option<String> {
        if self.has_ended {
            return None;
        }
        let line = tokio::select! {
            line = self.lines.recv() => line,
            never = poll_fn(|context| kept.poll_open_logins(context)) => match never {},
        };
        if line.is_none() {
            self.has_ended = true;
            output::line("  (standard input has ended: no more stops)");
        }
        line
    }
}
