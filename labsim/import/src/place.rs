//! Where something stands in one of several files.

use labsim_codes::{Code, file};
use labsim_yaml::{Diagnostic, Source, Span};

/// The largest file that is read: a big device's configuration has a few MiB.
pub(crate) const SIZE_LIMIT: usize = 64 << 20;

/// A byte range of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    file: usize,
    start: usize,
    end: usize,
}

impl Place {
    /// The bytes from `start` to `end` of the file with this number.
    pub(crate) fn new(file: usize, start: usize, end: usize) -> Self {
        Self { file, start, end }
    }

    /// From the beginning of this place to the end of another one in the same file.
    pub(crate) fn to(self, last: Self) -> Self {
        Self { end: last.end.max(self.end), ..self }
    }
}

/// The files of one import.
pub(crate) struct Files<'s> {
    sources: &'s [Source],
    /// Where each line begins, by file.
    lines: Vec<Vec<usize>>,
}

impl<'s> Files<'s> {
    /// Finds the lines of all files.
    ///
    /// # Errors
    /// Files that are too large.
    pub(crate) fn new(sources: &'s [Source]) -> Result<Self, Diagnostic> {
        for source in sources {
            if source.text().len() > SIZE_LIMIT {
                let limit = SIZE_LIMIT >> 20;
                let message = format!(
                    "the file is larger than {limit} MiB; give the part with \
                                       the virtual servers and what they refer to"
                );
                return Err(Diagnostic::of_file(source.name(), file::FILE_TOO_LARGE, message));
            }
        }
        let lines = sources.iter().map(|source| line_starts(source.text())).collect();
        Ok(Self { sources, lines })
    }

    /// The files.
    pub(crate) fn sources(&self) -> &'s [Source] {
        self.sources
    }

    /// The file's name.
    pub(crate) fn name(&self, place: Place) -> &str {
        self.sources[place.file].name()
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, place: Place) -> usize {
        self.lines[place.file].partition_point(|start| *start <= place.start).max(1)
    }

    /// An error at a place.
    pub(crate) fn diagnostic(
        &self,
        place: Place,
        code: Code,
        message: impl Into<String>,
    ) -> Diagnostic {
        let source = &self.sources[place.file];
        let line = self.line(place);
        let start = self.lines[place.file].get(line - 1).copied().unwrap_or_default();
        let before = source.text().get(start..place.start).unwrap_or_default();
        let span = Span::new(place.start..place.end, line, before.chars().count() + 1);
        Diagnostic::new(source, span, code, message)
    }
}

/// Lines break at LF, CR LF and CR, as labsim-yaml shows them.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let breaks = bytes.iter().enumerate().filter_map(|(at, byte)| {
        let is_break = *byte == b'\n'
            || (*byte == b'\r' && bytes.get(at + 1).is_none_or(|next| *next != b'\n'));
        is_break.then_some(at + 1)
    });
    std::iter::once(0).chain(breaks).collect()
}

#[cfg(test)]
mod tests {
    use super::{Files, Place};
    use labsim_codes::file;
    use labsim_yaml::Source;

    #[test]
    fn an_error_marks_its_bytes_in_its_line() {
        let sources = [Source::new("a", "x"), Source::new("b.conf", "one\r\n  zwölf drei\n")];
        let files = Files::new(&sources).unwrap();
        let diagnostic = files.diagnostic(Place::new(1, 14, 18), file::IMPORT_INVALID, "three");
        assert_eq!(
            diagnostic.to_string(),
            "b.conf:2:9: three [import-invalid]\n    2 |   zwölf drei\n      |         ^^^^"
        );
    }

    #[test]
    fn lines_break_as_labsim_yaml_breaks_them() {
        let sources = [Source::new("a", "a\rb\r\nc\nd")];
        let files = Files::new(&sources).unwrap();
        let lines: Vec<usize> = [0, 2, 5, 7].map(|at| files.line(Place::new(0, at, at + 1))).into();
        assert_eq!(lines, [1, 2, 3, 4]);
    }
}
