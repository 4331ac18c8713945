//! A name for each scenario of a run that no other one has: that of its results.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A scenario's file.
#[derive(Debug, Clone)]
pub struct FoundFile {
    /// Its path below the folder that was named; of a named file its own name.
    pub relative: PathBuf,
    /// Its path from the root, without links.
    pub canonical: PathBuf,
}

/// A unique name for each file: its path below the named folder, without the ending.
///
/// Files that would have one name (two named folders, or two named files) have as many of the folders
/// above before it as tell them apart. A component holds only letters, digits, `-`, `_` and `.`, and
/// does not begin with a `.`.
#[must_use]
pub fn assign_ids(files: &[FoundFile]) -> Vec<String> {
    // How many folders above the relative path each has.
    let mut above = vec![0; files.len()];
    loop {
        let ids: Vec<String> =
            files.iter().zip(&above).map(|(file, above)| id(file, *above)).collect();
        let mut owners: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            owners.entry(id).or_default().push(place);
        }
        let mut grew = false;
        for place in owners.values().filter(|owners| owners.len() > 1).flatten() {
            if above[*place] < folders_above(&files[*place]).len() {
                above[*place] += 1;
                grew = true;
            }
        }
        if !grew {
            return number(ids);
        }
    }
}

/// Numbers what is still the same: `a.yaml` and `a.yml` in one folder.
fn number(mut ids: Vec<String>) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for place in 0..ids.len() {
        let base = ids[place].clone();
        let count = seen.entry(base.clone()).or_default();
        *count += 1;
        let mut suffix = *count;
        while suffix > 1 && ids.iter().any(|id| *id == format!("{base}~{suffix}")) {
            suffix += 1;
        }
        if suffix > 1 {
            ids[place] = format!("{base}~{suffix}");
        }
    }
    ids
}

fn id(file: &FoundFile, above: usize) -> String {
    let folders = folders_above(file);
    let kept = folders.get(folders.len().saturating_sub(above)..).unwrap_or_default();
    let relative = file.relative.with_extension("");
    let own = names(&relative);
    kept.iter()
        .map(String::as_str)
        .chain(own.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("/")
}

/// The folders above the relative path, from the root.
fn folders_above(file: &FoundFile) -> Vec<String> {
    let mut all = names(&file.canonical);
    all.truncate(all.len().saturating_sub(names(&file.relative).len()));
    all
}

/// The normal components of a path, as names that a terminal and a file system take.
fn names(path: &Path) -> Vec<String> {
    let normal = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let named = normal.map(|name| {
        let name: String = name.chars().map(plain).collect();
        match name.strip_prefix('.') {
            Some(rest) => format!("_{rest}"),
            None => name,
        }
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ids(files: &[(&str, &str)]) -> Vec<String> {
        let found = files.iter().map(|(folder, relative)| FoundFile {
            relative: relative.into(),
            canonical: Path::new(folder).join(relative),
        });
        assign_ids(&found.collect::<Vec<_>>())
    }

    #[test]
    fn a_scenario_is_named_by_its_path_below_the_named_folder() {
        let files = [("/w/s", "snat.yaml"), ("/w/s", "ipv6/snat.yml"), ("/w/s", "a.b.yaml")];
        assert_eq!(ids(&files), ["snat", "ipv6/snat", "a.b"]);
    }

    #[test]
    fn two_folders_with_files_of_one_name_are_told_apart_by_their_own_names() {
        let files = [("/w/a", "login.yaml"), ("/w/b", "login.yaml"), ("/w/b", "other.yaml")];
        assert_eq!(ids(&files), ["a/login", "b/login", "other"]);
        let files = [("/w/a/s", "login.yaml"), ("/w/b/s", "login.yaml"), ("/w", "s/login.yaml")];
        assert_eq!(ids(&files), ["a/s/login", "b/s/login", "w/s/login"]);
    }

    #[test]
    fn names_that_cannot_be_told_apart_are_numbered() {
        let files = [("/", "a.yaml"), ("/", "a.yml"), ("/", "a~2.yaml"), ("/", "a.yaml")];
        let ids = ids(&files);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:?}");
        assert_eq!(ids[..2], ["a", "a~2"]);
    }

    #[test]
    fn nothing_that_a_terminal_or_a_path_obeys_is_in_a_name() {
        let files = [("/w", "x \x1b[2J/..hidden/a.yaml"), ("/w", "../b.yaml")];
        assert_eq!(ids(&files), ["x___2J/_.hidden/a", "b"]);
    }

    proptest! {
        #[test]
        fn no_two_files_have_one_name(
            files in prop::collection::vec(("/[ab]{1}(/[ab]{1}){0,2}", "([ab]/){0,2}[ab ~]{1,2}[.](yaml|yml)"), 0..8),
        ) {
            let files: Vec<_> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let ids = ids(&files);
            prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), files.len(), "{:?}", ids);
        }
    }
}
