//! The user's programs: started in their nodes before the steps, watched, ended after them.

mod log;
mod lookup;
mod once;
mod ready;

pub(crate) use lookup::look_up;
pub(crate) use once::to_its_end;

use crate::fault::Fault;
use labsim_event::Event;
use labsim_lab::{Child, Lab, Node, Private};
use labsim_scenario::model::{FOLDER, NodeName, Process, Program, Readiness, Scenario};
use log::{Log, Reader};
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks at a process or a port, which have no event that the lab could wait for.
const BETWEEN: Duration = Duration::from_millis(2);
/// How long a process may take to end in good order.
const GRACE: Duration = Duration::from_secs(1);

/// Running programs. Dropping it ends them at once, and tells what they printed.
pub(crate) struct Processes<'a> {
    all: Vec<Running>,
    tell: &'a dyn Fn(Event),
}

/// A program in a node.
struct Running {
    /// What it is called in sentences.
    title: String,
    /// The file of its log.
    file: String,
    node: NodeName,
    started: Started,
    /// Whether it ended because that is how it becomes ready.
    done: bool,
}

/// A process and what it prints.
struct Started {
    child: Child,
    reader: Reader,
}

impl<'a> Processes<'a> {
    /// Starts the programs in the file's order, each in all its nodes at once, and waits until it
    /// is ready.
    pub(crate) async fn start(
        lab: &Lab,
        scenario: &Scenario,
        tell: &'a dyn Fn(Event),
    ) -> Result<Self, Fault> {
        let mut processes = Self { all: Vec::new(), tell };
        for process in &scenario.processes {
            let first = processes.all.len();
            for name in &process.nodes {
                let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
                processes.all.push(Running::start(node, process)?);
            }
            let deadline = Instant::now() + process.timeout;
            for running in processes.all.iter_mut().skip(first) {
                running.await_ready(lab, process, deadline).await?;
            }
        }
        Ok(processes)
    }

    /// Complains about a program that has ended before its time.
    pub(crate) fn check(&mut self) -> Result<(), Fault> {
        for running in self.all.iter_mut().filter(|running| !running.done) {
            if let Some(status) = running.started.ended()? {
                return Err(running.fault(&format!("{} before the steps were over", said(status))));
            }
        }
        Ok(())
    }

    /// Asks all of them to end, waits a second at most, and ends them.
    pub(crate) async fn stop(mut self) -> Result<(), Fault> {
        self.check()?;
        self.all.iter().for_each(|running| running.started.child.terminate());
        let deadline = Instant::now() + GRACE;
        for running in &mut self.all {
            while running.started.ended()?.is_none() && Instant::now() < deadline {
                sleep(BETWEEN).await;
            }
        }
        Ok(())
    }
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        for Running { file, node, started, .. } in self.all.drain(..) {
            (self.tell)(logged(file, &node, &started.end()));
        }
    }
}

impl Running {
    fn start(node: &Node, process: &Process) -> Result<Self, Fault> {
        let (name, node_name) = (&process.name, node.name());
        let title = format!("the process `{name}` in {node_name}");
        let wanted = match &process.ready {
            Readiness::Line(text) => Some(text.clone()),
            _ => None,
        };
        let started = Started::start(node, &process.program, wanted)
            .map_err(Fault::broken(&format!("{title} cannot be started")))?;
        let file = match process.nodes.as_slice() {
            [_] => format!("{name}.log"),
            _ => format!("{name}@{node_name}.log"),
        };
        Ok(Self { title, file, node: node_name.clone(), started, done: false })
    }

    /// A sentence about it, and the last lines of what it printed.
    fn fault(&mut self, what: &str) -> Fault {
        let log = self.started.killed();
        Fault::Broken(format!("{} {what}{}", self.title, log.last_lines()))
    }
}

impl Started {
    /// Starts a program. `wanted` is a text that its output is looked through for.
    fn start(node: &Node, program: &Program, wanted: Option<String>) -> io::Result<Self> {
        let path = lookup::find(program).ok_or(io::ErrorKind::NotFound)?;
        let (output, input) = io::pipe()?;
        let prepare = |folder: &str| {
            let full = |text: &str| text.replace(FOLDER, folder);
            let mut command = Command::new(full(&path));
            command.args(program.arguments.iter().map(|argument| full(argument.expose())));
            command.env_clear().env("PATH", lookup::search_path(program));
            command.env("HOME", folder).env("TMPDIR", folder);
            let variables = program.environment.iter();
            command.envs(variables.map(|(name, value)| (name, full(value.expose()))));
            command.stdin(Stdio::null());
            // Without them the program has nowhere to print to, which is no reason not to run.
            command.stdout(input.try_clone().map_or_else(|_| Stdio::null(), Stdio::from));
            command.stderr(input.try_clone().map_or_else(|_| Stdio::null(), Stdio::from));
            let files = program.files.iter();
            let files = files.map(|(path, text)| (path.clone(), full(text.expose()))).collect();
            Private { command, files }
        };
        let child = node.spawn_private(prepare)?;
        Ok(Self { child, reader: Reader::start(output, wanted)? })
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, Fault> {
        self.child.try_wait().map_err(Fault::broken("a process cannot be waited for"))
    }

    /// Ends it, and has all that it printed.
    fn killed(&mut self) -> Log {
        self.child.kill_group();
        self.reader.finish()
    }

    fn end(mut self) -> Log {
        self.killed()
    }
}

/// What a report is told of a program's output.
pub(crate) fn logged(file: String, node: &NodeName, log: &Log) -> Event {
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
fn said(status: ExitStatus) -> String {
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
