//! The line of a terminal that shows what is going on: whether there is one, how wide it may be, and how it
//! leaves.

use crate::color;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// Back to the first column, and erase to the line's end (ECMA-48 CR, EL).
const ERASE: &[u8] = b"\r\x1b[K";
/// The width of a terminal that does not know it.
const COLUMNS: usize = 80;

/// Whether the line is drawn in this process.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// Whether the line may be drawn: standard output is a terminal that can erase a line. From now on, what else
/// is written to the terminal takes the line away first.
pub(crate) fn begin() -> bool {
    let drawn = io::stdout().is_terminal() && !color::is_dumb();
    DRAWN.store(drawn, Ordering::Relaxed);
    drawn
}

/// The terminal's width now: windows are resized. A line that is cut too short is still readable.
pub(crate) fn columns() -> usize {
    let named = || std::env::var("COLUMNS").ok()?.parse().ok();
    labsim_sys::terminal::columns(io::stdout().as_fd()).or_else(named).unwrap_or(COLUMNS)
}

/// Takes the line away, before the process ends in the middle of a run. Waits for no other thread that prints.
pub(crate) fn erase() {
    if DRAWN.load(Ordering::Relaxed) {
        let _ = nix::unistd::write(io::stdout(), ERASE);
    }
}

/// Standard error for the log: on a terminal, a record begins where the line was.
pub(crate) fn log() -> impl Write {
    Log
}

struct Log;

impl Write for Log {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if DRAWN.load(Ordering::Relaxed) && stderr.is_terminal() {
            // In one write, or the line may be drawn in between.
            stderr.write_all(&[ERASE, record].concat())?;
        } else {
            stderr.write_all(record)?;
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
