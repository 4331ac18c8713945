//! ACOS configuration text as it is written: lines, and the lines below them.

use super::context::Context;
use super::terminal::{self, Typed};
use crate::place::Place;
use crate::report::Report;
use crate::text::has_word;

/// Deepest nesting that is kept; ACOS itself has four levels.
const DEPTH: usize = 16;
/// Columns of a tab.
const TAB: usize = 8;

/// A command, and what is configured in it.
#[derive(Debug)]
pub(super) struct Line {
    /// At least one.
    pub(super) words: Vec<Word>,
    pub(super) children: Vec<Line>,
    /// The whole line without its indentation.
    pub(super) place: Place,
}

/// A word, bare or quoted.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Line {
    /// A word's text; empty if there is none.
    pub(super) fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// The texts of all words.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.words.iter().map(|word| word.text.as_str()).collect()
    }
}

/// The first words of commands that belong to no other, but for contexts that have such a command
/// themselves. In a text that has lost its indentation, all others belong to the one before them.
const OUTER: &str = "\
    aam access-list accounting active-partition admin aflex authentication authorization banner \
    bfd boot-block-fix bootimage cgnv6 class-list clock configure delete domain-list enable-core \
    enable-management fail-safe file floating-ip fw glid glm gslb ha health hostname import \
    interface ip ipv6 key ldap-server license-manager lldp logging mirror-port multi-config ntp \
    object object-group partition pki radius-server route-map router rule-set scaleout sflow slb \
    snmp-server system tacacs-server terminal timezone trunk vcs vlan vrrp-a";

/// Reads one file.
pub(super) fn parse(file: usize, text: &str, report: &mut Report<'_>) -> Vec<Line> {
    let mut tree = Tree { roots: Vec::new(), open: Vec::new(), separated: false };
    let mut start = 0;
    for written in text.split_inclusive(['\n', '\r']) {
        let content = written.trim_end_matches(['\n', '\r']);
        let trimmed = content.trim_start();
        let indent = columns(&content[..content.len() - trimmed.len()]);
        let mut begin = start + content.len() - trimmed.len();
        start += written.len();
        // `!` is a comment, or stands between commands.
        if trimmed.is_empty() || trimmed.starts_with('!') {
            tree.separated |= trimmed.trim_end() == "!";
            continue;
        }
        let mut trimmed = trimmed.trim_end();
        let place = Place::new(file, begin, begin + trimmed.len());
        match terminal::typed(trimmed) {
            Typed::Bare => {}
            Typed::Configured(command) => {
                report.left_out(place, terminal::PROMPT);
                begin += trimmed.len() - command.len();
                trimmed = command;
            }
            Typed::Other => {
                report.left_out(place, terminal::COMMAND);
                continue;
            }
        }
        let place = Place::new(file, begin, begin + trimmed.len());
        let Some(words) = words(file, begin, trimmed, report) else { continue };
        let line = Line { words, children: Vec::new(), place };
        match line.text(0) {
            "" => {}
            "exit" => tree.exit(),
            "end" if line.words.len() == 1 => tree.close(0),
            _ if tree.context_of(&line).is_none() && terminal::is_exec(&line.texts()) => {
                if line.text(0) == "configure" {
                    tree.close(0);
                }
                report.left_out(place, terminal::COMMAND);
            }
            first => {
                if indent > 0 && tree.open.is_empty() && !has_word(OUTER, first) {
                    report.diagnostic(
                        place,
                        "this line is indented, and no command stands before it that it could \
                         belong to; remove the indentation, or add the command",
                    );
                }
                tree.add(indent, line);
            }
        }
    }
    tree.close(0);
    tree.roots
}

/// A line that further ones may belong to.
struct Open {
    indent: usize,
    context: Option<Context>,
    line: Line,
}

/// Lines that are being put together.
struct Tree {
    roots: Vec<Line>,
    open: Vec<Open>,
    /// Whether a `!` stands behind the last line.
    separated: bool,
}

impl Tree {
    fn add(&mut self, indent: usize, line: Line) {
        let separated = std::mem::take(&mut self.separated);
        let is_outer = has_word(OUTER, line.text(0));
        if line.text(0) == "slb" {
            self.close(0);
        } else if let Some(at) = self.context_of(&line)
            && !(is_outer && separated && indent == 0)
        {
            self.close(at + 1);
        } else if self.innermost().is_some() && !is_outer && !(separated && indent == 0) {
            self.add_unknown(indent, line);
            return;
        } else if indent == 0 && !separated && self.is_inner(&line) {
            self.close(1);
        } else {
            while self.open.last().is_some_and(|other| other.indent >= indent) {
                self.close(self.open.len() - 1);
            }
        }
        if self.open.len() >= DEPTH {
            self.close(DEPTH - 1);
        }
        let parent = self.open.last().and_then(|open| open.context);
        let context = Context::opened_by(&line, parent);
        self.open.push(Open { indent, context, line });
    }

    /// The innermost open line whose context has such a command.
    fn context_of(&self, line: &Line) -> Option<usize> {
        self.open.iter().rposition(|open| open.context.is_some_and(|context| context.has(line)))
    }

    /// The innermost open line with a context.
    fn innermost(&self) -> Option<usize> {
        self.open.iter().rposition(|open| open.context.is_some())
    }

