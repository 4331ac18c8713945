//! A terminal with a program that a test types into.

use super::DEADLINE;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The terminal, and the program that has it as its controlling terminal and standard streams.
pub(crate) struct Screen {
    program: Child,
    terminal: File,
    slave: OwnedFd,
    /// What was shown.
    shown: String,
}

impl Screen {
    pub(crate) fn new(command: &Command) -> Self {
        let pty = openpty(None, None).unwrap();
        let stream = || Stdio::from(pty.slave.try_clone().unwrap());
        // Of util-linux: only a session's leader can take a controlling terminal.
        let mut leader = Command::new("setsid");
        leader.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leader.env(name, value),
                None => leader.env_remove(name),
            };
        }
        leader.current_dir(command.get_current_dir().unwrap());
        leader.stdin(stream()).stdout(stream()).stderr(stream());
        Self {
            program: leader.spawn().unwrap(),
            terminal: pty.master.into(),
            slave: pty.slave,
            shown: String::new(),
        }
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        self.terminal.write_all(format!("{line}\r").as_bytes()).unwrap();
    }

    /// Waits until a text is shown, and returns everything up to it that was shown since the last call.
    pub(crate) fn shows(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(at) = self.shown.find(text) {
                return self.shown.drain(..at + text.len()).collect();
            }
            assert!(began.elapsed() < DEADLINE, "not shown: `{text}`, but {:?}", self.shown);
            let mut ready = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::from(100_u8)).unwrap() > 0 {
                let mut bytes = [0; 4096];
                let length = self.terminal.read(&mut bytes).unwrap();
                self.shown.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        }
    }

    /// Whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    /// Waits for the program's end, and returns its exit code.
    pub(crate) fn exits(&mut self) -> Option<i32> {
        self.program.wait().unwrap().code()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
