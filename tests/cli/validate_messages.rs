//! The messages of `labsim validate` for invalid files, compared as a whole: a change of their
//! wording shows in the diff of a commit.
//!
//! `LABSIM_UPDATE_GOLDEN=1 cargo test --test validate_messages` writes the present messages to
//! `tests/golden/validate/*.expected`, to be reviewed.

use crate::support::{Desk, shipped};
use std::fs;
use std::path::{Path, PathBuf};

/// The invalid files, in alphabetical order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn every_invalid_file_has_the_reviewed_messages() {
    let folder = shipped().join("tests/golden/validate");
    let update = std::env::var_os("LABSIM_UPDATE_GOLDEN").is_some();
    let mut differences = Vec::new();
    let files = files(&folder);
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let desk = Desk::new();
        let name = format!("scenarios/{}", file.file_name().unwrap().to_str().unwrap());
        desk.write(&name, fs::read(&file).unwrap());
        let ended = desk.labsim(&["validate", &name]).exits(2);
        assert_eq!(ended.stdout, "", "{name}");
        let golden = file.with_extension("expected");
        if update {
            fs::write(&golden, &ended.stderr).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if ended.stderr != expected {
            differences
                .push(format!("== {name}\n-- expected:\n{expected}\n-- actual:\n{}", ended.stderr));
        }
    }
    assert!(
        differences.is_empty(),
        "{}\nLABSIM_UPDATE_GOLDEN=1 writes the actual messages to {}",
        differences.join("\n"),
        folder.display()
    );
}
