//! Mistakes in files, with their places, as a person reads them.

use std::fmt;

use crate::source::{excerpt, visible};
use crate::{Source, Span};

/// One mistake in a file.
///
/// Displayed as `file:line:column: message`, then the line and a mark under its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; 0 where the mistake is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 where the mistake is about the file as a whole.
    pub column: usize,
    /// The line itself, or the part of a long line around the place. Control characters are
    /// replaced by visible ones, one for one.
    pub source_line: String,
    /// What is wrong, and what to do about it, in one line.
    pub message: String,
    /// Where in `source_line` the mark begins, and how long it is, in characters.
    mark: (usize, usize),
}

/// A mistake at `span` of `source`, for what a caller finds out about a value.
#[must_use]
pub fn mistake(source: &Source, span: Span, message: impl Into<String>) -> Mistake {
    let (source_line, mark) = excerpt(source.text(), span);
    Mistake {
        file: harmless(source.name()),
        line: span.line(),
        column: span.column(),
        source_line,
        message: harmless(&message.into()),
        mark,
    }
}

/// A text whose parts may come from a file, with control characters made visible.
fn harmless(text: &str) -> String {
    text.chars().map(visible).collect()
}

impl Mistake {
    /// A mistake about a file as a whole, such as one that cannot be opened.
    #[must_use]
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: harmless(&file.into()),
            line: 0,
            column: 0,
            source_line: String::new(),
            message: harmless(&message.into()),
            mark: (0, 0),
        }
    }

    /// By place; what is said of the whole file comes last.
    fn order(&self) -> (&str, usize, usize, &str) {
        (&self.file, self.line.wrapping_sub(1), self.column, &self.message)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.message);
        }
        let Self { file, line, column, source_line, message, mark: (before, width) } = self;
        writeln!(f, "{file}:{line}:{column}: {message}")?;
        writeln!(f, "{line:>5} | {source_line}")?;
        write!(f, "      | {:before$}{:^<width$}", "", "", width = (*width).max(1))
    }
}

impl std::error::Error for Mistake {}

/// All mistakes of one or several files, each once, by file and place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// No mistakes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a mistake at its place; one that is there already is not repeated.
    pub fn push(&mut self, mistake: Mistake) {
        let place = self.0.partition_point(|other| other.order() < mistake.order());
        if self.0.get(place).is_none_or(|other| other.order() != mistake.order()) {
            self.0.insert(place, mistake);
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

    /// The mistakes by file and place.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }

    /// `value` if there are no mistakes.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl Extend<Mistake> for Mistakes {
    fn extend<I: IntoIterator<Item = Mistake>>(&mut self, mistakes: I) {
        mistakes.into_iter().for_each(|mistake| self.push(mistake));
    }
}

impl FromIterator<Mistake> for Mistakes {
    fn from_iter<I: IntoIterator<Item = Mistake>>(mistakes: I) -> Self {
        let mut all = Self::new();
        all.extend(mistakes);
        all
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl IntoIterator for Mistakes {
    type Item = Mistake;
    type IntoIter = std::vec::IntoIter<Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::{Mistake, Mistakes, mistake};
    use crate::{Source, Span};

    fn at(source: &Source, line: u32, start: u32, message: &str) -> Mistake {
        mistake(source, Span { file: 0, start, end: start + 1, line, column: 1 }, message)
    }

    #[test]
    fn a_mistake_shows_its_line_and_marks_the_place() {
        let source = Source::new("lab.yaml", "a: 1\nnodes: [lb, lb]\n");
        let span = Span { file: 0, start: 17, end: 19, line: 2, column: 13 };
        assert_eq!(
            mistake(&source, span, "give each node once").to_string(),
            "lab.yaml:2:13: give each node once\n    2 | nodes: [lb, lb]\n      |             ^^"
        );
    }

    #[test]
    fn mistakes_are_ordered_by_place_and_said_once() {
        let source = Source::new("lab.yaml", "a\nb\nc\n");
        let (first, second) = (at(&source, 1, 0, "x"), at(&source, 3, 4, "y"));
        let all: Mistakes = [second.clone(), first.clone(), second.clone()].into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), [&first, &second]);
        assert_eq!(all.to_string(), format!("{first}\n{second}"));
    }

    #[test]
    fn a_message_that_repeats_the_file_does_nothing_to_a_terminal() {
        let source = Source::new("lab.yaml", "a\n");
        assert_eq!(at(&source, 1, 0, "no `a\t\u{1b}[2J\n`").message, "no `a␉␛[2J␊`");
        assert_eq!(Mistake::of_file("x", "\u{7f}").message, "␡");
    }

    #[test]
    fn what_a_caller_repeats_of_a_file_does_nothing_to_a_terminal() {
        let source = Source::new("a\u{1b}c", "x");
        let mistakes =
            [mistake(&source, Span::default(), "no `\u{7}`"), Mistake::of_file("\n", "\r")];
        let shown = mistakes.map(|mistake| mistake.to_string());
        assert_eq!(shown, ["a␛c:1:1: no `␇`\n    1 | x\n      | ^", "␊: ␍"]);
    }

    #[test]
    fn a_mistake_about_a_whole_file_has_no_place() {
        let mistake = Mistake::of_file("lab.yaml", "no such file");
        assert_eq!(mistake.to_string(), "lab.yaml: no such file");
    }
}
