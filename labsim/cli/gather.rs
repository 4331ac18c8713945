//! Turns what was named on the command line into files.

use std::io;
use std::path::{Path, PathBuf};

/// What files extend, and nobody runs.
const PARTS: &str = "parts";
/// Folders in folders in folders.
const DEPTH: usize = 8;

/// The files behind `paths`: a file stands for itself, a folder for the `.yaml` and `.yml` files
/// in it and in its folders, in the order of their names. Folders named `parts` and hidden ones
/// are passed over.
///
/// # Errors
/// A sentence for every path that stands for nothing.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Vec<String>> {
    let mut found = Vec::new();
    let mut mistakes = Vec::new();
    for path in paths {
        match behind(path) {
            Ok(files) => found.extend(files),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    // The same file named twice, or by its folder too, is one file.
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

fn behind(path: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = path.display();
    let meta = path.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{shown}: no such file or folder; check the name, or the folder you are in")
        }
        _ => format!("{shown}: {error}"),
    })?;
    if !meta.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    look_into(path, DEPTH, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(format!(
            "{shown}: no scenarios in this folder; name a folder that holds .yaml files"
        ));
    }
    Ok(files)
}

fn look_into(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let name = entry.file_name();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_passed_over = name == PARTS || is_hidden || depth == 0;
        match entry.file_type() {
            // Whoever may write to the folder could have labsim, as root, print another file's lines.
            Ok(kind) if kind.is_symlink() && is_yaml => {
                return Err(format!(
                    "{}: a link in a folder is not followed; name the file itself, or remove it",
                    path.display()
                ));
            }
            Ok(kind) if kind.is_dir() && is_passed_over => {}
            Ok(kind) if kind.is_dir() => look_into(&path, depth - 1, files)?,
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

    #[test]
    fn a_folder_stands_for_its_yaml_files_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "notes.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("c.yaml")).unwrap();
        let files = files(&[dir.path().to_owned()]).unwrap();
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
        let all = files(&[dir.path().to_owned()]).unwrap();
        assert_eq!(all, ["one/a.yaml", "one/two/a.yaml"].map(|it| dir.path().join(it)));
        let parts = dir.path().join("one/parts");
        assert_eq!(files(std::slice::from_ref(&parts)).unwrap(), [parts.join("a.yaml")]);
    }

    #[test]
    fn a_file_named_twice_is_run_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        fs::write(&file, "").unwrap();
        assert_eq!(files(&[file.clone(), dir.path().to_owned(), file.clone()]).unwrap(), [file]);
    }

    #[test]
    fn a_link_in_a_folder_is_not_followed_and_one_that_is_named_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("target"), "").unwrap();
        let link = dir.path().join("link.yaml");
        std::os::unix::fs::symlink(dir.path().join("target"), &link).unwrap();
        let mistakes = files(&[dir.path().to_owned()]).unwrap_err();
        assert!(mistakes[0].contains("link.yaml: a link in a folder"), "{mistakes:?}");
        assert_eq!(files(std::slice::from_ref(&link)).unwrap(), [link]);
    }

    #[test]
    fn every_path_that_stands_for_nothing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mistakes = files(&[dir.path().to_owned(), dir.path().join("gone")]).unwrap_err();
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[0].contains("no scenarios in this folder"), "{mistakes:?}");
        assert!(mistakes[1].contains("gone: no such file or folder"), "{mistakes:?}");
    }
}
