//! A program's process and what it prints.

use super::log::{Log, Reader};
use super::lookup;
use crate::error::RunError;
use crate::logbook::LogWriter;
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::{Child, Node, Sandboxed};
use labsim_scenario::model::{FOLDER, NodeName, Program};
use std::io;
use std::process::{Command, ExitStatus, Stdio};

/// A running program, with what it prints. Dropping it kills it.
pub(super) struct ProgramProcess {
    child: Child,
    reader: Reader,
}

impl ProgramProcess {
    /// Starts a program. Its output is searched for a line that holds `line`, and goes to `writer`.
    pub(super) fn start(
        node: &Node,
        program: &Program,
        line: Option<String>,
        writer: LogWriter,
    ) -> io::Result<Self> {
        let path = lookup::find(program).ok_or(io::ErrorKind::NotFound)?;
        let (output, input) = io::pipe()?;
        let prepare = |folder: &str| {
            let expand = |text: &str| text.replace(FOLDER, folder);
            let mut command = Command::new(expand(&path));
            command.args(program.arguments.iter().map(|argument| expand(&argument.expose_text())));
            command.env_clear().env("PATH", lookup::search_path(program));
            command.env("HOME", folder).env("TMPDIR", folder);
            let variables = program.environment.iter();
            command.envs(variables.map(|(name, value)| (name, expand(&value.expose_text()))));
            command.stdin(Stdio::null());
            // Without them the program cannot print, and runs all the same.
            command.stdout(input.try_clone().map_or_else(|_| Stdio::null(), Stdio::from));
            command.stderr(input.try_clone().map_or_else(|_| Stdio::null(), Stdio::from));
            let files = program.files.iter();
            let files =
                files.map(|(path, text)| (path.clone(), expand(&text.expose_text()))).collect();
            Sandboxed { command, files }
        };
        let child = node.spawn_sandboxed(prepare)?;
        Ok(Self { child, reader: Reader::start(output, line, writer)? })
    }

    /// The isolations that the kernel refused to it, as events. `program` is what it is called in
    /// the scenario.
    pub(super) fn isolation_events(
        &self,
        node: &NodeName,
        program: &str,
    ) -> impl Iterator<Item = Event> {
        self.child.refused_isolation().iter().map(move |refused| Event::IsolationRefused {
            node: node.to_string(),
            program: program.to_owned(),
            isolation: refused.isolation.to_string(),
            reason: refused.errno.desc().to_owned(),
        })
    }

    /// How it ended; `None` while it runs.
    pub(super) fn try_wait(&mut self) -> Result<Option<ExitStatus>, RunError> {
        let context = "the state of a process cannot be read";
        self.child.try_wait().map_err(RunError::from_source(run::PROGRAM_ENDED, context))
    }

    /// Whether the line that was searched for was printed.
    pub(super) fn has_printed_line(&self) -> bool {
        self.reader.has_found()
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        self.child.terminate();
    }

    /// Ends it and returns what it printed.
    pub(super) fn kill(&mut self) -> Log {
        self.child.kill_group();
        self.reader.finish()
    }
}

/// A program's output as an event.
pub(crate) fn log_event(file: String, node: &NodeName, log: &Log) -> Event {
    let text = log.text();
    Event::ProcessLogged {
        file,
        node: node.to_string(),
        bytes: text.len(),
        lost: log.lost(),
        text: text.into(),
    }
}

/// `ended with exit code 3`
pub(crate) fn fmt_status(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code @ 129..=192), _) => {
            format!("ended with exit code {code} (signal {} or its own)", code - 128)
        }
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
