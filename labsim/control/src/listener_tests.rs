use super::{BindError, FileId, Listener, remove_stale};
use crate::Address;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

fn count_files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// As a killed process leaves it.
fn leave_socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

#[test]
fn a_file_is_the_owners_alone_replaces_one_left_behind_and_goes_with_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let address = Address::File(path.clone());
    let first = Listener::bind(&address).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Listener::bind(&address), Err(BindError::InUse(_))));
    UnixStream::connect(&path).unwrap();
    let left = folder.path().join("left");
    leave_socket(&left);
    let (listener, file) = Listener::bind(&Address::File(left.clone())).unwrap();
    UnixStream::connect(&left).unwrap();
    drop((listener, file));
    drop(first);
    assert_eq!(count_files(folder.path()), 0);
    fs::write(&path, "text").unwrap();
    assert!(matches!(Listener::bind(&address), Err(BindError::NotASocket(_))));
    assert_eq!(fs::read(&path).unwrap(), b"text");
    assert_eq!(count_files(folder.path()), 1, "no temporary name is left");
}

#[test]
fn a_link_is_neither_followed_nor_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = (folder.path().join("control"), folder.path().join("target"));
    leave_socket(&target);
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let error = Listener::bind(&Address::File(path.clone())).unwrap_err();
    assert!(matches!(error, BindError::NotASocket(_)), "{error}");
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink() && target.exists());
}

#[test]
fn a_file_that_took_the_sockets_name_stays_when_the_listener_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let (_listener, file) = Listener::bind(&Address::File(path.clone())).unwrap();
    fs::remove_file(&path).unwrap();
    // An inode number that was just freed is not given again while the listener is open.
    fs::write(&path, "another's").unwrap();
    drop(file);
    assert_eq!(fs::read(&path).unwrap(), b"another's");
}

#[test]
fn a_socket_that_came_after_the_check_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, temporary) = (folder.path().join("control"), folder.path().join(".temporary"));
    leave_socket(&temporary);
    let stale = FileId::of(&temporary).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    remove_stale(&temporary, &path, stale).unwrap();
    UnixStream::connect(&path).unwrap();
    other.accept().unwrap();
    assert_eq!(count_files(folder.path()), 2);
}

#[test]
fn of_many_that_start_at_once_one_listens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    leave_socket(&path);
    let stale = FileId::of(&path).unwrap();
    // What each start does after its check, in the least favourable order.
    let temporary = |number: u32| folder.path().join(format!(".start{number}"));
    let sockets = [0, 1].map(|number| UnixListener::bind(temporary(number)).unwrap());
    remove_stale(&temporary(0), &path, stale).unwrap();
    fs::hard_link(temporary(0), &path).unwrap();
    remove_stale(&temporary(1), &path, stale).unwrap();
    fs::hard_link(temporary(1), &path).unwrap_err();
    UnixStream::connect(&path).unwrap();
    sockets[0].accept().unwrap();
}

#[test]
fn a_name_has_one_owner_in_its_namespace_and_leaves_nothing() {
    let name = format!("@labsim-control-test-{}", std::process::id());
    let address = Address::from(std::ffi::OsString::from(name.clone()));
    let first = Listener::bind(&address).unwrap();
    let error = Listener::bind(&address).unwrap_err().to_string();
    assert!(error.contains(&name) && error.contains("--control"), "{error}");
    drop(first);
    Listener::bind(&address).unwrap();
}
