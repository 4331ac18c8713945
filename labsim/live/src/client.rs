//! Requests to a lab's holder.

use crate::error::LiveError;
use crate::folder::{LabsFolder, SOCKET};
use crate::kept::Kept;
use crate::name::LabName;
use crate::protocol::{
    Answer, Happening, LONGEST_ANSWER, LONGEST_REQUEST, Logs, NodeReset, Origin, Request, Status,
    StepWalk, TapInterface, Version, Versioned, Work,
};
use labsim_event::Event;
use labsim_lab::TapPoint;
use labsim_model::NodeState;
use labsim_sys::descriptors;
use labsim_sys::pidfd::PidFd;
use labsim_wire::decode::LinkType;
use nix::sys::signal::Signal;
use nix::sys::socket::{getsockopt, sockopt};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a holder may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a holder may take to listen, or to be gone: it builds its lab first, which takes some seconds on
/// a machine with more work than processors.
const SOON: Duration = Duration::from_secs(10);
/// How long a lab may take to end.
const END: Duration = Duration::from_secs(10);
/// How long the holder itself may take after that.
const END_MILLISECONDS: u16 = 1000;
/// Between two looks at a lock, which has no event with a deadline.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A lab that is up.
#[derive(Debug)]
pub struct Lab {
    folder: LabsFolder,
    name: LabName,
}

/// A node's namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    pub(crate) network: OwnedFd,
    pub(crate) pids: OwnedFd,
    /// Where the lab is in one of its own.
    pub(crate) user: Option<OwnedFd>,
}

