//! Where the files of a document are.

use std::path::{Path, PathBuf};

use labsim_codes::file::FILE_UNREADABLE;

use crate::{Diagnostic, Diagnostics, Source};

/// Path and text of files that are part of a program.
pub type BuiltIn = &'static [(&'static str, &'static str)];

/// The folder that a document's files are named from.
#[derive(Debug, Clone)]
pub(crate) enum Folder {
    /// One of the file system's.
    OnDisk(PathBuf),
    /// Files of the program.
    BuiltIn(BuiltIn),
}

impl Folder {
    /// Opens a file of the folder, without following a link.
    pub(crate) fn open(&self, relative: &Path) -> Result<Source, Diagnostics> {
        match self {
            Self::OnDisk(folder) => Source::open_in(folder, &relative.to_string_lossy()),
            Self::BuiltIn(files) => {
                match files.iter().find(|(path, _)| Path::new(path) == relative) {
                    Some((path, text)) => Ok(Source::new(*path, *text)),
                    None => {
                        let name = relative.to_string_lossy();
                        let message = "no file of this program has this name";
                        Err(Diagnostic::of_file(name, FILE_UNREADABLE, message).into())
                    }
                }
            }
        }
    }
}
