//! Diagnostics in files, with their places, and their text form.

use std::fmt;

use labsim_codes::Code;

use crate::source::{excerpt, printable};
use crate::{Source, Span};

/// One error in a file.
///
/// Displayed as `file:line:column: message [code]`, then the line and a mark under its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; 0 where the error is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 where the error is about the file as a whole.
    pub column: usize,
    /// The line itself, or the part of a long line around the place. Control characters are
    /// replaced by visible ones, one for one.
    pub source_line: String,
    /// What is wrong, and what to do about it, in one line.
    pub message: String,
    /// The kind of error.
    pub code: Code,
    /// Where in `source_line` the mark begins, and how long it is, in characters.
    mark: (usize, usize),
}

impl Diagnostic {
    /// An error at `span` of `source`, for what a caller finds out about a value.
    #[must_use]
    pub fn new(source: &Source, span: Span, code: Code, message: impl Into<String>) -> Self {
        let (source_line, mark) = excerpt(source.text(), span);
        Self {
            file: printable(source.name()),
            line: span.line(),
            column: span.column(),
            source_line,
            message: printable(&message.into()),
            code,
            mark,
        }
    }

    /// An error about a file as a whole, such as one that cannot be opened.
    #[must_use]
    pub fn of_file(file: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self {
            file: printable(&file.into()),
            line: 0,
            column: 0,
            source_line: String::new(),
            message: printable(&message.into()),
            code,
            mark: (0, 0),
        }
    }

    /// By place; what concerns the whole file comes last.
    fn order(&self) -> (&str, usize, usize, &str) {
        (&self.file, self.line.wrapping_sub(1), self.column, &self.message)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {} [{}]", self.file, self.message, self.code);
        }
        let Self { file, line, column, source_line, message, code, mark: (before, width) } = self;
        writeln!(f, "{file}:{line}:{column}: {message} [{code}]")?;
        writeln!(f, "{line:>5} | {source_line}")?;
        write!(f, "      | {:before$}{:^<width$}", "", "", width = (*width).max(1))
    }
}

impl std::error::Error for Diagnostic {}

/// All errors of one or several files, each once, by file and place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No errors yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an error at its place; one that is there already is not repeated.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let place = self.0.partition_point(|other| other.order() < diagnostic.order());
        if self.0.get(place).is_none_or(|other| other.order() != diagnostic.order()) {
            self.0.insert(place, diagnostic);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The errors by file and place.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `value` if there are no errors.
    ///
    /// # Errors
    /// The errors, if there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        let mut all = Self::new();
        all.extend(diagnostics);
        all
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use labsim_codes::file;

    use super::{Diagnostic, Diagnostics};
    use crate::{Source, Span};

    fn at(source: &Source, line: u32, start: u32, message: &str) -> Diagnostic {
        let span = Span { file: 0, start, end: start + 1, line, column: 1 };
        Diagnostic::new(source, span, file::INVALID_VALUE, message)
    }

    #[test]
    fn an_error_shows_its_line_and_marks_the_place() {
        let source = Source::new("lab.yaml", "a: 1\nnodes: [lb, lb]\n");
        let span = Span { file: 0, start: 17, end: 19, line: 2, column: 13 };
        assert_eq!(
            Diagnostic::new(&source, span, file::DUPLICATE_VALUE, "give each node once")
                .to_string(),
            "lab.yaml:2:13: give each node once [duplicate-value]\n    2 | nodes: [lb, lb]\n      |             ^^"
        );
    }

    #[test]
    fn errors_are_ordered_by_place_and_said_once() {
        let source = Source::new("lab.yaml", "a\nb\nc\n");
        let (first, second) = (at(&source, 1, 0, "x"), at(&source, 3, 4, "y"));
        let all: Diagnostics =
            [second.clone(), first.clone(), second.clone()].into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), [&first, &second]);
        assert_eq!(all.to_string(), format!("{first}\n{second}"));
    }

    #[test]
    fn a_message_that_repeats_the_file_does_nothing_to_a_terminal() {
        let source = Source::new("lab.yaml", "a\n");
        assert_eq!(at(&source, 1, 0, "no `a\t\u{1b}[2J\n`").message, "no `a␉␛[2J␊`");
        assert_eq!(Diagnostic::of_file("x", file::INVALID_VALUE, "\u{7f}").message, "␡");
    }

    #[test]
    fn what_a_caller_repeats_of_a_file_does_nothing_to_a_terminal() {
        let source = Source::new("a\u{1b}c", "x");
        let diagnostics = [
            Diagnostic::new(&source, Span::default(), file::INVALID_VALUE, "no `\u{7}`"),
            Diagnostic::of_file("\n", file::INVALID_VALUE, "\r"),
        ];
        let shown = diagnostics.map(|diagnostic| diagnostic.to_string());
        assert_eq!(
            shown,
            ["a␛c:1:1: no `␇` [invalid-value]\n    1 | x\n      | ^", "␊: ␍ [invalid-value]"]
        );
    }

    #[test]
    fn an_error_about_a_whole_file_has_no_place() {
        let diagnostic = Diagnostic::of_file("lab.yaml", file::FILE_UNREADABLE, "no such file");
        assert_eq!(diagnostic.to_string(), "lab.yaml: no such file [file-unreadable]");
    }
}
