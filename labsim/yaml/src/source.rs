//! A file's text, and the part of it that a message shows.

mod open;

use labsim_codes::file;

use crate::{Diagnostic, Diagnostics, Span};

/// The largest file that is read: 1 MiB. The shipped ones have a few KiB.
pub const SIZE_LIMIT: usize = 1 << 20;

/// How many characters of a line a message shows.
const EXCERPT: usize = 120;

/// A file's text and the name that it is shown under.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// A text that is already in memory. A byte-order mark at its beginning is left out.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Self { name: name.into(), text }
    }

    /// Text from bytes: a pipe, or a file that the caller has read.
    ///
    /// # Errors
    /// Bytes that are not UTF-8, with the place of the first of them, or more than [`SIZE_LIMIT`].
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Diagnostics> {
        let name = name.into();
        if bytes.len() > SIZE_LIMIT {
            return Err(too_large(name).into());
        }
        let error = match String::from_utf8(bytes) {
            Ok(text) => return Ok(Self::new(name, text)),
            Err(error) => error,
        };
        let (offset, bytes) = (error.utf8_error().valid_up_to(), error.into_bytes());
        let message = if matches!(bytes.as_slice(), [0xfe, 0xff, ..] | [0xff, 0xfe, ..]) {
            "this file is UTF-16; save it as UTF-8".to_owned()
        } else {
            let byte = bytes.get(offset).copied().unwrap_or_default();
            format!("the byte 0x{byte:02x} is not UTF-8 text; give a YAML file saved as UTF-8")
        };
        let source = Self { name, text: String::from_utf8_lossy(&bytes).into_owned() };
        let span = locate(&source.text, offset);
        Err(Diagnostic::new(&source, span, file::FILE_NOT_TEXT, message).into())
    }

    /// The name that messages show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, without a byte-order mark.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

pub(crate) fn too_large(name: impl Into<String>) -> Diagnostic {
    let limit = SIZE_LIMIT >> 20;
    let message = format!("the file is larger than {limit} MiB; split it");
    Diagnostic::of_file(name, file::FILE_TOO_LARGE, message)
}

/// The line and column of the byte at `offset`.
pub(crate) fn locate(text: &str, offset: usize) -> Span {
    let before = text.get(..offset).unwrap_or(text);
    let start = line_start(before);
    let breaks = before.bytes().filter(|byte| *byte == b'\n').count()
        + before.match_indices('\r').filter(|(at, _)| !text[at + 1..].starts_with('\n')).count();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        file: 0,
        start: number(offset),
        end: number(offset + 1),
        line: number(breaks + 1),
        column: number(before[start..].chars().count() + 1),
    }
}

/// Where the last line of `before` begins. YAML breaks lines at LF, CR LF and CR (YAML 1.2.2, 5.4).
fn line_start(before: &str) -> usize {
    before.rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

/// The line of `span` as it can be shown, and the part of it (start, length) to mark.
pub(crate) fn excerpt(text: &str, span: Span) -> (String, (usize, usize)) {
    let bytes = span.bytes();
    let start = text.get(..bytes.start).map_or(0, line_start);
    let rest = &text[start..];
    let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    let column = span.column() - 1;
    let width = text.get(bytes).and_then(|value| value.lines().next()).unwrap_or_default();
    // The place, with some of what stands before it, and what fits behind it.
    let skip = if column < EXCERPT * 3 / 4 { 0 } else { column - EXCERPT / 2 };
    let mut shown: String = line.chars().skip(skip).take(EXCERPT).map(visible).collect();
    if line.chars().nth(skip + EXCERPT).is_some() {
        shown.push('…');
    }
    let before = column - skip;
    let width = width.chars().count().min(EXCERPT.saturating_sub(before)).max(1);
    if skip == 0 { (shown, (before, width)) } else { (format!("…{shown}"), (before + 1, width)) }
}

/// A text whose parts may come from a file, with control characters made visible.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// A character that can do nothing to a terminal, in place of one that could.
pub(crate) fn visible(character: char) -> char {
    match character {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        // C1 controls, marks and overrides of the writing direction, line separators, BOM.
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => '\u{fffd}',
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::{SIZE_LIMIT, Source, excerpt, locate};

    #[test]
    fn places_count_characters_and_know_every_line_break() {
        for (text, offset, place) in [
            ("abc", 0, (1, 1)),
            ("äöü", 4, (1, 3)),
            ("a\nb\n", 2, (2, 1)),
            ("a\r\nb", 3, (2, 1)),
            ("a\rbc", 3, (2, 2)),
            ("a\r\rb", 3, (3, 1)),
            ("a\n", 2, (2, 1)),
        ] {
            let span = locate(text, offset);
            assert_eq!((span.line(), span.column()), place, "{text:?}");
        }
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let (shown, (before, width)) = excerpt(&text, locate(&text, 500));
        assert_eq!(shown.chars().count(), 122);
        assert_eq!((shown.chars().nth(before), width), (Some('X'), 1));
        assert!(shown.starts_with('…') && shown.ends_with('…'));
    }

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        let (shown, _) = excerpt("a\u{1b}[31m\tb\u{7f}\u{202e}c\u{9b}\n", locate("", 0));
        assert_eq!(shown, "a␛[31m␉b␡\u{fffd}c\u{fffd}");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(Source::new("x", "\u{feff}a: 1").text(), "a: 1");
        assert_eq!(Source::from_bytes("x", b"\xef\xbb\xbfa: 1".to_vec()).unwrap().text(), "a: 1");
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_place() {
        for (bytes, shown) in [
            (
                &b"a: 1\nb: \xff\xfe"[..],
                "x:2:4: the byte 0xff is not UTF-8 text; give a YAML file saved as UTF-8 [file-not-text]",
            ),
            (b"\xff\xfea\0", "x:1:1: this file is UTF-16; save it as UTF-8 [file-not-text]"),
        ] {
            let diagnostics = Source::from_bytes("x", bytes.to_vec()).unwrap_err();
            assert_eq!(diagnostics.to_string().lines().next(), Some(shown));
        }
    }

    #[test]
    fn the_size_limit_is_exact() {
        assert!(Source::from_bytes("x", vec![b' '; SIZE_LIMIT]).is_ok());
        let diagnostics = Source::from_bytes("x", vec![b' '; SIZE_LIMIT + 1]).unwrap_err();
        assert_eq!(
            diagnostics.to_string(),
            "x: the file is larger than 1 MiB; split it [file-too-large]"
        );
    }
}
