//! The smallest set: what is not needed is taken out, one after the other.

use super::search::{Bench, Chosen, Stop, together};
use super::{Change, Laboratory, Trial};

/// Changes with which a run passes, none of which can be left out.
pub(super) struct Reduced {
    pub(super) needed: Vec<Needed>,
    /// Those that can.
    pub(super) dropped: Vec<Chosen>,
}

/// A change that is needed.
pub(super) struct Needed {
    pub(super) chosen: Chosen,
    /// What shows it.
    pub(super) reason: String,
    /// Whether a run without it failed.
    pub(super) is_certain: bool,
}

/// Takes out of changes with which a run passes whatever it passes without.
pub(super) fn reduce<L: Laboratory>(
    bench: &mut Bench<'_, L>,
    mut chosen: Vec<Chosen>,
) -> Result<Reduced, Stop> {
    let mut dropped = Vec::new();
    loop {
        let without: Vec<Change> = (0..chosen.len()).map(|place| others(&chosen, place)).collect();
        let trials = bench.run(&without)?;
        // Of two of which either suffices, the one that the packets met first remains.
        let spare = trials.iter().rposition(|trial| *trial == Some(Trial::Passed));
        if let Some(place) = spare.filter(|_| chosen.len() > 1) {
            dropped.push(chosen.remove(place));
            continue;
        }
        let needed = chosen.into_iter().zip(trials).map(|(chosen, trial)| {
            let (reason, is_certain) = match trial {
                Some(Trial::Failed(failure)) => {
                    let failed = failure.failed.len();
                    let number = if failed == 1 {
                        "1 expectation or step fails".to_owned()
                    } else {
                        format!("{failed} expectations or steps fail")
                    };
                    (format!("without its fix {number}"), true)
                }
                Some(Trial::Impossible(reason)) => {
                    (format!("without its fix the others cannot be made: {reason}"), false)
                }
                Some(Trial::Passed) | None => {
                    ("no lab was left to run without its fix".to_owned(), false)
                }
            };
            Needed { chosen, reason, is_certain }
        });
        return Ok(Reduced { needed: needed.collect(), dropped });
    }
}

fn others(chosen: &[Chosen], place: usize) -> Change {
    together(chosen.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, one)| one))
}
