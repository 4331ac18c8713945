//! Which file to read, and how far its path is trusted.

use labsim_yaml::{BuiltIn, Diagnostics, Document, Sources};
use std::path::{Path, PathBuf};

/// A file to read.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A path that the user named. Symbolic links are followed.
    Named(&'a Path),
    /// A file found in a folder that the user named. Others may write to the folder, so no symbolic
    /// link below it is followed.
    Found {
        /// The folder, as it was named.
        folder: &'a Path,
        /// The path of the file from there.
        relative: &'a Path,
    },
    /// A file that was read before, as those that it names.
    InMemory {
        /// The texts of all of them: [`crate::Loaded::sources`].
        sources: &'a Sources,
        /// The path of this one.
        path: &'a str,
    },
    /// A file that is part of the program, as those that it names.
    BuiltIn {
        /// All of them.
        files: BuiltIn,
        /// The path of this one.
        path: &'a str,
    },
}

impl Input<'_> {
    pub(crate) fn open(self) -> Result<Document, Diagnostics> {
        match self {
            Self::Named(path) => Document::open(path),
            Self::Found { folder, relative } => Document::open_in(folder, relative),
            Self::InMemory { sources, path } => Document::open_in_memory(sources.clone(), path),
            Self::BuiltIn { files, path } => Document::open_built_in(files, path),
        }
    }

    /// The path, for messages and names.
    pub(crate) fn path(self) -> PathBuf {
        match self {
            Self::Named(path) => path.to_owned(),
            Self::Found { folder, relative } => folder.join(relative),
            Self::BuiltIn { path, .. } | Self::InMemory { path, .. } => path.into(),
        }
    }
}

impl<'a> From<&'a Path> for Input<'a> {
    fn from(path: &'a Path) -> Self {
        Self::Named(path)
    }
}

impl<'a> From<&'a PathBuf> for Input<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::Named(path)
    }
}
