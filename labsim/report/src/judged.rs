//! A judged expectation in lines of text.

use std::fmt::Write as _;

/// What an expectation's event says.
pub(crate) struct Judged<'a> {
    /// Stands in front of the sentence.
    pub(crate) mark: &'a str,
    pub(crate) passed: bool,
    pub(crate) sentence: &'a str,
    pub(crate) place: &'a str,
    pub(crate) expected: &'a [String],
    pub(crate) seen: &'a [String],
    pub(crate) frames: &'a [String],
}

impl Judged<'_> {
    /// Appends it; of each list of a failed one, at most `shown` lines.
    pub(crate) fn write(&self, text: &mut String, shown: usize) {
        let Self { mark, passed, sentence, place, .. } = self;
        let place = match *passed || place.is_empty() {
            true => String::new(),
            false => format!("  ({place})"),
        };
        let _ = writeln!(text, "  {mark} {sentence}{place}");
        let parts = [("expected", self.expected), ("seen", self.seen), ("frames", self.frames)];
        for (title, lines) in parts {
            match (passed, lines) {
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
                        let _ =
                            writeln!(text, "        ... {more} more in events.jsonl (--out DIR)");
                    }
                }
            }
        }
    }
}
