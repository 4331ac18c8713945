//! What there is of a lab, as files of a new folder.

use crate::capture::write_kept;
use crate::live::{describe, log_line};
use crate::output::visible;
use labsim_live::{Kept, Lab, LiveError, Logs, Origin, Status};
use labsim_model::count_of;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, mkdirat};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

/// Readable by the owner's group, as results of a run: programs may log secrets.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

const CAPTURE: &str = "capture.pcapng";
const STATUS: &str = "status.txt";
const LOGS: &str = "logs";
const FILES: &str = "files";

/// A file or folder, by its path in the new folder, and what the kernel says.
type Failure = (PathBuf, io::Error);

/// What is written.
pub(super) struct Found {
    status: String,
    origin: Origin,
    /// By node.
    logs: Vec<(String, Logs)>,
    /// `None` of a lab that keeps no packets.
    kept: Option<Kept>,
}

impl Found {
    /// Asks a lab for it.
    ///
    /// # Errors
    /// It has ended, or refuses.
    pub(super) fn of(lab: &Lab) -> Result<Self, LiveError> {
        let (status, origin): (Status, Origin) = (lab.status()?, lab.origin()?);
        let nodes = status.nodes.iter().map(|node| node.name.clone());
        let logs = nodes.map(|node| Ok((node.clone(), lab.logs(&node)?)));
        let logs = logs.collect::<Result<Vec<_>, LiveError>>()?;
        let kept = (origin.keep_mib > 0).then(|| lab.kept(None)).transpose()?;
        let status = visible(describe(lab.name(), &status, usize::MAX));
        Ok(Self { status, origin, logs, kept })
    }

    /// Writes it into a folder that does not exist yet, and returns what is there. If that fails, nothing of
    /// the folder is left.
    ///
    /// # Errors
    /// A sentence without its end.
    pub(super) fn write(&self, out: &Path) -> Result<Vec<&'static str>, String> {
        let mut builder = DirBuilder::new();
        builder.mode(FOLDER_MODE);
        if let Some(above) = out.parent().filter(|above| !above.as_os_str().is_empty()) {
            builder.recursive(true).create(above).map_err(|error| failed(above, &error))?;
        }
        builder.recursive(false).create(out).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{}: it exists already; name another folder", out.display())
            }
            _ => failed(out, &error),
        })?;
        let written = NewFolder::open(out, PathBuf::new())
            .map_err(|error| failed(out, &error))
            .and_then(|folder| {
                self.write_into(&folder).map_err(|(path, error)| failed(&out.join(path), &error))
            });
        if written.is_err() {
            // It was made here.
            let _ = fs::remove_dir_all(out);
        }
        written
    }

    fn write_into(&self, folder: &NewFolder) -> Result<Vec<&'static str>, Failure> {
        let mut written = Vec::new();
        if let Some(kept) = &self.kept {
            let file = folder.file(CAPTURE)?;
            write_kept(kept, file).map_err(|error| (CAPTURE.into(), error))?;
            written.push(CAPTURE);
        }
        folder.write(STATUS, &self.status)?;
        written.push(STATUS);
        let logs = folder.folder(LOGS)?;
        for (node, Logs { lines, lost }) in &self.logs {
            let mut text = String::new();
            if *lost > 0 {
                let lost = count_of(usize::try_from(*lost).unwrap_or(usize::MAX), "line");
                text.push_str(&format!("(the first {lost} were not kept)\n"));
            }
            for line in lines {
                text.push_str(&visible(log_line(line)));
                text.push('\n');
            }
            logs.write(&format!("{node}.log"), &text)?;
        }
        written.push(LOGS);
        let files = folder.folder(FILES)?;
        for (path, text) in placed(&self.origin) {
            let names: Vec<String> =
                path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            write_below(&files, &names, text)?;
        }
        written.push(FILES);
        Ok(written)
    }
}

/// Writes the file that is last of these names, in the folders before it.
fn write_below(folder: &NewFolder, names: &[String], text: &str) -> Result<(), Failure> {
    match names {
        [] => Ok(()),
        [name] => folder.write(name, text),
        [first, rest @ ..] => write_below(&folder.folder(first)?, rest, text),
    }
}

/// Where the texts of a lab go: beside each other as they were, so that the scenario can be run from there.
fn placed(origin: &Origin) -> Vec<(PathBuf, &str)> {
    let ups = |path: &str| {
        Path::new(path).components().take_while(|it| *it == Component::ParentDir).count()
    };
    let most = origin.sources.keys().map(|path| ups(path)).max().unwrap_or_default();
    // The names of the folders that other files are reached through.
    let above = origin.file.parent().into_iter().flat_map(Path::components);
    let names: Vec<Component<'_>> = above.filter(|it| matches!(it, Component::Normal(_))).collect();
    let last = names.len().saturating_sub(most);
    let base: PathBuf = names.iter().skip(last).collect();
    let place = |path: &str| {
        let mut place = base.clone();
        for component in Path::new(path).components() {
            match component {
                Component::Normal(name) => place.push(name),
                Component::ParentDir => drop(place.pop()),
                _ => {}
            }
        }
        place
    };
    origin.sources.iter().map(|(path, text)| (place(path), text.as_str())).collect()
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}

/// A folder in which nothing is replaced, and no link is followed.
struct NewFolder {
    opened: File,
    /// From the folder that is written.
    path: PathBuf,
}

impl NewFolder {
    fn open(at: &Path, path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits());
        Ok(Self { opened: options.open(at)?, path })
    }

    /// Makes a folder in it, or opens the one that was made.
    fn folder(&self, name: &str) -> Result<Self, Failure> {
        let path = self.path.join(name);
        match mkdirat(&self.opened, name, Mode::from_bits_truncate(FOLDER_MODE)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err((path, errno.into())),
        }
        Self::open(&self.inside(name), path.clone()).map_err(|error| (path, error))
    }

    fn file(&self, name: &str) -> Result<File, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        options.open(self.inside(name)).map_err(|error| (self.path.join(name), error))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let written = self.file(name)?.write_all(text.as_bytes());
        written.map_err(|error| (self.path.join(name), error))
    }

    fn inside(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.opened.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::placed;
    use labsim_live::Origin;
    use std::path::PathBuf;

    #[test]
    fn files_keep_their_places_beside_each_other() {
        let places = |file: &str, paths: &[&str]| {
            let sources = paths.iter().map(|path| ((*path).to_owned(), String::new()));
            let origin = Origin {
                file: file.into(),
                sources: sources.collect(),
                tunnel: String::new(),
                impairments: String::new(),
                data_plane: String::new(),
                pva: None,
                keep_mib: 0,
            };
            placed(&origin).into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        let two = ["../topologies/a.yaml", "one.yaml"];
        let expected = ["topologies/a.yaml", "scenarios/one.yaml"].map(PathBuf::from);
        assert_eq!(places("/home/me/scenarios/one.yaml", &two), expected);
        assert_eq!(places("/one.yaml", &["one.yaml"]), [PathBuf::from("one.yaml")]);
        let odd = places("one.yaml", &["../../../etc/x", "/etc/y", "one.yaml"]);
        assert_eq!(odd, ["etc/x", "etc/y", "one.yaml"].map(PathBuf::from));
    }
}
