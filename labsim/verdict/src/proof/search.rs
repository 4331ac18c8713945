//! The search: which changes to try next.
//!
//! The first cause of a failure comes first, each of its fixes in a lab of its own, and beside them
//! all causes' first fixes at once. What fails still has causes, which are met with the fix in place.

use super::minimal::{self, Needed};
use super::{
    CauseStanding, Change, Failure, Fix, Interrupted, Laboratory, Proof, Standing, Suspect, Trial,
};

/// A cause, and the fix of it that is applied.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) suspect: Suspect,
    pub(super) fix: Fix,
}

/// Why a search ends before it has tried everything.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// From outside.
    Interrupted,
    /// No lab is left.
    UsedUp,
}

impl From<Interrupted> for Stop {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// The labs of a proof, and what they showed.
pub(super) struct Bench<'a, L> {
    laboratory: &'a mut L,
    known: Vec<(Change, Trial)>,
}

/// The change that all of them make together.
pub(super) fn together<'c>(chosen: impl IntoIterator<Item = &'c Chosen>) -> Change {
    chosen.into_iter().fold(Change::default(), |mut all, one| {
        all.lay(&one.fix.change);
        all
    })
}

impl<L: Laboratory> Bench<'_, L> {
    /// Runs what has not been run yet, as far as labs are left; nothing of the others.
    pub(super) fn run(&mut self, changes: &[Change]) -> Result<Vec<Option<Trial>>, Stop> {
        let left = self.laboratory.left();
        let mut new: Vec<Change> = Vec::new();
        for change in changes {
            if self.find(change).is_none() && !new.contains(change) && new.len() < left {
                new.push(change.clone());
            }
        }
        if !new.is_empty() {
            let trials = self.laboratory.run(&new)?;
            self.known.extend(new.into_iter().zip(trials));
        }
        Ok(changes.iter().map(|change| self.find(change).cloned()).collect())
    }

    fn find(&self, change: &Change) -> Option<&Trial> {
        self.known.iter().find(|(known, _)| known == change).map(|(_, trial)| trial)
    }
}

/// What was found about causes on the way.
#[derive(Default)]
struct Notes {
    standings: Vec<(Suspect, Standing, String)>,
    /// The fixes that led furthest, and how the run with them failed.
    best: Option<(Vec<Chosen>, Failure)>,
    /// Each fix that took its cause away, and how the run with it failed.
    dead_ends: Vec<(Chosen, Failure)>,
}

impl Notes {
    fn is_settled(&self, suspect: &Suspect) -> bool {
        self.standings.iter().any(|(known, ..)| known.is_like(suspect))
    }

    fn add(&mut self, suspect: &Suspect, standing: Standing, reason: String) {
        if !self.is_settled(suspect) {
            self.standings.push((suspect.clone(), standing, reason));
        }
    }

    fn progress(&mut self, chosen: &[Chosen], failure: &Failure) {
        let known = self.best.as_ref().map(|(_, best)| best.failed.len());
        if known.is_none_or(|known| failure.failed.len() < known) {
            self.best = Some((chosen.to_vec(), failure.clone()));
        }
        if let Some(last) = chosen.last() {
            self.dead_ends.push((last.clone(), failure.clone()));
        }
    }
}

/// Proves the causes of a failed run, with as many labs as the laboratory has. The number of labs in
/// the proof is that of different changes, the first run's none among them.
///
/// # Errors
/// The laboratory was interrupted.
pub fn prove(first: &Failure, laboratory: &mut impl Laboratory) -> Result<Proof, Interrupted> {
    let known = vec![(Change::default(), Trial::Failed(first.clone()))];
    let mut bench = Bench { laboratory, known };
    let mut notes = Notes::default();
    let found = match extend(&mut bench, &mut notes, &[], first) {
        Err(Stop::Interrupted) => return Err(Interrupted),
        Err(Stop::UsedUp) => Err(()),
        Ok(found) => Ok(found),
    };
    let proof = match found {
        Ok(Some(chosen)) => match minimal::reduce(&mut bench, chosen) {
            Ok(reduced) => complete(reduced, first, &notes),
            Err(_) => return Err(Interrupted),
        },
        Ok(None) => incomplete(first, notes, false),
        Err(()) => incomplete(first, notes, true),
    };
    Ok(Proof { labs: bench.known.len(), ..proof })
}