impl Lab {
    /// The lab of that name, or the only one.
    ///
    /// # Errors
    /// Those of [`LabsFolder::find`].
    pub fn find(folder: &LabsFolder, name: Option<&LabName>) -> Result<Self, LiveError> {
        Ok(Self { folder: folder.clone(), name: folder.find(name)? })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &LabName {
        &self.name
    }

    /// Asks for its state.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version.
    pub fn status(&self) -> Result<Status, LiveError> {
        match self.ask(Request::Status)? {
            (Answer::Status(status), _) => Ok(status),
            _ => Err(self.no_answer(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Asks for what it was made of.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version.
    pub fn origin(&self) -> Result<Origin, LiveError> {
        match self.ask(Request::Origin)? {
            (Answer::Origin(origin), _) => Ok(origin),
            _ => Err(self.no_answer(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Asks for what was printed and logged in a node.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version.
    pub fn logs(&self, node: &str) -> Result<Logs, LiveError> {
        match self.ask(Request::Logs { node: node.to_owned() })? {
            (Answer::Logs(logs), _) => Ok(logs),
            _ => Err(self.no_answer(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Asks for a node's namespaces.
    pub(crate) fn namespaces(&self, node: &str) -> Result<Namespaces, LiveError> {
        let invalid = || self.no_answer(io::ErrorKind::InvalidData.into());
        match self.ask(Request::Enter { node: node.to_owned() })? {
            (Answer::Enter, descriptors) => {
                let mut descriptors = descriptors.into_iter();
                Ok(Namespaces {
                    network: descriptors.next().ok_or_else(invalid)?,
                    pids: descriptors.next().ok_or_else(invalid)?,
                    user: descriptors.next(),
                })
            }
            _ => Err(invalid()),
        }
    }

    /// Asks for what a node was set up with when everything ran, and for what it is set up with now.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version.
    pub fn setups(&self, node: &str) -> Result<(NodeState, NodeState), LiveError> {
        match self.ask(Request::Setups { node: node.to_owned() })? {
            (Answer::Setups(setups), _) => Ok(*setups),
            _ => Err(self.no_answer(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Asks for a socket that receives a node's frames from now on, and for its interfaces.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version.
    pub fn tap(&self, node: &str) -> Result<(OwnedFd, Vec<TapPoint>), LiveError> {
        let invalid = || self.no_answer(io::ErrorKind::InvalidData.into());
        match self.ask(Request::Tap { node: node.to_owned() })? {
            (Answer::Tap(interfaces), sockets) => {
                let point = |it: TapInterface| TapPoint {
                    index: it.index,
                    interface: it.name,
                    link: if it.ethernet { LinkType::Ethernet } else { LinkType::Raw },
                };
                let socket = sockets.into_iter().next().ok_or_else(invalid)?;
                Ok((socket, interfaces.into_iter().map(point).collect()))
            }
            _ => Err(invalid()),
        }
    }

    /// Asks for the frames that it keeps, all or those of a time and later, in nanoseconds since 1970.
    ///
    /// # Errors
    /// The holder does not answer, refuses as none are kept, or is of another version.
    pub fn kept(&self, since_ns: Option<u64>) -> Result<Kept, LiveError> {
        let invalid = || self.no_answer(io::ErrorKind::InvalidData.into());
        match self.ask(Request::Kept { since_ns })? {
            (Answer::Kept(kept), memory) => {
                let memory = memory.into_iter().next().ok_or_else(invalid)?;
                Kept::new(*kept, memory).map_err(|error| self.no_answer(error))
            }
            _ => Err(invalid()),
        }
    }

    /// The process that holds it; `None` if it does not listen.
    #[must_use]
    pub fn holder(&self) -> Option<PidFd> {
        self.holder_of(&self.connect().ok()?)
    }

    /// The process that listens on a socket.
    fn holder_of(&self, socket: &UnixStream) -> Option<PidFd> {
        let peer = getsockopt(socket, sockopt::PeerCredentials).ok()?;
        let holder = PidFd::open(peer.pid().cast_unsigned()).ok()?;
        // Its number was its own when it was opened: it holds the lock still.
        self.folder.is_up(&self.name).then_some(holder)
    }

    /// A file of its folder.
    pub(crate) fn file(&self, file: &str) -> PathBuf {
        self.folder.file(&self.name, file)
    }

    fn ask(&self, request: Request) -> Result<(Answer, Vec<OwnedFd>), LiveError> {
        let failed = |error| self.no_answer(error);
        let socket = self.connect_soon()?;
        let (text, descriptors) = exchange(&socket, request).map_err(failed)?;
        Ok((self.answer(&text)?, descriptors))
    }

    /// Reads an answer.
    fn answer(&self, text: &[u8]) -> Result<Answer, LiveError> {
        let invalid = |error: serde_json::Error| self.no_answer(error.into());
        let Version { version } = serde_json::from_slice(text).map_err(invalid)?;
        if version != crate::protocol::VERSION {
            let version = printable(&version);
            return Err(LiveError::Version { name: self.name.clone(), version });
        }
        let answer: Versioned<Answer> = serde_json::from_slice(text).map_err(invalid)?;
        match answer.message {
            Answer::Refused(reason) => Err(LiveError::Refused(reason)),
            answer => Ok(answer),
        }
    }

    /// Asks for work. It is interrupted when what is returned is dropped before the work's end.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version.
    pub fn work(&self, work: Work) -> Result<Working<'_>, LiveError> {
        let failed = |error| self.no_answer(error);
        let request = Request::Work(work);
        let length = serde_json::to_vec(&Versioned::new(&request)).map_or(0, |line| line.len());
        if u64::try_from(length).is_ok_and(|length| length >= LONGEST_REQUEST) {
            return Err(LiveError::Refused(format!(
                "this is longer than the {LONGEST_REQUEST} bytes that a request may have; ask for less at a \
                 time"
            )));
        }
        let socket = self.connect_soon()?;
        ask(&socket, request).map_err(failed)?;
        // A step may take as long as it wants.
        socket.set_read_timeout(None).map_err(failed)?;
        Ok(Working { lab: self, answers: BufReader::new(socket) })
    }

    /// Asks to be told what happens from now on.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version.
    pub fn watch(&self) -> Result<Watching<'_>, LiveError> {
        let failed = |error| self.no_answer(error);
        let socket = self.connect_soon()?;
        ask(&socket, Request::Watch).map_err(failed)?;
        // Nothing may happen for as long as it wants.
        socket.set_read_timeout(None).map_err(failed)?;
        let answers = BufReader::new(socket);
        Ok(Watching(Working { lab: self, answers }))
    }

    /// Brings a node, or every node, back to what it was when it was built.
    ///
    /// # Errors
    /// The holder does not answer, refuses, or is of another version; or what runs in a node cannot be
    /// started again.
    pub fn reset(&self, node: Option<String>) -> Result<Vec<NodeReset>, LiveError> {
        let mut working = self.work(Work::Reset(node))?;
        match working.next_answer()? {
            Answer::Reset(resets) => Ok(resets),
            Answer::Failed(reason) => Err(LiveError::Failed(reason)),
            _ => Err(self.no_answer(io::ErrorKind::InvalidData.into())),
        }
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let folder = self.folder.open(&self.name)?;
        // A socket's path has at most 108 bytes (unix(7)), and a folder's may have more.
        let socket = UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        Ok(socket)
    }

    /// Connects to a holder that may be about to listen, or about to be gone.
    fn connect_soon(&self) -> Result<UnixStream, LiveError> {
        let mut socket = self.connect();
        let has_ended = socket.is_err()
            && self.has_ended(Instant::now() + SOON, || {
                socket = self.connect();
                socket.is_ok()
            });
        match socket {
            Err(_) if has_ended => {
                Err(LiveError::Unknown { name: self.name.clone(), known: self.folder.up()? })
            }
            socket => socket.map_err(|error| self.no_answer(error)),
        }
    }

    fn no_answer(&self, source: io::Error) -> LiveError {
        LiveError::NoAnswer { name: self.name.clone(), source }
    }

    /// Waits for its end, until the deadline or until `meanwhile`, which is called now and then,
    /// returns true.
    fn has_ended(&self, deadline: Instant, mut meanwhile: impl FnMut() -> bool) -> bool {
        while self.folder.is_up(&self.name) {
            if Instant::now() >= deadline || meanwhile() {
                return false;
            }
            sleep(POLL_INTERVAL);
        }
        true
    }

    /// Tells its holder to end, and returns it. `None` if there is none that listens: it has ended, or
    /// still builds the lab.
    fn tell_to_end(&self) -> Option<PidFd> {
        let socket = self.connect().ok()?;
        let holder = self.holder_of(&socket);
        // Whatever it answers, also one of another version.
        let _ = exchange(&socket, Request::Down);
        holder
    }
}

/// Ends a lab, and returns when nothing of it is left: asks its holder, and kills it if that does not
/// help.
///
/// # Errors
/// [`LiveError::Stuck`], or [`LiveError::Folder`].
pub fn end(lab: Lab) -> Result<(), LiveError> {
    let mut holder = None;
    // Another lab may have the name at once, as that of another `restart`.
    let is_gone = |holder: &Option<PidFd>| {
        holder.as_ref().is_some_and(|holder| holder.has_ended_within(0).unwrap_or(false))
    };
    let tell = || {
        if holder.is_none() {
            holder = lab.tell_to_end();
        }
        is_gone(&holder)
    };
    if !lab.has_ended(Instant::now() + END, tell) && !is_gone(&holder) {
        if let Some(holder) = &holder {
            let _ = holder.signal(Signal::SIGKILL as i32);
        }
        if !lab.has_ended(Instant::now() + END, || is_gone(&holder)) && !is_gone(&holder) {
            return Err(LiveError::Stuck(lab.name));
        }
    }
    if let Some(holder) = &holder {
        let _ = holder.has_ended_within(END_MILLISECONDS);
    }
    // Sweeps its folder, if the holder could not.
    lab.folder.up().map(drop)
}

/// What happens while a holder works.
#[derive(Debug)]
pub enum WorkEvent {
    /// An event.
    Event(Box<Event>),
    /// A step was run that was asked for alone.
    Walked(StepWalk),
    /// What is to be said of a change though it was made, each with its place.
    Warned(Vec<String>),
}

/// Work that a holder does.
#[derive(Debug)]
pub struct Working<'a> {
    lab: &'a Lab,
    answers: BufReader<UnixStream>,
}

impl Working<'_> {
    /// What interrupts the work when it is shut down; the work has ended for this side then.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn connection(&self) -> io::Result<UnixStream> {
        self.answers.get_ref().try_clone()
    }

    /// Waits for what happens next; `None` once the work is done.
    ///
    /// # Errors
    /// The work cannot be done, or the lab has ended meanwhile.
    pub fn next_event(&mut self) -> Result<Option<WorkEvent>, LiveError> {
        match self.next_answer()? {
            Answer::Event(event) => Ok(Some(WorkEvent::Event(event))),
            Answer::Walk(walk) => Ok(Some(WorkEvent::Walked(walk))),
            Answer::Warned(warnings) => Ok(Some(WorkEvent::Warned(warnings))),
            Answer::Done => Ok(None),
            Answer::Failed(reason) => Err(LiveError::Failed(reason)),
            Answer::Rejected(mistakes) => Err(LiveError::Rejected(mistakes)),
            _ => Err(self.lab.no_answer(io::ErrorKind::InvalidData.into())),
        }
    }

    fn next_answer(&mut self) -> Result<Answer, LiveError> {
        let mut line = Vec::new();
        let read = (&mut self.answers).take(LONGEST_ANSWER).read_until(b'\n', &mut line);
        if !read.is_ok_and(|length| length > 0) {
            return Err(LiveError::EndedMeanwhile(self.lab.name.clone()));
        }
        self.lab.answer(&line)
    }
}

/// What happens in a lab.
#[derive(Debug)]
pub struct Watching<'a>(Working<'a>);

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Everything that happens from now on is told.
    Begun,
    /// Something has happened.
    Happened {
        /// Milliseconds since the lab is up.
        at_ms: u64,
        /// What. It may hold text of programs and packets.
        text: String,
    },
    /// So many lines were lost here, as they were not read in time.
    Lost(u64),
}

impl Watching<'_> {
    /// Waits for what happens next.
    ///
    /// # Errors
    /// The lab has ended, or refuses.
    pub fn next_event(&mut self) -> Result<Watched, LiveError> {
        match self.0.next_answer()? {
            Answer::Watching => Ok(Watched::Begun),
            Answer::Happened(Happening { at_ms, text }) => Ok(Watched::Happened { at_ms, text }),
            Answer::Lost(lines) => Ok(Watched::Lost(lines)),
            _ => Err(self.0.lab.no_answer(io::ErrorKind::InvalidData.into())),
        }
    }
}

/// Sends a request, and returns the answer's line and the descriptors that came with it.
fn exchange(socket: &UnixStream, request: Request) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let descriptors = ask(socket, request)?;
    let mut answer = Vec::new();
    socket.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok((answer, descriptors))
}

/// Sends a request, and returns the descriptors that come before its answer.
fn ask(mut socket: &UnixStream, request: Request) -> io::Result<Vec<OwnedFd>> {
    let mut line = serde_json::to_vec(&Versioned::new(request))?;
    line.push(b'\n');
    socket.write_all(&line)?;
    Ok(descriptors::receive(socket.as_fd())?.1)
}

/// Text of another process, for a sentence.
fn printable(text: &str) -> String {
    text.chars().take(32).collect::<String>().escape_debug().to_string()
}