    /// A command that no open context is known to have leaves none of them: it is listed where
    /// its indentation puts it.
    fn add_unknown(&mut self, indent: usize, line: Line) {
        let by_indent = self.open.iter().rposition(|open| open.indent < indent);
        let Some(at) = by_indent.or_else(|| self.innermost()) else { return };
        if let Some(open) = self.open.get_mut(at) {
            open.line.children.push(line);
        }
    }

    fn is_inner(&self, line: &Line) -> bool {
        !self.open.is_empty() && !has_word(OUTER, line.text(0))
    }

    /// Leaves the innermost context, or the last line where none is known.
    fn exit(&mut self) {
        self.close(self.innermost().unwrap_or(self.open.len().saturating_sub(1)));
    }

    /// Puts all lines from this depth on into those that they belong to.
    fn close(&mut self, depth: usize) {
        while self.open.len() > depth {
            let Some(Open { line, .. }) = self.open.pop() else { return };
            match self.open.last_mut() {
                Some(parent) => parent.line.children.push(line),
                None => self.roots.push(line),
            }
        }
    }
}

fn columns(blanks: &str) -> usize {
    blanks.chars().fold(
        0,
        |column, blank| if blank == '\t' { column - column % TAB + TAB } else { column + 1 },
    )
}

/// Splits a line; `None` with an error if a quote is never closed.
fn words(file: usize, begin: usize, line: &str, report: &mut Report<'_>) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut characters = line.char_indices().peekable();
    while let Some((start, first)) = characters.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut text = String::new();
        let mut end = start + first.len_utf8();
        if first == '"' {
            let mut is_closed = false;
            while let Some((at, character)) = characters.next() {
                end = at + character.len_utf8();
                match character {
                    '"' => {
                        is_closed = true;
                        break;
                    }
                    '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                    _ => text.push(character),
                }
            }
            if !is_closed {
                return report.reject(
                    Place::new(file, begin + start, begin + start + 1),
                    "this quote is not closed on its line; add a `\"`",
                );
            }
        } else {
            text.push(first);
            while let Some((at, character)) = characters.next_if(|(_, next)| !next.is_whitespace())
            {
                text.push(character);
                end = at + character.len_utf8();
            }
        }
        words.push(Word { text, place: Place::new(file, begin + start, begin + end) });
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::{Line, parse};
    use crate::place::Files;
    use crate::report::Report;
    use labsim_yaml::Source;

    fn shown(lines: &[Line]) -> String {
        let lines = lines.iter().map(|line| {
            let words = line.texts().join("|");
            if line.children.is_empty() {
                words
            } else {
                format!("{words}({})", shown(&line.children))
            }
        });
        lines.collect::<Vec<_>>().join(" ")
    }

    fn read(text: &str) -> (String, String) {
        let sources = [Source::new("x", text)];
        let mut report = Report::new(Files::new(&sources).unwrap());
        let lines = parse(0, text, &mut report);
        (shown(&lines), report.into_diagnostics().to_string())
    }

    #[test]
    fn indentation_tells_what_belongs_to_what() {
        for (text, tree) in [
            ("a\n b\n  c\n b2\n!\nd", "a(b(c) b2) d"),
            ("a\r\n\tb\r\n\t\tc\r\nip d\r\n", "a(b(c)) ip|d"),
            ("a\n   b\n      c\n   d\n", "a(b(c) d)"),
            ("a\n b\n! comment\n!\n c\n", "a(b c)"),
            ("! comment\n  ! another\na\nend\nb\n", "a b"),
            ("a\n b\n  c\nexit\n d\nexit\nexit\ne", "a(b(c) d) e"),
            ("x \"a b\" \"q\\\"\"", "x|a b|q\""),
        ] {
            assert_eq!(read(text), (tree.to_owned(), String::new()), "{text}");
        }
    }

    #[test]
    fn lost_indentation_is_made_up_for() {
        let text = "slb virtual-server v 10.0.0.1\nport 49 tcp\nservice-group g\nno-dest-nat\n\
                    port 80 http\ninterface ethernet 1\nip address 10.0.0.2 /24\nslb server s 1.1.1.1";
        let tree = "slb|virtual-server|v|10.0.0.1(port|49|tcp(service-group|g no-dest-nat) \
                    port|80|http) interface|ethernet|1(ip|address|10.0.0.2|/24) slb|server|s|1.1.1.1";
        assert_eq!(read(text), (tree.to_owned(), String::new()));
    }

    #[test]
    fn broken_lines_are_reported_with_their_places() {
        for (text, expected) in [
            ("a\nb \"c\nd", "x:2:3: this quote is not closed on its line; add a `\"`"),
            ("\n  a\n", "x:2:3: this line is indented"),
        ] {
            assert!(read(text).1.starts_with(expected), "{text}: {}", read(text).1);
        }
    }

    #[test]
    fn endless_indentation_ends() {
        fn depth(lines: &[Line]) -> usize {
            lines.iter().map(|line| 1 + depth(&line.children)).max().unwrap_or_default()
        }
        let text: String = (0..100).map(|depth| format!("{}x\n", " ".repeat(depth))).collect();
        let sources = [Source::new("x", text.as_str())];
        let mut report = Report::new(Files::new(&sources).unwrap());
        assert_eq!(depth(&parse(0, &text, &mut report)), 16);
    }
}
