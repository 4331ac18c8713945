//! The grammar of tmsh configuration text (bigip.conf, `tmsh list`): words, braces, comments.
//!
//! Tolerant, since much of a configuration is not ours to read; exact about places. After a
//! mistake the reading goes on with the next stanza that begins at the beginning of a line.

use super::tcl;
use super::tree::{Block, Body, Item, Stanza, Word};
use crate::place::Place;
use crate::report::Report;
use crate::text::quoted;

/// Deepest nesting of blocks.
const DEPTH: usize = 64;

/// The first words of stanzas.
const MODULES: [&str; 20] = [
    "analytics",
    "api-protection",
    "apm",
    "asm",
    "auth",
    "cli",
    "cm",
    "gtm",
    "ilx",
    "ltm",
    "mgmt",
    "net",
    "pem",
    "saas",
    "security",
    "sys",
    "util",
    "vcmp",
    "wam",
    "wom",
];

/// Stanzas whose body is a program.
const PROGRAMS: [[&str; 2]; 8] = [
    ["ltm", "rule"],
    ["gtm", "rule"],
    ["pem", "irule"],
    ["cli", "script"],
    ["cli", "alias"],
    ["sys", "icall"],
    ["sys", "application"],
    ["ilx", "workspace"],
];

/// Reads one file.
pub(crate) fn parse(file: usize, text: &str, report: &mut Report<'_>) -> Vec<Stanza> {
    let mut parser = Parser { file, text, at: 0, report };
    let mut stanzas = Vec::new();
    while let Some(stanza) = parser.stanza() {
        stanzas.extend(stanza);
    }
    stanzas
}

/// Whether a stanza begins here, at the beginning of a line: `ltm pool x {`.
pub(crate) fn is_head(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    words.next().is_some_and(|first| MODULES.contains(&first) && line.starts_with(first))
        && words.next().is_some_and(|second| second.starts_with(|c: char| c.is_ascii_lowercase()))
        && line.contains('{')
}

/// A mistake was reported, and the rest of the stanza is not to be read.
struct Broken;

struct Parser<'p, 's> {
    file: usize,
    text: &'p str,
    at: usize,
    report: &'p mut Report<'s>,
}

