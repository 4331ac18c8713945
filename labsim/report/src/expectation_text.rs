//! An expectation's result in lines of text.

use labsim_event::ExpectationResult;
use std::fmt::Write as _;

/// Appends a result, with `mark` before its sentence; of each list of a failed one, at most `shown`
/// lines.
pub(crate) fn write(text: &mut String, mark: &str, result: &ExpectationResult, shown: usize) {
    let ExpectationResult { passed, sentence, place, code, .. } = result;
    let code = code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    let place = match *passed || place.is_empty() {
        true => String::new(),
        false => format!("  ({place})"),
    };
    let _ = writeln!(text, "  {mark} {sentence}{code}{place}");
    let parts =
        [("expected", &result.expected), ("seen", &result.seen), ("frames", &result.frames)];
    for (title, lines) in parts {
        match (passed, lines.as_slice()) {
            (_, []) => {}
            (true, lines) => {
                for line in lines {
                    let _ = writeln!(text, "      {line}");
                }
            }
            (false, [line]) => {
                let _ = writeln!(text, "      {title}: {line}");
            }
            (false, lines) => {
                let _ = writeln!(text, "      {title}:");
                for line in lines.iter().take(shown) {
                    let _ = writeln!(text, "        {line}");
                }
                if lines.len() > shown {
                    let more = lines.len() - shown;
                    let _ = writeln!(text, "        ... {more} more in events.jsonl (--out DIR)");
                }
            }
        }
    }
}
