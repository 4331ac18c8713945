//! Reads filter expressions: precedence by recursive descent.

use crate::filter::Expression;
use crate::pattern::{Glob, NamePattern, PatternError};
use std::fmt;

/// Characters of an expression.
const LENGTH: usize = 10_000;
/// How deep parentheses and negations may be nested.
const DEPTH: usize = 100;
/// How similar a predicate is to be suggested (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.7;

/// The predicates.
const PREDICATES: [&str; 5] = ["name", "tag", "file", "all", "none"];

/// An expression is not valid. `Display` is a sentence, the expression, and a caret below the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    expression: String,
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong and the remedy.
    pub message: String,
}

impl std::error::Error for FilterError {}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expression, column, message } = self;
        // A control character would move the caret, or the cursor.
        let shown: String =
            expression.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        write!(f, "column {column}: {message}\n    {shown}\n    {:>column$}", "^")
    }
}

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Expression, FilterError> {
    let characters: Vec<char> = text.chars().take(LENGTH + 1).collect();
    if characters.len() > LENGTH {
        let message = format!("the expression is longer than {LENGTH} characters; shorten it");
        return Err(FilterError { expression: String::new(), column: LENGTH, message });
    }
    let mut parser = Parser { characters: &characters, at: 0 };
    let parsed = parser.alternatives(0).and_then(|expression| match parser.peek() {
        None => Ok(expression),
        Some(')') => Err(parser.fail("this `)` closes nothing; remove it")),
        Some(_) => Err(parser.fail("an operator is missing here; write `&`, `|` or `-`")),
    });
    parsed.map_err(|Failure { at, message }| FilterError {
        expression: text.to_owned(),
        column: at + 1,
        message,
    })
}

/// An error and its place, in characters from 0.
struct Failure {
    at: usize,
    message: String,
}

struct Parser<'a> {
    characters: &'a [char],
    at: usize,
}

