//! Every code is reported by something: its constant stands in the sources of another crate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The constants that a module of codes declares: `    NAME = "name" {`.
fn declared(module: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| line.ends_with("\" {"));
    lines.filter_map(|line| Some(line.split_once(" = ")?.0.trim().to_owned())).collect()
}

/// Adds the words in capitals of all product sources below a folder.
fn add_words(folder: &Path, words: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["codes", "tests", "target", "fuzz"].contains(&name) {
            add_words(&path, words);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let is_constant = |word: &&str| word.bytes().all(|byte| !byte.is_ascii_lowercase());
            words.extend(parts.filter(is_constant).map(str::to_owned));
        }
    }
}

#[test]
fn every_code_is_used_outside_of_this_crate() {
    let mut words = BTreeSet::new();
    add_words(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), &mut words);
    let constants: Vec<String> =
        ["file.rs", "run.rs", "cause.rs"].into_iter().flat_map(declared).collect();
    assert_eq!(constants.len(), labsim_codes::Code::all().count(), "a declaration is not found");
    let unused: Vec<_> = constants.iter().filter(|name| !words.contains(*name)).collect();
    assert!(unused.is_empty(), "no source uses {unused:?}");
}