/// Looks for changes beside those that are applied, with which the run failed like this, until it
/// passes.
fn extend<L: Laboratory>(
    bench: &mut Bench<'_, L>,
    notes: &mut Notes,
    applied: &[Chosen],
    failure: &Failure,
) -> Result<Option<Vec<Chosen>>, Stop> {
    let open = open(notes, applied, failure);
    for (place, suspect) in open.iter().enumerate() {
        if notes.is_settled(suspect) {
            continue;
        }
        let later = open.get(place + 1..).unwrap_or_default();
        let (ways, sets) = sets(applied, suspect, later);
        let changes: Vec<Change> = sets.iter().map(together).collect();
        let trials = bench.run(&changes)?;
        let passed = trials.iter().position(|trial| *trial == Some(Trial::Passed));
        if let Some(set) = passed.and_then(|place| sets.get(place)) {
            return Ok(Some(set.clone()));
        }
        if trials.iter().take(ways.len()).all(Option::is_none) {
            return Err(Stop::UsedUp);
        }
        let tried: Vec<(&Vec<Chosen>, &Trial)> = ways
            .iter()
            .zip(&trials)
            .filter_map(|(way, trial)| Some((way, trial.as_ref()?)))
            .collect();
        let mut better: Vec<(&Vec<Chosen>, &Failure)> = Vec::new();
        for (way, trial) in &tried {
            if let Trial::Failed(failure) = trial
                && !failure.shows(suspect)
            {
                better.push((way, failure));
            }
        }
        // What held before still has to: the way with the most expectations first.
        better.sort_by_key(|(_, failure)| std::cmp::Reverse(failure.held));
        for (way, failure) in &better {
            notes.progress(way, failure);
        }
        if better.is_empty() && tried.len() < ways.len() {
            return Err(Stop::UsedUp);
        }
        if better.is_empty() {
            let (standing, reason) = unhelpful(suspect, &tried);
            notes.add(suspect, standing, reason);
            continue;
        }
        for (way, failure) in better {
            if let Some(found) = extend(bench, notes, way, failure)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The changes that are tried first of a run that failed like this.
#[must_use]
pub fn first_changes(failure: &Failure) -> Vec<Change> {
    let open = open(&mut Notes::default(), &[], failure);
    let Some((first, later)) = open.split_first() else { return Vec::new() };
    sets(&[], first, later).1.iter().map(together).collect()
}

/// Each fix of a cause beside what is applied; and these, with the first fix of each of the causes
/// together.
fn sets(
    applied: &[Chosen],
    suspect: &Suspect,
    later: &[Suspect],
) -> (Vec<Vec<Chosen>>, Vec<Vec<Chosen>>) {
    let with = |suspect: &Suspect, fix: &Fix| {
        let fix = Fix { alternatives: Vec::new(), ..fix.clone() };
        Chosen { suspect: suspect.clone(), fix }
    };
    let beside = |more: Vec<Chosen>| applied.iter().cloned().chain(more).collect::<Vec<_>>();
    let ways: Vec<Vec<Chosen>> =
        suspect.fixes().map(|fix| beside(vec![with(suspect, fix)])).collect();
    let mut sets = ways.clone();
    if !later.is_empty() {
        let all = [suspect].into_iter().chain(later);
        let all = all.filter_map(|one| Some(with(one, one.fixes().next()?)));
        sets.push(beside(all.collect()));
    }
    (ways, sets)
}

/// The causes of a failure that can be tried; those that cannot are noted.
fn open(notes: &mut Notes, applied: &[Chosen], failure: &Failure) -> Vec<Suspect> {
    let mut open: Vec<Suspect> = Vec::new();
    for suspect in &failure.causes {
        let is_applied = applied.iter().any(|one| one.suspect.is_like(suspect));
        let is_known = open.iter().any(|one| one.is_like(suspect));
        if is_applied || is_known || notes.is_settled(suspect) {
            continue;
        }
        if suspect.fixes().next().is_some() {
            open.push(suspect.clone());
            continue;
        }
        let reason = suspect.record.fix.not_in_scenario.clone();
        let reason = reason.unwrap_or_else(|| {
            "what cures it is not one change of the scenario that the diagnosis knows".to_owned()
        });
        notes.add(suspect, Standing::NotProvable, reason);
    }
    open
}

/// Why none of the fixes that were tried took the cause away.
fn unhelpful(suspect: &Suspect, tried: &[(&Vec<Chosen>, &Trial)]) -> (Standing, String) {
    let possible = tried.iter().filter(|(_, trial)| !matches!(trial, Trial::Impossible(_)));
    let fix = &suspect.record.fix;
    if let Some(reason) = fix.not_in_scenario.as_ref().filter(|_| fix.change.is_empty()) {
        let others = fix.alternatives.iter().filter(|fix| !fix.change.is_empty());
        let others: Vec<&str> = others.map(|fix| fix.what.as_str()).collect();
        let reason = format!("{reason}; and it is still shown with: {}", others.join("; or: "));
        return (Standing::NotProvable, reason);
    }
    if possible.count() > 0 {
        let fixes = if tried.len() == 1 { "its fix" } else { "each of its fixes" };
        let reason = format!("it is still shown with {fixes} applied, so that is not the cause");
        return (Standing::Withdrawn, reason);
    }
    let first = tried.iter().find_map(|(_, trial)| match trial {
        Trial::Impossible(reason) => Some(reason.as_str()),
        _ => None,
    });
    let reason = first.unwrap_or("unknown");
    (Standing::NotProvable, format!("the scenario cannot run with its fix: {reason}"))
}

fn standing(suspect: &Suspect, standing: Standing, reason: impl Into<String>) -> CauseStanding {
    let Suspect { record, sentence } = suspect.clone();
    CauseStanding { standing, reason: reason.into(), sentence, cause: record }
}

/// All expectations hold.
fn complete(reduced: minimal::Reduced, first: &Failure, notes: &Notes) -> Proof {
    let minimal::Reduced { needed, dropped } = reduced;
    let mut causes: Vec<CauseStanding> = Vec::new();
    for Needed { chosen, reason, is_certain } in &needed {
        let is_proved = if *is_certain { Standing::Proved } else { Standing::Undecided };
        let mut proved = standing(&chosen.suspect, is_proved, reason.clone());
        proved.cause.fix = chosen.fix.clone();
        causes.push(proved);
    }
    for (suspect, found, reason) in &notes.standings {
        let is_applied = needed.iter().any(|one| one.chosen.suspect.is_like(suspect));
        match found {
            _ if is_applied => {}
            Standing::NotProvable => causes.push(standing(
                suspect,
                Standing::NotNeeded,
                format!(
                    "all expectations hold without a change for it (which is not known: {reason})"
                ),
            )),
            found => causes.push(standing(suspect, *found, reason.clone())),
        }
    }
    let others = dropped.iter().map(|chosen| &chosen.suspect).chain(&first.causes);
    for suspect in others {
        let is_known = causes.iter().any(|known| {
            Suspect { record: known.cause.clone(), ..Suspect::default() }.is_like(suspect)
        });
        if !is_known {
            let reason = "all expectations hold without its fix";
            causes.push(standing(suspect, Standing::NotNeeded, reason));
        }
    }
    let number = needed.len();
    let sentence = match (number, needed.iter().all(|one| one.is_certain)) {
        (1, true) => "all expectations hold with one change, and without it they do not".to_owned(),
        (_, true) => format!(
            "all expectations hold with {number} changes, and without any one of them they do not"
        ),
        (_, false) => format!(
            "all expectations hold with {number} changes; whether each is needed was not decided, \
             as no lab was left"
        ),
    };
    let chosen: Vec<&Chosen> = needed.iter().map(|one| &one.chosen).collect();
    let distinct = |lines: &dyn Fn(&Fix) -> &Vec<String>| {
        let mut all: Vec<String> = Vec::new();
        for line in chosen.iter().flat_map(|one| lines(&one.fix)) {
            if !all.contains(line) {
                all.push(line.clone());
            }
        }
        all
    };
    // Lines below another belong to it, so that a fix's stay together.
    let mut acos: Vec<&Vec<String>> = Vec::new();
    for lines in chosen.iter().map(|one| &one.fix.acos) {
        if !acos.contains(&lines) {
            acos.push(lines);
        }
    }
    let acos = acos.into_iter().flatten().cloned().collect();
    Proof {
        complete: true,
        sentence,
        labs: 0,
        overlay: together(chosen.iter().copied()).to_string().lines().map(str::to_owned).collect(),
        linux: distinct(&|fix| &fix.linux),
        tmsh: distinct(&|fix| &fix.tmsh),
        acos,
        causes,
    }
}

/// No set of changes was found with which all expectations hold.
fn incomplete(first: &Failure, notes: Notes, is_used_up: bool) -> Proof {
    let Notes { standings, best, dead_ends } = notes;
    let mut causes: Vec<CauseStanding> = Vec::new();
    if let Some((chosen, failure)) = &best {
        let failed = still_failing(failure);
        for one in chosen {
            let reason = format!("with its fix it is no longer shown, and {failed}");
            let mut undecided = standing(&one.suspect, Standing::Undecided, reason);
            undecided.cause.fix = one.fix.clone();
            causes.push(undecided);
        }
    }
    let is_known = |causes: &[CauseStanding], suspect: &Suspect| {
        causes.iter().any(|known| {
            Suspect { record: known.cause.clone(), ..Suspect::default() }.is_like(suspect)
        })
    };
    for (suspect, found, reason) in &standings {
        if !is_known(&causes, suspect) {
            causes.push(standing(suspect, *found, reason.clone()));
        }
    }
    for (one, failure) in &dead_ends {
        if !is_known(&causes, &one.suspect) {
            let failed = still_failing(failure);
            let reason = format!("with its fix it is no longer shown, and {failed}");
            causes.push(standing(&one.suspect, Standing::Undecided, reason));
        }
    }
    for suspect in &first.causes {
        if !is_known(&causes, suspect) {
            let reason = match is_used_up {
                true => "no lab was left to try its fix",
                false => "its fix was tried with others, and the run still fails",
            };
            causes.push(standing(suspect, Standing::Undecided, reason));
        }
    }
    let sentence = match (first.causes.is_empty(), is_used_up) {
        (true, _) => "nothing shows a cause, so no change was tried",
        (false, true) => {
            "no changes were found with which all expectations hold before the labs were used up"
        }
        (false, false) => "no changes were found with which all expectations hold",
    };
    Proof { sentence: sentence.to_owned(), causes, ..Proof::default() }
}

/// `2 expectations still fail (client_wire, server_wire)`
fn still_failing(failure: &Failure) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = failure.failed.iter().map(String::as_str).take(SHOWN).collect();
    let more = failure.failed.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let fails = if failure.failed.len() == 1 { "this still fails" } else { "these still fail" };
    format!("{fails}: {}{more}", names.join(", "))
}
