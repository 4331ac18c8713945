//! `keepalived.conf` as it is written: statements, and blocks of statements.

use super::variables::Variables;
use crate::lvs::words::Word;
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;

/// Deepest nesting; keepalived itself has four levels.
const DEPTH: usize = 16;

/// A statement, with what is in its block.
#[derive(Debug)]
pub(super) struct Node {
    /// At least one.
    pub(super) words: Vec<Word>,
    pub(super) children: Vec<Node>,
    has_block: bool,
    /// Its words.
    pub(super) place: Place,
}

impl Node {
    /// Its first word.
    pub(super) fn name(&self) -> &str {
        self.text(0)
    }

    /// Whether it has a block, an empty one too.
    pub(super) const fn has_block(&self) -> bool {
        self.has_block
    }

    /// A word's text; empty if there is none.
    pub(super) fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// The word behind the first one, or an error that it is missing.
    pub(super) fn value(&self, report: &mut Report<'_>) -> Option<&Word> {
        let value = self.words.get(1);
        if value.is_none() {
            let message = format!("`{}` has no value; write it behind", printable(self.name()));
            report.diagnostic(self.place, message);
        }
        value
    }
}

/// Reads one file.
pub(super) fn parse(
    file: usize,
    text: &str,
    variables: &mut Variables,
    report: &mut Report<'_>,
) -> Vec<Node> {
    let mut tree = Tree::default();
    let mut start = 0;
    for written in text.split_inclusive(['\n', '\r']) {
        let begin = start;
        start += written.len();
        let line = uncommented(written);
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        let begin = begin + (line.len() - line.trim_start().len());
        let place = Place::new(file, begin, begin + trimmed.len());
        match variables.define(trimmed) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(message) => {
                report.diagnostic(place, message);
                continue;
            }
        }
        if trimmed.contains("~SEQ(") || trimmed.contains("~LST(") {
            report.diagnostic(
                place,
                "sequences are not read; write the lines that keepalived makes of it",
            );
            continue;
        }
        if trimmed.starts_with('@') {
            if trimmed.contains(['{', '}']) {
                let message =
                    "a block of one configuration id is not read; remove the `@...`, or the block";
                report.diagnostic(place, message);
            } else {
                let first = trimmed.split_whitespace().next().unwrap_or_default();
                let why = "it is for directors of one configuration id (keepalived -i) only";
                report.not_imported(place, format!("line {}", printable(first)), why);
            }
            continue;
        }
        if !tree.line((file, begin), trimmed, variables, report) {
            return tree.roots;
        }
    }
    for open in &tree.open {
        report.diagnostic(open.place, "this block is not closed; add a `}`");
    }
    tree.roots
}

