//! The files of a saved lab: all of them, or none.

use crate::stream::STDIN as STANDARD;
use labsim_report::Output;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

/// Where a scenario is written.
#[derive(Debug)]
pub(super) enum Target {
    /// A new file.
    File {
        /// Its path.
        path: PathBuf,
        /// Its name without its ending.
        stem: String,
    },
    /// A FIFO or the like.
    Stream(Output),
    /// The standard output.
    Standard,
}

impl Target {
    /// Looks at what a path names. Nothing is written yet.
    ///
    /// # Errors
    /// A sentence: it is there already, or cannot be written to.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        if path == Path::new(STANDARD) {
            return Ok(Self::Standard);
        }
        let name = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
        if path.symlink_metadata().is_ok() {
            return match Output::open(path).map_err(|error| name(&error))? {
                stream @ Output::Stream(_) => Ok(Self::Stream(stream)),
                Output::File { .. } => {
                    Err(name(&"it exists already; name another file, or remove it"))
                }
            };
        }
        if !path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            return Err(name(&"a scenario's file ends in .yaml; name one that does"));
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stem = stem.ok_or_else(|| name(&"the path does not name a file"))?;
        Ok(Self::File { path: path.to_owned(), stem })
    }

    /// The name of a further file.
    pub(super) fn beside(&self, what: &str) -> String {
        match self {
            Self::File { stem, .. } => format!("{stem}{what}.yaml"),
            Self::Stream(_) | Self::Standard => format!("saved{what}.yaml"),
        }
    }

    /// A path from the file's folder, or from where the process is.
    pub(super) fn relative(&self, to: &Path) -> Option<String> {
        let from = fs::canonicalize(self.folder()).ok()?;
        let to = fs::canonicalize(to).ok()?;
        let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
        let same = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
        let up = from.iter().skip(same).map(|_| Component::ParentDir);
        let path: PathBuf = up.chain(to.into_iter().skip(same)).collect();
        path.to_str().map(str::to_owned)
    }

    fn folder(&self) -> &Path {
        let Self::File { path, .. } = self else { return Path::new(".") };
        path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Writes the scenario and the files beside it, and reads the scenario back. Returns the paths of
    /// files.
    ///
    /// # Errors
    /// A sentence. No file is left then.
    pub(super) fn write(
        &self,
        scenario: &str,
        others: &[(String, String)],
    ) -> Result<Vec<String>, String> {
        let Self::File { path, .. } = self else {
            if !others.is_empty() {
                let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
                return Err(format!(
                    "this takes more than one file ({}); name a file by -o",
                    names.join(", ")
                ));
            }
            let written = match self {
                Self::Stream(output) => {
                    output.write(true, |out| out.write_all(scenario.as_bytes()))
                }
                _ => io::stdout().write_all(scenario.as_bytes()),
            };
            return written.map(|()| Vec::new()).map_err(|error| error.to_string());
        };
        let beside = |(name, text): &(String, String)| (path.with_file_name(name), text.clone());
        let mut all: Vec<(PathBuf, String)> = others.iter().map(beside).collect();
        all.push((path.clone(), scenario.to_owned()));
        let mut written = Vec::new();
        let done = all.iter().try_for_each(|(path, text)| {
            create(path, text, &mut written).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => format!(
                    "{}: it exists already; name another file, or remove it",
                    path.display()
                ),
                _ => format!("{}: {error}", path.display()),
            })
        });
        let valid = done.and_then(|()| match labsim_scenario::validate(path) {
            Ok(_) => Ok(()),
            Err(diagnostics) => Err(format!("the file would not be valid:\n{diagnostics}")),
        });
        if let Err(problem) = valid {
            for path in written {
                let _ = fs::remove_file(path);
            }
            return Err(problem);
        }
        Ok(written.iter().rev().map(|path| path.display().to_string()).collect())
    }
}

fn create(path: &Path, text: &str, written: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    written.push(path.to_owned());
    file.write_all(text.as_bytes())
}
