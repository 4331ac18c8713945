//! Files that are laid over one another, and the places of what stands in them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use labsim_yaml::{Diagnostics, Document, FromYaml, Located, Table};

/// A lab with everything that can be laid over: texts, lists, maps in maps.
#[derive(Debug, FromYaml)]
#[allow(dead_code, reason = "read for its diagnostics")]
struct Lab {
    extends: Option<Located<String>>,
    name: Located<String>,
    #[serde(default)]
    members: Vec<Located<String>>,
    #[serde(default)]
    pools: BTreeMap<Located<String>, Pool>,
}

#[derive(Debug, FromYaml)]
struct Pool {
    port: Located<u16>,
    monitor: Option<Located<String>>,
}

/// Files in a folder of their own; the first one is opened.
fn open(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Document, Diagnostics>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let document = Document::open(&folder.path().join(files[0].0));
    (folder, document)
}

fn lab(files: &[(&str, &str)]) -> (Document, Lab) {
    let (_folder, document) = open(files);
    let document = document.unwrap();
    let lab = document.read::<Lab>().unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    (document, lab)
}

/// Each error as `file:line:column: message`, without the folder.
fn diagnostics(files: &[(&str, &str)]) -> Vec<String> {
    let (folder, document) = open(files);
    let found = match document {
        Ok(document) => document.read::<Lab>().unwrap_err(),
        Err(diagnostics) => diagnostics,
    };
    shown(folder.path(), &found)
}

fn shown(folder: &Path, found: &Diagnostics) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    let one = |diagnostic: &labsim_yaml::Diagnostic| diagnostic.to_string().replace(&folder, "");
    found.iter().map(|diagnostic| one(diagnostic).lines().next().unwrap().to_owned()).collect()
}

const BASE: (&str, &str) = (
    "parts/base.yaml",
    "name: base\nmembers: [a, b]\npools:\n  p: {port: 49, monitor: tcp}\n  q: {port: 50}\n",
);

#[test]
fn maps_are_merged_key_by_key_and_everything_else_is_replaced() {
    let (_, lab) = lab(&[
        (
            "lab.yaml",
            "extends: parts/base.yaml\nmembers: [c]\npools:\n  r: {port: 51}\n  p: {port: 490}\n",
        ),
        BASE,
    ]);
    assert_eq!(lab.name.value, "base");
    assert_eq!(lab.members.iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["c"]);
    let pools: Vec<(&str, u16, Option<&str>)> = lab
        .pools
        .iter()
        .map(|(name, pool)| {
            let monitor = pool.monitor.as_ref().map(|monitor| monitor.value.as_str());
            (name.value.as_str(), pool.port.value, monitor)
        })
        .collect();
    assert_eq!(pools, [("p", 490, Some("tcp")), ("q", 50, None), ("r", 51, None)]);
}

#[test]
fn the_extended_files_entries_come_first_and_keep_their_order() {
    let (_folder, document) = open(&[
        ("a.yaml", "extends: b.yaml\nz: 1\ny: 2\nb: 3\n"),
        ("b.yaml", "x: 1\nb: 2\na: 3\n"),
    ]);
    let steps: Table<String> = document.unwrap().read().unwrap();
    let keys: Vec<&str> = steps.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["x", "b", "a", "extends", "z", "y"]);
}

#[test]
fn null_takes_a_key_out_however_deep_it_lies() {
    let (_, lab) = lab(&[
        ("lab.yaml", "extends: middle.yaml\npools: {p: {monitor: null}, q: null}\n"),
        ("middle.yaml", "extends: parts/base.yaml\npools: {q: {monitor: icmp}}\n"),
        BASE,
    ]);
    assert_eq!(lab.pools.len(), 1);
    assert!(lab.pools["p"].monitor.is_none());
}

