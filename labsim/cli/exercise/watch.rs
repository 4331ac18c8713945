//! Judges a student's lab again and again: when something in it changed, and when Enter is pressed.

use super::attempt::{say_repaired, say_unmet};
use super::found;
use super::journal::Journal;
use super::lab::{self, ExerciseLab};
use crate::args::exercise::Name;
use crate::exit::Exit;
use crate::live::fail;
use crate::live_steps::Interrupt;
use crate::output;
use labsim_exercise::Action;
use labsim_live::{Lab, LiveError};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
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
    /// The watch is to end.
    Signal,
}

/// Has the lab judged until it is repaired.
pub(crate) fn watch(args: &Name) -> Exit {
    let began = || {
        let exercise = found::one(&args.exercise)?;
        let lab = ExerciseLab::of(&exercise)?.up()?;
        let (sender, woken) = channel();
        let signal = sender.clone();
        let on_signal = move || {
            let _ = signal.send(Woken::Signal);
        };
        let interrupt = Interrupt::on_signal(on_signal).map_err(|error| fail(&error))?;
        Ok((exercise, lab, sender, woken, interrupt))
    };
    let (exercise, lab, sender, woken, interrupt) = match began() {
        Ok(began) => began,
        Err(exit) => return exit,
    };
    read_lines(sender);
    let name = exercise.name().to_string();
    let mut journal = Journal::open();
    output::line(format_args!(
        "Watching {name}: it is checked when its addresses, routes, devices or sysctls change, and on \
         Enter; Ctrl-C ends the watch"
    ));
    let mut why = Woken::Enter;
    let mut state = match lab::changes(&lab) {
        Ok(state) => state,
        Err(error) => return fail(&error),
    };
    loop {
        match lab::judge(&lab, &interrupt) {
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
        why = match next(&lab, &woken, &mut state) {
            Ok(Woken::Signal) => {
                output::error(format_args!("interrupted; the lab `{name}` stays up"));
                return Exit::Interrupted;
            }
            Ok(why) => why,
            Err(error) => return fail(&error),
        };
        output::line(match why {
            Woken::Changed => "Something changed; checking ...",
            _ => "Checking ...",
        });
    }
}

/// What wakes the watch next. `state` is that of the lab when it was judged last began.
fn next(lab: &Lab, woken: &Receiver<Woken>, state: &mut Vec<String>) -> Result<Woken, LiveError> {
    loop {
        let now = lab::changes(lab)?;
        if now != *state {
            *state = now;
            return Ok(Woken::Changed);
        }
        match woken.recv_timeout(LOOK) {
            Ok(woken) => return Ok(woken),
            Err(RecvTimeoutError::Timeout) => {}
            // The signals' thread has one of the senders, for as long as the process lives.
            Err(RecvTimeoutError::Disconnected) => return Ok(Woken::Signal),
        }
    }
}

/// Tells of every line of standard input, until its end.
fn read_lines(sender: Sender<Woken>) {
    std::thread::spawn(move || {
        let mut line = String::new();
        while io::stdin().read_line(&mut line).is_ok_and(|length| length > 0) {
            line.clear();
            if sender.send(Woken::Enter).is_err() {
                return;
            }
        }
    });
}
