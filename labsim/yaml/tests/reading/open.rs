//! Which files are opened, and which are refused without a wait.

#![expect(clippy::unwrap_used, reason = "a test's folder is made outside of a test function")]

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use labsim_yaml::{SIZE_LIMIT, Source};
use tempfile::TempDir;

/// What is refused of a file, without the folder's name.
fn refusal(folder: &Path, result: Result<Source, labsim_yaml::Diagnostics>) -> String {
    let diagnostics = result.map(|source| source.text().to_owned()).unwrap_err();
    diagnostics.to_string().replace(&folder.display().to_string(), "DIR")
}

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["scenarios", "topologies"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("topologies/lab.yaml"), "\u{feff}nodes: []\n").unwrap();
    fs::write(dir.path().join("secret"), "root:hash\n").unwrap();
    dir
}

#[test]
fn a_file_is_opened_by_its_name_even_through_a_link() {
    let dir = folder();
    let link = dir.path().join("link");
    symlink("topologies/lab.yaml", &link).unwrap();
    let source = Source::open(&link).unwrap();
    assert_eq!((source.text(), source.name()), ("nodes: []\n", link.to_str().unwrap()));
}

#[test]
fn a_file_without_a_name_is_opened_through_its_descriptor() {
    let memory =
        nix::sys::memfd::memfd_create("config", nix::sys::memfd::MFdFlags::MFD_CLOEXEC).unwrap();
    let mut memory = fs::File::from(memory);
    memory.write_all(b"nodes: []\n").unwrap();
    let source = Source::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap();
    assert_eq!(source.text(), "nodes: []\n");
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let dir = folder();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, says) in [
        (fifo.as_path(), "DIR/fifo: this is a FIFO; name a regular file [file-unreadable]"),
        (&socket, "DIR/socket: this is a socket; name a regular file [file-unreadable]"),
        (dir.path(), "DIR: this is a folder; name a regular file [file-unreadable]"),
        (
            Path::new("/dev/zero"),
            "/dev/zero: this is a device; name a regular file [file-unreadable]",
        ),
        (&dir.path().join("none"), "DIR/none: no such file [file-unreadable]"),
        (
            &dir.path().join("secret/x"),
            "DIR/secret/x: a part of the path is not a folder [file-unreadable]",
        ),
    ] {
        assert_eq!(refusal(dir.path(), Source::open(path)), says);
    }
}

#[test]
fn a_file_over_the_limit_is_refused_and_one_at_it_is_read() {
    let dir = folder();
    let file = dir.path().join("big.yaml");
    fs::write(&file, vec![b'['; SIZE_LIMIT + 1]).unwrap();
    assert_eq!(
        refusal(dir.path(), Source::open(&file)),
        "DIR/big.yaml: the file is larger than 1 MiB; split it [file-too-large]"
    );
    fs::write(&file, vec![b'['; SIZE_LIMIT]).unwrap();
    assert_eq!(Source::open(&file).unwrap().text().len(), SIZE_LIMIT);
    // A terabyte that takes no room: only the beginning is read.
    fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(
        refusal(dir.path(), Source::open(&file)),
        "DIR/big.yaml: the file is larger than 1 MiB; split it [file-too-large]"
    );
}

#[test]
fn a_binary_file_is_refused_with_the_place_of_its_first_bad_byte() {
    let dir = folder();
    let file = dir.path().join("elf.yaml");
    fs::write(&file, b"\x7fELF\x02\n\x01\xff\x00").unwrap();
    assert_eq!(
        refusal(dir.path(), Source::open(&file)),
        "DIR/elf.yaml:2:2: the byte 0xff is not UTF-8 text; give a YAML file saved as UTF-8 [file-not-text]\n    \
         2 | ␁\u{fffd}␀\n      |  ^"
    );
}

#[test]
fn a_name_in_a_file_is_opened_beside_it() {
    let dir = folder();
    let base = dir.path().join("scenarios/tacacs.yaml");
    for name in ["../topologies/lab.yaml", "./../scenarios/../topologies//lab.yaml"] {
        assert_eq!(Source::open_beside(&base, name).unwrap().text(), "nodes: []\n");
    }
    fs::write(dir.path().join("scenarios/here.json"), "{}").unwrap();
    assert_eq!(Source::open_beside(&base, "here.json").unwrap().text(), "{}");
    // A base without a folder stands in the working folder, which is this package's.
    let error = Source::open_beside(Path::new("x.yaml"), "no-such.yaml").unwrap_err();
    assert_eq!(error.to_string(), "./no-such.yaml: no such file [file-unreadable]");
}

#[test]
fn the_folder_of_a_person_may_be_a_link() {
    let dir = folder();
    symlink("topologies", dir.path().join("alias")).unwrap();
    let source = Source::open_in(&dir.path().join("alias"), "lab.yaml").unwrap();
    assert_eq!(source.text(), "nodes: []\n");
}

#[test]
fn a_name_in_a_file_reaches_nothing_through_links_or_by_other_names() {
    let dir = folder();
    let base = dir.path().join("scenarios/tacacs.yaml");
    let at = |name: &str| dir.path().join("scenarios").join(name);
    symlink("../secret", at("leak.yaml")).unwrap();
    symlink("/etc", at("etc")).unwrap();
    symlink("/proc/self", at("self")).unwrap();
    fs::create_dir(at("dir.yaml")).unwrap();
    nix::unistd::mkfifo(&at("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let link = |name| {
        format!("`{name}` is a symbolic link, which a file may not name; name what it points to")
    };
    let ending = "the name must end in .yaml, .yml or .json".to_owned();
    for (name, says) in [
        ("leak.yaml", link("leak.yaml")),
        ("etc/shadow.yaml", link("etc")),
        ("self/x.json", link("self")),
        ("../scenarios/etc/x.yml", link("etc")),
        (
            "/etc/shadow.yaml",
            "the path is absolute; give one relative to the file that names it".to_owned(),
        ),
        ("../secret", ending.clone()),
        ("", ending.clone()),
        ("..", ending.clone()),
        (".yaml", ending.clone()),
        ("x.YAML", ending),
        ("dir.yaml", "this is a folder; name a regular file".to_owned()),
        ("fifo.yaml", "this is a FIFO; name a regular file".to_owned()),
        ("a\0.yaml", "the name holds a NUL".to_owned()),
        ("none/x.yaml", "no such file".to_owned()),
        ("none.yaml", "no such file".to_owned()),
        ("../secret/x.yaml", "a part of the path is not a folder".to_owned()),
    ] {
        let told = refusal(dir.path(), Source::open_beside(&base, name));
        assert!(told.ends_with(&format!(": {says} [file-unreadable]")), "{name:?}: {told}");
        assert!(!told.contains("hash"), "{name:?} leaked: {told}");
    }
}
