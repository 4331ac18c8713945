//! Text as people paste it: what a terminal, a pager or a document left in it is taken out,
//! before a configuration is read.
//!
//! Lines stay where they are, so places in messages are those of the file.

mod escapes;

use crate::place::{Place, SIZE_LIMIT};
use crate::report::Report;
use labsim_yaml::Source;

/// A pager's prompt, such as `--More--`.
const PAGER: &str = "line of a pager";
/// The beginning or end of a code block in a document.
const FENCE: &str = "Markdown fence";
/// Colours and movements of the cursor, which are taken out of the line.
const ESCAPES: &str = "escape sequences or control characters of a terminal";

/// Sources without what does not belong to a configuration.
pub(crate) struct Pasted {
    pub(crate) sources: Vec<Source>,
    left_out: Vec<(Place, &'static str)>,
}

impl Pasted {
    /// Takes out of each source what is no configuration in any language.
    pub(crate) fn new(sources: &[Source]) -> Self {
        let mut pasted = Self { sources: Vec::new(), left_out: Vec::new() };
        for (file, source) in sources.iter().enumerate() {
            // One that is too large is refused later.
            let text = if source.text().len() > SIZE_LIMIT || is_clean(source.text()) {
                source.text().to_owned()
            } else {
                pasted.text(file, source.text())
            };
            pasted.sources.push(Source::new(source.name(), text));
        }
        pasted
    }

    /// Counts what was taken out.
    pub(crate) fn report(&self, report: &mut Report<'_>) {
        for (place, kind) in &self.left_out {
            report.left_out(*place, kind);
        }
    }

    fn text(&mut self, file: usize, text: &str) -> String {
        let mut cleaned = String::with_capacity(text.len());
        for written in text.split_inclusive('\n') {
            let (line, end) = match written.strip_suffix('\n') {
                Some(line) => (line, "\n"),
                None => (written, ""),
            };
            let place = Place::new(file, cleaned.len(), cleaned.len() + 1);
            let mut is_first = true;
            // A carriage return goes back to the beginning of the line: a pager's prompt is
            // overwritten so. Anything else before it is a line of its own.
            for part in line.trim_end_matches('\r').split('\r') {
                let Some(part) = self.line(place, part) else { continue };
                if !std::mem::take(&mut is_first) {
                    cleaned.push('\r');
                }
                cleaned.push_str(&part);
            }
            cleaned.push_str(end);
        }
        cleaned
    }

    /// A line without what a terminal did to it; `None` for one with nothing on it.
    fn line(&mut self, place: Place, line: &str) -> Option<String> {
        let shown = escapes::shown(line, is_prompt_of_pager);
        if shown.had_escapes {
            self.left_out.push((place, ESCAPES));
        }
        let mut had_prompt = shown.had_prompt;
        let mut text = shown.text.as_str();
        while let Some(rest) = after_pager(text) {
            had_prompt = true;
            text = rest;
        }
        if had_prompt {
            self.left_out.push((place, PAGER));
        }
        if is_fence(text) {
            self.left_out.push((place, FENCE));
            return None;
        }
        // What surrounds an overwritten prompt is blank.
        let text = if had_prompt { text.trim_end() } else { text };
        (!text.trim().is_empty()).then(|| text.to_owned())
    }
}

/// Whether nothing has to be taken out; most files are so.
fn is_clean(text: &str) -> bool {
    let is_plain = |byte: u8| byte >= b' ' || matches!(byte, b'\n' | b'\t');
    text.bytes().all(|byte| is_plain(byte) && byte != 0x7f)
        && !text.contains('\u{a0}')
        && text.lines().all(|line| !is_fence(line) && after_pager(line).is_none())
}

/// Three or more backquotes or tildes, and at most the language's name.
fn is_fence(line: &str) -> bool {
    let line = line.trim();
    ["```", "~~~"].into_iter().any(|fence| {
        line.strip_prefix(fence).is_some_and(|rest| {
            let rest = rest.trim_start_matches(['`', '~']);
            rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte))
        })
    })
}

fn is_prompt_of_pager(line: &str) -> bool {
    after_pager(line).is_some_and(|rest| rest.trim().is_empty())
}

/// What follows the prompt of a pager on its line: `---(less 42%)---`, `--More--(12%)`,
/// `<--- More --->`, `(END)`, `lines 1-23/99 (END)`.
fn after_pager(line: &str) -> Option<&str> {
    let text = line.trim_start();
    if let Some(rest) = text.strip_prefix("---(less") {
        return rest.split_once(")---").map(|(_, rest)| rest);
    }
    for prompt in ["--More--", "-- More --", "--MORE--", "<--- More --->"] {
        if let Some(rest) = text.strip_prefix(prompt) {
            let percent =
                rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once("%)"));
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            return match percent {
                Some((number, rest)) if is_number(number) => Some(rest),
                _ => Some(rest),
            };
        }
    }
    let lines = text.strip_prefix("lines ").map(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || "-/ %".contains(c)).trim_end()
    });
    let is_end = |text: &str| ["(END)", "(END) q"].contains(&text);
    if is_end(text.trim_end()) || lines.is_some_and(|rest| rest.is_empty() || is_end(rest)) {
        return Some("");
    }
    (text.trim_end() == ":" || text.starts_with("Display all ") && text.contains(" items?"))
        .then_some("")
}
