//! Commands of one object, entered one by one as on a device.

use super::lines::Line;
use std::collections::BTreeMap;

/// Most commands that one `no …` is compared with.
const COMPARED: usize = 4096;

/// What a device has after these commands: a port or a member that is entered again is gone on
/// with, and `no …` takes away what was entered before it.
pub(super) fn entered(lines: Vec<Line>) -> Vec<Line> {
    let mut kept: Vec<Option<Line>> = Vec::new();
    // Ports and members, by all of their words.
    let mut contexts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for mut line in lines {
        if let ["no", what @ ..] = line.texts().as_slice()
            && take_away(&mut kept, what)
        {
            continue;
        }
        if ["port", "member"].contains(&line.text(0)) {
            let words: Vec<String> = line.texts().into_iter().map(str::to_owned).collect();
            let known = contexts.get(&words).and_then(|at| kept.get_mut(*at));
            if let Some(Some(known)) = known {
                known.children.append(&mut line.children);
                continue;
            }
            contexts.insert(words, kept.len());
        }
        kept.push(Some(line));
    }
    let settle = |line: Line| Line { children: entered(line.children), ..line };
    kept.into_iter().flatten().map(settle).collect()
}

/// Whether there was something that begins with these words, among the last commands.
fn take_away(kept: &mut [Option<Line>], what: &[&str]) -> bool {
    let mut is_found = false;
    for slot in kept.iter_mut().rev().take(COMPARED) {
        if slot.as_ref().is_some_and(|line| line.texts().starts_with(what)) {
            *slot = None;
            is_found = true;
        }
    }
    is_found
}
