//! What ran in the nodes of a lab that stays up printed and logged: the end of it, in the order in which
//! it came.

use labsim_scenario::model::NodeName;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are kept of each node.
const NODE: usize = 256 << 10;
/// Bytes of a line; a longer one goes on as the next.
const LINE: usize = 4096;
/// What a line takes beside its text.
const OVERHEAD: usize = 64;

/// One for all nodes; cheap to clone. The default keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct Logbook(Option<Arc<Mutex<BTreeMap<NodeName, Pages>>>>);

/// What was printed and logged in a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeLog {
    /// The lines that are kept.
    pub lines: Vec<LoggedLine>,
    /// How many came before them.
    pub lost: u64,
}

/// A line, without its end. It may hold anything else that a program prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedLine {
    /// What it is from: `forwarder`, `TACACS+ server`, `process radiusd`, `step login`.
    pub program: Arc<str>,
    /// The text.
    pub text: String,
}

impl Logbook {
    /// One that keeps lines.
    pub(crate) fn keeping() -> Self {
        Self(Some(Arc::default()))
    }

    /// What is kept of a node. Of lines that have not ended, what there is of them comes last.
    #[must_use]
    pub fn of(&self, node: &NodeName) -> NodeLog {
        self.pages().and_then(|all| all.get(node).map(Pages::read)).unwrap_or_default()
    }

    /// Where something in a node writes.
    pub(crate) fn writer(&self, node: &NodeName, program: &str) -> LogWriter {
        let number = self.pages().map_or(0, |mut all| {
            let pages = all.entry(node.clone()).or_default();
            pages.writers += 1;
            pages.writers
        });
        LogWriter(Arc::new(Origin {
            book: self.clone(),
            node: node.clone(),
            program: program.into(),
            number,
        }))
    }

    fn pages(&self) -> Option<MutexGuard<'_, BTreeMap<NodeName, Pages>>> {
        self.0.as_ref().map(|all| all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes into a logbook. A line that has not ended ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct LogWriter(Arc<Origin>);

#[derive(Debug)]
struct Origin {
    book: Logbook,
    node: NodeName,
    program: Arc<str>,
    number: u64,
}

impl LogWriter {
    /// Adds some of what was printed.
    pub(crate) fn print(&self, bytes: &[u8]) {
        self.0.change(|pages, origin| pages.print(origin.number, &origin.program, bytes));
    }

    /// Adds a line.
    pub(crate) fn line(&self, text: impl FnOnce() -> String) {
        self.0.change(|pages, origin| pages.add(&origin.program, &text()));
    }
}

impl Origin {
    fn change(&self, change: impl FnOnce(&mut Pages, &Self)) {
        if let Some(mut all) = self.book.pages() {
            change(all.entry(self.node.clone()).or_default(), self);
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.change(|pages, origin| pages.end(origin.number));
    }
}

/// The lines of a node.
#[derive(Debug, Default)]
struct Pages {
    lines: VecDeque<LoggedLine>,
    bytes: usize,
    lost: u64,
    /// Lines that have not ended, by their writers.
    begun: BTreeMap<u64, (Arc<str>, Vec<u8>)>,
    writers: u64,
}

impl Pages {
    fn print(&mut self, writer: u64, program: &Arc<str>, bytes: &[u8]) {
        let (_, mut begun) = self.begun.remove(&writer).unwrap_or((Arc::clone(program), vec![]));
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in part.chunks(LINE) {
                if begun.len() + piece.len() > LINE && piece != b"\n" {
                    self.add_bytes(program, &std::mem::take(&mut begun));
                }
                begun.extend(piece);
            }
            if begun.last() == Some(&b'\n') {
                self.add_bytes(program, &std::mem::take(&mut begun));
            }
        }
        if !begun.is_empty() {
            self.begun.insert(writer, (Arc::clone(program), begun));
        }
    }

    fn end(&mut self, writer: u64) {
        if let Some((program, begun)) = self.begun.remove(&writer) {
            self.add_bytes(&program, &begun);
        }
    }

    fn add_bytes(&mut self, program: &Arc<str>, bytes: &[u8]) {
        self.add(program, &text(bytes));
    }

    fn add(&mut self, program: &Arc<str>, text: &str) {
        self.bytes += text.len() + OVERHEAD;
        self.lines.push_back(LoggedLine { program: Arc::clone(program), text: text.to_owned() });
        while self.bytes > NODE
            && let Some(oldest) = self.lines.pop_front()
        {
            self.bytes -= oldest.text.len() + OVERHEAD;
            self.lost += 1;
        }
    }

    fn read(&self) -> NodeLog {
        let line = |(program, begun): &(Arc<str>, Vec<u8>)| LoggedLine {
            program: Arc::clone(program),
            text: text(begun),
        };
        let lines = self.lines.iter().cloned().chain(self.begun.values().map(line));
        NodeLog { lines: lines.collect(), lost: self.lost }
    }
}

/// A line's text, without its end.
fn text(bytes: &[u8]) -> String {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeName {
        NodeName::new("rs1").unwrap()
    }

    fn lines(book: &Logbook) -> Vec<String> {
        let lines = book.of(&node()).lines.into_iter();
        lines.map(|line| format!("{}: {}", line.program, line.text)).collect()
    }

    #[test]
    fn lines_come_in_the_order_of_their_ends_each_with_its_program() {
        let book = Logbook::keeping();
        let (a, b) = (book.writer(&node(), "a"), book.writer(&node(), "b"));
        a.print(b"one\r\ntw");
        b.line(|| "between".to_owned());
        b.print(b"\nbegun");
        a.print(b"o\n\xff");
        assert_eq!(
            lines(&book),
            ["a: one", "b: between", "b: ", "a: two", "a: \u{fffd}", "b: begun"]
        );
        drop((a, b));
        assert_eq!(lines(&book).last().unwrap(), "b: begun");
        assert_eq!(book.of(&NodeName::new("rs2").unwrap()), NodeLog::default());
    }

    #[test]
    fn the_end_of_much_is_kept_and_the_rest_is_counted() {
        let book = Logbook::keeping();
        let writer = book.writer(&node(), "a");
        (0..100_000).for_each(|number| writer.print(format!("{number}\n").as_bytes()));
        let NodeLog { lines, lost } = book.of(&node());
        assert_eq!(lines.len() as u64 + lost, 100_000);
        assert_eq!(lines.last().unwrap().text, "99999");
        assert!(lines.len() * OVERHEAD <= NODE && lines.len() * (OVERHEAD + 6) > NODE - 100);
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_than_others() {
        let book = Logbook::keeping();
        let writer = book.writer(&node(), "a");
        (0..200).for_each(|_| writer.print(&[b'x'; 3 * LINE]));
        let NodeLog { lines, lost } = book.of(&node());
        assert!(lost > 0 && lines.iter().all(|line| line.text.len() == LINE));
        assert!(lines.len() * LINE <= NODE + LINE);
    }

    #[test]
    fn a_lab_that_does_not_stay_up_keeps_nothing() {
        let book = Logbook::default();
        book.writer(&node(), "a").line(|| unreachable!("no line is made"));
        assert_eq!(book.of(&node()), NodeLog::default());
    }
}
