//! The grammar of tmsh configuration text (bigip.conf, `tmsh list`): words, braces, comments.
//!
//! Tolerant, since much of a configuration is not ours to read; exact about places. After a
//! error the reading goes on with the next stanza that begins at the beginning of a line.

use super::command;
use super::outside::{self, Outside, outside};
use super::tcl;
use super::tree::{Block, Body, Item, Stanza, Verb, Word};
use crate::place::Place;
use crate::report::Report;
use crate::text::has_word;
use labsim_model::quote;

/// Deepest nesting of blocks.
const DEPTH: usize = 64;

/// The first words of stanzas.
pub(super) const MODULES: &str = "\
    analytics api-protection apm asm auth cli cm gtm ilx ltm mgmt net pem saas security sys util \
    vcmp wam wom";

/// The first words of stanzas as releases before 11 wrote them, without a module.
pub(super) const OLD_KINDS: &str =
    "virtual pool node snat snatpool rule monitor profile self vlan route";

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

/// Whether a stanza or a command begins here, at the beginning of a line: `ltm pool x {`.
pub(crate) fn is_head(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    if outside::is_typed(line) {
        return true;
    }
    let mut words = line.split_ascii_whitespace();
    if let (Some(kind), Some(_), Some("{"), None) =
        (words.next(), words.next(), words.next(), words.next())
        && has_word(OLD_KINDS, kind)
        && line.starts_with(kind)
    {
        return true;
    }
    let mut words = line.split_ascii_whitespace();
    words.next().is_some_and(|first| has_word(MODULES, first) && line.starts_with(first))
        && words.next().is_some_and(|second| second.starts_with(|c: char| c.is_ascii_lowercase()))
        && line.contains('{')
}

/// An error was reported, and the rest of the stanza is not to be read.
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
                self.report.diagnostic(
                    self.place(start),
                    "this `}` closes nothing; remove it, or add the `{` that it belongs to",
                );
                return Some(None);
            }
            _ => {}
        }
        let line = self.rest().split(['\n', '\r']).next().unwrap_or_default();
        let before = self.text[..start].trim_end_matches([' ', '\t']);
        let is_first = before.is_empty() || before.ends_with(['\n', '\r']);
        let stanza = match outside(line.trim_end()) {
            _ if !is_first => self.named_block(),
            Outside::Stanza => self.named_block(),
            Outside::Command(at) => {
                if at > "tmsh ".len() {
                    self.at += line.len().min(at);
                    self.report.left_out(self.place(start), outside::PROMPT);
                    self.at = start;
                }
                self.at += at;
                self.command()
            }
            Outside::Other => {
                self.skip_line();
                self.report.left_out(self.place(start), outside::OUTSIDE);
                return Some(None);
            }
        };
        let stanza = stanza.ok();
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
                        self.report.diagnostic(self.place(start), message);
                        return Err(Broken);
                    }
                    let body = self.body(&words, start)?;
                    return Ok(Stanza { verb: Verb::List, words, body });
                }
                Some(b'\n' | b'\r' | b'}') | None => {
                    let place = words.first().map_or(self.place(start), |first: &Word| first.place);
                    let message = "no `{` follows on this line; a stanza is written as `ltm pool \
                                   NAME { … }`";
                    self.report.diagnostic(place, message);
                    return Err(Broken);
                }
                Some(_) => words.push(self.word()?),
            }
        }
    }

    /// `create ltm pool NAME members add { … }` or `modify … { … }`, up to the end of its line; a
    /// backslash there goes on with the next.
    fn command(&mut self) -> Result<Stanza, Broken> {
        let start = self.at;
        let mut items = Vec::new();
        loop {
            self.skip_blanks();
            let start = self.at;
            match self.peek() {
                None | Some(b'\n' | b'\r') => break,
                Some(b'\\') if self.rest()[1..].trim_start_matches('\r').starts_with('\n') => {
                    self.at += 1 + self.rest()[1..].find('\n').unwrap_or_default() + 1;
                }
                Some(b'{') => {
                    self.at += 1;
                    items.push(Item::Block(self.block(start, 1)?));
                }
                Some(b'}') => {
                    self.at += 1;
                    let message = "this `}` closes nothing; remove it, or add the `{` that it \
                                   belongs to";
                    self.report.diagnostic(self.place(start), message);
                    return Err(Broken);
                }
                Some(_) => items.push(Item::Word(self.word()?)),
            }
        }
        let place = self.place(start);
        command::stanza(items, place).ok_or_else(|| {
            let message = "this command names no object; it is written as `create ltm pool NAME …`";
            self.report.diagnostic(place, message);
            Broken
        })
    }

    fn body(&mut self, words: &[Word], open: usize) -> Result<Body, Broken> {
        let is_old_rule = matches!(words, [kind, _] if kind.text == "rule");
        let is_program = is_old_rule
            || PROGRAMS.iter().any(|program| {
                program.iter().zip(words).filter(|(word, found)| **word == found.text).count() == 2
            });
        if !is_program {
            return self.block(open, 1).map(Body::Block);
        }
        let Some(extent) = tcl::extent(self.rest()) else {
            let message = "this program is never closed; add the `}` that ends it";
            self.at = open + 1;
            self.report.diagnostic(self.place(open), message);
            return Err(Broken);
        };
        self.at += extent.length;
        if !extent.by_counting {
            let what = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            self.report.warn(
                self.place(open),
                crate::text::printable(&what),
                "its braces do not pair by Tcl's rules; the program ends where the next stanza \
                 begins",
            );
        }
        Ok(Body::Opaque)
    }

    fn block(&mut self, open: usize, depth: usize) -> Result<Block, Broken> {
        if depth > DEPTH {
            let message = format!("blocks are nested more than {DEPTH} deep; remove some");
            self.report.diagnostic(self.place(open), message);
            return Err(Broken);
        }
        let place = Place::new(self.file, open, open + 1);
        let (mut lines, mut line, mut one_line) = (Vec::new(), Vec::new(), true);
        loop {
            self.skip_blanks();
            let start = self.at;
            match self.peek() {
                None => {
                    self.report.diagnostic(place, "this block is never closed; add a `}`");
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
                        self.report.diagnostic(
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
        self.report.diagnostic(
            Place::new(self.file, start, start + 1),
            format!(
                "this quote is never closed; add a `\"` behind {}",
                quote(beginning(&self.text[start + 1..]))
            ),
        );
        Err(Broken)
    }
}

/// The first word of a text, or what there is of it.
fn beginning(text: &str) -> &str {
    text.split(['\n', '\r', ' ', '}']).next().unwrap_or_default()
}
