//! The file of a student's progress.

use crate::output;
use labsim_exercise::{Action, Record, Standing, standing};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a file that are read at most.
const LONGEST: u64 = 4 << 20;
const NAME: &str = "progress.jsonl";

/// The student's file, open for appending; none if it cannot be kept, which has been said.
pub(crate) struct Journal {
    file: Option<File>,
    records: Vec<Record>,
}

impl Journal {
    /// Opens it, and makes it if there is none. It has to be opened before the process gets other rights.
    pub(crate) fn open() -> Self {
        let opened = folder().and_then(|folder| {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            let path = folder.join(NAME);
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o600).custom_flags(nofollow());
            let file = options.open(&path)?;
            Ok((file, read(&path)?))
        });
        match opened {
            Ok((file, text)) => Self { file: Some(file), records: Record::read(&text) },
            Err(error) => {
                output::error(format_args!("your progress is not kept: {error}"));
                Self { file: None, records: Vec::new() }
            }
        }
    }

    /// How far the student is with each exercise.
    pub(crate) fn standing(&self) -> BTreeMap<String, Standing> {
        standing(&self.records)
    }

    /// How far the student is with one.
    pub(crate) fn standing_of(&self, exercise: &str) -> Standing {
        self.standing().remove(exercise).unwrap_or_default()
    }

    /// Adds what was done.
    pub(crate) fn add(&mut self, exercise: &str, action: Action) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let record = Record { time: since.as_secs(), exercise: exercise.to_owned(), action };
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(record.line().as_bytes())
        {
            output::error(format_args!("your progress cannot be written: {error}"));
        }
        self.records.push(record);
    }
}

/// `O_NOFOLLOW`: another user's link leads nowhere.
fn nofollow() -> i32 {
    nix::fcntl::OFlag::O_NOFOLLOW.bits()
}

/// `$XDG_STATE_HOME/labsim`, else `~/.local/state/labsim`.
fn folder() -> io::Result<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let home = || of("HOME").map(|home| home.join(".local/state"));
    let state = of("XDG_STATE_HOME").or_else(home);
    let missing = || io::Error::other("neither $XDG_STATE_HOME nor $HOME names a folder");
    state.map(|state| state.join("labsim")).ok_or_else(missing)
}

/// A file's text, up to the limit, without following a link.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let flags = nofollow() | nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
