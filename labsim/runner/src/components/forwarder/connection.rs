//! A forwarder's process, and requests to it over its standard streams.

use super::log;
use crate::error::RunError;
use crate::logbook::LogWriter;
use labsim_codes::run;
use labsim_control::{Answer, KernelPart, LONGEST_LINE, Request};
use labsim_dataplane::forwarder::{DataPlaneChoice, Snapshot};
use labsim_forwarder::MirroredFlow;
use labsim_lab::{Child, Node, inherit_text};
use labsim_model::{ForwarderConfig, ProbeSources};
use labsim_monitor::HealthByPool;
use labsim_scenario::model::NodeName;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{timeout, timeout_at};
use tracing::Span;

/// How long a forwarder may take to reply. Nothing waits so long unless it hangs.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes that are kept of the end of its standard error, where it also logs what monitors find.
const STDERR_TAIL: usize = 4096;

/// A running forwarder. Dropping it kills the process and waits until it is gone.
pub(super) struct Connection {
    node: NodeName,
    // Ends with its standard input, and with this handle at the latest.
    child: Child,
    /// `None` once it was asked to end.
    requests: Option<pipe::Sender>,
    answers: BufReader<pipe::Receiver>,
    /// What was read of the next answer.
    line: Vec<u8>,
    /// Answers that are to come. One that nobody waits for any more, because its request was
    /// dropped, comes before the next one's.
    awaited: usize,
    /// Ends with its standard error, and holds the end of it.
    stderr: JoinHandle<Vec<u8>>,
    data_plane: String,
}

/// A forwarder's process that touches nothing of the network before it is told to begin. Dropping it kills it.
pub(crate) struct WaitingProcess {
    node: NodeName,
    child: Child,
    requests: OwnedFd,
    answers: OwnedFd,
    stderr: OwnedFd,
}

impl WaitingProcess {
    /// Starts it.
    pub(super) fn spawn(
        node: &Node,
        program: &Path,
        config: &str,
        data_plane: DataPlaneChoice,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        let file = inherit_text(&mut command, config)?;
        command.args(["forwarder", "--stdio", "--wait", "--data-plane", data_plane.word()]);
        command.arg("--config").arg(file);
        log::configure(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = node.spawn(&mut command)?;
        let missing = || io::Error::other("a standard stream is missing");
        let requests = OwnedFd::from(child.stdin.take().ok_or_else(missing)?);
        let answers = OwnedFd::from(child.stdout.take().ok_or_else(missing)?);
        let stderr = OwnedFd::from(child.stderr.take().ok_or_else(missing)?);
        Ok(Self { node: node.name().clone(), child, requests, answers, stderr })
    }
}

impl Connection {
    /// Has the process begin. What it logs goes to `writer` as well. Has to be called inside a `LocalSet`.
    pub(super) fn begin(process: WaitingProcess, writer: LogWriter) -> io::Result<Self> {
        let WaitingProcess { node, child, requests, answers, stderr } = process;
        let mut requests = File::from(requests);
        // One that has ended is found out, with its last words, where it is waited for.
        let _ = requests.write_all(b"\n");
        let stderr = pipe::Receiver::from_owned_fd(stderr)?;
        Ok(Self {
            child,
            requests: Some(pipe::Sender::from_owned_fd(requests.into())?),
            answers: BufReader::new(pipe::Receiver::from_owned_fd(answers)?),
            line: Vec::new(),
            // That it is ready.
            awaited: 1,
            stderr: spawn_local(stderr_tail(node.clone(), stderr, Span::current(), writer)),
            node,
            data_plane: String::new(),
        })
    }

    /// How it ended; `None` while it runs.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks it to end, and waits for nothing: it ends with its standard input.
    pub(super) fn request_stop(&mut self) {
        self.requests = None;
    }

