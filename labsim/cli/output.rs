//! Writes to the standard output and error; a closed pipe is not an error.

use labsim_control::Answer;
use labsim_model::{is_plain, known_names, quote};
use labsim_scenario::model::NodeName;
use std::fmt::{self, Display, Write as _};
use std::io::Write as _;
use std::path::Path;

/// A line on standard output.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line on standard output without anything that a terminal would execute.
pub(crate) fn visible_line(text: impl Display) {
    line(Visible(text));
}

/// Complete lines on standard output without anything that a terminal would execute.
pub(crate) fn visible_text(lines: impl Display) {
    text(Visible(lines));
}

/// Text without anything that a terminal would execute.
pub(crate) fn visible(text: impl Display) -> String {
    Visible(text).to_string()
}

/// Complete lines on standard output.
pub(crate) fn text(text: impl Display) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// Complete lines on standard output, of names and texts from files of others.
pub(crate) fn foreign_text(text: impl Display) {
    let _ = write!(std::io::stdout(), "{}", Visible(text));
}

/// The same with lines of at most `width` characters; a word that is longer stays whole.
pub(crate) fn foreign_lines(lines: impl Display, width: usize) {
    text(wrapped(&Visible(lines).to_string(), width));
}

/// Breaks lines at blanks; what follows is indented by two more than the line. A command between backquotes
/// stays on one line if it fits there.
fn wrapped(lines: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(lines.len());
    for line in lines.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let mut at = 0;
        for word in words(line.get(indent..).unwrap_or_default(), width.saturating_sub(indent + 2))
        {
            let length = word.chars().count();
            let is_first = at == 0;
            if is_first || at + 1 + length > width {
                let blanks = if is_first { indent } else { indent + 2 };
                wrapped.push_str(if is_first { "" } else { "\n" });
                wrapped.extend(std::iter::repeat_n(' ', blanks));
                at = blanks;
            } else {
                wrapped.push(' ');
                at += 1;
            }
            wrapped.push_str(&word);
            at += length;
        }
        wrapped.push('\n');
    }
    wrapped
}

/// The words of a line; those of a command that has at most `most` characters are one.
fn words(line: &str, most: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut left: Vec<&str> = line.split(' ').rev().collect();
    while let Some(word) = left.pop() {
        let is_open = |text: &str| text.matches('`').count() % 2 == 1;
        let rest = left.iter().rev().position(|it| is_open(it)).filter(|_| is_open(word));
        let command = rest.map(|more| {
            let rest = left.iter().rev().take(more + 1);
            rest.fold(word.to_owned(), |command, it| command + " " + it)
        });
        match command.zip(rest) {
            Some((command, more)) if command.chars().count() <= most => {
                left.truncate(left.len() - more - 1);
                words.push(command);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// A JSON document on standard output, of names and texts from files of others. Outside of strings it has
/// nothing but plain characters.
pub(crate) fn foreign_json(document: &str) {
    let mut escaped = String::with_capacity(document.len());
    for character in document.chars() {
        if is_plain(character) || character == '\n' {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    line(escaped);
}

/// A forwarder's answer as one line of JSON on standard output.
pub(crate) fn answer(answer: &Answer) {
    if let Ok(text) = serde_json::to_string(answer) {
        line(text);
    }
}

/// An error or a notice of labsim's own on standard error.
pub(crate) fn error(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "labsim: {}", Visible(text));
}

/// An error: a file's scenario has no `what`, such as a real server, on a node of that name.
pub(crate) fn unknown_node<'a>(
    file: &Path,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a NodeName>,
) {
    let known: Vec<&str> = known.into_iter().map(NodeName::as_str).collect();
    let known = known_names(name, "known", known);
    error(format_args!("{}: unknown {what} {}; {known}", file.display(), quote(name)));
}

/// Messages that begin with a file, line and column, on standard error.
pub(crate) fn diagnostics(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", Visible(text));
}

/// A message without anything that a terminal would execute: it may name files, and files of others.
struct Visible<T>(T);

impl<T: Display> Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(|c| !is_plain(c) && c != '\n') {
            let mut characters = part.chars();
            match characters.next_back() {
                Some(last) if !is_plain(last) && last != '\n' => {
                    self.0.write_str(characters.as_str())?;
                    write!(self.0, "{}", last.escape_debug())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_broken_at_blanks_and_what_follows_is_indented() {
        let text = "a line of words\n\n  one two three\n";
        assert_eq!(wrapped(text, 20), text);
        assert_eq!(wrapped(text, 10), "a line of\n  words\n\n  one two\n    three\n");
        assert_eq!(wrapped("  a longer-than-that b", 8), "  a\n    longer-than-that\n    b\n");
        assert_eq!(wrapped("run `ls -l a`, or `b`.", 12), "run\n  `ls -l a`,\n  or `b`.\n");
        assert_eq!(wrapped("run `ls -l aaaaaaa`.", 12), "run `ls -l\n  aaaaaaa`.\n");
        assert_eq!(wrapped("one ` alone is none", 12), "one ` alone\n  is none\n");
    }
}
