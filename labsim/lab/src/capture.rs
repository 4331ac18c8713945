//! Captures: every interface of every node, from one packet socket a node and one reader thread.
//!
//! The sockets have no ring: the kernel waits for a grace period (8 to 16 ms) when a ring is made
//! and for two more when it is closed, a queue of megabytes costs nothing before it is used, and
//! it takes frames of any length, those of segmentation offload among them (packet(7)).

mod close;
mod counting;
mod flush;
mod frames;
mod marker;
mod points;
mod reader;
mod receive;
mod scope;
mod tap;

pub(crate) use close::DeferredClose;
pub use frames::{Captured, Frame, Parts, Point, Record};
pub use marker::{Marked, MarkerKind};
pub(crate) use receive::open_bound;
pub use scope::Scope;
pub use tap::{TapPoint, TappedFrame, TappedPoint, Taps};

use crate::lab::Lab;
use counting::Uncaptured;
use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_sys::Errno;
use labsim_wire::ethernet::Mac;
use nix::sys::eventfd::{EfdFlags, EventFd};
use points::Layout;
use reader::{Reader, Tap};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};
use tracing::debug;

/// The clock of captures: nanoseconds since 1970.
#[must_use]
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or_default()
}

/// How much is kept of all frames together, in bytes; what does not fit counts as dropped.
const ARENA_BYTES: usize = 256 << 20;

/// A running capture of a lab. Dropping it ends it without a result.
#[derive(Debug)]
pub struct Capture {
    layout: Layout,
    /// How many points' frames are kept.
    taken: usize,
    /// By node: sends markers, and receives nothing.
    senders: Vec<OwnedFd>,
    /// Count what the kernel does not hand over.
    uncaptured: Uncaptured,
    progress: Arc<Progress>,
    stop: Arc<EventFd>,
    reader: Option<JoinHandle<Result<reader::Read, io::Error>>>,
    round: AtomicU32,
    links: Mutex<Links>,
    deferred_close: Arc<DeferredClose>,
}

/// Which links can be flushed.
#[derive(Debug, Clone)]
struct Links {
    /// Interfaces that were set down.
    down: BTreeSet<usize>,
    /// Those and the other ends of their links.
    dead: BTreeSet<usize>,
    /// By point: where its markers arrive.
    far: Vec<Option<Mac>>,
}

/// Why a capture cannot start, or has failed.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Packet sockets are not for this process.
    #[error(
        "{node}: no packet socket: CAP_NET_RAW is missing; run as root, or grant it (in a \
         container: `--cap-add NET_RAW`)"
    )]
    Capability {
        /// In which node.
        node: NodeName,
    },
    /// The kernel has no packet sockets.
    #[error("{node}: this kernel has no packet sockets (CONFIG_PACKET); load `af_packet`")]
    Unsupported {
        /// In which node.
        node: NodeName,
    },
    /// A socket could not be made or used.
    #[error("{node}: packet socket: {source}")]
    Socket {
        /// In which node.
        node: NodeName,
        /// What the kernel said.
        source: io::Error,
    },
    /// The thread that reads the sockets could not start, or has failed.
    #[error("the reader of the captures: {0}")]
    Reader(#[from] io::Error),
}

/// The reader's progress while it reads.
#[derive(Debug, Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Frames captured, markers not among them.
    frames: u64,
    /// By point: the last round whose marker left it, and arrived at the other end.
    seen: Vec<Seen>,
    /// The reader has ended.
    ended: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    left: u32,
    arrived: u32,
}

