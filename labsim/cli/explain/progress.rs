//! The line on a terminal that says how far reading is.

use crate::color;
use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Back to the first column, and erase to the line's end (ECMA-48 CR, EL).
const ERASE: &str = "\r\x1b[K";
/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(100);
/// Names are cut to this many characters.
const NAME: usize = 40;

/// What is going on, shown on standard error if that is a terminal.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Option<Rc<RefCell<Line>>>);

#[derive(Debug)]
struct Line {
    /// What is done, and to which file.
    what: String,
    read: u64,
    of: Option<u64>,
    drawn: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let is_drawn = io::stderr().is_terminal() && !color::is_dumb();
        let line = || Line { what: String::new(), read: 0, of: None, drawn: Instant::now() };
        Self(is_drawn.then(|| Rc::new(RefCell::new(line()))))
    }

    /// Begins with a file of so many bytes.
    pub(super) fn file(&self, doing: &str, name: &str, of: Option<u64>) {
        self.change(|line| {
            let shown: String = name.chars().take(NAME).collect();
            line.what = crate::output::visible(format_args!("{doing} {shown}"));
            (line.read, line.of) = (0, of);
        });
    }

    /// Shows what is done that has no measure.
    pub(super) fn stage(&self, what: &str) {
        self.change(|line| {
            what.clone_into(&mut line.what);
            (line.read, line.of) = (0, None);
            line.draw();
        });
    }

    /// The same input, which tells how much of it was read.
    pub(super) fn counting<'a>(&self, input: Box<dyn Read + 'a>) -> Box<dyn Read + 'a> {
        match &self.0 {
            Some(_) => Box::new(Counting { input, progress: self.clone() }),
            None => input,
        }
    }

    /// Takes the line away.
    pub(super) fn erase(&self) {
        if self.0.is_some() {
            let _ = write!(io::stderr(), "{ERASE}");
        }
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        if let Some(line) = &self.0 {
            change(&mut line.borrow_mut());
        }
    }
}

impl Line {
    fn add(&mut self, bytes: usize) {
        self.read = self.read.saturating_add(u64::try_from(bytes).unwrap_or(0));
        if self.drawn.elapsed() >= EVERY {
            self.draw();
        }
    }

    fn draw(&mut self) {
        self.drawn = Instant::now();
        let _ = write!(io::stderr(), "{ERASE}{}", self.text());
    }

    fn text(&self) -> String {
        let mb = |bytes: u64| bytes / 1_000_000;
        let what = &self.what;
        match (self.read, self.of) {
            (0, _) => what.clone(),
            (read, Some(of)) => format!("{what}: {} of {} MB", mb(read), mb(of)),
            (read, None) => format!("{what}: {} MB", mb(read)),
        }
    }
}

/// An input that is shown.
struct Counting<'a> {
    input: Box<dyn Read + 'a>,
    progress: Progress,
}

impl Read for Counting<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(bytes)?;
        self.progress.change(|line| line.add(read));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_of_how_much_was_read() {
        let mut line = Line {
            what: "reading client.pcap".to_owned(),
            read: 0,
            of: Some(12_000_000),
            drawn: Instant::now(),
        };
        assert_eq!(line.text(), "reading client.pcap");
        line.add(3_999_999);
        assert_eq!(line.text(), "reading client.pcap: 3 of 12 MB");
        line.of = None;
        assert_eq!(line.text(), "reading client.pcap: 3 MB");
    }
}
