//! Labs that are up, where what they rely on goes away or is not as expected.

use crate::support::labs::{Labs, until_gone};
use crate::support::{DEADLINE, Ended};
use std::fs::{self, DirBuilder, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

/// Waits until a lab is found.
fn until_found(labs: &Labs, name: &str) {
    let began = Instant::now();
    while labs.labsim(&["status", name]).code != Some(0) {
        assert!(began.elapsed() < DEADLINE, "{name} is not found");
    }
}

fn mode(labs: &Labs, path: &str) -> u32 {
    fs::metadata(labs.0.path(path)).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_lab_is_found_again_after_its_folder_has_gone() {
    let labs = Labs::new();
    labs.up("one");
    let processes = labs.processes("one");
    // As at a logout, and at the next login.
    fs::rename(labs.0.path("runtime"), labs.0.path("taken")).unwrap();
    labs.labsim(&["status", "one"]).exits(2);
    DirBuilder::new().mode(0o700).create(labs.0.path("runtime")).unwrap();
    until_found(&labs, "one");
    assert_eq!((mode(&labs, "runtime/labsim"), mode(&labs, "runtime/labsim/one")), (0o700, 0o700));
    assert_eq!(labs.processes("one"), processes, "it is the same lab");
    let taken = labs.labsim(&["up", "scenarios/tacacs-ipip.yaml", "--name", "one"]).exits(2);
    taken.says("a lab `one` is up");
    // Each file by itself, as a sweep of old files takes them.
    for file in ["lock", "socket", "hosts", "shells/bashrc"] {
        fs::remove_file(labs.0.path("runtime/labsim/one").join(file)).unwrap();
        let began = Instant::now();
        while !labs.0.path("runtime/labsim/one").join(file).exists() {
            assert!(began.elapsed() < DEADLINE, "{file} is missing");
            thread::yield_now();
        }
        until_found(&labs, "one");
    }
    labs.labsim(&["down"]).exits(0).says("one is down");
    assert_eq!(labs.folders(), [""; 0]);
    until_gone(&processes);
}

#[test]
fn a_lab_follows_no_link_to_another_folder_and_takes_no_folder_of_others() {
    let labs = Labs::new();
    labs.up("one");
    let folder = labs.0.path("runtime/labsim");
    fs::create_dir(labs.0.path("elsewhere")).unwrap();
    let mut number = 0;
    let mut take_away = |folder: &Path| {
        number += 1;
        fs::rename(folder, labs.0.path(&format!("taken-{number}"))).unwrap();
    };
    take_away(&folder);
    // The holder may have made its folder again between the two.
    while symlink(labs.0.path("elsewhere"), &folder).is_err() {
        take_away(&folder);
    }
    // Another lab's holder looks each second, too: when that lab was found again twice, this one's has
    // looked.
    let other = labs.0.path("other");
    DirBuilder::new().mode(0o700).create(&other).unwrap();
    let labsim =
        |args: &[&str]| Ended::of(labs.0.command(args).env("XDG_RUNTIME_DIR", &other).output());
    labsim(&["up", "scenarios/tacacs-ipip.yaml", "--name", "two"]).exits(0);
    for _ in 0..2 {
        take_away(&other.join("labsim"));
        let began = Instant::now();
        while !other.join("labsim/two/socket").exists() {
            assert!(began.elapsed() < DEADLINE, "the other lab is not found again");
            thread::yield_now();
        }
    }
    assert_eq!(fs::read_dir(labs.0.path("elsewhere")).unwrap().count(), 0);
    labsim(&["down", "two"]).exits(0);
    fs::remove_file(&folder).unwrap();
    until_found(&labs, "one");
}

#[test]
fn one_of_several_that_take_a_name_at_once_has_it() {
    let labs = Labs::new();
    let up = || {
        let mut command = labs.command(&["up", "scenarios/tacacs-ipip.yaml", "--name", "one"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let several: Vec<_> = (0..4).map(|_| up()).collect();
    let ended = several.into_iter().map(|it| Ended::of(it.wait_with_output()));
    let (up, refused): (Vec<_>, Vec<_>) = ended.partition(|it| it.code == Some(0));
    assert_eq!((up.len(), refused.len()), (1, 3), "{up:?} {refused:?}");
    for refused in refused {
        refused.exits(2).says("a lab `one` is up; `labsim down one` ends it");
    }
    labs.labsim(&["exec", "rs1", "--", "true"]).exits(0);
}

#[test]
fn a_holder_of_another_version_is_named_and_ended() {
    let labs = Labs::new();
    for folder in ["runtime/labsim", "runtime/labsim/old"] {
        DirBuilder::new().mode(0o700).create(labs.0.path(folder)).unwrap();
    }
    let lock = File::create_new(labs.0.path("runtime/labsim/old/lock")).unwrap();
    lock.lock().unwrap();
    let listener = UnixListener::bind(labs.0.path("runtime/labsim/old/socket")).unwrap();
    // It knows other requests, and other answers.
    let holder = thread::spawn(move || {
        let _lock = lock;
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = String::new();
            BufReader::new(&mut client).read_line(&mut request).unwrap();
            // A client that asks for nothing reads nothing.
            let _ = client.write_all(b"\0{\"version\":\"99.0.0\",\"message\":{\"Later\":1}}");
            if request.contains("Down") {
                return request;
            }
        }
        unreachable!("it listens for ever")
    });
    let sentence = format!(
        "the lab `old` was made by labsim 99.0.0, and this is labsim {}; use that one, or end the lab \
         with `labsim down old`",
        env!("CARGO_PKG_VERSION")
    );
    labs.labsim(&["status"]).exits(2).says(&sentence);
    labs.labsim(&["exec", "rs1", "--", "true"]).exits(2).says(&sentence);
    labs.labsim(&["list"]).exits(2).says(&sentence);
    labs.labsim(&["down"]).exits(0).says("old is down");
    let request = holder.join().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(request, format!("{{\"version\":\"{version}\",\"message\":\"Down\"}}\n"));
    assert_eq!(labs.folders(), [""; 0]);
}

#[test]
fn a_full_disk_is_named_with_the_remedy_and_nothing_is_left() {
    let labs = Labs::new();
    let program = env!("CARGO_BIN_EXE_labsim");
    let (runtime, file) = (labs.0.path("runtime"), labs.0.path("scenarios/tacacs-ipip.yaml"));
    // Too few files for the lock, too few bytes for what a holder writes, and enough of both.
    for (options, is_enough) in
        [("nr_inodes=3", false), ("size=4k", false), ("nr_inodes=64,size=1m", true)]
    {
        let script = format!(
            "mount -t tmpfs -o {options},mode=700 none {runtime} && XDG_RUNTIME_DIR={runtime} {program} \
             up {file}; code=$?; ls -A {runtime}/labsim 2>/dev/null; XDG_RUNTIME_DIR={runtime} \
             {program} down --all >/dev/null; exit $code",
            runtime = runtime.display(),
            file = file.display(),
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--mount", "sh", "-c", &script]);
        let ended = Ended::of(unshare.output());
        assert_eq!(ended.code == Some(0), is_enough, "{options}: {ended:?}");
        if !is_enough {
            ended.says("No space left on device").says("free some there, or set XDG_RUNTIME_DIR");
            assert_eq!(ended.stdout, "", "{options}: {ended:?}");
        }
    }
}
