//! Runs the built labsim as a user would, on copies of the shipped files.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod captures;
pub(crate) mod labs;
pub(crate) mod screen;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use std::{fs, io};

/// How long a test waits for an event that has to happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Laid over a scenario with a login: nobody answers it, longer than a test lasts that interrupts it.
pub(crate) const NO_ANSWER: &str =
    "real_servers: {servers: {vip: null}}\nsteps: {login: {tacacs_login: {timeout: 600}}}\n";

/// The shipped files, copied into a folder of the test's own.
pub(crate) struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["topologies", "scenarios"] {
            copy(&shipped().join(folder), &dir.path().join(folder));
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Replaces text in a file; the text has to be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no `{from}`");
        self.write(name, text.replace(from, to));
    }

    /// Removes every line of a file that has the text; there has to be one.
    pub(crate) fn drop_lines(&self, name: &str, with: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(with), "{name} has no `{with}`");
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains(with)).collect();
        self.write(name, kept.join("\n") + "\n");
    }

    /// Writes a scenario that lays some YAML over the shipped one of that name, and returns its
    /// path.
    pub(crate) fn over(&self, name: &str, base: &str, yaml: &str) -> String {
        let path = format!("scenarios/{name}.yaml");
        self.write(&path, format!("extends: {base}.yaml\n{yaml}"));
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labsim"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn labsim(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output())
    }
}

/// Copies a folder and those in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Where the shipped files are.
pub(crate) fn shipped() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// How a labsim ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: io::Result<Output>) -> Self {
        let output = output.unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code, and that there was no panic.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "nothing says `{text}`:\n{}\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}