/// A line up to its comment, which `#` or `!` begins outside of quotes.
fn uncommented(line: &str) -> &str {
    let mut is_quoted = false;
    for (at, one) in line.char_indices() {
        match one {
            '"' => is_quoted = !is_quoted,
            // `@!id` is a condition.
            '!' if line[..at].trim_start() == "@" => {}
            '#' | '!' if !is_quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

/// Statements that are being put together.
#[derive(Default)]
struct Tree {
    roots: Vec<Node>,
    open: Vec<Node>,
}

impl Tree {
    /// Adds a line; `false` if there is no going on.
    fn line(
        &mut self,
        (file, begin): (usize, usize),
        line: &str,
        variables: &Variables,
        report: &mut Report<'_>,
    ) -> bool {
        let mut words: Vec<Word> = Vec::new();
        let mut at = 0;
        while let Some(one) = line[at..].chars().next() {
            let from = begin + at;
            if one.is_whitespace() {
                at += one.len_utf8();
                continue;
            }
            let brace = Place::new(file, from, from + 1);
            match one {
                '{' => {
                    at += 1;
                    if !self.begin(std::mem::take(&mut words), brace, report) {
                        return false;
                    }
                }
                '}' => {
                    at += 1;
                    self.add(std::mem::take(&mut words));
                    let Some(node) = self.open.pop() else {
                        report.diagnostic(brace, "this `}` closes no block; remove it");
                        return false;
                    };
                    self.push(node);
                }
                _ => {
                    let (length, is_quoted) = match one {
                        '"' => match line[at + 1..].find('"') {
                            Some(end) => (end + 2, true),
                            None => {
                                let message = "this quote is not closed on its line; add a `\"`";
                                report.diagnostic(brace, message);
                                return false;
                            }
                        },
                        _ => (bare(&line[at..]), false),
                    };
                    let place = Place::new(file, from, from + length);
                    let text = line[at..at + length].trim_matches('"');
                    at += length;
                    match variables.expand(text) {
                        Ok(text) if is_quoted || !text.contains(char::is_whitespace) => {
                            words.push(Word { text, place });
                        }
                        Ok(text) => words.extend(
                            text.split_whitespace()
                                .map(|text| Word { text: text.to_owned(), place }),
                        ),
                        Err(message) => report.diagnostic(place, message),
                    }
                }
            }
        }
        self.add(words);
        true
    }

    /// Begins a block: of these words, or of the statement before it.
    fn begin(&mut self, words: Vec<Word>, brace: Place, report: &mut Report<'_>) -> bool {
        if self.open.len() >= DEPTH {
            let message = format!("blocks are nested deeper than {DEPTH} levels; remove some");
            report.diagnostic(brace, message);
            return false;
        }
        let siblings = match self.open.last_mut() {
            Some(parent) => &mut parent.children,
            None => &mut self.roots,
        };
        let node = match node(words) {
            Some(node) => Some(node),
            None => siblings.pop_if(|last| !last.has_block),
        };
        let Some(mut node) = node else {
            report.diagnostic(brace, "this block has no name; write one before it, or remove it");
            return false;
        };
        node.has_block = true;
        self.open.push(node);
        true
    }

    fn add(&mut self, words: Vec<Word>) {
        if let Some(node) = node(words) {
            self.push(node);
        }
    }

    fn push(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.roots.push(node),
        }
    }
}

fn node(words: Vec<Word>) -> Option<Node> {
    let place = words.first()?.place.to(words.last()?.place);
    Some(Node { words, children: Vec::new(), has_block: false, place })
}

/// The length of a word without quotes: up to a blank or a brace that is none of `${NAME}`.
fn bare(text: &str) -> usize {
    let mut is_variable = false;
    let mut before = ' ';
    for (at, one) in text.char_indices() {
        match one {
            '{' if before == '$' => is_variable = true,
            '}' if is_variable => is_variable = false,
            '{' | '}' | '"' => return at,
            _ if one.is_whitespace() => return at,
            _ => {}
        }
        before = one;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{Node, Variables, parse};
    use crate::place::Files;
    use crate::report::Report;
    use labsim_yaml::Source;

    fn shown(nodes: &[Node]) -> String {
        let nodes = nodes.iter().map(|node| {
            let words: Vec<&str> = node.words.iter().map(|word| word.text.as_str()).collect();
            match node.has_block {
                true => format!("{}({})", words.join("|"), shown(&node.children)),
                false => words.join("|"),
            }
        });
        nodes.collect::<Vec<_>>().join(" ")
    }

    fn read(text: &str) -> (String, String) {
        let sources = [Source::new("x", text)];
        let mut report = Report::new(Files::new(&sources).unwrap());
        let nodes = parse(0, text, &mut Variables::default(), &mut report);
        (shown(&nodes), report.into_diagnostics().to_string())
    }

    #[test]
    fn statements_and_blocks_are_told_apart() {
        for (text, tree) in [
            ("a {\n b 1 # c\n ! d\n}\ne", "a(b|1) e"),
            ("a{b 1}\r\nc", "a(b|1) c"),
            ("a\n{\n b\n}\n", "a(b)"),
            ("a \"x # y\" z! c", "a|x # y|z"),
            ("a {\n}\na { }", "a() a()"),
            ("$X=1 2\na ${X}{\n b $X\n}", "a|1|2(b|1|2)"),
        ] {
            assert_eq!(read(text), (tree.to_owned(), String::new()), "{text}");
        }
    }

    #[test]
    fn broken_blocks_are_reported_with_their_places() {
        let deep = "a {\n".repeat(17);
        for (text, expected) in [
            ("a {\n b {\n }\n", "x:1:1: this block is not closed; add a `}`"),
            ("a {\n}\n}\n", "x:3:1: this `}` closes no block; remove it"),
            (" {\n}", "x:1:2: this block has no name"),
            ("a \"b\nc", "x:1:3: this quote is not closed on its line"),
            ("a ~SEQ(I, 1, 2)", "x:1:1: sequences are not read"),
            ("@m a {\n}", "x:1:1: a block of one configuration id is not read"),
            (&deep, "x:17:3: blocks are nested deeper than 16 levels"),
        ] {
            assert!(read(text).1.starts_with(expected), "{text}: {}", read(text).1);
        }
    }
}
