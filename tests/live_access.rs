//! A lab that is up answers its own user alone, even where others may reach its socket.
//!
//! One test, because it makes this process another user's for a moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "cli/support/mod.rs"]
mod support;

use nix::unistd::{Uid, geteuid, seteuid};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use support::Desk;

/// Asks for the lab's state, and returns the answer.
fn ask(socket: &Path) -> String {
    let mut socket = UnixStream::connect(socket).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let request = format!("{{\"version\": \"{version}\", \"message\": \"Status\"}}\n");
    // A holder that has hung up already resets the connection.
    let _ = socket.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn another_user_gets_no_answer() {
    if !geteuid().is_root() {
        // Only root can be two users.
        return;
    }
    // In a folder that everybody may pass through.
    let runtime = tempfile::tempdir_in("/tmp").unwrap();
    let desk = Desk::new();
    let run = |args: &[&str]| {
        let output = desk.command(args).env("XDG_RUNTIME_DIR", runtime.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&["up", "scenarios/tacacs-ipip.yaml", "--name", "one"]);
    let folder = runtime.path().join("labsim/one");
    let socket = folder.join("socket");
    for (path, mode) in [
        (runtime.path(), 0o755),
        (folder.parent().unwrap(), 0o755),
        (&folder, 0o755),
        (&socket, 0o777),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let own = ask(&socket);
    seteuid(Uid::from_raw(65534)).unwrap();
    let others = std::panic::catch_unwind(|| ask(&socket));
    seteuid(Uid::from_raw(0)).unwrap();
    fs::set_permissions(folder.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    run(&["down", "one"]);
    assert!(own.contains("172.16.4.99"), "{own}");
    assert_eq!(others.unwrap(), "");
}