impl Parser<'_> {
    /// The next character that is no blank; the parser is at its place afterwards.
    fn peek(&mut self) -> Option<char> {
        while self.characters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.characters.get(self.at).copied()
    }

    /// Takes an operator, if it is next.
    fn take_sign(&mut self, sign: char) -> bool {
        let is_next = self.peek() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes an operator that is a word, if it is next.
    fn take_word(&mut self, word: &str) -> bool {
        self.peek();
        let is_next = self.word_at(self.at) == word;
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// The word at a place: a predicate, or a pattern.
    fn word_at(&self, at: usize) -> String {
        let rest = self.characters.get(at..).unwrap_or_default();
        let ends = |c: &char| c.is_whitespace() || "()&|!".contains(*c);
        rest.iter().take_while(|c| !ends(c)).collect()
    }

    fn fail(&self, message: impl Into<String>) -> Failure {
        Failure { at: self.at, message: message.into() }
    }

    fn alternatives(&mut self, depth: usize) -> Result<Expression, Failure> {
        let mut left = self.conjunction(depth)?;
        while self.take_sign('|') || self.take_word("or") {
            let right = self.conjunction(depth)?;
            left = Expression::Or(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn conjunction(&mut self, depth: usize) -> Result<Expression, Failure> {
        let mut left = self.negation(depth)?;
        loop {
            let right = if self.take_sign('&') || self.take_word("and") {
                self.negation(depth)?
            } else if self.take_sign('-') {
                Expression::Not(Box::new(self.negation(depth)?))
            } else {
                return Ok(left);
            };
            left = Expression::And(Box::new(left), Box::new(right));
        }
    }

    fn negation(&mut self, depth: usize) -> Result<Expression, Failure> {
        if depth > DEPTH {
            return Err(self.fail(format!("more than {DEPTH} levels; simplify the expression")));
        }
        if self.take_sign('!') || self.take_word("not") {
            return Ok(Expression::Not(Box::new(self.negation(depth + 1)?)));
        }
        self.primary(depth)
    }

    fn primary(&mut self, depth: usize) -> Result<Expression, Failure> {
        match self.peek() {
            None => {
                Err(self.fail("the expression ends here; write a predicate such as `tag(gre)`"))
            }
            Some('(') => {
                let opened = self.at;
                self.at += 1;
                let inner = self.alternatives(depth + 1)?;
                if self.take_sign(')') {
                    return Ok(inner);
                }
                match self.peek() {
                    None => {
                        let message = "this `(` is not closed; write a `)`".to_owned();
                        Err(Failure { at: opened, message })
                    }
                    Some(_) => Err(self.fail("an operator is missing here; write `&`, `|` or `-`")),
                }
            }
            Some(sign) if ")&|".contains(sign) => {
                let message =
                    format!("a predicate is missing before `{sign}`; write one such as `tag(gre)`");
                Err(self.fail(message))
            }
            Some(_) => self.predicate(),
        }
    }

    fn predicate(&mut self) -> Result<Expression, Failure> {
        let begin = self.at;
        let word = self.word_at(begin);
        let length = word.chars().count();
        let opened = begin + length;
        if self.characters.get(opened) != Some(&'(') {
            self.at = opened;
            let pattern = NamePattern::new(&word).map_err(|error| moved(error, begin))?;
            return Ok(Expression::Name(pattern));
        }
        if !PREDICATES.contains(&word.as_str()) {
            return Err(self.fail(unknown(&word)));
        }
        let inside = self.characters.get(opened + 1..).unwrap_or_default();
        let Some(length) = inside.iter().position(|c| *c == ')') else {
            let message = "this `(` is not closed; write a `)`".to_owned();
            return Err(Failure { at: opened, message });
        };
        let inside = inside.get(..length).unwrap_or_default();
        let blanks = inside.iter().take_while(|c| c.is_whitespace()).count();
        let argument: String = inside.iter().collect();
        let argument = argument.trim();
        let from = opened + 1 + blanks;
        self.at = opened + 1 + length + 1;
        if matches!(word.as_str(), "all" | "none") {
            if !argument.is_empty() {
                let message = format!("`{word}()` takes no pattern; remove it");
                return Err(Failure { at: from, message });
            }
            return Ok(if word == "all" { Expression::All } else { Expression::None });
        }
        let glob = Glob::new(argument).map_err(|error| moved(error, from))?;
        Ok(match word.as_str() {
            "tag" => Expression::Tag(glob),
            "file" => Expression::File(glob),
            _ => Expression::Name(NamePattern::from(glob)),
        })
    }
}

fn moved(error: PatternError, by: usize) -> Failure {
    Failure { at: by + error.at, message: error.message }
}

fn unknown(word: &str) -> String {
    let scored = PREDICATES.map(|known| (strsim::jaro_winkler(known, word), known));
    let similar = scored.into_iter().filter(|(score, _)| *score >= SIMILAR);
    match similar.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((_, known)) => {
            format!("unknown predicate `{}`; did you mean `{known}`?", word.escape_debug())
        }
        None => format!(
            "unknown predicate `{}`; known are {}",
            word.escape_debug(),
            PREDICATES.map(|known| format!("`{known}`")).join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failure(text: &str) -> (usize, String) {
        let error = parse(text).unwrap_err();
        (error.column, error.message)
    }

    #[test]
    fn an_error_has_its_column_and_the_remedy() {
        for (text, column, message) in [
            ("", 1, "the expression ends here"),
            ("tag(gre) &", 11, "the expression ends here"),
            ("tag(gre) name(x)", 10, "an operator is missing"),
            ("(tag(gre) name(x))", 11, "an operator is missing"),
            ("tag(gre)) | x", 9, "this `)` closes nothing"),
            ("x | (tag(gre) & y", 5, "this `(` is not closed"),
            ("x & tag(gre", 8, "this `(` is not closed"),
            ("& x", 1, "a predicate is missing before `&`"),
            ("x | | y", 5, "a predicate is missing before `|`"),
            ("x & ()", 6, "a predicate is missing before `)`"),
            ("x & nme(y)", 5, "unknown predicate `nme`; did you mean `name`?"),
            ("x & qqq(y)", 5, "known are `name`, `tag`, `file`, `all`, `none`"),
            ("name()", 6, "a pattern is missing"),
            ("x | name( )", 11, "a pattern is missing"),
            ("name( a[b)", 8, "the pattern is not valid"),
            ("ä & a***", 8, "the pattern is not valid"),
            ("all(x)", 5, "takes no pattern"),
        ] {
            let (at, said) = failure(text);
            assert_eq!(at, column, "{text}: {said}");
            assert!(said.contains(message), "{text}: {said}");
        }
    }

    #[test]
    fn the_caret_is_below_the_place() {
        let text = parse("tag(gre) & nme(x)").unwrap_err().to_string();
        let expected = "column 12: unknown predicate `nme`; did you mean `name`?\n    \
            tag(gre) & nme(x)\n               ^";
        assert_eq!(text, expected);
        let text = parse("\x1b[2J & (").unwrap_err().to_string();
        assert!(!text.contains('\x1b'), "{text:?}");
    }

    #[test]
    fn deep_and_long_expressions_are_refused() {
        for text in ["(".repeat(5_000), "!".repeat(5_000), "not ".repeat(2_000)] {
            assert!(failure(&text).1.contains("levels"), "{text}");
        }
        assert!(failure(&"x | ".repeat(10_000)).1.contains("longer than"));
        assert!(parse(&format!("{}all(){}", "(".repeat(60), ")".repeat(60))).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_column_inside_of_it(text in "[-a-z()&|!* \\[\\]äß]{0,40}") {
            if let Err(error) = parse(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error);
            }
        }
    }
}
