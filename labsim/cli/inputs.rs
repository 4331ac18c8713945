//! Expands the paths of the command line to files.

use labsim_scenario::Input;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of files that others extend, and that do not run by themselves.
const PARTS: &str = "parts";
/// How deep folders are walked.
const MAX_DEPTH: usize = 8;

/// What paths of the command line stand for.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) files: Vec<InputFile>,
    /// Links in folders, which are skipped.
    pub(crate) links: Vec<PathBuf>,
}

/// A file that the command line names, or that is in a folder that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    /// The folder that the command line names, if it does not name the file.
    folder: Option<PathBuf>,
}

impl InputFile {
    /// Whether the command line names the file itself.
    pub(crate) fn is_named(&self) -> bool {
        self.folder.is_none()
    }

    /// The path below the folder that the command line names; of a named file its own name.
    pub(crate) fn relative(&self) -> &Path {
        let below = self.folder.as_ref().and_then(|folder| self.path.strip_prefix(folder).ok());
        below.or_else(|| self.path.file_name().map(Path::new)).unwrap_or(&self.path)
    }

    /// The file for labsim-scenario, which follows no link below the folder.
    pub(crate) fn as_input(&self) -> Input<'_> {
        match &self.folder {
            None => Input::Named(&self.path),
            Some(folder) => Input::Found {
                folder,
                relative: self.path.strip_prefix(folder).unwrap_or(&self.path),
            },
        }
    }
}

/// Expands `paths`: a folder becomes the `.yaml` and `.yml` files in it and in its folders, sorted
/// by name. Folders named `parts`, hidden folders and links are skipped.
///
/// # Errors
/// A message for every path that does not exist or holds no files.
pub(crate) fn expand_all(paths: &[PathBuf]) -> Result<Inputs, Vec<String>> {
    let mut found = Inputs::default();
    let mut errors = Vec::new();
    for path in paths {
        if let Err(error) = expand(path, &mut found) {
            errors.push(error);
        }
    }
    // A file that is named twice, or by its folder too, is one file.
    let mut seen = std::collections::BTreeSet::new();
    found.files.retain(|InputFile { path, .. }| {
        seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone()))
    });
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn expand(path: &Path, found: &mut Inputs) -> Result<(), String> {
    let shown = path.display();
    let meta = path.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{shown}: no such file or folder; check the name and the current folder")
        }
        _ => format!("{shown}: {error}"),
    })?;
    if !meta.is_dir() {
        found.files.push(InputFile { path: path.to_owned(), folder: None });
        return Ok(());
    }
    let (mut files, mut links) = (Vec::new(), Vec::new());
    walk(path, MAX_DEPTH, &mut files, &mut links)?;
    if files.is_empty() && links.is_empty() {
        return Err(format!(
            "{shown}: no scenarios in this folder; name a folder that holds .yaml files"
        ));
    }
    files.sort();
    links.sort();
    let in_folder = |file| InputFile { path: file, folder: Some(path.to_owned()) };
    found.files.extend(files.into_iter().map(in_folder));
    found.links.extend(links);
    Ok(())
}

fn walk(
    folder: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
    links: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let name = entry.file_name();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_skipped = name == PARTS || is_hidden || depth == 0;
        match entry.file_type() {
            // A user who can write to the folder could make labsim, as root, print another file's
            // lines.
            Ok(kind) if kind.is_symlink() && is_yaml => links.push(path),
            Ok(kind) if kind.is_dir() && is_skipped => {}
            Ok(kind) if kind.is_dir() => walk(&path, depth - 1, files, links)?,
            _ if is_yaml => files.push(path),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn paths(named: &[PathBuf]) -> Vec<PathBuf> {
        expand_all(named).unwrap().files.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn a_folder_stands_for_its_yaml_files_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "notes.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("c.yaml")).unwrap();
        let files = paths(&[dir.path().to_owned()]);
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.yml", "b.yaml"]);
    }

    #[test]
    fn a_folder_stands_for_its_folders_too_but_for_parts_hidden_ones_and_links() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["one", "one/two", "one/parts", ".hidden"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("a.yaml"), "").unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("one"), dir.path().join("link")).unwrap();
        let all = paths(&[dir.path().to_owned()]);
        assert_eq!(all, ["one/a.yaml", "one/two/a.yaml"].map(|it| dir.path().join(it)));
        let parts = dir.path().join("one/parts");
        assert_eq!(paths(std::slice::from_ref(&parts)), [parts.join("a.yaml")]);
    }

    #[test]
    fn a_file_named_twice_is_run_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        fs::write(&file, "").unwrap();
        assert_eq!(paths(&[file.clone(), dir.path().to_owned(), file.clone()]), [file]);
    }

    #[test]
    fn a_link_in_a_folder_is_not_followed_and_one_that_is_named_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("target"), "").unwrap();
        let link = dir.path().join("link.yaml");
        std::os::unix::fs::symlink(dir.path().join("target"), &link).unwrap();
        let found = expand_all(&[dir.path().to_owned()]).unwrap();
        assert_eq!((found.files, found.links), (vec![], vec![link.clone()]));
        assert_eq!(paths(std::slice::from_ref(&link)), [link]);
    }

    #[test]
    fn every_path_that_stands_for_nothing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let errors = expand_all(&[dir.path().to_owned(), dir.path().join("gone")]).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert!(errors[0].contains("no scenarios in this folder"), "{errors:?}");
        assert!(errors[1].contains("gone: no such file or folder"), "{errors:?}");
    }

    #[test]
    fn a_file_that_becomes_a_link_after_the_listing_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        fs::create_dir_all(dir.path().join("named/below")).unwrap();
        fs::write(&secret, "root:hush\n").unwrap();
        for name in ["named/a.yaml", "named/below/b.yaml"] {
            fs::write(dir.path().join(name), "topology: t.yaml\n").unwrap();
        }
        let files = expand_all(&[dir.path().join("named")]).unwrap().files;
        // The swap: one file, and the folder of the other.
        fs::remove_file(dir.path().join("named/a.yaml")).unwrap();
        std::os::unix::fs::symlink(&secret, dir.path().join("named/a.yaml")).unwrap();
        fs::remove_dir_all(dir.path().join("named/below")).unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        fs::write(dir.path().join("other/b.yaml"), "root:hush\n").unwrap();
        std::os::unix::fs::symlink("../other", dir.path().join("named/below")).unwrap();
        assert_eq!(files.len(), 2);
        for file in files {
            let diagnostics = labsim_scenario::load(file.as_input()).unwrap_err().to_string();
            assert!(diagnostics.contains("is a symbolic link"), "{diagnostics}");
            assert!(!diagnostics.contains("hush"), "{diagnostics}");
        }
    }
}
