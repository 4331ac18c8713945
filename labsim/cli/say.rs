//! Writes to the standard output and error without ever failing on a closed pipe.

use labsim_control::Answer;
use std::fmt::Display;
use std::io::Write as _;

/// A line for the standard output.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What a forwarder says to whoever started it, whole and at once.
pub(crate) fn answer(answer: &Answer) {
    if let Ok(text) = serde_json::to_string(answer) {
        line(text);
    }
}

/// Whole lines for the standard output.
pub(crate) fn text(text: impl Display) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// A line for the standard error, as labsim's own.
pub(crate) fn problem(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "labsim: {text}");
}

/// Something that happened by itself, for the standard error.
pub(crate) fn event(text: impl Display) {
    problem(text);
}

/// Text that carries its own places, for the standard error.
pub(crate) fn mistakes(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