impl<'p> Parser<'p, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'p str {
        &self.text[self.at..]
    }

    fn place(&self, start: usize) -> Place {
        Place::new(self.file, start, self.at.max(start + 1))
    }

    /// Skips blanks and a comment, but no line break.
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\x0b' | b'\x0c')) {
            self.at += 1;
        }
        if self.peek() == Some(b'#') {
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
    }

    /// Goes to the next line that begins a stanza, or to the end.
    fn recover(&mut self) {
        loop {
            self.skip_line();
            while matches!(self.peek(), Some(b'\n' | b'\r')) {
                self.at += 1;
            }
            if self.peek().is_none() || is_head(self.rest()) {
                return;
            }
        }
    }

    /// The next stanza; `Some(None)` where there is something else.
    fn stanza(&mut self) -> Option<Option<Stanza>> {
        self.skip_blanks();
        let start = self.at;
        match self.peek()? {
            b'\n' | b'\r' => {
                self.at += 1;
                return Some(None);
            }
            b'}' => {
                self.at += 1;
                self.report.mistake(
                    self.place(start),
                    "this `}` closes nothing; take it out, or add the `{` that it belongs to",
                );
                return Some(None);
            }
            _ => {}
        }
        let stanza = self.named_block().ok();
        if stanza.is_none() {
            self.recover();
        }
        Some(stanza)
    }

    fn named_block(&mut self) -> Result<Stanza, Broken> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            let start = self.at;
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    if words.is_empty() {
                        let message = "a block without a name; write what it configures before \
                                       the `{`, such as `ltm pool NAME {`";
                        self.report.mistake(self.place(start), message);
                        return Err(Broken);
                    }
                    let body = self.body(&words, start)?;
                    return Ok(Stanza { words, body });
                }
                Some(b'\n' | b'\r' | b'}') | None => {
                    let place = words.first().map_or(self.place(start), |first: &Word| first.place);
                    let hint = match words.first().map(|word| word.text.as_str()) {
                        Some("tmsh" | "create" | "modify" | "delete") => {
                            "this is a command, and not what `tmsh list` or bigip.conf shows"
                        }
                        _ => "no `{` follows on this line",
                    };
                    self.report.mistake(
                        place,
                        format!("{hint}; a stanza is written as `ltm pool NAME {{ … }}`"),
                    );
                    return Err(Broken);
                }
                Some(_) => words.push(self.word()?),
            }
        }
    }

    fn body(&mut self, words: &[Word], open: usize) -> Result<Body, Broken> {
        let is_program = PROGRAMS.iter().any(|program| {
            program.iter().zip(words).filter(|(word, found)| **word == found.text).count() == 2
        });
        if !is_program {
            return self.block(open, 1).map(Body::Block);
        }
        let Some(extent) = tcl::extent(self.rest()) else {
            let message = "this program is never closed; add the `}` that ends it";
            self.at = open + 1;
            self.report.mistake(self.place(open), message);
            return Err(Broken);
        };
        self.at += extent.length;
        if !extent.by_counting {
            let what = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            self.report.warn(
                self.place(open),
                crate::text::shown(&what),
                "its braces do not pair by Tcl's rules; it was taken to end where the next stanza \
                 begins",
            );
        }
        Ok(Body::Opaque)
    }

    fn block(&mut self, open: usize, depth: usize) -> Result<Block, Broken> {
        if depth > DEPTH {
            let message = format!("blocks are nested more than {DEPTH} deep; take some out");
            self.report.mistake(self.place(open), message);
            return Err(Broken);
        }
        let place = Place::new(self.file, open, open + 1);
        let (mut lines, mut line, mut one_line) = (Vec::new(), Vec::new(), true);
        loop {
            self.skip_blanks();
            let start = self.at;
            match self.peek() {
                None => {
                    self.report.mistake(place, "this block is never closed; add a `}`");
                    return Err(Broken);
                }
                Some(b'\n' | b'\r') => {
                    self.at += 1;
                    one_line = false;
                    if !line.is_empty() {
                        lines.push(std::mem::take(&mut line));
                    }
                    if is_head(self.rest()) {
                        let next = self.report.files().line(self.place(self.at));
                        self.report.mistake(
                            place,
                            format!(
                                "this block is not closed before line {next}, where the next \
                                 stanza begins; add a `}}`"
                            ),
                        );
                        // The next stanza is read, as it begins here.
                        self.at -= 1;
                        return Err(Broken);
                    }
                }
                Some(b'}') => {
                    self.at += 1;
                    if !line.is_empty() {
                        lines.push(line);
                    }
                    return Ok(Block { place, lines, one_line });
                }
                Some(b'{') => {
                    self.at += 1;
                    line.push(Item::Block(self.block(start, depth + 1)?));
                }
                Some(_) => line.push(Item::Word(self.word()?)),
            }
        }
    }

    fn word(&mut self) -> Result<Word, Broken> {
        let start = self.at;
        if self.peek() == Some(b'"') {
            return self.quoted_word();
        }
        let mut text = String::new();
        let mut characters = self.rest().char_indices();
        let mut length = self.rest().len();
        while let Some((offset, character)) = characters.next() {
            match character {
                ' ' | '\t' | '\x0b' | '\x0c' | '\n' | '\r' | '{' | '}' => {
                    length = offset;
                    break;
                }
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => text.push(character),
            }
        }
        self.at += length;
        Ok(Word { text, place: self.place(start) })
    }

    /// `"…"`, in which a backslash takes the next character as it is. Lines may break in it.
    fn quoted_word(&mut self) -> Result<Word, Broken> {
        let start = self.at;
        let mut text = String::new();
        let mut characters = self.text[start + 1..].char_indices();
        while let Some((offset, character)) = characters.next() {
            match character {
                '"' => {
                    self.at = start + 1 + offset + 1;
                    return Ok(Word { text, place: self.place(start) });
                }
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                '\n' if is_head(&self.text[start + 1 + offset + 1..]) => break,
                _ => text.push(character),
            }
        }
        self.at = start + 1;
        self.report.mistake(
            Place::new(self.file, start, start + 1),
            format!(
                "this quote is never closed; add a `\"` behind {}",
                quoted(beginning(&self.text[start + 1..]))
            ),
        );
        Err(Broken)
    }
}

/// The first word of a text, or what there is of it.
fn beginning(text: &str) -> &str {
    text.split(['\n', '\r', ' ', '}']).next().unwrap_or_default()
}
