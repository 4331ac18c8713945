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

    /// The numbers in three, to pass through serde's data model; [`Self::unpack`] is the inverse.
    pub(crate) fn pack(self) -> [u64; 3] {
        let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        [join(self.start, self.end), join(self.line, self.column), u64::from(self.file)]
    }

    pub(crate) fn unpack([range, place, file]: [u64; 3]) -> Self {
        let high = |n: u64| u32::try_from(n >> 32).unwrap_or(u32::MAX);
        let low = |n: u64| u32::try_from(n & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Self {
            file: low(file),
            start: high(range),
            end: low(range),
            line: high(place),
            column: low(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_span_survives_its_passage_through_serde() {
        let span = Span { file: 2, start: 7, end: u32::MAX, line: 3, column: 9 };
        assert_eq!(Span::unpack(span.pack()), span);
    }
}
