//! Judges a student's lab again and again: when something in it changed, and when Enter is pressed.

use super::attempt::{say_repaired, say_unmet};
use super::found;
use super::journal::Journal;
use super::lab::{self, ExerciseLab};
use crate::args::exercise::Name;
use crate::exit::Exit;
use crate::live::fail;
use crate::live_steps::Interrupt;
use crate::{output, signals};
use labsim_exercise::Action;
use labsim_live::{Lab, LiveError};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Between two looks at the lab.
const LOOK: Duration = Duration::from_secs(1);

/// What a watch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// The student wants to know.
    Enter,
    /// Something in the lab changed.
    Changed,
}

/// Has the lab judged until it is repaired.
pub(crate) fn watch(args: &Name) -> Exit {
    let mut journal = Journal::open();
    let found = found::one(&args.exercise, &journal)
        .and_then(|exercise| Ok((ExerciseLab::of(&exercise)?.up()?, exercise)));
    let (lab, exercise) = match found {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    if let Err(exit) = end_on_signal(&lab) {
        return exit;
    }
    // One sender stays here: the end of standard input does not end the watch.
    let (sender, lines) = channel();
    read_lines(sender.clone());
    let name = exercise.name().to_string();
    output::line(format_args!(
        "Watching {name}: it is checked when its addresses, routes, devices, sysctls or packet filters change, \
         after `labsim set`, and on Enter; Ctrl-C ends the watch"
    ));
    let mut why = Woken::Enter;
    let mut state = match lab::changes(&lab) {
        Ok(state) => state,
        Err(error) => return fail(&error),
    };
    loop {
        match lab::judge(&lab, &Interrupt::default()) {
            Ok(Some(shown)) if shown.passed => {
                journal.add(&name, Action::Check { passed: true });
                say_repaired(&exercise, &journal, Some(&lab));
                return Exit::Success;
            }
            Ok(Some(shown)) => {
                // A change may be the first of several that are needed: it is no try.
                if why == Woken::Enter {
                    journal.add(&name, Action::Check { passed: false });
                }
                say_unmet(&shown);
            }
            Ok(None) => return Exit::Interrupted,
            // Another command works in the lab.
            Err(LiveError::Refused(reason)) => output::error(reason),
            Err(error) => return fail(&error),
        }
        why = match next(&lab, &lines, &mut state) {
            Ok(why) => why,
            Err(error) => return fail(&error),
        };
        output::line(match why {
            Woken::Changed => "Something changed; checking ...",
            Woken::Enter => "Checking ...",
        });
    }
}

/// Ends the process at a signal, at once: what it has the lab do is interrupted by that, and the lab stays up.
fn end_on_signal(lab: &Lab) -> Result<(), Exit> {
    let name = lab.name().clone();
    let handled = signals::on_signal(move || {
        output::error(format_args!("interrupted; the lab `{name}` stays up"));
        std::process::exit(Exit::Interrupted as i32);
    });
    handled.map_err(|error| {
        output::error(format_args!("signals cannot be handled: {error}"));
        Exit::CannotRun
    })
}

/// What wakes the watch next. `state` is that of the lab before it was judged last.
fn next(lab: &Lab, lines: &Receiver<()>, state: &mut Vec<String>) -> Result<Woken, LiveError> {
    loop {
        let now = lab::changes(lab)?;
        if now != *state {
            *state = now;
            return Ok(Woken::Changed);
        }
        if lines.recv_timeout(LOOK).is_ok() {
            return Ok(Woken::Enter);
        }
    }
}

/// Tells of every line of standard input, until its end.
fn read_lines(sender: Sender<()>) {
    std::thread::spawn(move || {
        let mut line = String::new();
        while io::stdin().read_line(&mut line).is_ok_and(|length| length > 0) {
            line.clear();
            if sender.send(()).is_err() {
                return;
            }
        }
    });
}
