//! What was read of pipes, kept in files without names to be read a second time.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::rc::Rc;

/// Bytes of pipes that are kept at most, in GiB.
const MAX_GIB: u64 = 4;

/// The bytes of all pipes, in the order in which these are named.
#[derive(Debug, Clone)]
pub(super) struct Spools(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    files: Vec<Rc<File>>,
    /// Which one is read next, once they are read a second time.
    next: Option<usize>,
    kept: u64,
    most: u64,
    /// Why not all is kept.
    failure: Option<String>,
}

impl Default for Spools {
    fn default() -> Self {
        Self::of_at_most(MAX_GIB << 30)
    }
}

impl Spools {
    /// Keeps so many bytes at most.
    pub(super) fn of_at_most(most: u64) -> Self {
        let state = State { files: Vec::new(), next: None, kept: 0, most, failure: None };
        Self(Rc::new(RefCell::new(state)))
    }

    /// Begins with the first one again.
    pub(super) fn rewind(&self) {
        self.0.borrow_mut().next = Some(0);
    }

    /// Why the pipes cannot be read a second time.
    pub(super) fn failure(&self) -> Option<String> {
        self.0.borrow().failure.clone()
    }

    /// What `open` opens, whose bytes are kept; or what was kept of the next pipe.
    pub(super) fn read(
        &self,
        open: impl FnOnce() -> Result<Box<dyn Read>, String>,
    ) -> Result<Box<dyn Read>, String> {
        let mut state = self.0.borrow_mut();
        if let Some(next) = &mut state.next {
            let place = *next;
            *next += 1;
            let file = state.files.get(place).cloned().ok_or("a pipe cannot be read twice")?;
            (&*file).seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
            return Ok(Box::new(Kept(file)));
        }
        let input = open()?;
        match unnamed(&env::temp_dir()) {
            Ok(file) => {
                let file = Rc::new(file);
                state.files.push(Rc::clone(&file));
                Ok(Box::new(Keeping { input, file, state: Rc::clone(&self.0) }))
            }
            Err(error) => {
                state.fail(&error);
                Ok(input)
            }
        }
    }
}

impl State {
    /// Keeps what was read.
    fn keep(&mut self, mut file: &File, bytes: &[u8]) {
        if self.failure.is_some() || bytes.is_empty() {
            return;
        }
        self.kept = self.kept.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.kept > self.most {
            self.failure = Some(format!("pipes are kept up to {MAX_GIB} GiB"));
        } else if let Err(error) = file.write_all(bytes) {
            self.fail(&error);
        }
        if self.failure.is_some() {
            // The space is not needed any longer.
            for file in &self.files {
                let _ = file.set_len(0);
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        let folder = env::temp_dir();
        self.failure =
            Some(format!("pipes cannot be kept in {} (TMPDIR): {error}", folder.display()));
    }
}

/// A pipe that is kept.
struct Keeping {
    input: Box<dyn Read>,
    file: Rc<File>,
    state: Rc<RefCell<State>>,
}

impl Read for Keeping {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(bytes)?;
        self.state.borrow_mut().keep(&self.file, bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// What was kept of a pipe.
struct Kept(Rc<File>);

impl Read for Kept {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(bytes)
    }
}

/// A file without a name that no other user can open. It is gone when it is closed.
pub(super) fn unnamed(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".labsim-packets-{}", std::process::id()));
    // One that was killed before it took the name away has left it.
    let _ = fs::remove_file(&path);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spools: &Spools, bytes: &'static [u8]) -> String {
        let mut text = String::new();
        spools.read(|| Ok(Box::new(bytes))).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn pipes_are_read_a_second_time_in_their_order() {
        let spools = Spools::of_at_most(6);
        assert_eq!([read(&spools, b"one"), read(&spools, b"two")], ["one", "two"]);
        spools.rewind();
        assert_eq!([read(&spools, b""), read(&spools, b"")], ["one", "two"]);
        assert_eq!(spools.failure(), None);
    }

    #[test]
    fn what_is_longer_is_read_once() {
        let spools = Spools::of_at_most(5);
        assert_eq!([read(&spools, b"one"), read(&spools, b"two")], ["one", "two"]);
        assert_eq!(spools.failure().as_deref(), Some("pipes are kept up to 4 GiB"));
        assert_eq!(spools.0.borrow().files[0].metadata().unwrap().len(), 0);
    }
}