    /// Waits until it has closed its standard output, which it does when it has closed everything else; not longer
    /// than to the deadline.
    pub(super) async fn ended(mut self, deadline: Instant) {
        self.request_stop();
        let last_words = async {
            let mut rest = [0; 4096];
            while let Ok(1..) = self.answers.read(&mut rest).await {}
        };
        let _ = timeout_at(deadline.into(), last_words).await;
    }

    /// How it moves frames, once it is ready.
    pub(super) fn data_plane(&self) -> &str {
        &self.data_plane
    }

    /// Waits until it accepts packets.
    pub(super) async fn await_ready(&mut self) -> Result<(), RunError> {
        match self.recv().await? {
            Answer::Ready(ready) => self.data_plane = ready.data_plane.to_string(),
            Answer::Unsupported { lacks, reason } => {
                let message = format!("the forwarder in {} cannot start: {reason}", self.node);
                let code = match lacks {
                    KernelPart::Nftables => run::NFTABLES_MISSING,
                    KernelPart::IngressFilter => run::INGRESS_FILTER_MISSING,
                };
                return Err(RunError::unsupported(code, message));
            }
            other => return Err(self.unexpected_reply(&other)),
        }
        Ok(())
    }

    /// Its counters. It replies after everything that reached it before has been processed.
    pub(super) async fn counters(&mut self) -> Result<Snapshot, RunError> {
        match self.ask(&Request::Counters).await? {
            Answer::Counters(counters) => Ok(counters),
            other => Err(self.unexpected_reply(&other)),
        }
    }

    /// Changes its configuration, and waits until it is changed.
    pub(super) async fn change(&mut self, request: &Request) -> Result<(), RunError> {
        match self.ask(request).await? {
            Answer::Changed(_) => Ok(()),
            Answer::Refused(reasons) => Err(RunError::internal(
                run::FORWARDER_REJECTED,
                format!(
                    "the forwarder in {} rejected the command: {}",
                    self.node,
                    reasons.join("; ")
                ),
            )),
            other => Err(self.unexpected_reply(&other)),
        }
    }

    /// Copies of the flows whose virtual servers mirror them, in the pages that it replied with.
    pub(super) async fn mirrored_flows(&mut self) -> Result<Vec<Vec<MirroredFlow>>, RunError> {
        let (mut pages, mut from) = (Vec::new(), Some(0));
        while let Some(place) = from {
            match self.ask(&Request::MirroredFlows { from: place }).await? {
                Answer::MirroredFlows(page) => {
                    pages.push(page.flows);
                    from = page.next;
                }
                other => return Err(self.unexpected_reply(&other)),
            }
        }
        Ok(pages)
    }

    /// Has it take copies of flows over; returns how many it took.
    pub(super) async fn add_mirrored_flows(
        &mut self,
        flows: Vec<MirroredFlow>,
    ) -> Result<u64, RunError> {
        match self.ask(&Request::AddMirroredFlows(flows)).await? {
            Answer::FlowsAdded(added) => Ok(added),
            other => Err(self.unexpected_reply(&other)),
        }
    }

    /// Its configuration, without secrets.
    pub(super) async fn config(&mut self) -> Result<ForwarderConfig, RunError> {
        match self.ask(&Request::Status).await? {
            Answer::Status(status) => Ok(status.config),
            other => Err(self.unexpected_reply(&other)),
        }
    }

    /// What its monitors have found.
    pub(super) async fn health(&mut self) -> Result<HealthByPool, RunError> {
        match self.ask(&Request::Health).await? {
            Answer::Health(health) => Ok(health),
            other => Err(self.unexpected_reply(&other)),
        }
    }

    /// Ends its monitors' probes.
    pub(super) async fn stop_monitors(&mut self) -> Result<ProbeSources, RunError> {
        self.sources(&Request::StopMonitors).await
    }

    /// Ends its monitors' probes for a while, and returns the sources of those since the last pause.
    pub(super) async fn pause_monitors(&mut self) -> Result<ProbeSources, RunError> {
        self.sources(&Request::PauseMonitors).await
    }

