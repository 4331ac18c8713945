//! `labsim init`.

use crate::exit::Exit;
use crate::{args, output, schema, shipped};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// The schemas' folder in the repository, as editor lines name it, and in a new folder.
const SCHEMAS: [&str; 2] = ["labsim/scenario/schema/", "schema/"];

/// Writes the shipped topologies, scenarios and their schemas into a folder.
pub(crate) fn init(args: &args::Init) -> Exit {
    match write(&args.dir, &files()) {
        Ok(count) => {
            let dir = args.dir.display();
            output::line(format_args!(
                "{count} files written to {dir}; run one with: labsim run \
                 {dir}/scenarios/tacacs-ipip.yaml"
            ));
            Exit::Success
        }
        Err(errors) => {
            errors.into_iter().for_each(output::error);
            Exit::Invalid
        }
    }
}

/// Path from the folder and text of each file.
fn files() -> Vec<(PathBuf, String)> {
    let shipped = shipped::FILES.iter().map(|(path, text)| {
        let (editor_line, rest) = text.split_once('\n').unwrap_or((text, ""));
        let editor_line = editor_line.replace(SCHEMAS[0], SCHEMAS[1]);
        (PathBuf::from(path), format!("{editor_line}\n{rest}"))
    });
    let schemas = schema::ALL.iter().map(|format| {
        let name = format!("{}{}.json", SCHEMAS[1], schema::name(*format));
        (PathBuf::from(name), schema::text(*format))
    });
    shipped.chain(schemas).collect()
}

/// Writes all files, or none if one of them exists. No link below `dir` is followed.
fn write(dir: &Path, files: &[(PathBuf, String)]) -> Result<usize, Vec<String>> {
    std::fs::create_dir_all(dir)
        .map_err(|error| vec![format!("cannot create {}: {error}", dir.display())])?;
    let folder = open(dir, FOLDER.difference(OFlag::O_NOFOLLOW), Mode::empty())
        .map_err(|errno| vec![format!("cannot open {}: {}", dir.display(), errno.desc())])?;
    let clashes: Vec<String> = files
        .iter()
        .filter_map(|(path, _)| {
            Some(format!("{}: {}", dir.join(path).display(), clash(&folder, path)?))
        })
        .collect();
    if !clashes.is_empty() {
        let remedy = "no file was written; name another folder, or remove these files";
        return Err(clashes.into_iter().chain([remedy.to_owned()]).collect());
    }
    for (path, text) in files {
        create(&folder, path, text)
            .map_err(|error| vec![format!("cannot write {}: {error}", dir.join(path).display())])?;
    }
    Ok(files.len())
}

/// How folders are opened on the way to a file.
const FOLDER: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Why a file cannot be created at `path`; `None` if nothing of that name exists.
fn clash(folder: &OwnedFd, path: &Path) -> Option<String> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at: Option<OwnedFd> = None;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let inside = at.as_ref().unwrap_or(folder);
        let is_folder = parts.peek().is_some();
        let flags = if is_folder { FOLDER } else { flags };
        match openat(inside, Path::new(part.as_os_str()), flags, Mode::empty()) {
            Err(Errno::ENOENT) => return None,
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                return Some("a folder of this path exists as a link or a file".to_owned());
            }
            Err(errno) => return Some(errno.desc().to_owned()),
            Ok(_) if !is_folder => return Some("exists already".to_owned()),
            Ok(next) => at = Some(next),
        }
    }
    None
}

/// Creates a file and the folders on the way to it.
fn create(folder: &OwnedFd, path: &Path, text: &str) -> Result<(), std::io::Error> {
    let mut at: Option<OwnedFd> = None;
    let mut parts: Vec<Component> = path.components().collect();
    let name = parts.pop().unwrap_or(Component::CurDir);
    for part in parts {
        let inside = at.as_ref().unwrap_or(folder);
        let part = Path::new(part.as_os_str());
        match mkdirat(inside, part, Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        at = Some(openat(inside, part, FOLDER, Mode::empty())?);
    }
    // `O_EXCL` does not follow a link either (open(2)).
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o666);
    let file = openat(at.as_ref().unwrap_or(folder), Path::new(name.as_os_str()), flags, mode)?;
    File::from(file).write_all(text.as_bytes())
}
