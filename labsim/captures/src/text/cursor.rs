//! Reads words of a line from left to right.

/// The part of a text that is not read yet. What is not there is not read: a failed step leaves the cursor
/// where it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Steps over `word`, if it comes next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Like [`Self::eat`], for parsers that fail without it.
    pub(super) fn need(&mut self, word: &str) -> Option<()> {
        self.eat(word).then_some(())
    }

    pub(super) fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// The text before `end`, which is stepped over too.
    pub(super) fn before(&mut self, end: &str) -> Option<&'a str> {
        let (text, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(text)
    }

    /// The characters that `is_part` accepts; at least one.
    pub(super) fn run(&mut self, is_part: impl Fn(char) -> bool) -> Option<&'a str> {
        let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end).filter(|(run, _)| !run.is_empty())?;
        self.rest = rest;
        Some(run)
    }

    /// A decimal number.
    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        let start = *self;
        let number = self.run(|character| character.is_ascii_digit())?.parse().ok();
        if number.is_none() {
            *self = start;
        }
        number
    }

    /// A hexadecimal number behind `0x`.
    pub(super) fn hex(&mut self) -> Option<u32> {
        let mut ahead = *self;
        ahead.need("0x")?;
        let digits = ahead.run(|character| character.is_ascii_hexdigit())?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        *self = ahead;
        Some(number)
    }

    /// A word up to the next space.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        self.run(|character| !character.is_whitespace())
    }

    /// What stands in the parentheses that come next, others inside them included.
    pub(super) fn parentheses(&mut self) -> Option<&'a str> {
        let inside = self.rest.strip_prefix('(')?;
        let mut depth = 1usize;
        for (at, character) in inside.char_indices() {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.rest = inside.get(at + 1..)?;
                return inside.get(..at);
            }
        }
        None
    }
}
