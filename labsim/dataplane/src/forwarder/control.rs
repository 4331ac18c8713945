//! Commands, a line each, of bounded length.

use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd};

/// No command is near as long; what is longer is cut.
const LONGEST_LINE: usize = 256;

/// What a reading brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Tell the counters.
    Counters,
    /// A line that is no command.
    Unknown(String),
    /// No whole line yet.
    Nothing,
    /// The stream is at its end.
    End,
}

pub(super) struct Control<'a> {
    input: BorrowedFd<'a>,
    line: Vec<u8>,
}

impl<'a> Control<'a> {
    pub(super) const fn new(input: BorrowedFd<'a>) -> Self {
        Self { input, line: Vec::new() }
    }

    /// Reads one byte after the other up to a line's end, because what follows has to wake the
    /// next wait. Call it when the stream is readable: it blocks in the middle of a line.
    pub(super) fn read(&mut self) -> Command {
        let mut byte = [0];
        match nix::unistd::read(self.input, &mut byte) {
            Ok(0) => Command::End,
            Err(Errno::EAGAIN | Errno::EINTR) => Command::Nothing,
            Err(_) => Command::End,
            Ok(_) if byte[0] == b'\n' => self.finish(),
            Ok(_) => {
                if self.line.len() < LONGEST_LINE {
                    self.line.push(byte[0]);
                }
                Command::Nothing
            }
        }
    }

    fn finish(&mut self) -> Command {
        let line = String::from_utf8_lossy(&self.line).trim().to_owned();
        self.line.clear();
        match line.as_str() {
            "" => Command::Nothing,
            "counters" => Command::Counters,
            _ => Command::Unknown(line),
        }
    }
}

impl AsFd for Control<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.input
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Control, LONGEST_LINE};
    use std::io::Write;
    use std::os::fd::AsFd;

    fn commands(input: &[u8]) -> Vec<Command> {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(input).unwrap();
        drop(writer);
        let mut control = Control::new(reader.as_fd());
        let mut commands = Vec::new();
        while commands.last() != Some(&Command::End) {
            commands.push(control.read());
        }
        commands.retain(|command| *command != Command::Nothing);
        commands
    }

    #[test]
    fn every_line_is_one_command_and_the_end_is_told() {
        let expected = [Command::Counters, Command::Unknown("stop".to_owned()), Command::End];
        assert_eq!(commands(b"counters\n\n  \nstop\r\n"), expected);
        assert_eq!(commands(b"counters"), [Command::End], "a line without its end is no command");
    }

    #[test]
    fn a_line_of_any_length_takes_bounded_memory() {
        let mut input = vec![b'x'; 30_000];
        input.push(b'\n');
        let cut = Command::Unknown("x".repeat(LONGEST_LINE));
        assert_eq!(commands(&input), [cut, Command::End]);
    }
}
