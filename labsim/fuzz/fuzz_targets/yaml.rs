//! Bytes as a scenario or topology file, beside the shipped ones, which it may extend or name.
#![no_main]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A copy of the shipped files.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["topologies", "scenarios"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        for entry in fs::read_dir(shipped.join(name)).unwrap() {
            let file = entry.unwrap().path();
            if file.is_file() {
                let copy = folder.path().join(name).join(file.file_name().unwrap());
                fs::copy(&file, copy).unwrap();
            }
        }
    }
    folder
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Other files of this machine are not the fuzzer's to read.
    if bytes.windows(4).any(|word| word == b"/../") {
        return;
    }
    let file = FOLDER.path().join("scenarios/fuzz.yaml");
    fs::write(&file, bytes).unwrap();
    if let Err(problems) = labsim_scenario::validate(&file) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
});