impl Links {
    fn of(layout: &Layout, down: BTreeSet<usize>) -> Self {
        let dead = layout.dead(&down);
        Self { far: layout.far_ends(&dead), dead, down }
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capture {
    /// Starts capturing everything in every node, before anything is sent: frames that are sent after
    /// this returns are captured.
    ///
    /// # Errors
    /// Which node has no packet socket, and why.
    pub fn start(lab: &Lab) -> Result<Self, CaptureError> {
        Self::start_of(lab, Scope::default())
    }

    /// The same of what is in `scope`.
    ///
    /// # Errors
    /// Which node has no packet socket, and why.
    pub fn start_of(lab: &Lab, scope: Scope) -> Result<Self, CaptureError> {
        let layout = Layout::of(lab);
        let mut taps = Vec::new();
        let mut senders = Vec::new();
        let mut uncaptured = Uncaptured::default();
        for (position, node) in lab.nodes().enumerate() {
            let failed = |source: io::Error| socket_error(node.name(), source);
            let programs = scope.programs(&layout, position);
            let made = node.run_passive(|| {
                let counter = programs.left_out.as_deref().map(counting::open).transpose()?;
                let socket = receive::open_filtered(programs.taken.as_deref())?;
                Ok((socket, labsim_sys::packet::open()?, counter))
            });
            let (socket, sender, counter) = made.and_then(|made| made).map_err(failed)?;
            uncaptured.extend(counter);
            debug!(node = %node.name(), "capture sockets opened");
            taps.push(Tap { node: position, socket });
            senders.push(sender);
        }
        let progress = Arc::new(Progress::default());
        progress.lock().seen = vec![Seen::default(); layout.points.len()];
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let stop = Arc::new(stop.map_err(io::Error::from)?);
        let taken = scope.count(&layout);
        let reader = Reader::new(taps, &layout, scope, Arc::clone(&progress), Arc::clone(&stop))?;
        let deferred_close = Arc::clone(lab.deferred_close());
        let handle =
            std::thread::Builder::new().name("lab-capture".into()).spawn(move || reader.run())?;
        let round = AtomicU32::new(0);
        let links = Mutex::new(Links::of(&layout, BTreeSet::new()));
        Ok(Self {
            layout,
            taken,
            senders,
            uncaptured,
            progress,
            stop,
            reader: Some(handle),
            round,
            links,
            deferred_close,
        })
    }

    /// An interface of a node is about to be set down: it, and the other end of its link if that is
    /// no segment, get an end marker, as nothing comes through behind it, and no marker is sent
    /// there from here on.
    ///
    /// # Errors
    /// The reader has failed.
    pub fn before_down(
        &self,
        node: &NodeName,
        interface: &InterfaceName,
        deadline: Instant,
    ) -> Result<(), CaptureError> {
        let mut links = self.links();
        let Some(point) = self.layout.find(node, interface) else { return Ok(()) };
        let mut down = links.down.clone();
        down.insert(point);
        let then = Links::of(&self.layout, down);
        let ending = then.dead.difference(&links.dead).copied();
        self.send_and_wait(MarkerKind::End, &links, ending, deadline)?;
        *links = then;
        Ok(())
    }

    /// An interface of a node was down before the capture began: no marker is sent there.
    pub fn was_down(&self, node: &NodeName, interface: &InterfaceName) {
        let mut links = self.links();
        let Some(point) = self.layout.find(node, interface) else { return };
        let mut down = std::mem::take(&mut links.down);
        down.insert(point);
        *links = Links::of(&self.layout, down);
    }

    /// An interface of a node was set up again.
    pub fn after_up(&self, node: &NodeName, interface: &InterfaceName) {
        let mut links = self.links();
        let Some(point) = self.layout.find(node, interface) else { return };
        let mut down = std::mem::take(&mut links.down);
        down.remove(&point);
        *links = Links::of(&self.layout, down);
    }

    /// How many interfaces there are, whether or not their frames are kept.
    #[must_use]
    pub fn points(&self) -> usize {
        self.layout.points.len()
    }

    /// How many of them are capture points.
    #[must_use]
    pub fn taken_points(&self) -> usize {
        self.taken
    }

    /// How many frames have passed all interfaces up to now, those among them that are not kept; markers
    /// not among them.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.progress.lock().frames + self.uncaptured.frames()
    }

    /// Ends the capture. Sockets are closed in the background; the lab waits for that.
    ///
    /// # Errors
    /// The reader has failed.
    pub fn stop(mut self) -> Result<Captured, CaptureError> {
        let read = self.end().unwrap_or_else(|| Err(io::Error::other("it has ended already")))?;
        Ok(read.into_captured(&self.layout))
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the reader, and has all sockets closed.
    fn end(&mut self) -> Option<io::Result<reader::Read>> {
        let reader = self.reader.take()?;
        // Only a full counter is refused, and it wakes the reader as well.
        let _ = self.stop.write(1);
        let read = reader.join().unwrap_or_else(|_| Err(io::Error::other("it has panicked")));
        let mut sockets = std::mem::take(&mut self.senders);
        sockets.append(&mut self.uncaptured.take_sockets());
        let read = read.map(|mut read| {
            sockets.append(&mut read.sockets);
            read
        });
        self.deferred_close.close(sockets);
        Some(read)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// Opens what a capture needs in the calling thread's namespace, and closes it.
pub(crate) fn try_packet_socket() -> io::Result<()> {
    receive::open().map(drop)
}

fn socket_error(node: &NodeName, source: io::Error) -> CaptureError {
    let node = node.clone();
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => CaptureError::Capability { node },
        Some(Errno::EAFNOSUPPORT) => CaptureError::Unsupported { node },
        _ => CaptureError::Socket { node, source },
    }
}
