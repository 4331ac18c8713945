//! Puts the lines of one packet together.

use super::record::{Parsed, parse};

/// Wrapped lines of one packet for which both ways of wrapping are tried at most.
const MAX_WRAPS: usize = 6;

/// Reads a packet of its first line and as few of the others as are needed, but all that are indented and
/// follow it at once. Lines that are not indented were wrapped, in the midst of a word or at a space: each
/// way is tried. Gives the number of lines that were used; `None` also if the lines can be read as two
/// different packets.
pub(super) fn read(first: &str, others: &[(bool, String)]) -> Option<(Parsed, usize)> {
    let indented = others.iter().take_while(|(is_indented, _)| *is_indented).count();
    for used in indented..=others.len() {
        let (lines, left) = others.split_at_checked(used)?;
        let wraps = lines.iter().filter(|(is_indented, _)| !is_indented).count();
        let mut found: Option<Parsed> = None;
        for ways in 0..1u32 << wraps.min(MAX_WRAPS) {
            let text = join(first, lines, ways);
            let Some(parsed) = parse(&text) else { continue };
            if found.as_ref().is_some_and(|found| *found != parsed) {
                return None;
            }
            // A number at the end may go on in the next line.
            if text.ends_with(|it: char| it.is_ascii_digit())
                && let Some((false, next)) = left.first()
                && next.starts_with(|it: char| it.is_ascii_digit())
                && parse(&format!("{text}{next}")).is_some()
            {
                return None;
            }
            found = Some(parsed);
        }
        if let Some(parsed) = found {
            return Some((parsed, used));
        }
    }
    None
}

/// The lines of a packet in one. A bit of `ways` for each line that is not indented says whether a space
/// stood before it.
fn join(first: &str, lines: &[(bool, String)], mut ways: u32) -> String {
    let mut text = first.to_owned();
    for (is_indented, line) in lines {
        let has_space = *is_indented || ways & 1 == 1;
        if !is_indented {
            ways >>= 1;
        }
        if has_space {
            text.push(' ');
        }
        text.push_str(line);
    }
    text
}
