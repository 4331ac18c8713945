//! Opens files, pipes such as `<(ssh ...)` and standard input to be read.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, ErrorKind, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Standard input in place of a file.
pub(crate) const STDIN: &str = "-";
/// How long a FIFO may have no writer, in milliseconds.
const WRITER_APPEARS: u16 = 2000;

/// Opens a file, a pipe or standard input; `what` is what a file should be.
///
/// # Errors
/// A message without the file's name.
pub(crate) fn open(path: &Path, what: &str) -> Result<Box<dyn Read>, String> {
    if path == Path::new(STDIN) {
        return Ok(Box::new(io::stdin().lock()));
    }
    // A FIFO is opened without waiting for its writer.
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| match error.kind() {
        ErrorKind::NotFound => "no such file; check its name".to_owned(),
        _ => error.to_string(),
    })?;
    let kind = file.metadata().map_err(|error| error.to_string())?.file_type();
    let mut first = Vec::new();
    if kind.is_fifo() {
        wait_for_writer(&file, &mut first)?;
    } else if !kind.is_file() {
        return Err(format!("not a regular file; name a {what}"));
    }
    Ok(Box::new(Cursor::new(first).chain(file)))
}

/// Waits for something to read, or for a writer, which may take as long as it likes: the file
/// blocks from then on. What was read on the way is added to `bytes`.
fn wait_for_writer(fifo: &File, bytes: &mut Vec<u8>) -> Result<(), String> {
    let mut polled = [PollFd::new(fifo.as_fd(), PollFlags::POLLIN)];
    let ready =
        poll(&mut polled, PollTimeout::from(WRITER_APPEARS)).map_err(|error| error.to_string())?;
    if ready == 0 {
        let mut first = [0];
        match io::Read::read(&mut &*fifo, &mut first) {
            // That is the end of a FIFO that nobody has opened to write.
            Ok(0) => {
                let message = "nobody writes to this FIFO; start what writes to it, or name a file";
                return Err(message.to_owned());
            }
            Ok(_) => bytes.extend(first),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    fcntl(fifo, FcntlArg::F_SETFL(OFlag::empty())).map_err(|error| error.to_string())?;
    Ok(())
}
