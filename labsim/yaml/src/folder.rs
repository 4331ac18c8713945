//! Where the files of a document are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use labsim_codes::file::FILE_UNREADABLE;

use crate::{Diagnostic, Diagnostics, Source};

/// Path and text of files that are part of a program.
pub type BuiltIn = &'static [(&'static str, &'static str)];

/// Texts of files that are kept in memory, by their paths from the folder of the first.
pub type Sources = BTreeMap<String, String>;

/// The folder that a document's files are named from.
#[derive(Debug, Clone)]
pub(crate) enum Folder {
    /// One of the file system's.
    OnDisk(PathBuf),
    /// Files of the program.
    BuiltIn(BuiltIn),
    /// None: their texts are at hand.
    InMemory(Sources),
}

impl Folder {
    /// Opens a file of the folder, without following a link.
    pub(crate) fn open(&self, relative: &Path) -> Result<Source, Diagnostics> {
        match self {
            Self::OnDisk(folder) => Source::open_in(folder, &relative.to_string_lossy()),
            Self::BuiltIn(files) => {
                match files.iter().find(|(path, _)| Path::new(path) == relative) {
                    Some((path, text)) => Ok(Source::new(*path, *text)),
                    None => Err(missing(relative, "no file of this program has this name")),
                }
            }
            Self::InMemory(sources) => {
                let name = relative.to_string_lossy();
                match sources.get(name.as_ref()) {
                    Some(text) => Ok(Source::new(name, text)),
                    None => Err(missing(relative, "no file in memory has this name")),
                }
            }
        }
    }
}

fn missing(file: &Path, message: &str) -> Diagnostics {
    Diagnostic::of_file(file.to_string_lossy(), FILE_UNREADABLE, message).into()
}
