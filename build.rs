//! Lists the shipped topologies and scenarios for `labsim init`, whose files are part of the
//! binary.
//!
//! A build script and not the crate include_dir: it needs no dependency, and stable Rust's cargo
//! builds anew when a file is added, which a macro cannot ask for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDERS: [&str; 2] = ["topologies", "scenarios"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files = Vec::new();
    for folder in FOLDERS {
        // Of a folder, cargo watches everything that is in it.
        println!("cargo::rerun-if-changed={folder}");
        list(&root, Path::new(folder), &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        let (name, path) = (file.to_string_lossy(), root.join(&file));
        // Writing to a string cannot fail.
        let _ = writeln!(code, "    ({name:?}, include_str!({path:?})),");
    }
    code.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("shipped.rs"), code)
}

/// Adds the YAML files of a folder and of those in it, relative to `root`.
fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(root, &path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
