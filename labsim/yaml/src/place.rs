//! Where a value stands in its text.

/// Where a value stands: a byte range of its file, and the line and column of its first character.
/// Of the files of a [`Document`](crate::Document) it knows which.
///
/// The default is the beginning of the (first) file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which of a document's files: 0 is the first.
    pub(crate) file: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Default for Span {
    fn default() -> Self {
        Self { file: 0, start: 0, end: 0, line: 1, column: 1 }
    }
}

impl Span {
    /// A place in a text that is not a document: a byte range, and the line and column (in
    /// characters) of its first character, both from 1.
    #[must_use]
    pub fn new(bytes: std::ops::Range<usize>, line: usize, column: usize) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (start, end) = (number(bytes.start), number(bytes.end));
        Self { file: 0, start, end, line: number(line), column: number(column) }
    }

    /// Whether two values stand in the same file of a document.
    #[must_use]
    pub fn is_in_file_of(self, other: Self) -> bool {
        self.file == other.file
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(self) -> usize {
        self.line as usize
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(self) -> usize {
        self.column as usize
    }

    /// The bytes of the text that the value takes; empty for the start of a block collection.
    #[must_use]
    pub fn bytes(self) -> std::ops::Range<usize> {
        self.start as usize..self.end.max(self.start) as usize
    }
}