#[test]
fn every_value_keeps_its_place_in_its_own_file() {
    let (document, lab) =
        lab(&[("lab.yaml", "extends: parts/base.yaml\npools:\n  p:\n    port: 490\n"), BASE]);
    let place = |span: labsim_yaml::Span| {
        let file = document.source_of(span).name().rsplit('/').next().unwrap().to_owned();
        (file, span.line(), span.column())
    };
    assert_eq!(place(lab.name.span), ("base.yaml".to_owned(), 1, 7));
    assert_eq!(place(lab.members[1].span), ("base.yaml".to_owned(), 2, 14));
    assert_eq!(place(lab.pools["p"].port.span), ("lab.yaml".to_owned(), 4, 11));
    assert_eq!(
        place(lab.pools["p"].monitor.as_ref().unwrap().span),
        ("base.yaml".to_owned(), 4, 26)
    );
    assert!(lab.name.span.is_in_file_of(lab.members[0].span));
    assert!(!lab.name.span.is_in_file_of(lab.pools["p"].port.span));
}

#[test]
fn errors_of_all_files_are_told_together_each_in_its_own() {
    let found = diagnostics(&[
        ("lab.yaml", "extends: parts/base.yaml\npools: {p: {port: x}, p: {}}\ncolour: red\n"),
        ("parts/base.yaml", "members: [a, [b]]\npools:\n  q: {port: 70000}\n  q: {}\n"),
    ]);
    assert_eq!(
        found,
        [
            "lab.yaml:1:1: the key `name` is missing here; add it [missing-key]",
            "lab.yaml:2:19: expected a whole number from 0 to 65535, found the text `x` [wrong-type]",
            "lab.yaml:2:23: the key `p` is given twice, first on line 2; keep one of them [duplicate-key]",
            "lab.yaml:3:1: unknown key `colour`; take it out or correct it (allowed here are `extends`, `name`, `members` and `pools`) [unknown-key]",
            "parts/base.yaml:1:14: expected text, such as `abc`, found a list [wrong-type]",
            "parts/base.yaml:3:13: `70000` is out of range; write a whole number from 0 to 65535 [out-of-range]",
            "parts/base.yaml:4:3: the key `q` is given twice, first on line 3; keep one of them [duplicate-key]",
        ]
    );
}

#[test]
fn a_key_that_is_taken_out_must_have_been_there() {
    let (folder, document) = open(&[
        ("lab.yaml", "extends: parts/base.yaml\npools: {p: {monitr: null}, x: null}\n"),
        BASE,
    ]);
    let found = shown(folder.path(), &document.unwrap().read::<Lab>().unwrap_err());
    assert_eq!(
        found,
        [
            "lab.yaml:2:13: `null` takes a key out, and parts/base.yaml has no `monitr` here; take this line out [extends-invalid]",
            "lab.yaml:2:28: `null` takes a key out, and parts/base.yaml has no `x` here; take this line out [extends-invalid]",
        ]
    );
}

#[test]
fn a_circle_is_named_with_all_that_is_in_it() {
    let found = diagnostics(&[
        ("lab.yaml", "extends: parts/b.yaml\nname: x\n"),
        ("parts/b.yaml", "extends: ./c.yaml\n"),
        ("parts/c.yaml", "extends: ../parts/b.yaml\n"),
    ]);
    assert_eq!(
        found,
        [
            "parts/c.yaml:1:10: circular `extends`: `parts/b.yaml` extends `parts/c.yaml` extends `parts/b.yaml`; take one `extends` out [extends-invalid]"
        ]
    );
    assert_eq!(
        diagnostics(&[("lab.yaml", "extends: lab.yaml\nname: x\n")]),
        [
            "lab.yaml:1:10: circular `extends`: `lab.yaml` extends `lab.yaml`; take one `extends` out [extends-invalid]"
        ]
    );
}

