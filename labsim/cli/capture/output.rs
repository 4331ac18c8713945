//! Where a capture is written, by a thread of its own: its reader may be slow.

use crate::exit::Exit;
use crate::stream::STDIN as STANDARD;
use crate::{args, output};
use labsim_report::Output;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Bytes that wait for the output at most, before no more are read.
const MOST: usize = 16 << 20;

/// What is written, and where.
#[derive(Debug)]
pub(super) enum Target {
    /// Lines, to the standard output.
    Lines,
    /// Packets, to a file, a FIFO or the standard output.
    Packets(File),
}

impl Target {
    /// Opens what `-w` names. Whatever else can fail is done before: a file is made.
    ///
    /// # Errors
    /// It cannot be opened, which has been printed.
    pub(super) fn open(args: &args::Capture) -> Result<Self, Exit> {
        Self::named(args.write.as_deref(), args.force).map_err(|problem| {
            output::error(problem);
            Exit::Invalid
        })
    }

    fn named(path: Option<&Path>, force: bool) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::Lines) };
        if path == Path::new(STANDARD) {
            if io::stdout().is_terminal() {
                return Err("packets are nothing for a terminal; name a file, or pipe them into a program: \
                    `labsim capture -w - | wireshark -k -i -`"
                    .to_owned());
            }
            let output = io::stdout().as_fd().try_clone_to_owned();
            return output.map(|it| Self::Packets(it.into())).map_err(|error| error.to_string());
        }
        let name = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
        match Output::open(path).map_err(|error| name(&error))? {
            Output::Stream(file) => {
                // It was opened without waiting, and is to wait from here on.
                let flags = fcntl(&file, FcntlArg::F_GETFL).map_err(|errno| name(&errno))?;
                let flags = OFlag::from_bits_retain(flags) - OFlag::O_NONBLOCK;
                fcntl(&file, FcntlArg::F_SETFL(flags)).map_err(|errno| name(&errno))?;
                Ok(Self::Packets(file))
            }
            Output::File { .. } => {
                let mut options = OpenOptions::new();
                match force {
                    true => options.write(true).create(true).truncate(true),
                    false => options.write(true).create_new(true),
                };
                let opened = options.open(path).map_err(|error| match error.kind() {
                    ErrorKind::AlreadyExists => {
                        name(&"it exists already; name another file, or replace it with --force")
                    }
                    _ => name(&error),
                });
                opened.map(Self::Packets)
            }
        }
    }

    /// What is written to.
    pub(super) fn into_file(self) -> io::Result<File> {
        match self {
            Self::Lines => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            Self::Packets(file) => Ok(file),
        }
    }
}

/// Bytes on their way to the output.
pub(super) struct Queue {
    chunks: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    thread: JoinHandle<io::Result<()>>,
}

impl Queue {
    /// Starts the thread that writes.
    pub(super) fn start(output: File) -> io::Result<Self> {
        let (chunks, receiver) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        let thread = std::thread::Builder::new()
            .name("output".into())
            .spawn(move || write_all(output, &receiver, &written))?;
        Ok(Self { chunks, waiting, thread })
    }

    /// Has bytes written.
    pub(super) fn write(&self, chunk: Vec<u8>) {
        if !chunk.is_empty() {
            self.waiting.fetch_add(chunk.len(), Ordering::Relaxed);
            // It has ended if nobody takes them, which is found out by that.
            let _ = self.chunks.send(chunk);
        }
    }

    /// Whether so much waits that no more is to be read.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > MOST
    }

    /// Whether nothing is written any more: nobody reads, or it has failed.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until all is written. That nobody reads any more is no error.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.chunks);
        match self.thread.join().unwrap_or_else(|_| Err(io::Error::other("it has panicked"))) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

fn write_all(
    mut output: File,
    chunks: &Receiver<Vec<u8>>,
    waiting: &AtomicUsize,
) -> io::Result<()> {
    for chunk in chunks {
        output.write_all(&chunk)?;
        waiting.fetch_sub(chunk.len(), Ordering::Relaxed);
    }
    Ok(())
}
