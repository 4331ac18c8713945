//! What a program prints: read as it comes, the end of it kept.

use crate::logbook::LogWriter;
use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bytes that are kept of the end of a program's output.
const MAX_BYTES: usize = 1 << 20;
/// Lines, and bytes of each, that a sentence about a program ends with.
const LINES: usize = 10;
const LINE: usize = 300;
/// How long the end of a dead program's output may take. All who could hold it open are dead too,
/// unless the kernel refused a PID namespace.
const END: Duration = Duration::from_millis(500);

/// The end of a program's output.
#[derive(Debug, Default, Clone)]
pub(crate) struct Log {
    kept: VecDeque<u8>,
    lost: u64,
    search_text: Option<String>,
    line: Vec<u8>,
    found: bool,
}

impl Log {
    fn add(&mut self, bytes: &[u8]) {
        self.search(bytes);
        self.kept.extend(bytes);
        let over = self.kept.len().saturating_sub(MAX_BYTES);
        self.kept.drain(..over);
        self.lost += over as u64;
    }

    /// Looks whether a line holds what is search_text, the last and unfinished one among them.
    fn search(&mut self, bytes: &[u8]) {
        let Some(search_text) = self.search_text.as_deref().filter(|_| !self.found) else { return };
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = lines.next() {
            self.line.extend(part);
            let has = |line: &[u8]| {
                line.windows(search_text.len()).any(|it| it == search_text.as_bytes())
            };
            self.found |= has(&self.line);
            if lines.peek().is_some() {
                self.line.clear();
            }
        }
        // What may be the beginning of it.
        let over = self.line.len().saturating_sub(search_text.len());
        self.line.drain(..over);
    }

    /// What is kept.
    pub(super) fn text(&self) -> Vec<u8> {
        self.kept.iter().copied().collect()
    }

    /// How many bytes came before it.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Its last lines as the end of a sentence, with nothing in them that a terminal would obey.
    pub(super) fn last_lines(&self) -> String {
        let text = self.text();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = all.get(all.len().saturating_sub(LINES)..).unwrap_or_default();
        if last.is_empty() {
            return "; it printed nothing".to_owned();
        }
        let plain = |line: &&str| {
            let short: String = line.trim_end().chars().take(LINE).collect();
            short.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
        };
        format!("; its last lines: {}", last.iter().map(plain).collect::<Vec<_>>().join(" | "))
    }
}

/// Reads a program's output on a thread of its own: a program whose pipe is full stands still.
pub(super) struct Reader {
    log: Arc<Mutex<Log>>,
    end: Receiver<()>,
}

impl Reader {
    /// Starts to read.
    pub(super) fn start(
        mut output: PipeReader,
        search_text: Option<String>,
        writer: LogWriter,
    ) -> io::Result<Self> {
        let log = Arc::new(Mutex::new(Log { search_text, ..Log::default() }));
        let (ended, end) = mpsc::channel();
        let mine = Arc::clone(&log);
        std::thread::Builder::new().name("process-log".into()).spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                match output.read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        let bytes = buffer.get(..length).unwrap_or_default();
                        // Before it can be found.
                        writer.print(bytes);
                        mine.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
                    }
                }
            }
            drop(writer);
            // The receiver may be gone.
            let _ = ended.send(());
        })?;
        Ok(Self { log, end })
    }

    /// Whether the search_text text was printed.
    pub(super) fn has_found(&self) -> bool {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).found
    }

    /// All that a program printed that has ended.
    pub(super) fn finish(&self) -> Log {
        // Once it has ended, its sender is gone and this returns at once.
        let _ = self.end.recv_timeout(END);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_text_text_is_found_across_reads_and_not_across_lines() {
        let log = |reads: &[&str]| {
            let mut log = Log { search_text: Some("is ready".to_owned()), ..Log::default() };
            reads.iter().for_each(|read| log.add(read.as_bytes()));
            log.found
        };
        assert!(log(&["server is ready\n"]) && log(&["server is", " rea", "dy"]));
        assert!(log(&["one\ntwo is re", "ady now\nthree\n"]));
        assert!(!log(&["is\nready\n"]) && !log(&["is read\n", "y\n"]) && !log(&[]));
    }

    #[test]
    fn only_the_end_of_a_long_output_is_kept() {
        let mut log = Log::default();
        log.add(&vec![b'a'; MAX_BYTES]);
        log.add(b"end");
        assert_eq!((log.text().len(), log.lost()), (MAX_BYTES, 3));
        assert!(log.text().ends_with(b"aend"));
    }

    #[test]
    fn last_lines_are_few_short_and_harmless() {
        let mut log = Log::default();
        log.add(b"first\n");
        (0..LINES).for_each(|_| log.add(b"it's \x1b[31mred\n\n"));
        let text = log.last_lines();
        assert!(!text.contains("first") && text.matches("red").count() == LINES, "{text}");
        assert!(text.contains("it's \\u{1b}[31mred | "), "{text}");
        assert_eq!(Log::default().last_lines(), "; it printed nothing");
    }
}