#[test]
fn eight_files_may_extend_one_another_and_no_ninth() {
    let chain = |length: usize| -> Vec<(String, String)> {
        let text = |n: usize| match n + 1 {
            next if next < length => format!("extends: f{next}.yaml\n"),
            _ => "name: last\n".to_owned(),
        };
        (0..length).map(|n| (format!("f{n}.yaml"), text(n))).collect()
    };
    let eight = chain(8);
    let eight: Vec<(&str, &str)> = eight.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(lab(&eight).1.name.value, "last");
    let nine = chain(9);
    let nine: Vec<(&str, &str)> = nine.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(
        diagnostics(&nine),
        ["f7.yaml:1:10: more than 8 files extend one another here; join some [file-too-large]"]
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_of_the_line_that_names_it() {
    for (extends, why) in [
        ("gone.yaml", "lab.yaml:1:10: gone.yaml: no such file [file-unreadable]"),
        ("/etc/hosts.yaml", "lab.yaml:1:10: /etc/hosts.yaml: the path is absolute; …"),
        ("../x/passwd", "lab.yaml:1:10: …"),
        ("parts/link.yaml", "lab.yaml:1:10: parts/link.yaml: `link.yaml` is a symbolic link, …"),
        ("linked/base.yaml", "lab.yaml:1:10: linked/base.yaml: `linked` is a symbolic link, …"),
        ("parts", "lab.yaml:1:10: …"),
    ] {
        let (folder, _) = open(&[("lab.yaml", ""), BASE]);
        symlink("base.yaml", folder.path().join("parts/link.yaml")).unwrap();
        symlink("parts", folder.path().join("linked")).unwrap();
        let path = folder.path().join("lab.yaml");
        fs::write(&path, format!("extends: {extends}\nname: x\n")).unwrap();
        let found =
            shown(folder.path(), &Document::open(&path).unwrap().read::<Lab>().unwrap_err());
        assert_eq!(found.len(), 1, "{found:#?}");
        let begins = why.strip_suffix('…').unwrap_or(why);
        assert!(found[0].starts_with(begins), "{found:#?}");
    }
}

#[test]
fn a_syntax_error_in_an_extended_file_is_told_there_and_nothing_follows_from_it() {
    let found = diagnostics(&[
        ("lab.yaml", "extends: base.yaml\ncolour: [red\n"),
        ("base.yaml", "name: [\n"),
    ]);
    assert!(found.iter().all(|one| one.starts_with("lab.yaml")), "{found:#?}");
    let found = diagnostics(&[("lab.yaml", "extends: base.yaml\n"), ("base.yaml", "name: [\n")]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("base.yaml:"), "{found:#?}");
}

#[test]
fn a_path_is_relative_to_the_file_that_it_stands_in() {
    let (_folder, document) = open(&[
        ("labs/lab.yaml", "extends: parts/base.yaml\n"),
        ("labs/parts/base.yaml", "name: ../../other/one.yaml\nextends: more/base.yaml\n"),
        ("labs/parts/more/base.yaml", "members: [../../../other/one.yaml]\n"),
        ("other/one.yaml", "name: one\n"),
    ]);
    let document = document.unwrap();
    let lab: Lab = document.read().unwrap();
    for named in [&lab.name, &lab.members[0]] {
        let other = document.open_beside(named).unwrap();
        assert_eq!(other.read::<Lab>().unwrap().name.value, "one");
        assert!(other.source().name().ends_with("labs/../other/one.yaml"));
    }
}

#[test]
fn what_can_be_read_partial_is_read_out_of_all_files() {
    let (_folder, document) =
        open(&[("lab.yaml", "extends: parts/base.yaml\npools: {p: {port: x}}\n"), BASE]);
    let partial = document.unwrap().read_partial::<Lab>();
    assert_eq!(partial.diagnostics.len(), 1);
    let lab = partial.value.unwrap();
    assert_eq!(lab.name.value, "base");
    assert_eq!(lab.pools.keys().map(|key| key.value.as_str()).collect::<Vec<_>>(), ["q"]);
}