    /// Has its monitors probe again.
    pub(super) async fn resume_monitors(&mut self) -> Result<(), RunError> {
        match self.ask(&Request::ResumeMonitors).await? {
            Answer::MonitorsResumed => Ok(()),
            other => Err(self.unexpected_reply(&other)),
        }
    }

    async fn sources(&mut self, request: &Request) -> Result<ProbeSources, RunError> {
        match self.ask(request).await? {
            Answer::MonitorsStopped(origins) => Ok(origins),
            other => Err(self.unexpected_reply(&other)),
        }
    }

    /// Sends a request, and waits for its answer. Can be dropped at any time.
    async fn ask(&mut self, request: &Request) -> Result<Answer, RunError> {
        while self.awaited > 0 {
            self.recv().await?;
        }
        self.send(request).await?;
        self.recv().await
    }

    async fn send(&mut self, request: &Request) -> Result<(), RunError> {
        let mut line = serde_json::to_vec(request)
            .map_err(RunError::from_source(run::FORWARDER_ENDED, "a request"))?;
        line.push(b'\n');
        // The pipe has room for it: it is written as a whole, or not at all.
        let asked = match &mut self.requests {
            Some(requests) => requests.write_all(&line).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        self.awaited += 1;
        asked.map_err(RunError::from_source(
            run::FORWARDER_ENDED,
            &format!("the forwarder in {} is gone", self.node),
        ))
    }

    /// What it says next; its own tail if it ended instead.
    async fn recv(&mut self) -> Result<Answer, RunError> {
        let name = &self.node;
        let room = LONGEST_LINE.saturating_sub(self.line.len() as u64);
        let mut bounded = (&mut self.answers).take(room);
        // What was read stays in the line if this is dropped.
        match timeout(TIMEOUT, bounded.read_until(b'\n', &mut self.line)).await {
            Err(_) => Err(RunError::internal(
                run::FORWARDER_TIMED_OUT,
                format!("the forwarder in {name} timed out: no reply within {TIMEOUT:?}"),
            )),
            Ok(Ok(_)) if !self.line.is_empty() => {
                self.awaited = self.awaited.saturating_sub(1);
                let line = std::mem::take(&mut self.line);
                serde_json::from_slice(&line).map_err(RunError::from_source(
                    run::FORWARDER_REPLY_INVALID,
                    format!("invalid reply of the forwarder in {name}"),
                ))
            }
            Ok(_) => {
                let tail = timeout(TIMEOUT, &mut self.stderr).await;
                let tail = tail.ok().and_then(Result::ok).unwrap_or_default();
                Err(RunError::internal(
                    run::FORWARDER_ENDED,
                    format!(
                        "the forwarder in {name} ended: {}",
                        String::from_utf8_lossy(&tail).trim()
                    ),
                ))
            }
        }
    }

    fn unexpected_reply(&self, answer: &Answer) -> RunError {
        let name = &self.node;
        RunError::internal(
            run::FORWARDER_REPLY_INVALID,
            format!("unexpected reply of the forwarder in {name}: {answer:?}"),
        )
    }
}

/// Reads to the end, so that it never waits for a reader: log records are logged in `span`, and the
/// last of everything else is returned.
async fn stderr_tail(
    node: NodeName,
    stream: pipe::Receiver,
    span: Span,
    writer: LogWriter,
) -> Vec<u8> {
    let (mut tail, mut line) = (Vec::new(), Vec::new());
    let mut stream = BufReader::new(stream);
    while let Ok(1..) = (&mut stream).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
        let record = std::str::from_utf8(&line)
            .ok()
            .and_then(|text| span.in_scope(|| log::relay(node.as_str(), text.trim_end())));
        if let Some(text) = record {
            writer.line(|| text);
        } else {
            writer.print(&line);
            tail.extend_from_slice(&line);
            let excess = tail.len().saturating_sub(STDERR_TAIL);
            tail.drain(..excess);
        }
        line.clear();
    }
    tail
}
